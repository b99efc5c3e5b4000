//! Every model, as deep as a test run has time for.

use ndshm_models::{Depth, scenarios};

macro_rules! models {
    ($($test:ident $name:literal,)*) => {
        $(#[test]
        fn $test() {
            let scenario = scenarios::all().find(|s| s.name == $name).expect("it is in the list");
            let explored = scenario.explore(Depth::Short);
            assert!(explored.executions > 100, "{explored:?}");
        })*

        const NAMES: &[&str] = &[$($name),*];
    };
}

models! {
    sleepers "sleepers",
    sleepers_death "sleepers-death",
    event_count "event-count",
    mutex "mutex",
    mutex_death "mutex-death",
    mutex_recovery "mutex-recovery",
    mutex_timeout "mutex-timeout",
    mutex_poison "mutex-poison",
    mutex_slot "mutex-slot",
    barrier "barrier",
    barrier_death "barrier-death",
    barrier_timeout "barrier-timeout",
    barrier_departure "barrier-departure",
    rwlock "rwlock",
    rwlock_full "rwlock-full",
    rwlock_death "rwlock-death",
    rwlock_timeout "rwlock-timeout",
    condvar "condvar",
    condvar_death "condvar-death",
    semaphore "semaphore",
    semaphore_death "semaphore-death",
    signal "signal",
    event "event",
    latch "latch",
    latch_death "latch-death",
    once "once",
    once_death "once-death",
    seqlock "seqlock",
    seqlock_death "seqlock-death",
}

#[test]
fn all_are_tested() {
    assert!(scenarios::all().map(|s| s.name).eq(NAMES.iter().copied()));
}
