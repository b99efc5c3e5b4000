//! Many processes at one name, and processes killed at it.

mod common;

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, yield_now};
use std::time::Duration;

use common::{bytes, listing, scratch, within};
use ndshm_buffer::{CreateError, OpenError, SharedBuffer};
use ndshm_testkit::{Child, Rng, Role, SharedMemory, arguments, until};

const LONG: Duration = Duration::from_secs(120);
const LIFECYCLE: i64 = (1 << 62) - 2;
const PRESENCE: i64 = (1 << 62) - 1;

ndshm_testkit::suite! {
    roles: [racer, watcher, doomed, churner, keeper, forker, opener],
    tests: [
        150 => one_of_many_creators_wins_and_openers_see_whole_segments,
        150 => killed_creators_leave_nothing_half_made,
        150 => removers_never_take_a_new_segment,
        30 => a_slow_remover_leaves_the_new_segment,
        30 => a_slow_opener_gets_the_new_segment,
        30 => persist_and_removal_exclude_each_other,
        30 => presence_tells_the_living_from_the_orphaned,
        60 => a_child_forked_meanwhile_holds_no_lock,
    ],
}

/// All bytes are the same and not 0: what a creator's `init` leaves, and nothing earlier.
fn whole(buffer: &SharedBuffer) -> bool {
    let bytes = bytes(buffer);
    bytes[0] != 0 && bytes.iter().all(|&byte| byte == bytes[0])
}

/// Fills in steps, so that a half-made segment lies about for a while.
fn fill_slowly(bytes: &mut [u8], with: u8) {
    for part in bytes.chunks_mut(1024) {
        part.fill(with);
        yield_now();
    }
}

/// Waits for all, and for none after one has failed.
fn finish(children: &mut [Child]) {
    until("all children end", LONG, || {
        let (mut running, mut ended) = (0, Vec::new());
        for child in children.iter_mut() {
            if child.is_running() { running += 1 } else { ended.push(child) }
        }
        ended.into_iter().for_each(|child| child.succeed(Duration::ZERO));
        running == 0
    });
}

// --- Creation ----------------------------------------------------------------------------------------

const ROUNDS: u64 = 2_000;
const RACERS: u64 = 4;
const WATCHERS: u64 = 2;
const ARRIVALS: usize = 0;
const OPENED: usize = 8;
const MISSED: usize = 16;
const WINS: usize = 1024;

/// Lets nobody on until everybody is here.
fn gather(arrivals: &AtomicU64) {
    let parties = RACERS + WATCHERS;
    let ticket = arrivals.fetch_add(1, SeqCst);
    let everybody = (ticket / parties + 1) * parties;
    while arrivals.load(SeqCst) < everybody {
        yield_now();
    }
}

fn racer() {
    let shared = SharedMemory::inherited();
    let options = within(arguments()[0].as_ref());
    let me: u8 = arguments()[1].parse().unwrap();
    for round in 0..ROUNDS {
        let name = format!("round-{round}");
        gather(shared.word(ARRIVALS));
        let won = match options.create_with(&name, 8192, |bytes| fill_slowly(bytes, me)) {
            Ok(buffer) => {
                shared.word(WINS + 8 * round as usize).fetch_add(1, SeqCst);
                Some(buffer)
            }
            Err(CreateError::NameTaken { .. }) => {
                let opened = options.open(&name).expect("taken, so it can be opened");
                assert!(whole(&opened), "half a segment in round {round}");
                shared.word(OPENED).fetch_add(1, SeqCst);
                None
            }
            Err(other) => panic!("{other}"),
        };
        gather(shared.word(ARRIVALS));
        drop(won);
    }
}

