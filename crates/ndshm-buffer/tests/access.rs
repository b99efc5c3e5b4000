//! Who may have a segment, and what a peer that truncates one does to those that copy.

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use common::{bytes, one_line, scratch, within};
use ndshm_buffer::{
    BufferOptions, CreateError, OpenError, ReadError, RemoveError, SharedBuffer, WriteError,
};
use ndshm_testkit::{Rng, Role, arguments, skip, until};

const SOON: Duration = Duration::from_secs(60);
const SIZE: usize = 64 << 10;
const GROUP: u32 = 65_500;

ndshm_testkit::suite! {
    roles: [masked, visitor, unguarded, chained, ignoring, racing],
    tests: [
        60 => a_mode_is_what_was_asked_for_less_the_umask,
        60 => bad_modes_are_refused,
        60 => a_segment_belongs_to_its_group,
        60 => others_get_what_the_mode_lets_them,
        60 => a_guarded_copy_of_what_is_missing_is_an_error,
        60 => a_missing_page_is_given_back_to_the_file,
        60 => a_fault_elsewhere_is_passed_on,
        120 => no_guarded_copy_gives_what_was_never_there,
    ],
}

// --- Modes and groups --------------------------------------------------------------------------------

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// `umask` is the process's, so each is tried in one of its own.
fn masked() {
    let dir = &arguments()[0];
    for mask in [0o000, 0o022, 0o027, 0o077, 0o777] {
        rustix::process::umask(mask.into());
        for mode in [0o600, 0o640, 0o660, 0o644, 0o666] {
            for (keep, sticky) in [(false, 0), (true, 0o1000)] {
                let options = within(dir.as_ref()).mode(mode).persist(keep);
                let buffer = options.create("masked", 64).unwrap();
                let path = buffer.path().unwrap();
                let wanted = (mode & !mask) | 0o600;
                assert_eq!(mode_of(path), wanted | sticky, "mode {mode:o}, umask {mask:o}");
                assert_eq!(options.info("masked").unwrap().mode(), wanted);
                buffer.persist().unwrap();
                assert_eq!(mode_of(path), wanted | 0o1000, "persisted, umask {mask:o}");
                buffer.unlink().unwrap();
                let anonymous = options.anonymous(64).unwrap();
                assert_eq!(rustix::fs::fstat(&anonymous).unwrap().st_mode & 0o7777, 0o600);
            }
        }
    }
}

fn a_mode_is_what_was_asked_for_less_the_umask() {
    let dir = scratch();
    Role::new("masked").arg(dir.path().display()).spawn().succeed(SOON);
}

fn bad_modes_are_refused() {
    let dir = scratch();
    for mode in [0o000, 0o400, 0o060, 0o700, 0o601, 0o4600, 0o1600, u32::MAX] {
        let refused = within(dir.path()).mode(mode).create("a", 64).unwrap_err();
        assert!(matches!(refused, CreateError::Mode { .. }), "{refused}");
        one_line(&refused, &["ndshm.a", &format!("mode {mode:o}")]);
    }
}

fn a_segment_belongs_to_its_group() {
    if !rustix::process::geteuid().is_root() {
        return skip("groups", "only root is sure to have another");
    }
    let dir = scratch();
    let options = within(dir.path()).group(GROUP).mode(0o660);
    let buffer = options.create("a", 64).unwrap();
    let info = options.info("a").unwrap();
    assert_eq!((info.group(), fs::metadata(buffer.path().unwrap()).unwrap().gid()), (GROUP, GROUP));
}

/// Another user, by `setpriv`: what it is told when it opens, writes and removes.
fn visitor() {
    let [dir, name, may] = &arguments()[..] else { panic!("three arguments") };
    let options = within(dir.as_ref());
    let refused = options.open(name).unwrap_err();
    assert!(matches!(refused, OpenError::ForeignOwner { owner: 0, .. }), "{refused}");
    let trusting = options.foreign_owner(true);
    let reader = trusting.clone().read_only(true).open(name);
    let writer = trusting.open(name);
    let denied = |opened: Result<SharedBuffer, OpenError>| {
        let denied = opened.unwrap_err();
        assert!(matches!(denied, OpenError::PermissionDenied { .. }), "{denied}");
        one_line(&denied, &[name, "ask its owner"]);
    };
    match may.as_str() {
        "write" => writer.unwrap().write_at(0, b"visitor").unwrap(),
        "read" => {
            denied(writer);
            let reader = reader.unwrap();
            assert_eq!(&bytes(&reader)[..5], b"owner");
            assert!(reader.write_at(0, b"x").is_err() && reader.persist().is_err());
            assert!(trusting.info(name).unwrap().is_in_use());
        }
        _ => {
            denied(writer);
            denied(reader);
        }
    }
    let refused = trusting.remove(name).unwrap_err();
    assert!(matches!(refused, RemoveError::PermissionDenied { .. }), "{refused}");
    assert_eq!(trusting.gc().unwrap().len(), 0);
}

