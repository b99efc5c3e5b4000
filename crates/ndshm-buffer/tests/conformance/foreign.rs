//! Programs that use `shared_memory`, and nothing of this crate.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use ndshm_buffer::{BufferHandle, NameError, OpenError, PersistError, SharedBuffer, Shortage};
use ndshm_testkit::{Role, arguments, mount_tmpfs_of, one_line, own_mounts, until};
use shared_memory::{Shmem, ShmemConf};

use crate::arena::{Arena, word};

const SOON: Duration = Duration::from_secs(40);
const MIB: usize = 1 << 20;
const LEN: usize = 5000;

/// A byte that nobody else here would write there.
fn mark(at: usize) -> u8 {
    (at % 251) as u8
}

/// The bytes of another program's mapping.
fn byte(shmem: &Shmem, at: usize) -> *mut u8 {
    assert!(at < shmem.len());
    shmem.as_ptr().wrapping_add(at)
}

fn load(shmem: &Shmem, at: usize) -> u8 {
    // SAFETY: within the mapping; the other process may write, which a volatile load allows for.
    unsafe { byte(shmem, at).read_volatile() }
}

fn store(shmem: &Shmem, at: usize, value: u8) {
    // SAFETY: as for `load`.
    unsafe { byte(shmem, at).write_volatile(value) }
}

/// An os_id that no other run has.
fn os_id(arena: &Arena) -> String {
    format!("/ndshm-test-{}", arena.name())
}

fn file_of(os_id: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm{os_id}"))
}

pub(crate) fn plain_opener() {
    let shmem = ShmemConf::new().os_id(word()).open().unwrap();
    assert!(shmem.len() >= LEN && !shmem.is_owner());
    assert!((0..LEN).all(|at| load(&shmem, at) == mark(at)));
    store(&shmem, LEN - 1, 255);
}

pub(crate) fn a_plain_program_opens_a_segment(arena: &Arena) {
    let marks: Vec<u8> = (0..LEN).map(mark).collect();
    let buffer = arena.create(LEN);
    buffer.write_at(0, &marks).unwrap();
    let os_id = buffer.os_id().unwrap();
    for _ in 0..2 {
        arena.role("foreign::plain_opener", os_id).spawn().succeed(SOON);
        let mut last = [0];
        buffer.read_at(LEN - 1, &mut last).unwrap();
        assert_eq!(last, [255]);
        buffer.write_at(LEN - 1, &[mark(LEN - 1)]).unwrap();
    }
    // By the whole os_id as by the name: the same segment, with its exact length.
    let same = SharedBuffer::options().open_os_id(os_id).unwrap();
    assert_eq!(
        (same.as_ptr(), same.len(), same.name()),
        (buffer.as_ptr(), LEN, Some(arena.name()))
    );
}

/// Makes what the parent opens, and waits for its answer; then its drop removes the name.
pub(crate) fn plain_creator() {
    let shmem = ShmemConf::new().os_id(word()).size(LEN).create().unwrap();
    (0..LEN).for_each(|at| store(&shmem, at, mark(at)));
    println!("made");
    until("the parent answers", SOON, || load(&shmem, 7) == 200);
    store(&shmem, 8, 201);
}

