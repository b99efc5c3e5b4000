//! The campaign itself: that it is clean where all is right, and finds what is not.

mod plant;
mod run;

ndshm_testkit::suite! {
    roles: [plant::campaign],
    tests: [
        300 => run::a_short_campaign_is_clean,
        60 => run::a_report_for_programs_is_one_object,
        30 => run::bad_usage_is_told_apart,
        120 => plant::poison_that_is_ignored_is_found,
        120 => plant::a_lock_stolen_from_a_stopped_owner_is_found,
        120 => plant::a_lock_that_lets_others_in_is_found,
        120 => plant::an_update_that_is_lost_is_found,
        120 => plant::a_lock_that_nobody_takes_over_is_found,
        120 => plant::the_same_lock_without_a_fault_is_clean,
    ],
}
