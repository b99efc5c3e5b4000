//! Locks and barriers across real process boundaries, under SIGKILL, SIGSTOP, fork and worse.
//!
//! `cargo test -p ndshm-sync --test processes -- kills` runs a part. Every test has a time limit
//! after which it counts as hanging, and children die with it.

mod arena;
mod condvar;
mod contention;
mod damage;
mod departures;
mod event;
mod fork;
mod kills;
mod latch;
mod members;
mod once;
mod pidns;
mod ranks;
mod recovery;
mod semaphore;
mod signal;
mod signals;
mod stop;
mod timeouts;

ndshm_testkit::suite! {
    roles: [
        condvar::dies,
        condvar::runner,
        condvar::worker,
        contention::adder,
        contention::leaker,
        damage::visitor,
        departures::leaver,
        event::goer,
        event::watcher,
        fork::forker,
        kills::barrier::party,
        kills::departures::comer,
        kills::departures::stayer,
        kills::mutex::holder,
        kills::mutex::player,
        kills::mutex::recoverer,
        latch::survivor,
        latch::victim,
        kills::once::maker,
        members::crowd,
        members::joiner,
        once::forker,
        once::initialiser,
        once::racer,
        pidns::stranger,
        recovery::orphaner,
        semaphore::holder,
        semaphore::worker,
        signal::poster,
        signal::taker,
        signals::forker,
        stop::holder,
        stop::waiter,
        timeouts::holder,
    ],
    tests: [
        120 => kills::mutex::holders_are_killed,
        120 => kills::mutex::waiters_are_killed,
        120 => kills::mutex::recoverers_are_killed,
        180 => kills::barrier::parties_are_killed,
        120 => kills::once::makers_are_killed,
        120 => kills::departures::comers_and_goers_are_killed,
        60 => departures::the_last_one_missing_departs,
        60 => departures::who_departs_ends_the_phase,
        60 => departures::all_have_departed,
        60 => departures::an_old_arrival_is_not_taken_for_a_new_one,
        60 => departures::an_heir_is_awaited_in_the_phase_of_the_dead,
        120 => once::one_of_all_makes_it,
        60 => once::who_waits_is_told_of_a_death,
        60 => once::who_waits_is_told_of_a_panic,
        60 => once::a_stopped_initialiser_is_waited_for,
        60 => once::time_outs,
        60 => once::a_forked_child_makes_nothing,
        60 => once::a_dead_first_writer_of_a_mutex_is_made_up_for,
        60 => stop::a_stopped_holder_is_waited_for,
        60 => stop::a_stopped_party_that_was_met_is_told_so,
        60 => fork::a_forked_child_is_no_member,
        60 => fork::a_child_forked_without_handlers_is_no_member,
        60 => members::a_thousand_at_once,
        60 => members::slots_of_the_dead_are_used_again,
        60 => members::what_cannot_be_joined,
        60 => members::a_read_only_file,
        60 => members::without_proc,
        60 => pidns::equal_pids_exclude_each_other,
        60 => timeouts::of_a_held_lock,
        60 => timeouts::of_a_dead_mans_lock,
        60 => timeouts::of_a_barrier,
        60 => timeouts::in_a_storm_of_signals,
        120 => contention::no_increment_is_lost,
        60 => contention::a_forgotten_guard_counts_as_a_death,
        60 => damage::garbage_in_the_word_is_no_panic_and_no_hang,
        60 => damage::garbage_in_a_party_is_no_panic_and_no_hang,
        60 => ranks::one_heir_only,
        60 => ranks::who_has_lost_its_rank_withdraws_nobody,
        60 => ranks::a_panic_is_a_failure,
        60 => recovery::poison_stays_until_it_is_cleared,
        120 => recovery::of_an_orphaned_lock,
        120 => recovery::of_a_lock_orphaned_during_a_wait,
        60 => condvar::nothing_is_lost_in_a_queue,
        120 => condvar::workers_are_killed,
        60 => condvar::a_death_with_the_mutex_ends_a_wait,
        60 => condvar::a_notification_that_was_never_sent_is_made_up_for,
        60 => condvar::all_are_notified,
        60 => semaphore::never_more_than_there_are,
        120 => semaphore::members_are_killed,
        60 => semaphore::a_stopped_holder_keeps_its_permit,
        60 => semaphore::garbage_in_a_permit_is_no_panic_and_no_hang,
        60 => signal::posts_equal_takes,
        120 => signal::takers_are_killed,
        60 => signal::as_many_are_woken_as_can_go_on,
        60 => event::each_set_lets_one_go,
        60 => event::who_waits_when_it_is_set_goes_on,
        60 => event::all_go_on_while_it_is_set,
        120 => event::waiters_are_killed,
        120 => latch::parties_are_killed,
        60 => latch::of_the_ranks,
        60 => latch::garbage_in_a_party_is_no_panic_and_no_hang,
        60 => signals::time_outs,
        60 => signals::a_forked_child_may_use_none_of_them,
    ],
}
