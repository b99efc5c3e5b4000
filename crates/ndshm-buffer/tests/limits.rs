//! Too little room: an error at creation that says so, never a signal.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use common::{Name, bytes, compete, listing, one_line, scratch, within};
use ndshm_buffer::{CreateError, OpenError, Prefault, SharedBuffer, Shortage};
use ndshm_testkit::{Role, arguments, mount_tmpfs, own_mounts, skip};
use rustix::process::{Resource, Rlimit, setrlimit};

const SOON: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

ndshm_testkit::suite! {
    roles: [
        small_filesystem, small_files, interrupted, small_address_space, few_descriptors,
        small_group,
    ],
    tests: [
        90 => a_full_filesystem,
        90 => the_file_size_limit,
        90 => signals_do_not_disturb_a_reservation,
        90 => too_few_addresses,
        90 => too_few_descriptors,
        90 => a_control_group_with_little_memory,
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
    // The kernel's answer, not only the look before.
    let [created, _, refused] = compete(&options, 2000);
    assert!(created > 0 && refused > 0);
    assert_eq!(listing(dir.as_ref()).len(), 0);
    drop(options.create("a", MIB).expect("nothing was lost on the way"));

    // Bytes for more, and no inode.
    let fewer = ["-o", "remount,nr_inodes=3"];
    let remounted = Command::new("mount").args(fewer).arg(dir).status();
    if !remounted.is_ok_and(|status| status.success()) {
        return skip("a filesystem of few files", "it cannot be mounted anew");
    }
    let held: Vec<_> =
        ["a", "b", "c"].iter().map_while(|name| options.create(name, 1).ok()).collect();
    let error = options.create("d", 1).unwrap_err();
    assert!(
        matches!(
            &error,
            CreateError::NoSpace { shortage: Shortage::Files(_), source: Some(_), .. }
        ),
        "{error}"
    );
    one_line(&error, &[dir, "nr_inodes"]);
    drop(held);
    options.create("d", 1).unwrap();
}

fn the_file_size_limit() {
    let name = Name::new("fsize");
    Role::new("small_files").arg(&*name).spawn().succeed(SOON);
}

fn small_files() {
    let limit = Some(MIB as u64);
    setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: Some(64 * MIB as u64) }).unwrap();
    for created in
        [SharedBuffer::anonymous(MIB + 1), SharedBuffer::options().create(&arguments()[0], MIB + 1)]
    {
        let error = created.unwrap_err();
        assert!(matches!(error, CreateError::FileSizeLimit { limit: 1_048_576, .. }), "{error}");
        one_line(&error, &["1048577", "ulimit -f"]);
    }
    SharedBuffer::anonymous(MIB).unwrap();
    SharedBuffer::options().create(&arguments()[0], MIB).unwrap();
    // A huge page reaches beyond the end of the file, and the limit does not mind.
    let limit = Some(3 * MIB as u64);
    setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: Some(64 * MIB as u64) }).unwrap();
    SharedBuffer::options().prefault(Prefault::huge()).anonymous(3 * MIB).unwrap();
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
    for prefault in [Prefault::pages(), Prefault::huge()] {
        let buffer = SharedBuffer::options().prefault(prefault).anonymous(65 * MIB).unwrap();
        assert_eq!(buffer.prefaulted().reserved, 0);
        buffer.write_at(65 * MIB - 1, &[1]).unwrap();
    }
}

fn too_few_addresses() {
    let name = Name::new("addresses");
    let elsewhere = Name::new("addresses-elsewhere");
    let _there = SharedBuffer::options().create(&elsewhere, 300 * MIB).unwrap();
    Role::new("small_address_space").arg(&*name).arg(&*elsewhere).spawn().succeed(SOON);
}

fn small_address_space() {
    let (name, elsewhere) = (&arguments()[0], &arguments()[1]);
    let limit = Some(256 * MIB as u64);
    setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    let descriptors = || listing("/proc/self/fd".as_ref()).len();
    let before = descriptors();
    let options = SharedBuffer::options().prefault(Prefault::huge().threads(2));
    for created in [options.create(name, 512 * MIB), options.anonymous(512 * MIB)] {
        let error = created.unwrap_err();
        assert!(
            matches!(&error, CreateError::NoSpace { free, source: None, shortage: Shortage::AddressSpace { limit: l }, .. }
                if Some(*l) == limit && *free < 256 * MIB as u64),
            "{error}"
        );
        one_line(&error, &["536870912 bytes asked for", "268435456", "ulimit -v"]);
    }
    let error = SharedBuffer::options().open(elsewhere).unwrap_err();
    assert!(
        matches!(error, OpenError::AddressSpace { len, .. } if len == 300 * MIB as u64),
        "{error}"
    );
    one_line(&error, &[elsewhere, "314572800 bytes", "ulimit -v"]);
    assert_eq!(descriptors(), before);
    // What is said to be free can be had, to the last page.
    let CreateError::NoSpace { free, .. } = options.create(name, 512 * MIB).unwrap_err() else {
        unreachable!("as above")
    };
    let free = usize::try_from(free).unwrap() / 4096 * 4096;
    SharedBuffer::anonymous(free).unwrap();
    // Where no thread's stack has room, the caller does it all.
    let all = options.anonymous(free - 300 * 1024).unwrap();
    assert_eq!(all.prefaulted().reserved, 0);
}

