//! Where /proc is not mounted, and a memfd cannot be opened once more.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{JoinError, LockError, MemberId, Members};
use ndshm_testkit::{arguments, ends_well, fork, mount_tmpfs, own_mounts, scratch, skip, until};

use crate::arena::Arena;
use crate::members::can;

const LIMIT: Duration = Duration::from_secs(20);
const EACH: u64 = 5000;

/// In a PID namespace of its own, too, with nothing at /proc.
const HIDDEN: [&str; 8] = [
    "unshare",
    "-Urmp",
    "--fork",
    "--kill-child",
    "sh",
    "-c",
    "mount -t tmpfs tmpfs /proc && exec \"$@\"",
    "sh",
];

fn possible(what: &str) -> bool {
    let refused = can(&[&HIDDEN[..], &["true"]].concat());
    refused.map_err(|why| skip(what, &why)).is_ok()
}

/// In a child that keeps what it inherited: a lock of the process.
fn join_by_process(arena: &Arena) -> Result<Members<'_>, JoinError> {
    // SAFETY: the arena's descriptor and standard input are all that this process has of the file,
    // and it closes neither; those of a membership are this crate's.
    unsafe { Members::options().or_process_lock() }.join(arena.region())
}

/// Page 1: how far a child has come, and what it is told; then members it is to be judged by.
fn stage(arena: &Arena) -> u64 {
    arena.word(1, 0).load(SeqCst)
}

fn step(arena: &Arena, stage: u64) {
    arena.word(1, 0).store(stage, SeqCst);
    until("the test has looked", LIMIT, || arena.word(1, 1).load(SeqCst) == stage);
}

fn reaches(arena: &Arena, wanted: u64) {
    until("the child comes as far", LIMIT, || stage(arena) == wanted);
}

fn go_on(arena: &Arena) {
    arena.word(1, 1).store(stage(arena), SeqCst);
}

fn tell(arena: &Arena, n: usize, id: MemberId) {
    arena.word(1, 2 + n).store(id.to_bits(), SeqCst);
}

fn told(arena: &Arena, n: usize) -> MemberId {
    MemberId::from_bits(arena.word(1, 2 + n).load(SeqCst)).expect("a member")
}

pub(crate) fn it_says_so() {
    if !possible("no /proc") {
        return;
    }
    let arena = Arena::create();
    let mut child = arena.role("members::joiner").under(&HIDDEN).piped().spawn();
    let said = child.line();
    assert!(said.starts_with("cannot reopen: No such file"), "{said}");
}

/// Joins by the name, holds the lock.
pub(crate) fn named() {
    let arena = Arena::inherited();
    let arguments = arguments();
    let join = |name: &str| Members::options().name(name).rank(4).join(arena.region());
    assert!(matches!(Members::join(arena.region()), Err(JoinError::Reopen(_))));
    for (name, why) in [(&arguments[1], "another file"), (&arguments[2], "No such file")] {
        match join(name) {
            Err(e @ JoinError::Name { .. }) => {
                assert!(e.to_string().contains(why) && e.to_string().contains(name), "{e}");
            }
            other => panic!("joined by {name}: {other:?}"),
        }
    }
    let members = join(&arguments[0]).expect("cannot join by the name");
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    *mutex.lock().expect("nobody has died") += 1;
    let _guard = mutex.lock();
    step(&arena, 1);
}

pub(crate) fn by_its_name() {
    if !possible("no /proc") {
        return;
    }
    let directory = scratch();
    let [name, other, none] = ["it", "other", "none"].map(|n| directory.path().join(n));
    let arena = Arena::named(&name);
    std::fs::write(&other, "something else").expect("cannot write");
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let role = arena.role("no_proc::named").under(&HIDDEN);
    let mut child = role.arg(name.display()).arg(other.display()).arg(none.display()).spawn();
    reaches(&arena, 1);
    let held = mutex.lock_timeout(Duration::from_millis(60));
    assert!(matches!(held, Err(LockError::TimedOut { owner: Some(o) }) if o.rank == Some(4)));
    child.kill();
    match mutex.lock_timeout(LIMIT) {
        Err(LockError::Poisoned(p)) => assert_eq!((p.member().rank, **p.get_ref()), (Some(4), 1)),
        other => panic!("it died with the lock: {other:?}"),
    }
}