fn others_get_what_the_mode_lets_them() {
    if !rustix::process::geteuid().is_root() {
        return skip("other users", "only root can become one");
    }
    let dir = scratch();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
    let mask = rustix::process::umask(0.into());
    let member = format!("--regid={GROUP}");
    let visit = |name: &str, group: &str, may: &str| {
        let command = ["setpriv", "--reuid=65534", group, "--clear-groups"];
        let role = Role::new("visitor").under(&command).arg(dir.path().display());
        role.arg(name).arg(may).spawn().succeed(SOON);
    };
    let options = within(dir.path()).group(GROUP);
    let modes = [
        (0o600, "nothing", "nothing"),
        (0o640, "read", "nothing"),
        (0o660, "write", "nothing"),
        (0o644, "read", "read"),
        (0o666, "write", "write"),
    ];
    for (mode, of_member, of_others) in modes {
        let buffer = options.clone().mode(mode).create("a", 64).unwrap();
        for (group, may) in [(member.as_str(), of_member), ("--regid=65534", of_others)] {
            buffer.write_at(0, b"owner  ").unwrap();
            visit("a", group, may);
            assert_eq!(&bytes(&buffer)[..7] == b"visitor", may == "write", "mode {mode:o}");
        }
    }
    rustix::process::umask(mask);
}

// --- Truncated files -----------------------------------------------------------------------------------

fn truncate(buffer: &SharedBuffer, len: usize) {
    let path = buffer.path().unwrap();
    File::options().write(true).open(path).unwrap().set_len(len as u64).unwrap();
}

fn guarded(dir: &Path) -> BufferOptions {
    within(dir).guarded(true)
}

fn a_guarded_copy_of_what_is_missing_is_an_error() {
    let dir = scratch();
    for read_only in [false, true] {
        let created = guarded(dir.path()).create_with("a", SIZE, |b| b.fill(7)).unwrap();
        let buffer = guarded(dir.path()).read_only(read_only).open("a").unwrap();
        truncate(&buffer, SIZE / 2);
        let mut half = vec![0; SIZE / 2];
        buffer.read_at(0, &mut half).unwrap();
        assert!(half.iter().all(|&byte| byte == 7));
        let missing = buffer.clone().read_at(SIZE / 2 - 8, &mut half[..16]).unwrap_err();
        assert!(matches!(missing, ReadError::Missing(_)), "{missing}");
        one_line(&missing, &["ndshm.a", "truncated"]);
        let missing = created.write_at(SIZE - 1, &[1]).unwrap_err();
        assert!(matches!(missing, WriteError::Missing(_)), "{missing}");
        // From then on none is trusted, and none has an effect where it cannot be seen.
        buffer.read_at(0, &mut half).unwrap_err();
        assert!(buffer.read_at(SIZE, &mut [0]).is_err());
    }
    let growing = guarded(dir.path()).capacity(SIZE).create("b", 100).unwrap();
    truncate(&growing, 0);
    let missing = growing.read_at(0, &mut [0; 10]).unwrap_err();
    assert!(matches!(missing, ReadError::Missing(_)), "even its length is missing: {missing}");
}

fn a_missing_page_is_given_back_to_the_file() {
    let dir = scratch();
    let buffer = guarded(dir.path()).create("a", SIZE).unwrap();
    let same = within(dir.path()).open("a").unwrap();
    truncate(&buffer, 0);
    buffer.write_at(SIZE / 2, b"into the void").unwrap_err();
    truncate(&buffer, SIZE);
    let file = File::options().write(true).open(buffer.path().unwrap()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"the file again", SIZE as u64 / 2).unwrap();
    let mut seen = [0; 14];
    same.read_at(SIZE / 2, &mut seen).unwrap();
    assert_eq!(&seen, b"the file again");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let pages = maps.lines().filter(|line| line.contains(dir.path().to_str().unwrap()));
    assert!(pages.clone().count() >= 1 && pages.into_iter().all(|line| line.contains("rw-s")));
}

/// Touches what is missing by other means: ends as it would without any handler.
fn unguarded() {
    let buffer = opened_and_cut();
    buffer.read_at(0, &mut [0; 8]).unwrap_err();
    no_core();
    let _ = buffer.load_u64(0);
}

fn no_core() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).unwrap();
}

