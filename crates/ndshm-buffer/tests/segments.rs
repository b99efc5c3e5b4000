//! Segments within one process: what is created, how long it lives, what is refused.

mod common;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use common::{Name, bytes, listing, one_line, scratch, within};
use ndshm_buffer::{
    CreateError, NameError, OpenError, PersistError, RemoveError, SharedBuffer, WriteError,
};
use rustix::fs::{FallocateFlags, fallocate};

#[test]
fn lengths_are_exact_zeroed_and_reserved() {
    let dir = scratch();
    for len in [1, 7, 4095, 4096, 4097, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 5_000_001] {
        let named = within(dir.path()).create("a", len).unwrap();
        let anonymous = SharedBuffer::anonymous(len).unwrap();
        for buffer in [&named, &anonymous] {
            assert_eq!(buffer.len(), len);
            let boundary = if len >= 2 << 20 { 2 << 20 } else { 4096 };
            assert_eq!(buffer.as_ptr().addr() % boundary, 0, "{len} bytes");
            assert!(bytes(buffer).iter().all(|&byte| byte == 0));
            let stat = rustix::fs::fstat(buffer).unwrap();
            assert_eq!(stat.st_size as usize, len);
            assert!(stat.st_blocks as usize * 512 >= len, "{len} bytes are not reserved");
        }
    }
    assert_eq!(listing(dir.path()), [""; 0].map(Into::<std::path::PathBuf>::into));
}

#[test]
fn memory_is_unmapped_and_descriptors_closed() {
    // Other tests of this binary run meanwhile: look for this one's own inode.
    let len = 3 * (2 << 20) + 12_345;
    let name = Name::new("unmapped");
    let buffer = SharedBuffer::options().create(&name, len).unwrap();
    let id = buffer.id();
    let ours = move || {
        fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok).any(|entry| {
            fs::metadata(entry.path()).is_ok_and(|m| (m.dev(), m.ino()) == (id.dev(), id.ino()))
        })
    };
    let shown = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().any(|line| line.split_whitespace().nth(4) == Some(&id.ino().to_string()))
    };
    assert!(shown() && ours());
    let clone = buffer.clone();
    drop(buffer);
    assert!(shown() && ours());
    drop(clone);
    assert!(!shown() && !ours());
}

#[test]
fn init_runs_before_anyone_sees_the_name() {
    let dir = scratch();
    let options = within(dir.path());
    let buffer = options
        .create_with("a", 100, |bytes| {
            assert_eq!(listing(dir.path()).len(), 0);
            assert!(matches!(options.open("a"), Err(OpenError::NotFound { .. })));
            bytes.fill(3);
        })
        .unwrap();
    assert_eq!(bytes(&options.open("a").unwrap()), [3; 100]);
    assert_eq!(bytes(&buffer), [3; 100]);

    let panicked = std::panic::catch_unwind(|| {
        options.create_with("b", 100, |_| panic!("on purpose")).map(drop)
    });
    assert!(panicked.is_err());
    let failed: Result<_, Box<dyn std::error::Error>> =
        options.try_create_with("b", 100, |_| Err("on purpose".into()));
    assert_eq!(failed.unwrap_err().to_string(), "on purpose");
    assert_eq!(listing(dir.path()).len(), 1);
}

#[test]
fn the_last_clone_of_the_creating_buffer_removes_the_name() {
    let dir = scratch();
    let options = within(dir.path());
    let creator = options.create("a", 64).unwrap();
    let (clone, opened) = (creator.clone(), options.open("a").unwrap());
    drop(creator);
    assert!(options.open("a").is_ok());
    drop(clone);
    assert!(matches!(options.open("a"), Err(OpenError::NotFound { .. })));
    opened.write_at(0, b"alive").unwrap();

    drop(options.persist(true).create("a", 64).unwrap());
    let kept = within(dir.path()).open("a").unwrap();
    drop(kept);
    assert!(within(dir.path()).open("a").is_ok(), "an opener's drop removed the name");
    let mode = fs::metadata(dir.path().join("ndshm.a")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o1600);
    within(dir.path()).remove("a").unwrap();
    assert_eq!(listing(dir.path()).len(), 0);
}

