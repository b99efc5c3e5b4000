//! Who can join, how many, and what becomes of their slots.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use ndshm_sync::{Backend, BackendKind, JoinError, Members};
use ndshm_testkit::{one_line, raise_descriptors, scratch, skip, until};

use crate::arena::Arena;
use crate::subject::LIMIT;

pub(crate) fn the_region_says_by_which_backend(kind: BackendKind) {
    let arena = Arena::create(kind);
    drop(arena.join());
    let directory = scratch();
    let other = match kind {
        BackendKind::Native => Backend::portable(directory.path()),
        BackendKind::Portable => Backend::Native,
    };
    let asked = other.kind();
    let refused = Members::options().backend(other).join(arena.region_with_file());
    match refused {
        Err(e @ JoinError::Backend { .. }) => {
            one_line(&e, &["native", "portable"]);
            let JoinError::Backend { made, asked: a } = e else { unreachable!() };
            assert_eq!((made, a), (kind, asked));
        }
        Err(e @ JoinError::NotCompiled { .. }) => {
            skip("a region of the other backend", &one_line(&e, &[&asked.to_string()]));
        }
        other => panic!("members of two kinds: {other:?}"),
    }
    drop(arena.join());

    // A version that this build does not know is no other backend.
    arena.head().fetch_add(1 << 48, SeqCst);
    match arena.options().join(arena.region()) {
        Err(e @ JoinError::Version { .. }) => drop(one_line(&e, &["version"])),
        other => panic!("joined another version: {other:?}"),
    }
    arena.head().fetch_sub(1 << 48, SeqCst);
    arena.head().fetch_add(7 << 56, SeqCst);
    let unknown = arena.options().join(arena.region());
    assert!(matches!(unknown, Err(JoinError::Version { .. })), "{unknown:?}");
}

pub(crate) fn what_cannot_be_joined(kind: BackendKind) {
    let arena = Arena::create(kind);
    let need = match kind {
        BackendKind::Native => Members::SIZE,
        BackendKind::Portable => Members::PORTABLE_SIZE,
    };
    for (offset, len) in [(0, 0), (0, 1), (0, need - 1), (8, need), (1, 60_000)] {
        match arena.options().join(arena.part(offset, len)) {
            Err(e @ JoinError::Region { .. }) => drop(one_line(&e, &[&need.to_string()])),
            other => panic!("joined {len} bytes at {offset}: {other:?}"),
        }
    }
    drop(arena.options().join(arena.part(0, need)).expect("exactly the table"));

    let Some(directory) = arena.directory() else {
        // SAFETY: the arena's own region, without its file.
        let bare = unsafe { ndshm_sync::Region::without_file(arena.region().base(), need) };
        match Members::join(bare) {
            Err(e @ JoinError::NoFile) => drop(one_line(&e, &["Region::new", "portable"])),
            other => panic!("locked bytes of no file: {other:?}"),
        }
        return;
    };
    let join = |directory: &std::path::Path| {
        Members::options().backend(Backend::portable(directory)).join(arena.region())
    };
    let file = directory.join("a file");
    std::fs::write(&file, b"").expect("can be written");
    for wrong in [directory.join("missing"), file] {
        match join(&wrong) {
            Err(e @ JoinError::Directory { .. }) => {
                one_line(&e, &[wrong.to_str().expect("of letters"), "directory"]);
            }
            other => panic!("joined by {wrong:?}: {other:?}"),
        }
    }
    let elsewhere = scratch();
    match join(elsewhere.path()) {
        Err(e @ JoinError::OtherDirectory { .. }) => drop(one_line(&e, &["same directory"])),
        other => panic!("members with two directories: {other:?}"),
    }

    // Two regions may have one directory.
    let options = Members::options().backend(Backend::portable(elsewhere.path()));
    let arenas = [Arena::create(kind), Arena::create(kind)];
    let join = |arena: usize| options.join(arenas[arena].region()).expect("cannot join");
    let [first, second] = [join(0), join(1)];
    assert_eq!([first.me().slot(), second.me().slot()], [0, 0]);
    let watcher = join(1);
    assert!(watcher.is_alive(second.me()));
    let gone = second.me();
    drop(second);
    assert!(!watcher.is_alive(gone), "a member of the other region passes for this one's");
    drop(first);
}

pub(crate) fn slots_of_the_dead_are_used_again(kind: BackendKind) {
    let arena = Arena::create(kind);
    let members = arena.join();
    let first = arena.options().rank(7).join(arena.region()).expect("cannot join");
    let stale = first.me();
    let known = members.describe(stale);
    assert_eq!((known.rank, known.pid), (Some(7), Some(std::process::id())));
    assert_eq!(known.to_string(), format!("rank 7 (pid {})", std::process::id()));
    assert!(members.is_alive(stale) && first.is_alive(members.me()), "two in one process");
    drop(first);
    assert!(!members.is_alive(stale));
    assert_eq!(members.describe(stale), known, "the dead stay nameable while there is room");

    // All others are used first; then its own comes again, in a new generation.
    let mut heir = stale;
    for _ in 2..=Members::MOST {
        heir = arena.join().me();
    }
    assert_eq!(heir.slot(), stale.slot());
    assert!(heir.generation() > stale.generation(), "{heir} of {stale}");
    // The search goes on behind the slot that was taken last.
    let next = arena.join();
    assert_ne!(next.me().slot(), heir.slot());
    assert!(next.me().generation() > 1, "{} is not a used slot", next.me());
    assert!(members.is_alive(next.me()));
    assert!(!members.is_alive(stale) && !members.is_alive(heir), "a word of an old generation");
    let forgotten = members.describe(stale);
    assert_eq!((forgotten.rank, forgotten.pid), (None, None));
    assert!(forgotten.to_string().contains("member 1.1"), "{forgotten}");
    assert_eq!(members.describe(next.me()).rank, None, "the rank of the one before");
}

const CROWD: usize = 255;

/// Joins many times, and stays.
pub(crate) fn crowd() {
    let arena = Arena::inherited();
    let _ = raise_descriptors();
    let all: Vec<_> = (0..CROWD).map(|_| arena.join()).collect();
    arena.word(1, 0).fetch_add(1, SeqCst);
    thread::sleep(LIMIT * 2);
    drop(all);
}

pub(crate) fn a_full_table_is_an_error(kind: BackendKind) {
    if raise_descriptors() < 300 {
        return skip("a full table", "fewer than 300 descriptors are allowed");
    }
    let arena = Arena::create(kind);
    let mut crowds: Vec<_> =
        (0..Members::MOST / CROWD).map(|_| arena.role("joining::crowd").spawn()).collect();
    until("all have joined", LIMIT, || arena.word(1, 0).load(SeqCst) == crowds.len() as u64);
    match arena.options().join(arena.region()) {
        Err(e @ JoinError::Full { most: Members::MOST }) => drop(one_line(&e, &["1020"])),
        other => panic!("a full table was joined: {other:?}"),
    }
    let dead = crowds[0].pid();
    crowds[0].kill();
    let members = arena.join();
    let alive: Vec<_> = members.alive().collect();
    assert_eq!(alive.len(), Members::MOST - CROWD + 1);
    assert!(alive.iter().all(|member| member.pid != Some(dead)));
    for crowd in &crowds[1..] {
        assert_eq!(alive.iter().filter(|member| member.pid == Some(crowd.pid())).count(), CROWD);
    }
}
