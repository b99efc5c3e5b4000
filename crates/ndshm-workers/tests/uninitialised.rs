//! A process of its own, in which `init` is not called.

use ndshm_workers::{RunError, StartError, Workers};

#[test]
fn run_without_init_is_an_error_that_says_what_to_do() {
    let error = Workers::new(2).run(|w, ()| Ok::<_, String>(w.rank()), &()).unwrap_err();
    assert!(matches!(error, RunError::Start(StartError::NotInitialised)), "{error:?}");
    assert!(error.to_string().contains("ndshm_workers::init()"), "{error}");
}
