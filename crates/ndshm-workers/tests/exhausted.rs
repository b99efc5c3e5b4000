//! The launcher runs out of descriptors half-way. A process of its own: the limit is the process's.

mod common;

use std::sync::Mutex;

use common::watchdog;
use ndshm_workers::{Event, RunError, StartError, Workers};

ndshm_workers::test_support!();

#[test]
fn a_start_that_fails_half_way_leaves_no_process() {
    let _watchdog = watchdog("half-way", 60);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let limit = libc::rlimit { rlim_cur: open as u64 + 24, rlim_max: open as u64 + 24 };
    // SAFETY: `limit` is a valid rlimit that lives for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);

    let sleep = |_: &ndshm_workers::Worker, ()| {
        std::thread::sleep(std::time::Duration::from_secs(600));
        Ok::<_, String>(())
    };
    let events = Mutex::new(Vec::<Event>::new());
    let workers = Workers::new(64).on_event(|event| events.lock().unwrap().push(event));
    let error = workers.run(sleep, &()).unwrap_err();
    let RunError::Start(StartError::Spawn { rank, source }) = &error else { panic!("{error}") };
    assert!((2..64).contains(rank), "{rank}");
    assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
    assert!(error.to_string().contains(&format!("worker {rank}")), "{error}");

    // SAFETY: asks for any child, and takes no status when there is none.
    let child = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    assert_eq!(child, -1, "a child is left");
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ECHILD));

    // And the descriptors are back.
    Workers::new(2).run(|_, ()| Ok::<_, String>(()), &()).unwrap();
}
