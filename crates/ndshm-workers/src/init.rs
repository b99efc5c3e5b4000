//! Where a worker process begins.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{entry, environment, sys};

static CALLED: AtomicBool = AtomicBool::new(false);

/// Runs the worker, when this process was started as one, and ends it; otherwise returns at once.
///
/// Call it in the first line of `main`, before threads are started, before arguments are parsed and
/// before anything is printed: [`Workers::run`](crate::Workers::run) starts this same executable
/// once for every worker, and all that stands before this line runs in every one of them.
///
/// The environment of a process that runs with more privileges than the one that started it
/// (setuid, file capabilities) is not obeyed.
///
/// # Examples
///
/// ```
/// use ndshm_workers::Workers;
///
/// fn main() -> ndshm_workers::Result<()> {
///     ndshm_workers::init();
///     println!("only the parent comes here");
///     Workers::new(2).run(|_, ()| Ok::<_, String>(()), &())?;
///     Ok(())
/// }
/// ```
pub fn init() {
    start(|| ());
}

fn start(prepare: impl FnOnce()) {
    // Relaxed: a flag that guards no other memory.
    CALLED.store(true, Ordering::Relaxed);
    match environment::take() {
        Ok(None) => {}
        Ok(Some(inherited)) => {
            prepare();
            entry::enter(inherited)
        }
        Err(environment::Unusable) => {
            eprintln!(
                "ndshm: started as a worker (NDSHM_GROUP is set), but without the descriptor \
                 that belongs to it; unset NDSHM_GROUP to run this program by itself"
            );
            std::process::exit(1);
        }
    }
}

/// Whether [`init`] was called in this process.
pub(crate) fn was_called() -> bool {
    CALLED.load(Ordering::Relaxed)
}

/// What [`test_support!`](crate::test_support) runs before `main`.
#[doc(hidden)]
pub fn before_main() {
    start(sys::ignore_sigpipe);
}

/// Calls [`init`](crate::init()) before `main`, for programs whose `main` is not theirs: once in
/// every test crate (each file in `tests/`, and the library with unit tests) that uses
/// [`Workers`](crate::Workers) in a `#[test]`.
///
/// A test's `main` belongs to the test harness, which a worker must not enter: it would run the
/// tests again. So this macro puts a function into the executable's `.init_array`, the list of what
/// the C runtime calls before `main`. In a worker it runs the worker and ends the process; in the
/// test process itself it does nothing but note that [`init`](crate::init()) was called.
///
/// # Limits
///
/// In a worker that starts so, Rust's runtime has not been set up by its `main`. SIGPIPE is ignored
/// as usual; but a stack overflow ends the worker by SIGSEGV without the usual message, the
/// thread's name is unknown, and C++ objects that are linked statically into the test may not be
/// constructed yet. Programs call [`init`](crate::init()) in `main` instead. A crate with
/// `#![forbid(unsafe_code)]` cannot use it, since placing a function in a section is an unsafe
/// attribute; put the tests into `tests/`.
///
/// # Examples
///
/// ```no_run
/// use ndshm_workers::{Worker, Workers};
///
/// ndshm_workers::test_support!();
///
/// fn ranks(worker: &Worker, _: ()) -> Result<usize, String> {
///     Ok(worker.rank())
/// }
///
/// #[test]
/// fn every_rank_answers() {
///     assert_eq!(Workers::new(3).run(ranks, &()).unwrap(), [0, 1, 2]);
/// }
/// ```
#[macro_export]
macro_rules! test_support {
    () => {
        const _: () = {
            extern "C" fn before_main() {
                $crate::__before_main();
            }

            // SAFETY: `.init_array` holds pointers to functions of the C calling convention, which
            // the C runtime calls once, in the only thread, before `main`; this is one. It uses of
            // Rust's runtime only what works before `main`: the environment, files, `exit`.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static BEFORE_MAIN: extern "C" fn() = before_main;
        };
    };
}