fn too_few_descriptors() {
    let name = Name::new("descriptors");
    let _there = SharedBuffer::options().create(&name, 64).unwrap();
    let new = Name::new("descriptors-new");
    Role::new("few_descriptors").arg(&*name).arg(&*new).spawn().succeed(SOON);
}

/// Creates and opens with no descriptor left, with one, and so on, until all goes well.
fn few_descriptors() {
    let (there, new) = (&arguments()[0], &arguments()[1]);
    let options = SharedBuffer::options().prefault(Prefault::huge());
    // Whatever is made at a first use is there.
    drop(options.anonymous(3 * MIB).unwrap());
    let open = listing("/proc/self/fd".as_ref());
    let highest = open.iter().filter_map(|fd| fd.file_name()?.to_str()?.parse().ok()).max();
    let highest: u64 = highest.unwrap();
    let set = |limit: u64| {
        let maximum = Some(1 << 10);
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum }).unwrap();
    };
    let mut outcomes = Vec::new();
    for limit in 0..highest + 8 {
        set(limit);
        let created = [options.anonymous(3 * MIB), options.create(new, 3 * MIB)];
        let opened = options.open(there);
        set(1 << 10);
        for error in created.iter().filter_map(|created| created.as_ref().err()) {
            assert!(
                matches!(error, CreateError::TooManyFiles { limit: Some(l), .. } if *l == limit),
                "{error}"
            );
            one_line(error, &[&limit.to_string(), "ulimit -n"]);
        }
        if let Err(error) = &opened {
            assert!(
                matches!(error, OpenError::TooManyFiles { limit: Some(l), .. } if *l == limit),
                "{error}"
            );
            one_line(error, &[there, &limit.to_string(), "ulimit -n"]);
        }
        outcomes.push([created[0].is_ok(), created[1].is_ok(), opened.is_ok()]);
    }
    assert_eq!((outcomes[0], outcomes.last()), ([false; 3], Some(&[true; 3])));
}

/// A control group of its own below that of this process, gone with the value.
struct Group {
    dir: PathBuf,
    limit: &'static str,
}

impl Group {
    /// Of version 1 or 2, whichever has the memory; `None` where this user cannot make one.
    fn new(memory: usize) -> Option<Self> {
        let text = fs::read_to_string("/proc/self/cgroup").ok()?;
        let groups = text.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?.strip_prefix('/')?);
            let (root, limit) = match controllers {
                "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                "" => ("/sys/fs/cgroup", "memory.max"),
                _ => return None,
            };
            Some((Path::new(root).join(path), limit))
        });
        groups.into_iter().find_map(|(above, limit)| {
            let dir = above.join(format!("ndshm-test-{}", std::process::id()));
            fs::create_dir(&dir).ok()?;
            let group = Self { dir, limit };
            fs::write(group.dir.join(limit), memory.to_string()).ok()?;
            Some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It is busy for a moment longer than the process that was in it.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn a_control_group_with_little_memory() {
    let Some(group) = Group::new(64 * MIB) else {
        return skip("a control group with little memory", "this user cannot make one");
    };
    let dir = scratch();
    let role = Role::new("small_group").arg(dir.path().display());
    role.arg(group.dir.display()).arg(group.limit).spawn().succeed(SOON);
}

fn small_group() {
    let [dir, group, limit] = &arguments()[..] else { unreachable!("three arguments") };
    fs::write(Path::new(group).join("cgroup.procs"), std::process::id().to_string()).unwrap();
    let options = within(dir.as_ref());
    // The kernel would end this process at the first touch behind the limit.
    for attempt in [options.create("a", 128 * MIB), options.anonymous(128 * MIB)] {
        let error = attempt.unwrap_err();
        assert!(
            matches!(&error, CreateError::NoSpace { free, shortage: Shortage::ControlGroup(_), .. }
                if *free < 64 * MIB as u64),
            "{error}"
        );
        one_line(&error, &[limit, group, "ask for less"]);
    }
    let fits = options.create_with("a", 32 * MIB, |bytes| bytes.fill(1)).unwrap();
    assert!(options.anonymous(48 * MIB).is_err(), "what is taken is counted");
    drop(fits);
    options.anonymous(48 * MIB).unwrap();
}
