//! Members as one sees them who is none.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{RawMutex, Roster};
use ndshm_testkit::{Child, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(40);

/// Joins, and stays.
pub(crate) fn member() {
    let arena = Arena::inherited();
    let members = arena.join();
    arena.word(0, 0).fetch_add(1, SeqCst);
    thread::sleep(LIMIT);
    drop(members);
}

/// The arena's file through a description of its own, for reading only.
fn opened(arena: &Arena) -> File {
    let fd = arena.region().fd().expect("a file").as_raw_fd();
    File::open(format!("/proc/self/fd/{fd}")).expect("/proc")
}

/// Pid and whether it lives, in the order of slots.
fn seen(file: &File) -> Vec<(u32, bool)> {
    let roster = Roster::read(file, 0).expect("a table");
    let members = roster.members().expect("the kernel says");
    members.iter().map(|m| (m.member.pid.expect("nobody has the slot since"), m.alive)).collect()
}

pub(crate) fn the_living_and_the_dead_are_told_apart() {
    let arena = Arena::create();
    let file = opened(&arena);
    assert_eq!(seen(&file), []);
    let mut children: Vec<Child> = Vec::new();
    for n in 1..=3 {
        children.push(arena.role("roster::member").spawn());
        until("it has joined", LIMIT, || arena.word(0, 0).load(SeqCst) == n);
    }
    let pids: Vec<_> = children.iter().map(Child::pid).collect();
    assert_eq!(seen(&file), [(pids[0], true), (pids[1], true), (pids[2], true)]);

    // One that is stopped lives; a zombie does not.
    children[0].stop();
    children[1].kill_to_zombie();
    children[2].kill();
    assert_eq!(seen(&file), [(pids[0], true), (pids[1], false), (pids[2], false)]);
    children[0].kill();

    // A member of this very process, asked after through another description.
    let members = arena.join();
    let me = (std::process::id(), true);
    assert_eq!(seen(&file)[3], me);
    let (lock, stale) = (RawMutex::new(), Roster::read(&file, 0).expect("a table"));
    let _ = lock.lock(&members);
    let shown = format!("mutex: held by pid {}", me.0);
    assert_eq!(stale.inspect(&lock).expect("the kernel says").to_string(), shown);
    drop(members);
    let shown = format!("{shown} (dead)");
    assert_eq!(stale.inspect(&lock).expect("the kernel says").to_string(), shown);

    // An old picture takes nobody for another who has the slot now.
    let heirs: Vec<_> = (0..ndshm_sync::Members::MOST).map(|_| arena.join()).collect();
    let known = stale.members().expect("the kernel says");
    assert_eq!(known.len(), 4);
    assert!(known.iter().all(|holder| !holder.alive), "{known:?}");
    drop(heirs);
}

/// Builds of other versions look there, too.
pub(crate) fn locks_lie_where_the_format_says() {
    let arena = Arena::create();
    let file = opened(&arena);
    let members = arena.join();
    let slot = i64::from(members.me().slot());
    let is_locked = |at: i64| {
        // SAFETY: all zeroes is a valid `flock`.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as i16;
        lock.l_whence = libc::SEEK_SET as i16;
        (lock.l_start, lock.l_len) = (at, 1);
        // SAFETY: reads and writes that one `flock`.
        let r = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
        assert_eq!(r, 0);
        i32::from(lock.l_type) != libc::F_UNLCK
    };
    assert!(is_locked((1 << 62) + slot));
    assert!(!is_locked((1 << 62) + slot + 1));
    assert!(!is_locked(slot));
    drop(members);
    assert!(!is_locked((1 << 62) + slot));
}
