//! Who makes names, and who removes them.

use std::thread;
use std::time::Duration;

use ndshm_buffer::{Backend, CreateError, OpenError, PersistError, RemoveError};
use ndshm_testkit::{Child, ends_well, fork, one_line};

use crate::arena::{Arena, word};

const SOON: Duration = Duration::from_secs(40);

/// Opens, says so, does as it is told, and ends.
pub(crate) fn attacher() {
    let buffer = Arena::inherited().open();
    println!("open");
    match word().as_str() {
        "exit" => {}
        "persist" => buffer.persist().unwrap(),
        "unlink" => assert!(buffer.unlink().unwrap()),
        _ => thread::sleep(SOON),
    }
}

/// Creates, says so, and waits for its death.
pub(crate) fn creator() {
    let arena = Arena::inherited();
    let buffer = arena.create(5000);
    buffer.write_at(4000, b"its creator is dead").unwrap();
    println!("created");
    thread::sleep(SOON);
}

fn start(arena: &Arena, role: &str, word: &str) -> Child {
    let mut child = arena.role(role, word).piped().spawn();
    assert!(["open", "created"].contains(&child.line().as_str()));
    child
}

fn is_there(arena: &Arena) -> bool {
    match arena.options().open(arena.name()) {
        Ok(_) => true,
        Err(error @ OpenError::NotFound { .. }) => {
            one_line(&error, &[arena.name(), "create it first"]);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn created_opened_removed_and_created_again(arena: &Arena) {
    let (options, name) = (arena.options(), arena.name());
    assert!(!is_there(arena));
    let first = arena.create(100);
    assert_eq!((first.backend(), first.name()), (arena.backend, Some(name)));
    assert_eq!(first.os_id().is_some(), arena.backend == Backend::Portable);
    assert_eq!(first.path().is_some(), arena.is_native());
    let taken = options.create(name, 100).unwrap_err();
    assert!(matches!(&taken, CreateError::NameTaken { name: n, .. } if n == name), "{taken}");
    one_line(&taken, &[name, "taken"]);

    let opened = arena.open();
    assert_eq!((opened.id(), opened.len(), opened.name()), (first.id(), 100, Some(name)));
    options.remove(name).unwrap();
    assert!(!is_there(arena));
    let gone = options.remove(name).unwrap_err();
    assert!(matches!(gone, RemoveError::NotFound { .. }), "{gone}");
    one_line(&gone, &[name]);
    assert!(!first.unlink().unwrap(), "there is no name to remove");
    assert!(matches!(first.persist(), Err(PersistError::Removed { .. })));

    let second = arena.create(200);
    assert_ne!(second.id(), first.id());
    assert_eq!((arena.open().id(), arena.open().len()), (second.id(), 200));
    // The removed one lives on in those that have it.
    first.write_at(0, b"old").unwrap();
    let mut bytes = [0; 3];
    opened.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"old");
    second.read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 3]);
    assert!(second.unlink().unwrap());
    assert!(!is_there(arena));
}

pub(crate) fn the_creators_drop_removes_the_name(arena: &Arena) {
    let created = arena.create(100);
    let (clone, opened) = (created.clone(), arena.open());
    drop(created);
    assert!(is_there(arena), "a clone of the creating buffer is there");
    drop(clone);
    assert!(!is_there(arena), "{:?} remained", opened);
    opened.write_at(0, b"x").unwrap();
}

pub(crate) fn who_attaches_removes_nothing(arena: &Arena) {
    let created = arena.create(100);
    drop(arena.open());
    let mut exits = start(arena, "lives::attacher", "exit");
    exits.succeed(SOON);
    start(arena, "lives::attacher", "wait").kill();
    assert!(is_there(arena));
    created.write_at(0, b"x").unwrap();
    start(arena, "lives::attacher", "unlink").succeed(SOON);
    assert!(!is_there(arena), "it was told to");
}

pub(crate) fn persisted_names_stay(arena: &Arena) {
    let (options, name) = (arena.options(), arena.name());
    drop(options.clone().persist(true).create(name, 100).unwrap());
    assert!(is_there(arena), "made to stay");
    options.remove(name).unwrap();

    let created = arena.create(100);
    created.persist().unwrap();
    drop(created);
    assert!(is_there(arena), "marked by its creator");
    options.remove(name).unwrap();

    let created = arena.create(100);
    start(arena, "lives::attacher", "persist").succeed(SOON);
    drop(created);
    assert!(is_there(arena), "marked by another process");
    options.remove(name).unwrap();
    assert!(!is_there(arena));
}

pub(crate) fn what_a_killed_creator_leaves(arena: &Arena) {
    let (options, name) = (arena.options(), arena.name());
    start(arena, "lives::creator", "").kill();
    // The segment, whole, which whoever knows the name opens, or removes.
    let opened = arena.open();
    let mut bytes = [0; 19];
    opened.read_at(4000, &mut bytes).unwrap();
    assert_eq!(&bytes, b"its creator is dead");
    assert!(matches!(options.create(name, 1), Err(CreateError::NameTaken { .. })));
    drop(opened);
    assert!(is_there(arena), "opening made nobody its creator");
    if arena.is_native() {
        assert_eq!(options.gc().unwrap().len(), 1, "told from the living");
    } else {
        options.remove(name).unwrap();
    }
    arena.create(1);
}

pub(crate) fn a_new_segment_of_the_name_is_left_alone(arena: &Arena) {
    let old = arena.create(100);
    arena.options().remove(arena.name()).unwrap();
    let new = arena.create(100);
    assert!(!old.unlink().unwrap());
    assert!(matches!(old.persist(), Err(PersistError::Removed { .. })));
    drop(old);
    assert_eq!(arena.open().id(), new.id());
}

/// The child drops its copy of the creating buffer.
pub(crate) fn forker() {
    let arena = Arena::inherited();
    let created = arena.create(100);
    let mut kept = Some(created);
    for with_handlers in [true, false] {
        ends_well(fork(with_handlers, || {
            let created = kept.take().unwrap();
            created.write_at(0, b"child").unwrap();
            drop(created);
        }));
        assert!(is_there(&arena));
    }
    let mut bytes = [0; 5];
    kept.as_ref().unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"child");
    drop(kept);
    assert!(!is_there(&arena));
}

pub(crate) fn a_forked_child_removes_nothing(arena: &Arena) {
    arena.role("lives::forker", "").spawn().succeed(SOON);
}