/// Looks at the name from before it is there until it is.
fn watcher() {
    let shared = SharedMemory::inherited();
    let options = within(arguments()[0].as_ref()).read_only(true);
    for round in 0..ROUNDS {
        let name = format!("round-{round}");
        gather(shared.word(ARRIVALS));
        loop {
            match options.open(&name) {
                Ok(opened) => {
                    assert!(whole(&opened), "half a segment in round {round}");
                    shared.word(OPENED).fetch_add(1, SeqCst);
                    break;
                }
                Err(OpenError::NotFound { .. }) => {
                    shared.word(MISSED).fetch_add(1, SeqCst);
                }
                Err(other) => panic!("{other}"),
            }
        }
        gather(shared.word(ARRIVALS));
    }
}

fn one_of_many_creators_wins_and_openers_see_whole_segments() {
    let dir = scratch();
    let shared = SharedMemory::create(WINS + 8 * ROUNDS as usize);
    let role = |name: &str| Role::new(name).shared(&shared).arg(dir.path().display());
    let racers = (1..=RACERS).map(|me| role("racer").arg(me).spawn());
    let watchers = (0..WATCHERS).map(|_| role("watcher").spawn());
    let mut children: Vec<_> = racers.chain(watchers).collect();
    finish(&mut children);
    for round in 0..ROUNDS as usize {
        assert_eq!(shared.word(WINS + 8 * round).load(SeqCst), 1, "winners of round {round}");
    }
    let [opened, missed] = [OPENED, MISSED].map(|at| shared.word(at).load(SeqCst));
    println!(
        "{ROUNDS} creation races of {RACERS} processes: 1 winner each; \
         {opened} opens saw whole segments, {missed} saw none yet"
    );
    assert_eq!(opened, ROUNDS * (RACERS - 1 + WATCHERS));
    assert_eq!(listing(dir.path()).len(), 0);
}

// --- Kills -------------------------------------------------------------------------------------------

const KILLS: usize = 400;
/// How far a creator has come. What may be found after its death depends on it.
const STAGES: [&str; 6] = ["between", "reserving", "in init", "publishing", "created", "removing"];

fn doomed() {
    let shared = SharedMemory::inherited();
    let stage = shared.word(0);
    let options = within(arguments()[0].as_ref());
    for with in (1..=255).cycle() {
        stage.store(1, SeqCst);
        let buffer = options.create_with("doomed", 16 << 10, |bytes| {
            stage.store(2, SeqCst);
            fill_slowly(bytes, with);
            stage.store(3, SeqCst);
        });
        stage.store(4, SeqCst);
        let buffer = buffer.expect("nobody else creates it");
        thread::sleep(Duration::from_micros(50));
        stage.store(5, SeqCst);
        drop(buffer);
        stage.store(0, SeqCst);
    }
}

fn killed_creators_leave_nothing_half_made() {
    let dir = scratch();
    let options = within(dir.path());
    let mut rng = Rng::of_this_run();
    let (mut killed, mut left) = ([0; STAGES.len()], [0; STAGES.len()]);
    for _ in 0..KILLS {
        let shared = SharedMemory::create(4096);
        let mut child = Role::new("doomed").shared(&shared).arg(dir.path().display()).spawn();
        until("the creator begins", LONG, || shared.word(0).load(SeqCst) != 0);
        rng.pause(Duration::from_micros(1500));
        child.kill();
        let stage = shared.word(0).load(SeqCst) as usize;
        killed[stage] += 1;
        match options.open("doomed") {
            Ok(orphan) => {
                assert!(whole(&orphan), "half a segment of a creator killed {}", STAGES[stage]);
                assert!(stage >= 3, "a segment of a creator killed {}", STAGES[stage]);
                assert_eq!(listing(dir.path()).len(), 1);
                options.remove("doomed").unwrap();
                left[stage] += 1;
            }
            Err(OpenError::NotFound { .. }) => {
                assert_ne!(stage, 4, "a published segment was lost");
                assert_eq!(listing(dir.path()).len(), 0);
            }
            Err(other) => panic!("{other}"),
        }
    }
    for (stage, name) in STAGES.iter().enumerate() {
        println!("killed {name}: {}, whole segments left: {}", killed[stage], left[stage]);
    }
    assert!(killed[2] >= KILLS / 20, "too few were killed in init");
}

// --- Removal -----------------------------------------------------------------------------------------