/// Installs a handler for SIGBUS.
fn handle(handler: libc::sighandler_t, flags: i32) {
    // SAFETY: all zeroes is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the callers' handlers have the type of their flags.
    let r = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) };
    assert_eq!(r, 0);
}

/// Has a handler of its own before: that one gets what is not the guard's.
fn chained() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    extern "C" fn with_info(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the kernel passes a valid `siginfo_t`.
        if unsafe { (*info).si_code } <= 0 {
            CALLS.fetch_add(1, SeqCst);
        } else {
            // SAFETY: ends the process.
            unsafe { libc::_exit(77) };
        }
    }
    extern "C" fn plain(_: libc::c_int) {
        CALLS.fetch_add(1, SeqCst);
    }
    if arguments()[1] == "plain" {
        handle(plain as extern "C" fn(_) as libc::sighandler_t, 0);
    } else {
        handle(with_info as extern "C" fn(_, _, _) as libc::sighandler_t, libc::SA_SIGINFO);
    }
    let buffer = opened_and_cut();
    buffer.read_at(0, &mut [0; 8]).unwrap_err();
    assert_eq!(CALLS.load(SeqCst), 0);
    // SAFETY: a signal to this process; touches no memory.
    unsafe { libc::raise(libc::SIGBUS) };
    assert_eq!(CALLS.load(SeqCst), 1);
    if arguments()[1] != "plain" {
        let _ = buffer.load_u64(0);
    }
}

/// Ignored a SIGBUS that is sent, and goes on to.
fn ignoring() {
    handle(libc::SIG_IGN, 0);
    let buffer = opened_and_cut();
    // SAFETY: a signal to this process; touches no memory.
    unsafe { libc::raise(libc::SIGBUS) };
    buffer.read_at(0, &mut [0; 8]).unwrap_err();
}

fn a_fault_elsewhere_is_passed_on() {
    let dir = scratch();
    let buffer = within(dir.path()).create("a", SIZE).unwrap();
    let run = |role: &str, kind: &str| {
        truncate(&buffer, SIZE);
        let role = Role::new(role).arg(dir.path().display()).arg(kind);
        let mut child = role.piped().spawn();
        assert_eq!(child.line(), "open");
        truncate(&buffer, 0);
        child.wait(SOON)
    };
    assert_eq!(run("unguarded", "").signal(), Some(libc::SIGBUS));
    assert_eq!(run("chained", "plain").code(), Some(0));
    assert_eq!(run("chained", "with info").code(), Some(77));
    assert_eq!(run("ignoring", "").code(), Some(0));
}

/// The segment, opened and then truncated by the parent.
fn opened_and_cut() -> SharedBuffer {
    let buffer = guarded(arguments()[0].as_ref()).open("a").unwrap();
    println!("open");
    let len = || fs::metadata(buffer.path().unwrap()).unwrap().len();
    until("the parent cuts the file", SOON, || len() == 0);
    buffer
}

/// Threads that read until they are told of the damage, and one that truncates.
fn racing() {
    let dir = &arguments()[0];
    let mut rng = Rng::of_this_run();
    let (whole, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    for _ in 0..400 {
        let buffer = guarded(dir.as_ref()).create_with("a", SIZE, |b| b.fill(7)).unwrap();
        let seeds = [rng.next(), rng.next(), rng.next()];
        let cut = AtomicBool::new(false);
        thread::scope(|scope| {
            for seed in seeds {
                let (buffer, whole, refused, cut) = (&buffer, &whole, &refused, &cut);
                scope.spawn(move || {
                    let mut rng = Rng::new(seed);
                    let mut bytes = vec![0; 4096];
                    let mut after = 0;
                    loop {
                        let at = rng.below((SIZE - bytes.len()) as u64) as usize;
                        let late = cut.load(SeqCst);
                        let copied = if rng.chance(20) {
                            buffer.write_at(at, &[7; 4096]).is_ok()
                        } else {
                            bytes.fill(0);
                            let read = buffer.read_at(at, &mut bytes).is_ok();
                            assert!(!read || bytes.iter().all(|&byte| byte == 7), "zeroes");
                            read
                        };
                        if !copied {
                            refused.fetch_add(1, Relaxed);
                            break;
                        }
                        whole.fetch_add(1, Relaxed);
                        after += u32::from(late);
                        assert!(after < 2, "a copy of what is missing went well");
                    }
                });
            }
            rng.pause(Duration::from_micros(300));
            truncate(&buffer, 0);
            cut.store(true, SeqCst);
        });
    }
    println!("{whole:?} copies were whole, {refused:?} refused");
}

fn no_guarded_copy_gives_what_was_never_there() {
    let dir = scratch();
    Role::new("racing").arg(dir.path().display()).spawn().succeed(2 * SOON);
}
