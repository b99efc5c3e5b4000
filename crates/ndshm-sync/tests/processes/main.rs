//! Locks and barriers across real process boundaries, under SIGKILL, SIGSTOP, fork and worse.
//!
//! `cargo test -p ndshm-sync --test processes -- kills` runs a part. Every test has a time limit
//! after which it counts as hanging, and children die with it.

mod arena;
mod contention;
mod damage;
mod fork;
mod kills;
mod members;
mod pidns;
mod ranks;
mod recovery;
mod rwlock;
mod seqlock;
mod stop;
mod timeouts;

ndshm_testkit::suite! {
    roles: [
        contention::adder,
        contention::leaker,
        damage::visitor,
        fork::forker,
        kills::barrier::party,
        kills::mutex::holder,
        kills::mutex::player,
        kills::mutex::recoverer,
        members::crowd,
        members::joiner,
        pidns::stranger,
        recovery::orphaner,
        rwlock::deaths::forker,
        rwlock::deaths::holder,
        rwlock::deaths::waiter,
        rwlock::kills::player,
        rwlock::meeting::mixer,
        rwlock::meeting::reader_without_end,
        seqlock::dawdler,
        seqlock::forker,
        seqlock::reader,
        seqlock::writer,
        stop::holder,
        stop::waiter,
        timeouts::holder,
    ],
    tests: [
        120 => kills::mutex::holders_are_killed,
        120 => kills::mutex::waiters_are_killed,
        120 => kills::mutex::recoverers_are_killed,
        180 => kills::barrier::parties_are_killed,
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
        180 => rwlock::kills::readers_and_writers_are_killed,
        120 => rwlock::deaths::dead_readers_hold_nobody_up,
        60 => rwlock::deaths::a_writer_that_waits_takes_nothing_to_its_grave,
        60 => rwlock::deaths::a_writer_that_dies_inside_is_told_of,
        60 => rwlock::deaths::the_stopped_are_waited_for,
        60 => rwlock::deaths::a_forked_child_has_no_share,
        120 => rwlock::meeting::no_increment_is_lost,
        120 => rwlock::meeting::readers_starve_no_writer,
        60 => rwlock::meeting::two_processes_read_at_once,
        60 => rwlock::meeting::a_full_house_waits,
        60 => rwlock::meeting::threads_share_a_cell,
        60 => rwlock::meeting::time_outs,
        60 => rwlock::meeting::a_writers_panic_poisons_and_a_readers_does_not,
        60 => rwlock::meeting::what_differs_is_refused,
        60 => rwlock::meeting::garbage_is_no_panic_and_no_hang,
        180 => seqlock::writers_are_killed,
        60 => seqlock::the_dead_take_only_their_own_write,
        60 => seqlock::a_stopped_writer_keeps_no_reader,
        60 => seqlock::a_forked_child_may_only_read,
        60 => seqlock::a_panic_publishes_nothing,
        60 => seqlock::of_all_sizes,
    ],
}
