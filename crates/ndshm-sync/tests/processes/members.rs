//! Who can be a member, how many, and what becomes of their slots.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_sync::{JoinError, LayoutError, LockError, Members, Region};
use ndshm_testkit::{arguments, raise_descriptors, skip, until};

use crate::arena::Arena;

const LIMIT: Duration = Duration::from_secs(40);

/// Joins 250 times, and stays.
pub(crate) fn crowd() {
    let arena = Arena::inherited();
    let _ = raise_descriptors();
    let all: Vec<_> = (0..250).map(|_| arena.join()).collect();
    arena.word(1, 0).fetch_add(1, SeqCst);
    thread::sleep(LIMIT);
    drop(all);
}

pub(crate) fn a_thousand_at_once() {
    if raise_descriptors() < 300 {
        return skip("a thousand members", "fewer than 300 descriptors are allowed");
    }
    let arena = Arena::create();
    let members = arena.join();
    let mutex = members.layout().mutex(0_u64).expect("no mutex");
    let mut crowds: Vec<_> = (0..4).map(|_| arena.role("members::crowd").spawn()).collect();
    until("all have joined", LIMIT, || arena.word(1, 0).load(SeqCst) == 4);
    let alive: Vec<_> = members.alive().collect();
    assert_eq!(alive.len(), 1001);
    for crowd in &crowds {
        assert_eq!(alive.iter().filter(|m| m.pid == Some(crowd.pid())).count(), 250);
    }
    *mutex.lock().expect("nobody has died") += 1;

    let rest: Vec<_> = (1001..Members::MOST).map(|_| arena.join()).collect();
    match Members::join(arena.region()) {
        Err(e @ JoinError::Full { most: Members::MOST }) => {
            assert!(e.to_string().contains("1020"), "{e}");
        }
        other => panic!("a full table was joined: {other:?}"),
    }
    drop(rest);

    crowds[0].kill();
    let dead = alive.iter().filter(|m| m.pid == Some(crowds[0].pid()));
    assert!(dead.clone().all(|m| !members.is_alive(m.id)));
    assert_eq!(members.alive().count(), 751);
    let anew: Vec<_> = (0..250).map(|_| arena.join()).collect();
    assert_eq!(members.alive().count(), 1001);
    drop(anew);
}

pub(crate) fn what_cannot_be_joined() {
    let arena = Arena::create();
    let region = arena.region();
    let join = |offset: usize, len: usize| {
        // SAFETY: offsets of a few bytes stay inside the region.
        let base: NonNull<u8> = unsafe { region.base().add(offset) };
        // SAFETY: part of the arena's region, used through this crate only.
        Members::join(unsafe { Region::new(base, len, region.fd().expect("a file")) })
    };
    for (offset, len) in [(0, 0), (0, 1), (0, Members::SIZE - 1), (8, Members::SIZE), (1, 60_000)] {
        match join(offset, len) {
            Err(e @ JoinError::Region { need: Members::SIZE, .. }) => {
                assert!(e.to_string().contains("16384"), "{e}");
            }
            other => panic!("joined {len} bytes at {offset}: {other:?}"),
        }
    }
    drop(join(0, Members::SIZE).expect("exactly the table"));

    arena.inside(0).fetch_add(1 << 48, SeqCst);
    match Members::join(region) {
        Err(e @ JoinError::Version { .. }) => assert!(e.to_string().contains("version"), "{e}"),
        other => panic!("joined another version: {other:?}"),
    }
    arena.inside(0).fetch_sub(1 << 48, SeqCst);

    let members = arena.join();
    let mut layout = members.layout();
    assert!(matches!(layout.barrier(0), Err(LayoutError::Parties { parties: 0 })));
    assert!(matches!(layout.barrier(usize::MAX), Err(LayoutError::Parties { .. })));
    assert!(matches!(layout.barrier(usize::MAX / 2), Err(LayoutError::Full { .. })));
    assert!(matches!(layout.barrier(1 << 20), Err(LayoutError::Full { .. })));
    assert!(matches!(layout.mutex([[0_u64; 4096]; 2]), Err(LayoutError::Full { .. })));
    layout.mutex(0_u64).expect("what was refused took no room");
    let other = arena.join();
    let differs = other.layout().mutex(0_u32);
    assert!(matches!(differs, Err(LayoutError::Differs { .. })), "{differs:?}");
    let other = arena.join();
    let differs = other.layout().barrier(8);
    assert!(matches!(differs, Err(LayoutError::Differs { .. })), "{differs:?}");
}

/// Joins, and prints what came of it.
pub(crate) fn joiner() {
    let arena = Arena::inherited();
    match Members::join(arena.region()) {
        Ok(_) => println!("joined"),
        Err(JoinError::Reopen(e)) => println!("cannot reopen: {e}"),
        Err(e) => println!("another error: {e}"),
    }
    assert!(arguments().is_empty());
}

pub(crate) fn a_read_only_file() {
    // A descriptor that is read-only, of a file that is not.
    let arena = Arena::create();
    let region = arena.region();
    let path = format!("/proc/self/fd/{}", region.fd().expect("a file").as_raw_fd());
    let read_only = OpenOptions::new().read(true).open(&path).expect("cannot open the memfd");
    // SAFETY: the arena's region, with another descriptor of the same file.
    let region = unsafe { Region::new(region.base(), region.len(), read_only.as_fd()) };
    match Members::join(region) {
        Ok(members) => {
            let mutex = members.layout().mutex(1_u64).expect("no mutex");
            assert_eq!(*mutex.lock().map_err(LockError::without_guard).expect("no lock"), 1);
        }
        Err(JoinError::Reopen(_)) => {}
        Err(e) => panic!("{e}"),
    }

    // A file that may not be opened for writing, by one who is not root over it.
    let refused = std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400));
    refused.expect("cannot change the mode of the memfd");
    if let Err(why) = can(&["unshare", "-U", "true"]) {
        return skip("a file that may not be written", &why);
    }
    let mut child = arena.role("members::joiner").under(&["unshare", "-U"]).piped().spawn();
    let said = child.line();
    assert!(said.starts_with("cannot reopen: Permission denied"), "{said}");
}

/// Whether this program runs here, and why not.
pub(crate) fn can(command: &[&str]) -> Result<(), String> {
    let output = Command::new(command[0]).args(&command[1..]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(e) => Err(format!("{}: {e}", command[0])),
    }
}