pub(crate) fn a_segment_of_a_plain_program_is_opened(arena: &Arena) {
    let os_id = os_id(arena);
    let start = || {
        let mut child = arena.role("foreign::plain_creator", &os_id).piped().spawn();
        assert_eq!(child.line(), "made");
        child
    };
    let mut child = start();
    let buffer = SharedBuffer::options().open_os_id(&os_id).unwrap();
    assert_eq!((buffer.len(), buffer.os_id(), buffer.name()), (LEN, Some(os_id.as_str()), None));
    assert_eq!((buffer.backend(), buffer.path()), (arena.backend, None));
    let mut bytes = vec![0; LEN];
    buffer.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == mark(at)));

    // With the slash or without, it is one mapping.
    let bare = SharedBuffer::options().open_os_id(&os_id[1..]).unwrap();
    assert_eq!((bare.as_ptr(), bare.id()), (buffer.as_ptr(), buffer.id()));
    drop(bare);
    let sent = postcard::to_stdvec(&buffer.handle()).unwrap();
    let handle: BufferHandle = postcard::from_bytes(&sent).unwrap();
    assert_eq!(handle.open().unwrap().id(), buffer.id());
    let refused = buffer.persist().unwrap_err();
    assert!(matches!(refused, PersistError::Unsupported(_)), "{refused}");
    one_line(&refused, &[&os_id, "set_owner"]);

    buffer.write_at(7, &[200]).unwrap();
    child.succeed(SOON);
    // Its name went with its owner; who has it open keeps it.
    assert!(matches!(handle.open(), Err(OpenError::NotFound { .. })));
    buffer.read_at(8, &mut bytes[..1]).unwrap();
    assert_eq!(bytes[0], 201);
    assert!(!buffer.unlink().unwrap());

    // A new one of the os_id is another segment, and what a killed owner leaves can be removed.
    let mut child = start();
    assert!(matches!(handle.open(), Err(OpenError::Replaced { .. })));
    let second = SharedBuffer::options().open_os_id(&os_id).unwrap();
    assert_ne!(second.id(), buffer.id());
    assert!(!buffer.unlink().unwrap(), "the name is another's");
    child.kill();
    drop(second);
    let second = SharedBuffer::options().open_os_id(&os_id).expect("dropping it removed nothing");
    assert!(second.unlink().unwrap());
    assert!(!file_of(&os_id).exists());
}

pub(crate) fn what_it_did_not_reserve_is_reserved(arena: &Arena) {
    let os_id = os_id(arena);
    let plain = ShmemConf::new().os_id(&os_id).size(3 * MIB + 5).create().unwrap();
    store(&plain, MIB, 9);
    let reserved = || fs::metadata(file_of(&os_id)).unwrap().blocks() * 512;
    assert!(reserved() < MIB as u64, "it does reserve");
    let buffer = SharedBuffer::options().open_os_id(&os_id).unwrap();
    assert!(reserved() >= (3 * MIB + 5) as u64);
    let mut found = [0; 3];
    buffer.read_at(MIB - 1, &mut found).unwrap();
    assert_eq!((found, buffer.len()), ([0, 9, 0], 3 * MIB + 5));
    drop(plain);

    let Some(unshare) = own_mounts("what does not fit a full filesystem") else { return };
    Role::new("foreign::small_filesystem").under(unshare).spawn().succeed(SOON);
}

pub(crate) fn small_filesystem() {
    assert!(arguments().is_empty());
    mount_tmpfs_of(MIB, "/dev/shm");
    let open = |os_id| SharedBuffer::options().open_os_id(os_id);
    let too_long = ShmemConf::new().os_id("/long").size(4 * MIB).create().unwrap();
    let error = open("/long").unwrap_err();
    assert!(
        matches!(&error, OpenError::NoSpace { asked, free, shortage: Shortage::SharedMemory, .. }
            if *asked == 4 * MIB as u64 && *free == MIB as u64),
        "{error}"
    );
    one_line(&error, &["/long", "never reserved", "--shm-size"]);
    drop(too_long);
    let _plain = ShmemConf::new().os_id("/all").size(MIB).create().unwrap();
    let buffer = open("/all").unwrap();
    buffer.write_at(0, &vec![1; MIB]).unwrap();
}

pub(crate) fn os_ids_are_checked(arena: &Arena) {
    let long = format!("/{}", "n".repeat(255));
    for bad in ["", "/", "/a/b", "/a\0", ".", "/..", &long, "/ndshm-p.a b"] {
        let refused = SharedBuffer::options().open_os_id(bad).unwrap_err();
        assert!(matches!(refused, OpenError::BadName(_)), "{bad:?}: {refused}");
        one_line(&refused, &["use"]);
    }
    let refused = SharedBuffer::options().open_os_id("//").unwrap_err();
    assert!(matches!(refused, OpenError::BadName(NameError::OsId { .. })), "{refused}");
    let missing = SharedBuffer::options().open_os_id(&os_id(arena)).unwrap_err();
    assert!(matches!(missing, OpenError::NotFound { .. }), "{missing}");
    one_line(&missing, &[&os_id(arena), "create it first"]);
    let read_only = SharedBuffer::options().read_only(true);
    assert!(matches!(read_only.open_os_id("/x"), Err(OpenError::Unsupported(_))));
}