/// Joins by the process, several times; forks; holds the lock.
pub(crate) fn nameless() {
    let arena = Arena::inherited();
    assert!(matches!(Members::join(arena.region()), Err(JoinError::Reopen(_))));
    let [first, second] = [(); 2].map(|()| join_by_process(&arena).expect("cannot join"));
    assert_ne!(first.me().slot(), second.me().slot(), "locks of one process do not conflict");
    assert!(first.is_alive(second.me()) && second.is_alive(first.me()));
    let parent = first.alive().next().expect("the parent has joined");
    assert_ne!(parent.id, first.me());
    tell(&arena, 0, first.me());
    tell(&arena, 1, second.me());
    step(&arena, 1);

    // One of several leaves.
    let left = second.me();
    drop(second);
    assert!(!first.is_alive(left) && first.is_alive(first.me()));
    step(&arena, 2);

    // A child that closes all it inherits, and joins itself.
    for handlers in [true, false] {
        ends_well(fork(handlers, || {
            assert!(!first.is_mine());
            let anew = join_by_process(&arena).expect("a child may join");
            assert_ne!(anew.me().slot(), first.me().slot(), "the parent's slot");
            assert!(anew.is_alive(first.me()) && anew.is_alive(parent.id));
            tell(&arena, 1, anew.me());
            step(&arena, 3 + u64::from(handlers));
        }));
    }
    assert!(!first.is_alive(told(&arena, 1)), "it has ended");

    // The last one leaves, and another comes.
    let gone = first.me();
    drop(first);
    let anew = join_by_process(&arena).expect("cannot join");
    assert!(!anew.is_alive(gone) && anew.is_alive(parent.id));
    tell(&arena, 1, anew.me());
    let _guard = anew.layout().mutex(0_u64).expect("no mutex").lock();
    step(&arena, 5);
    thread::sleep(LIMIT);
}

pub(crate) fn by_the_process() {
    if !possible("no /proc") {
        return;
    }
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    // Then no slot is passed over because nobody has ever had it.
    (0..Members::MOST).for_each(|_| drop(arena.join()));
    let mut child = arena.role("no_proc::nameless").under(&HIDDEN).spawn();
    let alive = |n| members.is_alive(told(&arena, n));
    reaches(&arena, 1);
    assert!(alive(0) && alive(1));
    assert_eq!(members.alive().count(), 3);
    let mine: Vec<_> = (0..4).map(|_| arena.join()).collect();
    assert_eq!(members.alive().count(), 7, "a slot was given to two");
    drop(mine);
    go_on(&arena);
    reaches(&arena, 2);
    assert!(alive(0) && !alive(1), "who leaves takes nobody along");
    go_on(&arena);
    for forked in [4, 3] {
        reaches(&arena, forked);
        assert!(alive(0) && alive(1), "a child that closed its descriptors");
        go_on(&arena);
    }
    reaches(&arena, 5);
    assert!(!alive(0) && alive(1));
    let held = mutex.lock_timeout(Duration::from_millis(100));
    assert!(matches!(held, Err(LockError::TimedOut { owner: Some(o) }) if o.id == told(&arena, 1)));
    go_on(&arena);
    child.kill();
    match mutex.lock_timeout(LIMIT) {
        Err(LockError::Poisoned(p)) => assert_eq!(p.member().id, told(&arena, 1)),
        other => panic!("it died with the lock: {other:?}"),
    }
    assert_eq!(members.alive().count(), 1);
}

/// Page and what to do: all who do it are members by the process, of one description.
pub(crate) fn adder() {
    let arena = Arena::inherited();
    let members = join_by_process(&arena).expect("cannot join");
    let arguments = arguments();
    let page: usize = arguments[0].parse().expect("a page");
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    match arguments[1].as_str() {
        "add" => {
            let here = arena.word(1, 0);
            here.fetch_add(1, SeqCst);
            until("all are there", LIMIT, || here.load(SeqCst) == 3);
            (0..EACH).for_each(|_| *mutex.lock().expect("nobody has died") += 1);
        }
        "hold" => {
            let _guard = mutex.lock();
            arena.word(page, 0).store(1, SeqCst);
            thread::sleep(LIMIT);
        }
        "wait" => {
            arena.word(page, 0).store(1, SeqCst);
            let poisoned = matches!(mutex.lock(), Err(LockError::Poisoned(_)));
            arena.word(page, 0).store(if poisoned { 2 } else { 3 }, SeqCst);
        }
        other => panic!("{other}?"),
    }
}

