//! Too little room: an error at creation that says so, never a signal.

mod common;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use common::{Name, bytes, listing, one_line, scratch, within};
use ndshm_buffer::{BufferOptions, CreateError, SharedBuffer, Shortage};
use ndshm_testkit::{Role, arguments, mount_tmpfs, own_mounts};
use rustix::process::{Resource, Rlimit, setrlimit};

const SOON: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

ndshm_testkit::suite! {
    roles: [small_filesystem, small_files, interrupted, small_address_space],
    tests: [
        90 => a_full_filesystem,
        90 => the_file_size_limit,
        90 => signals_do_not_disturb_a_reservation,
        90 => too_few_addresses,
    ],
}

fn a_full_filesystem() {
    let Some(unshare) = own_mounts("a full filesystem") else { return };
    let dir = scratch();
    let role = Role::new("small_filesystem").under(unshare);
    role.arg(dir.path().display()).spawn().succeed(SOON);
}

fn small_filesystem() {
    let dir = &arguments()[0];
    mount_tmpfs(dir);

    let options = within(dir.as_ref());
    let too_much = |len: usize, free: u64| {
        let error = options.create("b", len).unwrap_err();
        assert!(
            matches!(&error, CreateError::NoSpace { asked, free: f, shortage: Shortage::Directory(_), .. }
                if *asked == len as u64 && *f == free),
            "{error}"
        );
        one_line(&error, &[dir, "ask for less"]);
    };
    too_much(2 * MIB, MIB as u64);
    too_much(MIB + 1, MIB as u64);
    let half = options.create("a", MIB / 2).unwrap();
    too_much(MIB / 2 + 1, MIB as u64 / 2);
    drop(half);
    // All there is, to the last byte, can be written.
    let all = options.create_with("a", MIB, |bytes| bytes.fill(1)).unwrap();
    assert!(bytes(&all).iter().all(|&byte| byte == 1));
    too_much(1, 0);
    // Anonymous segments are not of this filesystem.
    options.anonymous(MIB).unwrap();
    drop(all);
    assert_eq!(listing(dir.as_ref()).len(), 0);
    compete(&options);
    assert_eq!(listing(dir.as_ref()).len(), 0);
    options.create("a", MIB).expect("nothing was lost on the way");
}

/// Two at once that do not fit together: the kernel's answer, not only the look before.
fn compete(options: &BufferOptions) {
    let (created, foreseen, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let count = |counter: &AtomicU64| counter.fetch_add(1, Relaxed);
            let (created, foreseen, refused) = (&created, &foreseen, &refused);
            scope.spawn(move || {
                for _ in 0..2000 {
                    match options.create_with(name, 600 << 10, |bytes| bytes.fill(1)) {
                        Ok(_) => count(created),
                        Err(CreateError::NoSpace { source: None, .. }) => count(foreseen),
                        Err(CreateError::NoSpace { source: Some(_), .. }) => count(refused),
                        Err(other) => panic!("{other}"),
                    };
                }
            });
        }
    });
    println!(
        "two at once: {created:?} created, {foreseen:?} refused before, {refused:?} by the kernel"
    );
    assert!(created.into_inner() > 0 && refused.into_inner() > 0);
}

fn the_file_size_limit() {
    let name = Name::new("fsize");
    Role::new("small_files").arg(&*name).spawn().succeed(SOON);
}

fn small_files() {
    let limit = Some(MIB as u64);
    setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: limit }).unwrap();
    for created in
        [SharedBuffer::anonymous(MIB + 1), SharedBuffer::options().create(&arguments()[0], MIB + 1)]
    {
        let error = created.unwrap_err();
        assert!(matches!(error, CreateError::FileSizeLimit { limit: 1_048_576, .. }), "{error}");
        one_line(&error, &["1048577", "ulimit -f"]);
    }
    SharedBuffer::anonymous(MIB).unwrap();
    SharedBuffer::options().create(&arguments()[0], MIB).unwrap();
}

fn signals_do_not_disturb_a_reservation() {
    Role::new("interrupted").spawn().succeed(SOON);
}

/// A timer that fires every fifth of a millisecond, with a handler that does not restart system calls.
fn interrupted() {
    static FIRED: AtomicU64 = AtomicU64::new(0);
    extern "C" fn count(_: libc::c_int) {
        FIRED.fetch_add(1, Relaxed);
    }
    // SAFETY: all zeroes is a valid `sigaction`: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler only adds to an atomic; both pointers are valid or null.
    let installed =
        unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(installed, 0);
    let period = libc::timeval { tv_sec: 0, tv_usec: 200 };
    let timer = libc::itimerval { it_interval: period, it_value: period };
    // SAFETY: the kernel reads one `itimerval`; the old value is not asked for.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let before = FIRED.load(Relaxed);
    let buffer = SharedBuffer::anonymous(128 * MIB).unwrap();
    let fired = FIRED.load(Relaxed) - before;
    println!("{fired} signals during a reservation of 128 MiB");
    assert!(fired > 0);
    buffer.write_at(128 * MIB - 1, &[1]).unwrap();
}

fn too_few_addresses() {
    let name = Name::new("addresses");
    Role::new("small_address_space").arg(&*name).spawn().succeed(SOON);
}

fn small_address_space() {
    let limit = Some(256 * MIB as u64);
    setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    let error = SharedBuffer::options().create(&arguments()[0], 512 * MIB).unwrap_err();
    assert!(matches!(error, CreateError::Os { .. }), "{error}");
    one_line(&error, &[&arguments()[0], "cannot map it"]);
    let descriptors = listing("/proc/self/fd".as_ref()).len();
    SharedBuffer::anonymous(512 * MIB).unwrap_err();
    assert_eq!(listing("/proc/self/fd".as_ref()).len(), descriptors);
}
