//! MPI programs: each role of this binary is one, which its tests run by `mpirun` with 1, 2 and 4 ranks, as nodes of 1, 2 and
//! 4 of them.
//!
//! `cargo test --test mpi -- halo` runs a part. Every job has a time limit, after which it counts as hanging.

mod examples;
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
        240 => whole::parts_arrive_where_they_belong,
        120 => whole::what_does_not_fit_is_refused,
        120 => file::all_ranks_write_and_read_one_file,
        120 => file::what_one_rank_cannot_do_is_told_to_all,
    ],
}