/// Whose description of the file is one and the same: none of them has opened it.
pub(crate) fn all_by_the_process() {
    if !possible("no /proc") {
        return;
    }
    let arena = Arena::create();
    let spawn = |page: usize, what: &str| {
        arena.word(page, 0).store(0, SeqCst);
        arena.role("no_proc::adder").under(&HIDDEN).arg(page).arg(what).spawn()
    };
    let mut adders =
        [(); 3].map(|()| arena.role("no_proc::adder").under(&HIDDEN).arg(1).arg("add").spawn());
    adders.iter_mut().for_each(|adder| adder.succeed(LIMIT));
    let state = |page| arena.word(page, 0).load(SeqCst);
    let mut holder = spawn(2, "hold");
    until("one holds", LIMIT, || state(2) == 1);
    let mut bystander = spawn(3, "wait");
    until("one waits", LIMIT, || state(3) == 1);
    let _waiter = spawn(4, "wait");
    until("another waits", LIMIT, || state(4) == 1);
    bystander.kill();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(state(4), 1, "the living were robbed");
    holder.kill_to_zombie();
    until("it is told", LIMIT, || state(4) > 1);
    assert_eq!(state(4), 2, "it had the lock of a dead one without a word");
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    match mutex.lock() {
        Err(LockError::Poisoned(p)) => assert_eq!(**p.get_ref(), 3 * EACH),
        other => panic!("nobody has cleared it: {other:?}"),
    };
}

/// Joins by the process, takes the lock, and becomes another program.
pub(crate) fn changer() {
    let arena = Arena::inherited();
    let members = join_by_process(&arena).expect("cannot join");
    let _guard = members.layout().mutex(0_u64).expect("no mutex").lock();
    step(&arena, 1);
    // Of what it has of the file, only what is not its own stays open in the other program.
    let fd = arena.region().fd().expect("a file").as_raw_fd();
    // SAFETY: sets a flag of a descriptor that is open.
    let r = unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    assert_eq!(r, 0, "{}", std::io::Error::last_os_error());
    panic!("cannot become another program: {}", Command::new("sleep").arg("20").exec());
}

pub(crate) fn exec_ends_it() {
    if !possible("no /proc") {
        return;
    }
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut child = arena.role("no_proc::changer").under(&HIDDEN).spawn();
    reaches(&arena, 1);
    let held = mutex.try_lock();
    assert!(matches!(held, Err(LockError::WouldBlock { .. })), "{held:?}");
    go_on(&arena);
    match mutex.lock_timeout(LIMIT / 2) {
        Err(LockError::Poisoned(p)) => assert!(!p.panicked()),
        other => panic!("its membership is no more: {other:?}"),
    }
    assert!(child.is_running());
}

fn unmount(at: &Path) {
    let path = CString::new(at.as_os_str().as_encoded_bytes()).expect("a path has no zeroes");
    // SAFETY: a string that ends in zero.
    let r = unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    assert_eq!(r, 0, "{}", std::io::Error::last_os_error());
}

/// /proc goes and comes while it joins.
pub(crate) fn mixer() {
    let arena = Arena::inherited();
    let proc = Path::new("/proc");
    // Where the file can be opened, it is.
    let own = join_by_process(&arena).expect("cannot join");
    mount_tmpfs(proc);
    let refused = join_by_process(&arena);
    assert!(matches!(refused, Err(JoinError::Reopen(_))), "the end of `own` would drop its lock");
    drop(own);
    let first = join_by_process(&arena).expect("cannot join");
    unmount(proc);
    tell(&arena, 0, first.me());
    // /proc is there, but opening the file would mean to close it in the end.
    let second = arena.join();
    assert_ne!(first.me().slot(), second.me().slot());
    let third = Members::options().name("/none").join(arena.region()).expect("cannot join");
    tell(&arena, 1, second.me());
    drop(third);
    step(&arena, 1);
    drop(first);
    step(&arena, 2);
    drop(second);
    // The last is gone, so the next may open it again.
    let own = arena.join();
    mount_tmpfs(proc);
    assert!(join_by_process(&arena).is_err());
    tell(&arena, 0, own.me());
    step(&arena, 3);
}

pub(crate) fn both_ways_in_one_process() {
    let Some(apart) = own_mounts("/proc goes and comes") else { return };
    let arena = Arena::create();
    let members = arena.join();
    let mut child = arena.role("no_proc::mixer").under(apart).spawn();
    let alive = |n| members.is_alive(told(&arena, n));
    reaches(&arena, 1);
    assert!(alive(0) && alive(1), "an end of another membership has dropped it");
    go_on(&arena);
    reaches(&arena, 2);
    assert!(!alive(0) && alive(1));
    go_on(&arena);
    reaches(&arena, 3);
    assert!(alive(0) && !alive(1));
    go_on(&arena);
    child.succeed(LIMIT);
    assert!(!alive(0));
}
