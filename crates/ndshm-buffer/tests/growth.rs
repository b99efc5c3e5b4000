//! Segments that grow in place: what others see, and what kills, full filesystems and bad files leave.

mod common;

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use common::{bytes, listing, one_line, scratch, within};
use ndshm_buffer::{BufferOptions, CreateError, GrowError, OpenError, SharedBuffer, Shortage};
use ndshm_testkit::{Child, Role, SharedMemory, arguments, mount_tmpfs, own_mounts, skip, until};

const SOON: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;
const GROWTH: i64 = (1 << 62) - 3;

ndshm_testkit::suite! {
    roles: [grower, reader, stepped, small_filesystem],
    tests: [
        60 => a_segment_grows_in_place,
        60 => an_anonymous_segment_grows,
        60 => what_cannot_grow_says_so,
        60 => growers_of_several_processes_add_up,
        60 => what_it_says_of_its_growth_is_checked,
        120 => a_grower_killed_at_each_system_call,
        120 => a_full_filesystem_leaves_the_old_length,
    ],
}

fn growable(dir: &Path, capacity: usize) -> BufferOptions {
    within(dir).capacity(capacity)
}

fn read_only(options: &BufferOptions) -> BufferOptions {
    options.clone().read_only(true)
}

fn a_segment_grows_in_place() {
    let dir = scratch();
    let options = growable(dir.path(), 8 * MIB);
    let buffer = options.create_with("a", 5000, |bytes| bytes.fill(7)).unwrap();
    let file_len = fs::metadata(buffer.path().unwrap()).unwrap().len();
    assert_eq!(file_len, 8 * MIB as u64 + 4096);
    let reader = read_only(&within(dir.path())).open("a").unwrap();
    let handle = buffer.handle();
    let (address, cells) = (buffer.as_ptr(), buffer.atomics().unwrap());
    assert!(buffer.write_at(5000, &[1]).is_err() && reader.read_at(5000, &mut [0]).is_err());
    for len in [5001, 8192, 8193, 3 * MIB, 8 * MIB] {
        assert_eq!(buffer.grow(len).unwrap(), len);
        assert_eq!((buffer.len(), reader.len(), buffer.as_ptr()), (len, len, address));
        buffer.write_at(len - 1, &[9]).unwrap();
        reader.read_at(len - 1, &mut [0]).unwrap();
        assert!(buffer.write_at(len, &[1]).is_err() && reader.read_at(len, &mut [0]).is_err());
        assert_eq!(buffer.grow(len - 1).unwrap(), len, "it does not shrink");
    }
    assert_eq!(cells.len(), 5000);
    let all = bytes(&reader);
    assert!(all[..5000].iter().all(|&byte| byte == 7));
    let written = [5000, 8191, 8192, 3 * MIB - 1, 8 * MIB - 1];
    let new = (5000..).zip(&all[5000..]);
    assert!(new.into_iter().all(|(at, &byte)| byte == if written.contains(&at) { 9 } else { 0 }));
    assert_eq!((handle.len(), handle.open().unwrap().len()), (5000, 8 * MIB));
    assert_eq!(fs::metadata(buffer.path().unwrap()).unwrap().len(), file_len);
}

fn an_anonymous_segment_grows() {
    let buffer = SharedBuffer::options().capacity(MIB).anonymous(1).unwrap();
    let same = buffer.handle().open().unwrap();
    assert_eq!(buffer.grow(MIB).unwrap(), MIB);
    assert_eq!(same.len(), MIB);
    same.write_at(MIB - 1, &[1]).unwrap();
    // Sealed all the same.
    let file = File::from(buffer.as_fd().try_clone_to_owned().unwrap());
    assert!(file.set_len(0).is_err() && file.set_len(2 * MIB as u64).is_err());
}

fn what_cannot_grow_says_so() {
    let dir = scratch();
    let options = growable(dir.path(), 8192);
    let buffer = options.create("a", 64).unwrap();
    let beyond = buffer.grow(8193).unwrap_err();
    assert!(matches!(beyond, GrowError::Capacity { asked: 8193, capacity: 8192, .. }), "{beyond}");
    one_line(&beyond, &["ndshm.a", "8193", "8192"]);
    let reader = read_only(&options).open("a").unwrap();
    let refused = reader.grow(100).unwrap_err();
    assert!(matches!(refused, GrowError::ReadOnly { .. }), "{refused}");
    one_line(&refused, &["ndshm.a", "read_only(true)"]);
    let fixed = within(dir.path()).create("fixed", 64).unwrap();
    assert_eq!((fixed.grow(64).unwrap(), fixed.capacity()), (64, 64));
    let refused = fixed.grow(65).unwrap_err();
    assert!(matches!(refused, GrowError::Fixed { asked: 65, len: 64, .. }), "{refused}");
    one_line(&refused, &["ndshm.fixed", "capacity"]);
    let small = growable(dir.path(), 63).create("b", 64).unwrap_err();
    assert!(matches!(small, CreateError::Capacity { len: 64, capacity: 63, .. }), "{small}");
    one_line(&small, &["ndshm.b", "63"]);
    for capacity in [usize::MAX, isize::MAX as usize] {
        let refused = growable(dir.path(), capacity).create("b", 64).unwrap_err();
        assert!(matches!(refused, CreateError::TooLarge { .. }), "{refused}");
    }
    assert_eq!(buffer.len(), 64);
}

