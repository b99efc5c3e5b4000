//! The command, as it is built, beside live arrays of other processes, what killed ones left, files.
//!
//! `cargo test -p ndshm-cli --test command -- save` runs a part.

mod damage;
mod doctor;
mod files;
mod keeper;
mod listing;
mod looking;
mod pipes;
mod removing;
mod run;
mod running;
mod saving;
mod terminal;
mod top;
mod users;

ndshm_testkit::suite! {
    roles: [keeper::maker, keeper::opener, running::member],
    tests: [
        60 => listing::a_live_array_and_who_holds_what,
        60 => listing::what_a_killed_creator_leaves,
        60 => listing::what_is_kept,
        60 => listing::raw_buffers_and_what_is_no_segment,
        60 => listing::nothing_and_no_directory,
        120 => damage::each_kind_of_damage_is_told_and_harms_nobody,
        60 => looking::a_file_and_a_segment_are_looked_at_alike,
        60 => looking::numbers_are_shown_as_numpy_shows_them,
        60 => looking::planes_of_arrays_of_more_dimensions,
        60 => looking::nan_and_infinity_are_seen,
        120 => looking::pictures,
        60 => looking::structs_are_shown_by_field,
        60 => looking::what_cannot_be_shown,
        60 => saving::a_copy_is_consistent_or_not_made,
        60 => saving::poison_is_not_saved_unasked,
        60 => files::load_and_save_round,
        60 => files::names_are_not_taken_from_anybody,
        60 => files::bad_files_are_refused_in_one_line,
        60 => removing::what_is_in_use_stays,
        60 => removing::orphans_alone_are_collected,
        60 => top::frames_and_changes,
        60 => running::each_has_its_rank_and_its_lines,
        60 => running::long_lines_of_many_are_never_mixed,
        60 => running::one_dead_ends_all_and_its_status_is_returned,
        60 => running::what_cannot_be_run,
        60 => running::json_tells_lines_and_events,
        60 => running::signals_pass_on_and_nobody_is_left,
        60 => running::a_reader_that_goes_ends_all,
        60 => running::programs_of_ndshm_meet,
        60 => doctor::health_and_advice,
        60 => pipes::output_is_steady,
        120 => pipes::a_reader_that_goes_is_no_error,
        60 => pipes::usage_is_one_line_and_help_has_the_statuses,
        60 => pipes::completions_and_the_manual,
        60 => terminal::colours_on_a_terminal_only,
        60 => terminal::top_ends_and_leaves_the_terminal_as_it_was,
        60 => users::segments_of_others,
    ],
}