#[test]
fn persist_from_any_handle_until_the_name_is_gone() {
    let dir = scratch();
    let options = within(dir.path());
    let creator = options.create("a", 64).unwrap();
    options.clone().read_only(true).open("a").unwrap().persist().unwrap();
    drop(creator);
    let opened = options.open("a").unwrap();
    assert!(opened.unlink().unwrap());
    assert!(!opened.unlink().unwrap());
    let gone = opened.persist().unwrap_err();
    assert!(matches!(gone, PersistError::Removed { .. }));
    one_line(&gone, &["ndshm.a", "create a new segment"]);

    let _second = options.create("a", 64).unwrap();
    assert!(matches!(opened.persist(), Err(PersistError::Removed { .. })));
    let anonymous = SharedBuffer::anonymous(64).unwrap();
    assert!(matches!(anonymous.persist(), Err(PersistError::Anonymous)));
    assert!(!anonymous.unlink().unwrap());
}

#[test]
fn no_remover_takes_the_name_from_a_new_segment() {
    let dir = scratch();
    let options = within(dir.path());
    let first = options.create("a", 64).unwrap();
    options.remove("a").unwrap();
    let second = options.create("a", 64).unwrap();
    assert_ne!(first.id(), second.id());
    assert!(!first.unlink().unwrap());
    drop(first);
    assert_eq!(options.open("a").unwrap().id(), second.id());
    assert!(second.unlink().unwrap());
    let missing = options.remove("a").unwrap_err();
    assert!(matches!(missing, RemoveError::NotFound { .. }));
    one_line(&missing, &["ndshm.a", "ls"]);
}

#[test]
fn one_mapping_for_each_segment_and_access() {
    let dir = scratch();
    let options = within(dir.path());
    let created = options.create("a", 64).unwrap();
    let opened = options.open("a").unwrap();
    let handled = created.handle().open().unwrap();
    assert_eq!(created.as_ptr(), opened.as_ptr());
    assert_eq!(created.as_ptr(), handled.as_ptr());
    let read_only = options.clone().read_only(true).open("a").unwrap();
    let again = read_only.handle().open().unwrap();
    assert_ne!(created.as_ptr(), read_only.as_ptr());
    assert_eq!(read_only.as_ptr(), again.as_ptr());
    assert!(again.is_read_only());
    assert_eq!(created.id(), read_only.id());

    let refused = again.write_at(0, b"x").unwrap_err();
    assert!(matches!(refused, WriteError::ReadOnly { .. }));
    one_line(&refused, &["ndshm.a", "read_only(true)"]);
    assert!(again.atomics().is_none());
    created.write_at(3, b"x").unwrap();
    assert_eq!(bytes(&again)[3], b'x');

    let anonymous = SharedBuffer::anonymous(64).unwrap();
    assert_eq!(anonymous.as_ptr(), anonymous.handle().open().unwrap().as_ptr());
}

