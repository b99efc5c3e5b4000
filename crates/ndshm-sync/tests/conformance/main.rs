//! What is promised of every backend, on each of them: one list of tests, written once against
//! [`Members`](ndshm_sync::Members) and the primitives, run by this one binary.
//!
//! `cargo test -p ndshm-sync --test conformance -- portable::` runs those of one backend. Most tests
//! are of all primitives: see `subject::SUBJECTS`, where a new one is a line.

mod arena;
mod death;
mod exclusion;
mod fork;
mod joining;
mod kills;
mod meeting;
mod stop;
mod subject;
mod timeouts;

use ndshm_sync::BackendKind;

/// Each test as two: `native::` and `portable::`.
macro_rules! conformance {
    (roles: [$($role:path),* $(,)?], tests: [$($limit:literal => $test:path),* $(,)?] $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let roles: &[ndshm_testkit::RoleEntry] = &[$((stringify!($role), $role as fn())),*];
            let of_both = [$([
                ndshm_testkit::Test {
                    name: concat!("native::", stringify!($test)),
                    limit: $limit,
                    run: || arena::on(BackendKind::Native, $test),
                },
                ndshm_testkit::Test {
                    name: concat!("portable::", stringify!($test)),
                    limit: $limit,
                    run: || arena::on(BackendKind::Portable, $test),
                },
            ]),*];
            ndshm_testkit::run_suite(roles, of_both.as_flattened())
        }
    };
}

conformance! {
    roles: [
        death::orphaner,
        exclusion::adder,
        fork::forker,
        joining::crowd,
        kills::player,
        meeting::party,
        meeting::echo,
        subject::holder,
        subject::waiter,
    ],
    tests: [
        60 => joining::the_region_says_by_which_backend,
        60 => joining::what_cannot_be_joined,
        60 => joining::slots_of_the_dead_are_used_again,
        60 => joining::a_full_table_is_an_error,
        60 => exclusion::no_increment_is_lost,
        60 => death::of_a_holder_is_noticed_with_its_name,
        60 => death::of_a_holder_waited_for_is_noticed,
        60 => death::of_waiters_is_harmless,
        60 => death::with_a_thousand_locks,
        60 => kills::at_any_moment,
        60 => stop::who_is_stopped_is_waited_for,
        60 => timeouts::are_kept,
        60 => timeouts::of_what_a_dead_one_has_do_not_matter,
        60 => meeting::phases_complete,
        60 => meeting::changes_wake_those_who_sleep,
        60 => fork::a_forked_child_is_refused,
        60 => fork::a_child_forked_without_handlers_is_refused,
    ],
}