// --- Several growers -------------------------------------------------------------------------------

const STEPS: usize = 2_000;
const GROWERS: usize = 4;

/// Appends numbers of its own, each once there is room for it.
fn grower() {
    let [dir, me] = &arguments()[..] else { panic!("two arguments") };
    let buffer = within(dir.as_ref()).open("a").unwrap();
    let me: u64 = me.parse().unwrap();
    let next = buffer.atomic_u64(0).unwrap();
    for _ in 0..STEPS {
        let at = next.fetch_add(8, SeqCst) as usize;
        assert!(buffer.grow(at + 8).unwrap() >= at + 8);
        buffer.atomic_u64(at).expect("there is room").store(me, SeqCst);
    }
}

/// Sees a length that only becomes greater, and can read all of it.
fn reader() {
    let buffer = read_only(&within(arguments()[0].as_ref())).open("a").unwrap();
    let (mut last, mut seen, mut changes) = (0, vec![0; MIB], 0_u64);
    let end = 8 + 8 * STEPS * GROWERS;
    while last < end {
        let len = buffer.len();
        assert!(len >= last, "{len} after {last}");
        buffer.read_at(0, &mut seen[..len]).unwrap();
        changes += u64::from(len > last);
        last = len;
    }
    println!("a reader saw {changes} lengths");
}

fn growers_of_several_processes_add_up() {
    let dir = scratch();
    let buffer = growable(dir.path(), MIB).create("a", 8).unwrap();
    buffer.atomic_u64(0).unwrap().store(8, SeqCst);
    let role = |name: &str| Role::new(name).arg(dir.path().display());
    let growers = (1..=GROWERS).map(|me| role("grower").arg(me).spawn());
    let mut children: Vec<Child> = growers.chain([role("reader").spawn()]).collect();
    for child in &mut children {
        child.succeed(SOON);
    }
    assert_eq!(buffer.len(), 8 + 8 * STEPS * GROWERS);
    let mut counts = [0; GROWERS + 1];
    for at in (8..buffer.len()).step_by(8) {
        counts[buffer.load_u64(at).unwrap() as usize] += 1;
    }
    assert_eq!(counts[0], 0, "somebody's number is missing");
    assert!(counts[1..].iter().all(|&count| count == STEPS), "{counts:?}");
}

// --- Files that lie --------------------------------------------------------------------------------

fn what_it_says_of_its_growth_is_checked() {
    let dir = scratch();
    let options = growable(dir.path(), 8192).persist(true);
    let check = |what: &str, at: u64, bytes: &[u8], wanted: fn(&OpenError) -> bool| {
        drop(options.create("a", 64).unwrap());
        let file = File::options().write(true).open(dir.path().join("ndshm.a")).unwrap();
        file.write_all_at(bytes, 8192 + 4096 - 64 + at).unwrap();
        let refused = options.open("a").unwrap_err();
        assert!(wanted(&refused), "{what}: {refused}");
        one_line(&refused, &["ndshm.a"]);
        // Told of as a file like any other.
        assert_eq!(options.info("a").unwrap().len(), 8192 + 4096);
        options.remove("a").unwrap();
    };
    let damaged = |error: &OpenError| matches!(error, OpenError::Damaged { .. });
    check("version", 8, &[2], |error| {
        matches!(error, OpenError::Version { found: 2, known: 1, .. })
    });
    check("capacity", 16, &[0xff; 8], damaged);
    check("length 0", 24, &[0; 8], damaged);
    check("length", 24, &8193_u64.to_le_bytes(), damaged);
    check("file", 32, &[1], damaged);

    // A peer that writes nonsense later is kept within what is mapped.
    let buffer = options.create("a", 64).unwrap();
    let file = File::options().write(true).open(buffer.path().unwrap()).unwrap();
    for (said, found) in [(u64::MAX, 8192), (1 << 40, 8192), (0, 1)] {
        file.write_all_at(&said.to_le_bytes(), 8192 + 4096 - 64 + 24).unwrap();
        assert_eq!((buffer.len(), bytes(&buffer).len()), (found, found));
    }
    options.remove("a").unwrap();
}

// --- Kills -----------------------------------------------------------------------------------------

fn a_grower_killed_at_each_system_call() {
    if cfg!(not(target_arch = "x86_64")) {
        return skip("kills at each system call", "registers are named for x86-64 only");
    }
    let dir = scratch();
    Role::new("stepped").arg(dir.path().display()).spawn().succeed(2 * SOON);
}

#[cfg(not(target_arch = "x86_64"))]
fn stepped() {}