const TURNS: u64 = 4_000;
const CREATED: usize = 0;
const UNLINKED: usize = 8;
const DROPPED: usize = 16;

/// Counts, in the segment itself, that its name was removed by a call of this process.
fn removed(buffer: &SharedBuffer) {
    let before = buffer.atomics().unwrap()[0].fetch_add(1, SeqCst);
    assert_eq!(before, 0, "one name was removed twice: the second was another segment's");
}

fn churner() {
    let shared = SharedMemory::inherited();
    let count = |at: usize| shared.word(at).fetch_add(1, SeqCst);
    let options = within(arguments()[0].as_ref());
    let mut rng = Rng::new(arguments()[1].parse().unwrap());
    for _ in 0..TURNS {
        match options.create("churned", 64) {
            Ok(buffer) => {
                count(CREATED);
                rng.pause(Duration::from_micros(30));
                if rng.chance(30) {
                    count(DROPPED);
                    continue;
                }
                if buffer.unlink().unwrap() {
                    count(UNLINKED);
                    removed(&buffer);
                } else {
                    let flag = &buffer.atomics().unwrap()[0];
                    until("whoever removed this name owns up to it", LONG / 10, || {
                        flag.load(SeqCst) == 1
                    });
                }
            }
            Err(CreateError::NameTaken { .. }) => match options.open("churned") {
                Ok(opened) => {
                    if rng.chance(70) && opened.unlink().unwrap() {
                        count(UNLINKED);
                        removed(&opened);
                    }
                }
                Err(OpenError::NotFound { .. }) => {}
                Err(other) => panic!("{other}"),
            },
            Err(other) => panic!("{other}"),
        }
    }
}

fn removers_never_take_a_new_segment() {
    let dir = scratch();
    let shared = SharedMemory::create(4096);
    let mut rng = Rng::of_this_run();
    let role = || Role::new("churner").shared(&shared).arg(dir.path().display());
    let mut children: Vec<_> = (0..4).map(|_| role().arg(rng.next()).spawn()).collect();
    finish(&mut children);
    let [created, unlinked, dropped] =
        [CREATED, UNLINKED, DROPPED].map(|at| shared.word(at).load(SeqCst));
    println!("{created} created, {unlinked} unlinked, {dropped} dropped by their creators");
    assert!(created >= TURNS && unlinked >= TURNS / 4 && dropped >= TURNS / 20);
    assert_eq!(listing(dir.path()).len(), 0);
}

/// A lock as another process would hold it: through a description of its own.
fn lock(file: &File, kind: i32, byte: i64, command: i32) -> libc::flock {
    let mut range = libc::flock {
        l_type: kind as _,
        l_whence: libc::SEEK_SET as _,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the kernel reads and writes one `flock` through the pointer, which `range` is.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut range) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    range
}

fn open_file(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// Waits until a lock of that file is waited for.
fn until_somebody_waits_for(file: &File) {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", file.metadata().unwrap().ino());
    until("somebody waits for the lock", LONG / 10, || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.contains(&inode))
    });
}

/// What happens when `act` has found the first segment, and the second stands in its place before it goes on.
fn overtaken<R: Send>(held: i32, act: impl FnOnce(SharedBuffer) -> R + Send) -> (R, SharedBuffer) {
    let dir = scratch();
    let options = within(dir.path());
    let first = options.create("a", 64).unwrap();
    let path = first.path().unwrap().to_owned();
    let file = open_file(&path);
    lock(&file, held, LIFECYCLE, libc::F_OFD_SETLK);
    let result = thread::scope(|scope| {
        let acting = scope.spawn(|| act(first));
        until_somebody_waits_for(&file);
        fs::remove_file(&path).unwrap();
        let second = options.create("a", 64).unwrap();
        lock(&file, libc::F_UNLCK, LIFECYCLE, libc::F_OFD_SETLK);
        (acting.join().unwrap(), second)
    });
    assert_eq!(options.open("a").expect("the new segment has its name").id(), result.1.id());
    result
}

