//! Arrays across real process boundaries: claims, deaths, handles, forks.
//!
//! `cargo test -p ndshm-array --test processes -- kills` runs a part. Every test has a time limit
//! after which it counts as hanging, and children die with it.

#[path = "../common/mod.rs"]
mod common;

mod append;
mod atomic;
mod attach;
mod claims;
mod deaths;
mod fork;
mod full;
mod kills;
mod model;
mod prefault;
mod shadow;
mod stopped;
mod victim;

ndshm_testkit::suite! {
    roles: [
        append::appender,
        append::endless,
        append::forker,
        append::watcher,
        atomic::adder,
        attach::opener,
        attach::stranger,
        attach::visitor,
        claims::holder,
        deaths::finder,
        deaths::leaver,
        fork::forker,
        fork::threaded_forker,
        full::small_filesystem,
        model::actor,
        prefault::worker,
        shadow::claimant,
        victim::bystander,
        victim::hammer,
        victim::reader,
        victim::waiter,
        victim::writer,
    ],
    tests: [
        60 => claims::processes_exclude_each_other,
        60 => attach::users_share_what_was_made_for_it,
        60 => stopped::a_holder_of_rows_is_waited_for,
        60 => stopped::a_holder_of_the_tables_lock_is_waited_for_no_longer_than_asked,
        120 => model::outcomes_are_those_of_the_model,
        60 => shadow::nobody_is_ever_in_anybody_elses_rows,
        120 => kills::writers_are_killed,
        120 => kills::readers_are_killed,
        120 => kills::waiters_are_killed,
        120 => kills::holders_of_the_tables_lock_are_killed,
        60 => deaths::a_waiter_learns_of_a_death_soon,
        60 => deaths::one_death_with_many_claims,
        60 => deaths::many_deaths_of_readers,
        60 => deaths::many_deaths_of_writers,
        60 => deaths::a_forgotten_guard_is_a_death,
        60 => deaths::a_panic_elsewhere,
        60 => fork::a_forked_child_has_nothing_of_its_parents,
        60 => fork::a_child_of_a_threaded_process_opens_anew,
        60 => atomic::no_change_of_any_type_is_lost,
        60 => append::every_row_is_there_once_and_whole,
        120 => append::appenders_are_killed,
        60 => append::appenders_are_killed_beside_a_survivor,
        60 => append::a_stopped_appender_is_waited_for_no_longer_than_asked,
        60 => append::a_forked_child_appends_nothing,
        60 => append::numpy_loads_it_while_it_grows,
        60 => attach::by_name_and_by_handle,
        60 => attach::what_is_gone_or_another,
        60 => full::a_full_filesystem,
        120 => prefault::each_has_its_rows,
        60 => prefault::of_every_shape,
    ],
}
