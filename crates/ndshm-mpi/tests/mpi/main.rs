//! MPI programs: each role of this binary is one, which its tests run by `mpirun` with 1, 2 and 4 ranks, as nodes of 1, 2 and
//! 4 of them.
//!
//! `cargo test --test mpi -- halo` runs a part. Every job has a time limit, after which it counts as hanging.

mod examples;
mod failures;
mod file;
mod halo;
mod job;
mod kills;
mod node_array;
mod nodes;
mod reduction;
mod whole;

ndshm_testkit::suite! {
    roles: [
        failures::posting,
        failures::step,
        failures::late,
        failures::long,
        failures::refusals,
        failures::memory,
        failures::finalised,
        failures::threads,
        failures::names,
        failures::forgotten,
        file::by_all,
        file::refusals,
        halo::random_shapes,
        halo::refusals,
        halo::under_way,
        kills::at_work,
        node_array::copies,
        node_array::refusals,
        nodes::grouping,
        nodes::late,
        nodes::leaving,
        nodes::refusals,
        nodes::errors_of_one_are_those_of_all,
        reduction::arrays,
        reduction::values,
        reduction::pieces,
        whole::random_divisions,
        whole::refusals,
    ],
    tests: [
        120 => nodes::ranks_are_grouped,
        120 => nodes::disagreements_are_refused_everywhere,
        120 => nodes::nobody_goes_on_where_one_failed,
        120 => kills::a_killed_rank_ends_the_job_and_leaves_nothing,
        240 => examples::they_check_themselves,
        60 => nodes::who_is_late_is_named,
        60 => nodes::who_left_is_named,
        120 => node_array::each_node_has_one_copy,
        120 => node_array::what_differs_is_refused_everywhere,
        240 => halo::margins_are_what_a_serial_program_has,
        120 => halo::what_does_not_fit_is_refused,
        120 => halo::claims_hold_until_it_is_complete,
        120 => reduction::values_are_combined,
        120 => reduction::arrays_are_combined,
        120 => reduction::long_ones_in_pieces,
        60 => failures::nothing_of_a_failed_transfer_is_taken_for_the_next,
        60 => failures::nobody_is_out_of_step,
        60 => failures::the_late_one_is_blamed_on_all_nodes,
        120 => failures::what_makes_progress_is_not_given_up,
        120 => failures::what_one_rank_cannot_give_is_told_to_all,
        60 => failures::a_root_without_memory_says_so,
        60 => failures::what_comes_after_the_end_is_an_error,
        60 => failures::threads_that_may_meet_in_mpi_are_refused,
        60 => failures::claims_bear_the_rank_in_the_job,
        60 => failures::what_is_forgotten_keeps_its_communicator,
        240 => whole::parts_arrive_where_they_belong,
        120 => whole::what_does_not_fit_is_refused,
        120 => file::all_ranks_write_and_read_one_file,
        120 => file::what_one_rank_cannot_do_is_told_to_all,
    ],
}