#[cfg(target_arch = "x86_64")]
fn stepped() {
    use ndshm_testkit::Traced;
    let options = growable(arguments()[0].as_ref(), 64 * MIB);
    for anonymous in [false, true] {
        let (mut old, mut new, mut calls) = (0, 0, 0);
        loop {
            let buffer =
                if anonymous { options.anonymous(5000) } else { options.create("a", 5000) };
            let buffer = buffer.unwrap();
            buffer.write_at(0, &[7; 5000]).unwrap();
            // Far enough for several steps of the reservation.
            let mut grower = Traced::fork(|| {
                buffer.grow(40 * MIB).unwrap();
            });
            for _ in 0..calls {
                if grower.to_call().is_none() || !grower.make_call() {
                    break;
                }
            }
            let goes_on = grower.to_call().is_some();
            grower.kill();
            match buffer.len() {
                5000 => old += 1,
                len if len == 40 * MIB => new += 1,
                other => panic!("{other} bytes, killed before system call {calls}"),
            }
            // Nobody waits for the dead.
            buffer.grow(50 * MIB).unwrap();
            let mut byte = [0];
            for at in (0..50 * MIB).step_by(4000) {
                buffer.read_at(at, &mut byte).unwrap();
                assert_eq!(byte, if at < 5000 { [7] } else { [0] });
            }
            if !goes_on {
                break;
            }
            calls += 1;
        }
        println!(
            "killed before each of {calls} system calls: {old} left the old length, {new} the new"
        );
        assert!(old >= 5 && new >= 1);
    }
}

// --- Full filesystems ------------------------------------------------------------------------------

fn a_full_filesystem_leaves_the_old_length() {
    let Some(unshare) = own_mounts("growth on a full filesystem") else { return };
    let dir = scratch();
    let role = Role::new("small_filesystem").under(unshare);
    role.arg(dir.path().display()).spawn().succeed(SOON);
}

fn small_filesystem() {
    let dir = &arguments()[0];
    mount_tmpfs(dir);
    let options = growable(dir.as_ref(), 4 * MIB);
    let buffer = options.create("a", 64).unwrap();
    let error = buffer.grow(MIB).unwrap_err();
    let GrowError::NoSpace { shortage: Shortage::Directory(_), source: None, .. } = &error else {
        panic!("{error}")
    };
    one_line(&error, &[dir, "ask for less"]);
    assert_eq!(buffer.len(), 64);
    assert_eq!(buffer.grow(MIB / 2).unwrap(), MIB / 2);
    drop(buffer);
    compete(&options);
    assert_eq!(listing(dir.as_ref()).len(), 0);
    within(dir.as_ref()).create("a", MIB).expect("nothing was lost on the way");
}

/// Two at once that cannot both grow: the kernel's answer, not only the look before. What is told to be there can be
/// written, and what was refused has taken nothing.
fn compete(options: &BufferOptions) {
    let (grown, foreseen, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let count = |counter: &AtomicU64| counter.fetch_add(1, Relaxed);
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let (grown, foreseen, refused) = (&grown, &foreseen, &refused);
            scope.spawn(move || {
                for _ in 0..2000 {
                    let buffer = options.create(name, 64 << 10).unwrap();
                    match buffer.grow(600 << 10) {
                        Ok(_) => count(grown),
                        Err(GrowError::NoSpace { source: None, .. }) => count(foreseen),
                        Err(GrowError::NoSpace { source: Some(_), .. }) => count(refused),
                        Err(other) => panic!("{other}"),
                    };
                    // All there is can be written.
                    buffer.write_at(0, &vec![1; buffer.len()]).unwrap();
                }
            });
        }
    });
    println!("two at once: {grown:?} grew, {foreseen:?} refused before, {refused:?} by the kernel");
    assert!(grown.into_inner() > 0 && refused.into_inner() > 0);

    // Of one segment: a refusal does not take from what another has got.
    let buffer = options.create("a", 64 << 10).unwrap();
    let file = File::options().read(true).write(true).open(buffer.path().unwrap()).unwrap();
    let mut range = libc::flock {
        l_type: libc::F_WRLCK as _,
        l_whence: libc::SEEK_SET as _,
        l_start: GROWTH,
        l_len: 1,
        l_pid: 0,
    };
    let mut set = |kind: i32| {
        range.l_type = kind as _;
        // SAFETY: the kernel reads one `flock` through the pointer, which `range` is.
        let r = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) };
        assert_eq!(r, 0);
    };
    set(libc::F_WRLCK);
    let began = SharedMemory::create(4096);
    let began = began.word(0);
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            began.store(1, SeqCst);
            buffer.grow(300 << 10).unwrap()
        });
        until("it begins to grow", SOON, || began.load(SeqCst) == 1);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(buffer.len(), 64 << 10, "it has not waited for its turn");
        set(libc::F_UNLCK);
        assert_eq!(waits.join().unwrap(), 300 << 10);
    });
}
