//! What becomes of segments: what is told of them, and who removes them.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{listing, one_line, scratch, within};
use ndshm_buffer::{BufferOptions, ListError, OpenError, SharedBuffer, TYPED_MAGIC};
use ndshm_testkit::{Child, Role, SharedMemory, arguments, ends_well, fork, skip, until};

const SOON: Duration = Duration::from_secs(60);
const OTHER: u32 = 65_533;

ndshm_testkit::suite! {
    roles: [keeper, overtakers],
    tests: [
        60 => a_segment_is_described,
        60 => what_is_no_segment_is_not_listed,
        60 => orphans_are_removed_and_nothing_else,
        60 => who_has_it_attached,
        60 => what_another_user_has_is_listed_and_left,
        120 => a_collector_can_be_overtaken_at_each_system_call,
    ],
}

/// Leaves a segment as a killed creator does.
fn orphan(options: &BufferOptions, dir: &Path, name: &str) {
    drop(options.clone().persist(true).create(name, 64).unwrap());
    let file = dir.join(format!("ndshm.{name}"));
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn names(found: &[ndshm_buffer::SegmentInfo]) -> Vec<&str> {
    found.iter().map(ndshm_buffer::SegmentInfo::name).collect()
}

fn a_segment_is_described() {
    let dir = scratch();
    let options = within(dir.path());
    let buffer = options.clone().persist(true).create("kept", 5000).unwrap();
    let growing = options.clone().capacity(1 << 20).create("growing", 64).unwrap();
    growing.grow(70_000).unwrap();
    let _typed = options.create_with("typed", 128, |b| b[64..72].copy_from_slice(&TYPED_MAGIC));
    let all = options.list().unwrap();
    assert_eq!(names(&all), ["growing", "kept", "typed"]);

    let kept = options.info("kept").unwrap();
    let file = fs::metadata(buffer.path().unwrap()).unwrap();
    assert_eq!((kept.path(), kept.id()), (buffer.path().unwrap(), buffer.id()));
    assert_eq!((kept.owner(), kept.group(), kept.mode()), (file.uid(), file.gid(), 0o600));
    assert_eq!((kept.len(), kept.capacity(), kept.reserved()), (5000, 5000, 8192));
    assert!(kept.is_examined() && kept.is_in_use() && kept.is_persisted());
    assert!(!kept.is_orphan() && !kept.is_typed());
    let age = SystemTime::now().duration_since(kept.modified()).unwrap_or_default();
    assert!(age < SOON, "{age:?}");
    drop(buffer);
    let kept = options.info("kept").unwrap();
    assert!(!kept.is_in_use() && kept.is_persisted() && !kept.is_orphan());

    assert_eq!((all[0].len(), all[0].capacity()), (70_000, 1 << 20));
    assert!(all[0].reserved() < 1 << 18, "{}", all[0].reserved());
    assert!(all[2].is_typed());
    let missing = options.info("missing").unwrap_err();
    assert!(matches!(missing, OpenError::NotFound { .. }), "{missing}");
    let missing = within(&dir.path().join("nowhere")).list().unwrap_err();
    let ListError::Directory { .. } = missing else { panic!("{missing}") };
    one_line(&missing, &["nowhere", "NDSHM_DIR"]);
}

fn what_is_no_segment_is_not_listed() {
    let dir = scratch();
    let options = within(dir.path());
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("ndshm.directory")).unwrap();
    symlink("/etc/passwd", at("ndshm.link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("ndshm.fifo"), rustix::fs::Mode::RUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("ndshm.socket")).unwrap();
    fs::write(at("ndshm."), "no name").unwrap();
    fs::write(at("ndshm.bad name"), "bad").unwrap();
    fs::write(at("other"), "not ours").unwrap();
    let before = listing(dir.path()).len();
    assert_eq!(names(&options.list().unwrap()).len(), 0);
    assert_eq!(options.gc().unwrap().len(), 0);
    assert_eq!(listing(dir.path()).len(), before);
    for name in ["directory", "fifo", "socket"] {
        let refused = options.info(name).unwrap_err();
        assert!(matches!(refused, OpenError::NotRegular { .. }), "{refused}");
    }
    assert!(matches!(options.info("link"), Err(OpenError::Symlink { .. })));
}

fn keeper() {
    let options = within(arguments()[0].as_ref());
    let buffer = match arguments()[1].as_str() {
        "create" => options.create("a", 64).unwrap(),
        "write" => options.open("a").unwrap(),
        _ => options.read_only(true).open("a").unwrap(),
    };
    println!("here");
    thread::sleep(SOON);
    drop(buffer);
}

fn keep(dir: &Path, how: &str) -> Child {
    let mut child = Role::new("keeper").arg(dir.display()).arg(how).piped().spawn();
    assert_eq!(child.line(), "here");
    child
}

fn orphans_are_removed_and_nothing_else() {
    let dir = scratch();
    let options = within(dir.path());
    let _living = options.create("living", 64).unwrap();
    drop(options.clone().persist(true).create("kept", 64).unwrap());
    for name in ["dead-1", "dead-2"] {
        orphan(&options, dir.path(), name);
    }
    // Its creator is killed while another has it: no orphan, until that one goes.
    let mut creator = keep(dir.path(), "create");
    let mut reader = keep(dir.path(), "read");
    creator.kill();
    assert!(options.info("a").unwrap().is_in_use());
    let orphans = options.list().unwrap();
    let orphans: Vec<_> = orphans.iter().filter(|s| s.is_orphan()).collect();
    assert_eq!(orphans.len(), 2);
    assert_eq!(names(&options.gc().unwrap()), ["dead-1", "dead-2"]);
    assert_eq!(names(&options.list().unwrap()), ["a", "kept", "living"]);
    assert_eq!(options.gc().unwrap().len(), 0);
    // A zombie has nothing any more.
    reader.kill_to_zombie();
    until("the kernel drops the lock", SOON, || options.info("a").unwrap().is_orphan());
    assert_eq!(names(&options.gc().unwrap()), ["a"]);
    options.remove("kept").unwrap();
}

fn who_has_it_attached() {
    let dir = scratch();
    let options = within(dir.path());
    let buffer = options.create("a", 64).unwrap();
    let (writer, reader) = (keep(dir.path(), "write"), keep(dir.path(), "read"));
    let attached = options.info("a").unwrap().attached();
    let mut expected = [(std::process::id(), true), (writer.pid(), true), (reader.pid(), false)];
    expected.sort_unstable();
    let found: Vec<_> = attached.iter().map(|one| (one.pid, one.writable)).collect();
    assert_eq!(found, expected);
    assert!(attached.iter().all(|one| one.command.starts_with("lives")), "{attached:?}");
    let info = options.info("a").unwrap();
    drop((buffer, writer, reader));
    assert_eq!(info.attached(), []);
}

fn what_another_user_has_is_listed_and_left() {
    let dir = scratch();
    let options = within(dir.path());
    orphan(&options, dir.path(), "theirs");
    let file = dir.path().join("ndshm.theirs");
    if let Err(error) = std::os::unix::fs::chown(&file, Some(OTHER), Some(OTHER)) {
        return skip("segments of other users", &format!("cannot give a file away: {error}"));
    }
    let theirs = options.info("theirs").unwrap();
    assert_eq!((theirs.owner(), theirs.group()), (OTHER, OTHER));
    assert_eq!(options.gc().unwrap().len(), 0);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let pid = fork(true, || {
        // SAFETY: changes the user of this process, and touches no memory.
        assert_eq!(unsafe { libc::setresuid(65_534, 65_534, 65_534) }, 0);
        let all = options.list().unwrap();
        assert_eq!((names(&all), all[0].len()), (vec!["theirs"], 64));
        assert!(!all[0].is_examined() && all[0].is_in_use() && !all[0].is_orphan());
        assert_eq!(options.clone().foreign_owner(true).gc().unwrap().len(), 0);
    });
    ends_well(pid);
    assert_eq!(names(&options.foreign_owner(true).gc().unwrap()), ["theirs"]);
}

// --- Overtaking ----------------------------------------------------------------------------------

/// What another process does to the name while one stands before a system call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    /// Removes the segment, and creates another of that name.
    Replace,
    Open,
    Persist,
    Collect,
}

fn a_collector_can_be_overtaken_at_each_system_call() {
    if cfg!(not(target_arch = "x86_64")) {
        return skip("overtaking at each system call", "registers are named for x86-64 only");
    }
    let dir = scratch();
    Role::new("overtakers").arg(dir.path().display()).spawn().succeed(SOON);
}

/// A process of one thread, which forks.
#[cfg(target_arch = "x86_64")]
fn overtakers() {
    use Meanwhile::{Collect, Open, Persist, Replace};
    let dir = &arguments()[0];
    let dir = Path::new(dir);
    for meanwhile in [Replace, Open, Persist, Collect] {
        let calls = overtake(dir, meanwhile, |options| drop(options.gc().unwrap()));
        println!("a collector overtaken before each of {calls} system calls: {meanwhile:?}");
    }
    let calls = overtake(dir, Collect, |options| {
        // Whoever gets it has it by its name; else it was collected before.
        let opened = options.open("a");
        match options.info("a") {
            Ok(info) => assert_eq!(opened.unwrap().id(), info.id()),
            Err(_) => assert!(opened.is_err(), "collected from who opens it"),
        }
    });
    println!("an opener overtaken before each of {calls} system calls: Collect");
}

/// Has one process `act` on an orphan, and another come in between before each of its system calls.
#[cfg(target_arch = "x86_64")]
fn overtake(dir: &Path, meanwhile: Meanwhile, act: fn(&BufferOptions)) -> usize {
    use ndshm_testkit::Traced;
    let options = within(dir);
    for nth in 0.. {
        orphan(&options, dir, "a");
        let first = options.info("a").unwrap().id();
        let mut acting = Traced::fork(|| act(&options));
        for _ in 0..nth {
            if acting.to_call().is_none() || !acting.make_call() {
                break;
            }
        }
        if acting.to_call().is_none() {
            assert_eq!(acting.end(), 0);
            assert!(nth > 10, "only {nth} system calls");
            let _ = options.remove("a");
            return nth;
        }
        let shared = SharedMemory::create(4096);
        let (done, over) = (shared.word(0), shared.word(8));
        let other = fork(true, || {
            interfere(&options, meanwhile, || {
                done.store(1, SeqCst);
                until("the one overtaken has ended", SOON, || over.load(SeqCst) == 1);
            });
        });
        // It may have to wait for the one that stands still.
        let begin = Instant::now();
        while done.load(SeqCst) == 0 && begin.elapsed() < Duration::from_millis(20) {
            thread::sleep(Duration::from_micros(50));
        }
        assert_eq!(acting.end(), 0, "{meanwhile:?} before system call {nth}");
        over.store(1, SeqCst);
        ends_well(other);
        match options.info("a") {
            // The new one was marked to stay.
            now if meanwhile == Meanwhile::Replace => {
                let now = now.expect("the collector took the new segment for the old one");
                assert!(now.id() != first || !now.is_orphan(), "before system call {nth}");
            }
            now => assert!(now.is_err() || now.is_ok_and(|now| now.id() == first)),
        }
        let _ = options.remove("a");
    }
    unreachable!("a process makes finitely many calls")
}

/// Does that, and finds what it has under its name after `wait`.
#[cfg(target_arch = "x86_64")]
fn interfere(options: &BufferOptions, how: Meanwhile, wait: impl FnOnce()) {
    let opened = match how {
        Meanwhile::Open | Meanwhile::Persist => options.open("a").ok(),
        Meanwhile::Replace => {
            let _ = options.remove("a");
            drop(options.clone().persist(true).create("a", 64).unwrap());
            None
        }
        Meanwhile::Collect => {
            options.gc().unwrap();
            None
        }
    };
    let persisted =
        how == Meanwhile::Persist && opened.as_ref().is_some_and(|a| a.persist().is_ok());
    let id = opened.as_ref().map(SharedBuffer::id);
    // What was persisted stays by itself.
    let kept = opened.filter(|_| !persisted);
    wait();
    if kept.is_some() || persisted {
        let found = options.info("a").expect("collected from one that has it, or kept it");
        assert_eq!(Some(found.id()), id);
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn overtakers() {}
