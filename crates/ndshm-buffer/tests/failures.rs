//! Each system call of each operation made to fail in turn: a typed error or success, never a panic, a signal or a
//! hang, and no descriptor, mapping, memory or name left behind.

mod common;

use std::path::Path;

use common::scratch;
use ndshm_testkit::{Role, arguments, skip};

ndshm_testkit::suite! {
    roles: [failing],
    tests: [240 => each_system_call_fails_in_turn],
}

fn each_system_call_fails_in_turn() {
    if cfg!(not(target_arch = "x86_64")) {
        return skip("failing system calls", "registers are named for x86-64 only");
    }
    let dir = scratch();
    let limit = std::time::Duration::from_secs(230);
    Role::new("failing").arg(dir.path().display()).spawn().succeed(limit);
}

/// A process of one thread, which forks.
fn failing() {
    #[cfg(target_arch = "x86_64")]
    injected::all(Path::new(&arguments()[0]));
}

#[cfg(target_arch = "x86_64")]
mod injected {
    use std::fs;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::process::Command;

    use ndshm_buffer::{Backend, BufferOptions, OpenError, SharedBuffer};
    use ndshm_testkit::{Traced, arguments, one_line};

    use crate::common::{listing, within};

    /// What is done, to a segment that is there where it needs one. The text of its error, if it gave one.
    type Operation = fn(&BufferOptions, &SharedBuffer) -> Result<(), String>;

    fn text<T>(result: Result<T, impl std::fmt::Display>) -> Result<(), String> {
        result.map(drop).map_err(|error| one_line(&error, &[]))
    }

    const NATIVE: &[(&str, Operation)] = &[
        ("create", |options, _| text(options.create(&called("new"), 70_000))),
        ("create anonymous", |options, _| text(options.anonymous(70_000))),
        ("create growable", |options, _| {
            text(options.clone().capacity(1 << 20).create(&called("new"), 64))
        }),
        ("create persistent", |options, _| {
            let options = options.clone().persist(true);
            text(options.create(&called("new"), 64).map(|new| new.unlink()))
        }),
        ("open", |options, _| text(options.open(&called("there")))),
        ("open read-only", |options, _| {
            text(options.clone().read_only(true).open(&called("there")))
        }),
        ("open by handle", |options, there| {
            text(options.clone().read_only(true).open_handle(&there.handle()))
        }),
        ("grow", |_, there| {
            // Several steps of the reservation.
            let (old, new) = (there.len(), 40 << 20);
            let grown = there.grow(new);
            // What it has can be used, whatever came of it.
            there.write_at(there.len() - 1, &[1]).unwrap();
            assert_eq!(there.len(), if grown.is_ok() { new } else { old });
            text(grown)
        }),
        ("persist", |_, there| text(there.persist())),
        ("unlink", |_, there| text(there.unlink())),
        ("remove", |options, _| text(options.remove(&called("there")))),
        ("send and receive", |options, there| {
            let (here, end) = UnixStream::pair().map_err(|error| error.to_string())?;
            text(there.send_to(&here))?;
            text(options.receive_from(&end))
        }),
        ("receive read-only", |options, there| {
            let (here, end) = UnixStream::pair().map_err(|error| error.to_string())?;
            text(there.send_to(&here))?;
            text(options.clone().read_only(true).receive_from(&end))
        }),
        ("pass to a program", |_, there| text(there.pass_to(&mut Command::new("true"), "a"))),
        ("guarded copies", |options, _| {
            let opened = options.clone().guarded(true).open(&called("there"));
            text(opened.map(|opened| {
                opened.read_at(0, &mut [0; 64]).expect("nothing is missing");
            }))
        }),
        ("list", |options, _| text(options.list())),
        ("info", |options, _| text(options.info(&called("there")))),
        ("gc", |options, _| text(options.gc())),
    ];

    const PORTABLE: &[(&str, Operation)] = &[
        ("create portable", |options, _| text(options.create(&called("new"), 70_000))),
        ("create portable filled", |options, _| {
            text(options.create_with(&called("new"), 700_000, |bytes| bytes.fill(1)))
        }),
        ("open portable", |options, _| text(options.open(&called("there")))),
        ("open portable by handle", |options, there| text(options.open_handle(&there.handle()))),
        ("persist portable", |_, there| text(there.persist())),
        ("unlink portable", |_, there| text(there.unlink())),
        ("remove portable", |options, _| text(options.remove(&called("there")))),
    ];

    /// A name that no other run has: the portable ones are of the whole system.
    fn called(what: &str) -> String {
        let directory = arguments()[0].rsplit('/').next().unwrap_or_default().to_owned();
        format!("{what}-{directory}")
    }

    const ERRNOS: &[i32] =
        &[libc::ENOSPC, libc::ENOMEM, libc::EMFILE, libc::EACCES, libc::EINTR, libc::EIO];

    /// Calls that the allocator makes: without memory for a string a program ends.
    const ALLOCATOR: &[i64] = &[libc::SYS_brk, libc::SYS_mprotect, libc::SYS_mremap];
    /// Calls that cannot fail, which `rustix` relies on.
    const INFALLIBLE: &[i64] =
        &[libc::SYS_getpid, libc::SYS_gettid, libc::SYS_geteuid, libc::SYS_prlimit64];
    /// Calls that give back what is then kept, since they were not made.
    const GIVING_BACK: &[i64] = &[libc::SYS_close, libc::SYS_munmap];