fn a_slow_remover_leaves_the_new_segment() {
    let (unlinked, _) = overtaken(libc::F_RDLCK, |first| first.unlink().unwrap());
    assert!(!unlinked);
    overtaken(libc::F_RDLCK, drop);
}

fn a_slow_opener_gets_the_new_segment() {
    let (opened, second) = overtaken(libc::F_WRLCK, |first| {
        let dir = first.path().unwrap().parent().unwrap().to_owned();
        within(&dir).open("a").unwrap().id()
    });
    assert_eq!(opened, second.id());
}

fn persist_and_removal_exclude_each_other() {
    let (error, _) = overtaken(libc::F_WRLCK, |first| first.persist().unwrap_err());
    assert!(error.to_string().contains("removed already"), "{error}");
    let (error, _) = overtaken(libc::F_WRLCK, |first| first.handle().open().unwrap_err());
    // The second open looks at the segment that now has the name.
    assert!(matches!(error, OpenError::Replaced { .. }), "{error}");
}

// --- Presence ----------------------------------------------------------------------------------------

fn keeper() {
    let options = within(arguments()[0].as_ref());
    let buffer = if arguments()[1] == "creator" {
        options.create("a", 64)
    } else {
        Ok(options.read_only(true).open("a").unwrap())
    };
    let buffer = buffer.unwrap();
    println!("{}", buffer.as_fd().as_raw_fd());
    thread::sleep(LONG);
}

fn presence_tells_the_living_from_the_orphaned() {
    let dir = scratch();
    let keeper = |role: &str| {
        let mut child = Role::new("keeper").arg(dir.path().display()).arg(role).piped().spawn();
        assert!(!child.line().is_empty());
        child
    };
    let mut creator = keeper("creator");
    let file = open_file(&dir.path().join("ndshm.a"));
    let in_use = || {
        let found = lock(&file, libc::F_WRLCK, PRESENCE, libc::F_OFD_GETLK);
        i32::from(found.l_type) != libc::F_UNLCK
    };
    assert!(in_use());
    let mut reader = keeper("reader");
    creator.kill();
    assert!(in_use(), "a reader counts");
    // A zombie does not.
    reader.kill_to_zombie();
    until("the kernel drops the lock", LONG / 10, || !in_use());
    let opened = within(dir.path()).open("a").unwrap();
    assert!(in_use());
    drop(opened);
    assert!(!in_use());
    within(dir.path()).remove("a").unwrap();
}

fn a_child_forked_meanwhile_holds_no_lock() {
    let dir = scratch();
    Role::new("forker").arg(dir.path().display()).spawn().succeed(LONG);
}

/// Marks and drops segments in one thread, and forks in another children that do nothing and stay.
fn forker() {
    let dir = &arguments()[0];
    let options = within(dir.as_ref());
    let kept = options.create("kept", 64).unwrap();
    let over = AtomicBool::new(false);
    let mut children = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                kept.persist().unwrap();
                // Dropping the creator of one that stays takes hold of it, and lets go.
                drop(options.clone().persist(true).create("other", 64).unwrap());
                assert!(options.open("other").unwrap().unlink().unwrap());
            }
        });
        for _ in 0..200 {
            // SAFETY: the child calls nothing but what a signal handler may.
            match unsafe { libc::fork() } {
                0 => {
                    ndshm_testkit::die_with_parent();
                    loop {
                        // SAFETY: waits for a signal; touches no memory.
                        unsafe { libc::pause() };
                    }
                }
                pid => children.push(pid),
            }
            thread::sleep(Duration::from_micros(300));
        }
        over.store(true, SeqCst);
    });
    // Hangs where a child holds a lock that its parent has given up.
    Role::new("opener").arg(dir).spawn().succeed(Duration::from_secs(20));
    for pid in children {
        // SAFETY: a child that was not reaped; no memory is touched.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        // SAFETY: the same; no status is asked for.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    }
}

fn opener() {
    let options = within(arguments()[0].as_ref());
    drop(options.open("kept").unwrap());
    options.remove("kept").unwrap();
}
