//! What is promised of every backend, on each of them: one list of tests, written once against
//! [`SharedBuffer`](ndshm_buffer::SharedBuffer); and behind it what concerns the portable one alone.
//!
//! `cargo test -p ndshm-buffer --test conformance -- portable::` runs those of one backend.

mod arena;
mod bytes;
#[path = "../common/mod.rs"]
mod common;
mod foreign;
mod full;
mod halfway;
mod lives;
mod races;
mod refusals;

use ndshm_buffer::Backend;

/// Each test of both as two, `native::` and `portable::`.
macro_rules! conformance {
    (
        roles: [$($role:path),* $(,)?],
        both: [$($limit:literal => $test:path),* $(,)?],
        portable: [$($own_limit:literal => $own:path),* $(,)?] $(,)?
    ) => {
        fn main() -> ::std::process::ExitCode {
            let roles: &[ndshm_testkit::RoleEntry] = &[$((stringify!($role), $role as fn())),*];
            let tests = [
                $(ndshm_testkit::Test {
                    name: concat!("native::", stringify!($test)),
                    limit: $limit,
                    run: || arena::on(Backend::Native, $test),
                },
                ndshm_testkit::Test {
                    name: concat!("portable::", stringify!($test)),
                    limit: $limit,
                    run: || arena::on(Backend::Portable, $test),
                },)*
                $(ndshm_testkit::Test {
                    name: concat!("portable::", stringify!($own)),
                    limit: $own_limit,
                    run: || arena::on(Backend::Portable, $own),
                },)*
            ];
            ndshm_testkit::run_suite(roles, &tests)
        }
    };
}

conformance! {
    roles: [
        bytes::reader,
        bytes::adder,
        foreign::plain_opener,
        foreign::plain_creator,
        foreign::small_filesystem,
        full::small_filesystem,
        full::limited,
        lives::attacher,
        lives::creator,
        lives::forker,
        races::racer,
        races::opener,
        races::doomed,
        races::overtaken,
        refusals::stranger,
    ],
    both: [
        60 => lives::created_opened_removed_and_created_again,
        60 => lives::the_creators_drop_removes_the_name,
        60 => lives::who_attaches_removes_nothing,
        60 => lives::persisted_names_stay,
        60 => lives::what_a_killed_creator_leaves,
        60 => lives::a_new_segment_of_the_name_is_left_alone,
        60 => lives::a_forked_child_removes_nothing,
        60 => bytes::are_the_same_in_another_process,
        60 => bytes::additions_of_several_processes_add_up,
        60 => bytes::lengths_are_exact,
        60 => bytes::what_init_leaves_is_what_is_found,
        60 => bytes::one_mapping_a_process,
        60 => bytes::handles_travel,
        60 => refusals::names_and_lengths,
        60 => refusals::what_a_backend_cannot_do,
        60 => refusals::links_and_other_files,
        60 => refusals::another_users,
        90 => races::one_creator_wins_and_all_see_it_whole,
        90 => races::creators_killed_at_any_moment,
        60 => races::all_can_be_overtaken_at_each_system_call,
    ],
    portable: [
        60 => foreign::a_plain_program_opens_a_segment,
        60 => foreign::a_segment_of_a_plain_program_is_opened,
        60 => foreign::what_it_did_not_reserve_is_reserved,
        60 => foreign::os_ids_are_checked,
        60 => halfway::an_opener_waits_for_its_creator,
        60 => halfway::what_stays_half_made_is_an_error,
        60 => halfway::what_its_end_says_is_checked,
        90 => full::a_full_filesystem_is_an_error,
        60 => full::limits_of_the_process_are_errors,
    ],
}