#[test]
fn threads_that_open_at_once_map_once() {
    let dir = scratch();
    let options = within(dir.path()).persist(true);
    drop(options.create("a", 64).unwrap());
    for _ in 0..200 {
        let buffers = std::thread::scope(|scope| {
            let threads = [0; 4].map(|_| scope.spawn(|| options.open("a").unwrap()));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(buffers.iter().all(|buffer| buffer.as_ptr() == buffers[0].as_ptr()));
    }
}

#[test]
fn a_taken_name() {
    let dir = scratch();
    let options = within(dir.path());
    let _first = options.create("a", 64).unwrap();
    let taken = options.create("a", 64).unwrap_err();
    assert!(matches!(taken, CreateError::NameTaken { .. }));
    one_line(&taken, &["ndshm.a", "choose another name"]);

    symlink("/nowhere", dir.path().join("ndshm.b")).unwrap();
    fs::create_dir(dir.path().join("ndshm.c")).unwrap();
    for squatted in ["b", "c"] {
        assert!(matches!(options.create(squatted, 64), Err(CreateError::NameTaken { .. })));
    }
    assert_eq!(listing(dir.path()).len(), 3);
}

#[test]
fn bad_names_and_lengths() {
    let options = SharedBuffer::options();
    let long = "n".repeat(201);
    for name in ["", ".", "..", "a/b", "/", "../a", "a b", "a\0b", "naïve", "名", "a\n", &long] {
        let bad = options.create(name, 64).unwrap_err();
        assert!(matches!(bad, CreateError::BadName(_)), "{name:?}");
        one_line(&bad, &["segment", "use "]);
        assert!(matches!(options.open(name), Err(OpenError::BadName(_))));
        assert!(matches!(options.remove(name), Err(RemoveError::BadName(_))));
    }
    let slash = NameError::Character { name: "a/b".into(), found: '/' };
    assert_eq!(slash.to_string().matches('/').count(), 2);

    let longest = Name::new(&"n".repeat(150));
    options.create(&format!("{:n<200}", &*longest), 64).unwrap();

    for (len, remedy) in
        [(0, "at least 1"), (usize::MAX, "less"), (isize::MAX as usize + 1, "less")]
    {
        one_line(&options.create("a", len).unwrap_err(), &["/dev/shm/ndshm.a", remedy]);
        one_line(&SharedBuffer::anonymous(len).unwrap_err(), &["anonymous", remedy]);
    }
    let refused = options.clone().read_only(true).anonymous(64).unwrap_err();
    assert!(matches!(refused, CreateError::ReadOnly { .. }));
}

#[test]
fn more_than_there_is() {
    for asked in [8 << 40, isize::MAX as usize] {
        let anonymous = SharedBuffer::anonymous(asked).unwrap_err();
        assert!(
            matches!(anonymous, CreateError::NoSpace { asked: a, free, .. } if a == asked as u64 && free > 0),
            "{anonymous}"
        );
        one_line(&anonymous, &[&asked.to_string(), "memory and swap"]);
        let named = SharedBuffer::options().create("too-much", asked).unwrap_err();
        assert!(matches!(named, CreateError::NoSpace { .. }), "{named}");
        one_line(&named, &["/dev/shm/ndshm.too-much", "ask for less"]);
    }
}

#[test]
fn what_is_no_segment_is_refused() {
    let dir = scratch();
    let options = within(dir.path());
    let at = |name: &str| dir.path().join(format!("ndshm.{name}"));
    let open = |name: &str| options.open(name).unwrap_err();

    let missing = open("missing");
    assert!(matches!(missing, OpenError::NotFound { .. }));
    one_line(&missing, &["ndshm.missing", "create it first"]);

    let target = options.clone().create("target", 64).unwrap();
    symlink(at("target"), at("link")).unwrap();
    let link = open("link");
    assert!(matches!(link, OpenError::Symlink { .. }));
    one_line(&link, &["ndshm.link", "remove it"]);
    assert!(matches!(options.remove("link"), Err(RemoveError::NotRegular { .. })));

    fs::hard_link(at("target"), at("second")).unwrap();
    for name in ["target", "second"] {
        let links = open(name);
        assert!(matches!(links, OpenError::HardLinks { links: 2, .. }));
        one_line(&links, &[name, "remove the others"]);
    }
    fs::remove_file(at("second")).unwrap();
    assert_eq!(options.open("target").unwrap().id(), target.id());

    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), 0o600.into()).unwrap();
    fs::create_dir(at("directory")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    for name in ["fifo", "directory", "socket"] {
        let other = open(name);
        assert!(matches!(other, OpenError::NotRegular { .. }), "{name}");
        one_line(&other, &[name, "not a shared segment"]);
        let kept = options.remove(name).unwrap_err();
        assert!(matches!(kept, RemoveError::NotRegular { .. }), "{name}");
    }

    File::create(at("empty")).unwrap();
    one_line(&open("empty"), &["ndshm.empty", "create the segment anew"]);
    options.remove("empty").unwrap();

    let nowhere = within(&dir.path().join("nowhere"));
    for error in [
        nowhere.open("a").unwrap_err().to_string(),
        nowhere.create("a", 64).unwrap_err().to_string(),
        nowhere.remove("a").unwrap_err().to_string(),
    ] {
        one_line(&error, &["nowhere", "NDSHM_DIR"]);
    }
    one_line(&within(&at("target")).create("a", 64).unwrap_err(), &["ndshm.target", "directory"]);
}

#[test]
fn a_filesystem_without_unnamed_files() {
    // /proc takes no files at all; what matters is a typed error that names the directory.
    let refused = within("/proc".as_ref()).create("a", 64).unwrap_err();
    one_line(&refused, &["/proc", "NDSHM_DIR"]);
    let sys = within("/sys".as_ref()).create("a", 64).unwrap_err();
    one_line(&sys, &["/sys", "NDSHM_DIR"]);
}

#[test]
fn anonymous_segments_keep_their_length() {
    let buffer = SharedBuffer::anonymous(10_000).unwrap();
    let reopened =
        File::options().read(true).write(true).open(format!("/proc/self/fd/{}", raw(&buffer)));
    let files = [File::from(buffer.as_fd().try_clone_to_owned().unwrap()), reopened.unwrap()];
    for file in files {
        for len in [0, 9_999, 10_001, 1 << 20] {
            let refused = file.set_len(len).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{len}");
        }
        let beyond = fallocate(&file, FallocateFlags::empty(), 10_000, 1);
        assert_eq!(beyond, Err(rustix::io::Errno::PERM));
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    }
    assert_eq!(buffer.len(), 10_000);
}

#[test]
fn a_handle_opens_what_it_was_made_from_or_nothing() {
    let dir = scratch();
    let options = within(dir.path());
    let first = options.create("a", 64).unwrap();
    let handle = first.handle();
    assert_eq!((handle.name(), handle.len()), (Some("a"), 64));
    drop(first);
    let gone = handle.open().unwrap_err();
    assert!(matches!(gone, OpenError::NotFound { .. }));

    // Not the same inode again, which a tmpfs gives out in order.
    let second = options.create("a", 64).unwrap();
    assert_ne!(second.id(), handle.id());
    let other = handle.open().unwrap_err();
    assert!(matches!(other, OpenError::Replaced { .. }));
    one_line(&other, &["ndshm.a", "new handle"]);

    let anonymous = SharedBuffer::anonymous(64).unwrap();
    let handle = anonymous.handle();
    let reader = SharedBuffer::options().read_only(true).open_handle(&handle).unwrap();
    assert!(reader.is_read_only() && reader.id() == anonymous.id());
    drop((anonymous, reader));
    let gone = handle.open().unwrap_err();
    // Another test's file may have the number by now.
    assert!(matches!(gone, OpenError::Gone { .. } | OpenError::Replaced { .. }), "{gone}");
    one_line(&gone, &["/proc/", "holder"]);
}

fn raw(fd: impl AsFd) -> i32 {
    use std::os::fd::AsRawFd;
    fd.as_fd().as_raw_fd()
}

#[test]
fn what_was_truncated_under_its_mapping_is_refused() {
    let dir = scratch();
    let options = within(dir.path());
    let buffer = options.create("a", 3 << 20).unwrap();
    for len in [4096, 5 << 20] {
        fs::File::options().write(true).open(buffer.path().unwrap()).unwrap().set_len(len).unwrap();
        let refused = options.open("a").unwrap_err();
        assert!(matches!(refused, OpenError::Resized { mapped: 3145728, .. }), "{refused}");
        one_line(&refused, &["ndshm.a", "create the segment anew"]);
    }
}