    pub(crate) fn all(dir: &Path) {
        let native = NATIVE.iter().map(|operation| (within(dir), operation));
        let portable = SharedBuffer::options().backend(Backend::Portable);
        let portable = PORTABLE.iter().map(|operation| (portable.clone(), operation));
        for (options, (name, operation)) in native.chain(portable) {
            let mut outcomes = [0, 0];
            let mut calls = 0;
            for errno in ERRNOS {
                let mut nth = 0;
                while let Some(failed) = one(&options, dir, name, *operation, nth, *errno) {
                    outcomes[usize::from(failed)] += 1;
                    nth += 1;
                }
                calls = nth;
            }
            println!(
                "{name}: {calls} system calls with {} errors each: {} times all well, {} times an error",
                ERRNOS.len(),
                outcomes[0],
                outcomes[1]
            );
            assert!(outcomes[1] > 0 && calls > 2, "{name}: nothing failed");
        }
    }

    /// A call that nothing else here makes: tells the tracer where the operation begins and ends.
    fn mark() {
        // SAFETY: touches no memory.
        unsafe { libc::sched_yield() };
    }

    /// What the exit status of a child begins with that has come to its end.
    const ENDED: i32 = 10;

    /// How many descriptors and mappings of segments this process has.
    fn held() -> (usize, usize) {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let segments =
            |line: &&str| line.contains("ndshm") && line.contains("-s ") || line.contains("rw-s");
        (listing("/proc/self/fd".as_ref()).len(), maps.lines().filter(segments).count())
    }

    /// Has that one call of the operation fail. Whether the operation did; `None` where it makes no such call.
    fn one(
        options: &BufferOptions,
        dir: &Path,
        name: &str,
        operation: Operation,
        nth: usize,
        errno: i32,
    ) -> Option<bool> {
        let kept = options.clone().persist(true);
        let portable = name.contains("portable");
        let kept = if portable { kept } else { kept.capacity(64 << 20) };
        let there = kept.create(&called("there"), 5000).unwrap();
        let mut child = Traced::fork(|| {
            let before = held();
            mark();
            let outcome = operation(options, &there);
            mark();
            let after = held();
            assert!(
                after.0 <= before.0 + 1 && after.1 <= before.1 + 1,
                "{name}: {before:?} {after:?}"
            );
            let kept = (after != before, outcome.is_err());
            // SAFETY: ends this child, which has nothing to drop.
            unsafe { libc::_exit(ENDED + 2 * i32::from(kept.0) + i32::from(kept.1)) };
        });
        while child.to_call()? != libc::SYS_sched_yield {
            child.make_call();
        }
        child.make_call();
        for _ in 0..nth {
            if child.to_call()? == libc::SYS_sched_yield {
                clean(child, dir, options, there);
                return None;
            }
            child.make_call();
        }
        let call = child.to_call()?;
        if call == libc::SYS_sched_yield {
            clean(child, dir, options, there);
            return None;
        }
        // The standard library ends a program that cannot close a directory.
        let lists = call == libc::SYS_close && ["list", "gc"].contains(&name);
        if !ALLOCATOR.contains(&call) && !INFALLIBLE.contains(&call) && !lists {
            child.fail_call(errno);
        }
        let status = child.end();
        let what = format!("{name}: system call {call} with errno {errno}");
        assert!(libc::WIFEXITED(status), "{what}: ended by a signal: {status}");
        let code = libc::WEXITSTATUS(status) - ENDED;
        assert!((0..4).contains(&code), "{what}: panicked");
        assert!(code & 2 == 0 || GIVING_BACK.contains(&call), "{what}: something is left behind");
        let failed = code & 1 == 1;
        if portable {
            assert!(
                options
                    .open(&called("new"))
                    .is_err_and(|error| matches!(error, OpenError::NotFound { .. })),
                "{what}: a name is left"
            );
        } else {
            // What could not be removed is marked as nobody's, and goes with the next collection.
            let left = options.info(&called("new"));
            let orphan =
                |left: ndshm_buffer::SegmentInfo| left.is_orphan() || name == "create persistent";
            assert!(left.is_err() || left.is_ok_and(orphan), "{what}: a name is left");
        }
        if name == "grow" {
            let reserved = there.len().next_multiple_of(4096) as u64 + 4096;
            let found = rustix::fs::fstat(&there).unwrap().st_blocks as u64 * 512;
            assert!(found <= reserved, "{what}: {found} bytes reserved for {reserved}");
            there.grow(41 << 20).unwrap();
        }
        clean(child, dir, options, there);
        Some(failed)
    }

    fn clean(mut child: Traced, dir: &Path, options: &BufferOptions, there: SharedBuffer) {
        child.kill();
        drop(there);
        let _ = options.remove(&called("there"));
        let _ = options.gc();
        let _ = options.remove(&called("new"));
        assert_eq!(listing(dir).len(), 0);
    }
}
