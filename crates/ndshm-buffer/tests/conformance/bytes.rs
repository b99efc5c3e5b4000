//! What is written is what is read, elsewhere too.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use ndshm_buffer::{BufferHandle, OpenError, SharedBuffer, passing};
use ndshm_testkit::Rng;

use crate::arena::{Arena, word};

const SOON: Duration = Duration::from_secs(40);
const ADDERS: u64 = 3;
const ADDITIONS: u64 = 20_000;

/// What stands in a segment of that length.
fn pattern(len: usize) -> Vec<u8> {
    let mut rng = Rng::new(len as u64);
    (0..len).map(|_| rng.below(256) as u8).collect()
}

fn bytes(buffer: &SharedBuffer) -> Vec<u8> {
    let mut bytes = vec![0; buffer.len()];
    buffer.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Finds the pattern of that length, and answers in the last byte.
pub(crate) fn reader() {
    let buffer = Arena::inherited().open();
    let len: usize = word().parse().unwrap();
    assert_eq!(buffer.len(), len);
    assert!(bytes(&buffer) == pattern(len));
    buffer.write_at(len - 1, b"!").unwrap();
}

pub(crate) fn are_the_same_in_another_process(arena: &Arena) {
    for len in [1, 100_000, (1 << 20) + 3] {
        let buffer = arena.create(len);
        assert!(bytes(&buffer).iter().all(|&byte| byte == 0));
        buffer.write_at(0, &pattern(len)).unwrap();
        arena.role("bytes::reader", len).spawn().succeed(SOON);
        assert_eq!(bytes(&buffer)[len - 1], b'!');
    }
}

pub(crate) fn adder() {
    let buffer = Arena::inherited().open();
    for _ in 0..ADDITIONS {
        buffer.atomic_u64(8).unwrap().fetch_add(1, SeqCst);
    }
}

pub(crate) fn additions_of_several_processes_add_up(arena: &Arena) {
    let buffer = arena.create(64);
    let mut adders: Vec<_> = (0..ADDERS).map(|_| arena.role("bytes::adder", "").spawn()).collect();
    adders.iter_mut().for_each(|adder| adder.succeed(SOON));
    assert_eq!(buffer.load_u64(8), Some(ADDERS * ADDITIONS));
    assert_eq!(buffer.atomics().unwrap().len(), 64);
}

/// At all seams of pages, and of what stands at the end of a portable segment.
pub(crate) fn lengths_are_exact(arena: &Arena) {
    let seams = [1, 64, 4096, 16_384 - 64, 16_384, 65_536, 2 << 20];
    for len in seams.into_iter().flat_map(|seam| [seam - 1, seam, seam + 1]).filter(|&len| len > 0)
    {
        let created = arena.create(len);
        let opened = arena.open();
        for buffer in [&created, &opened] {
            assert_eq!((buffer.len(), buffer.capacity()), (len, len));
            buffer.write_at(len - 1, b"x").unwrap();
            assert!(buffer.write_at(len, b"x").is_err() && buffer.read_at(len, &mut [0]).is_err());
            assert_eq!(buffer.atomics().unwrap().len(), len);
        }
    }
}

pub(crate) fn what_init_leaves_is_what_is_found(arena: &Arena) {
    let (options, name, len) = (arena.options(), arena.name(), 50_001);
    let made = options.create_with(name, len, |bytes| bytes.copy_from_slice(&pattern(len)));
    arena.role("bytes::reader", len).spawn().succeed(SOON);
    drop(made.unwrap());
    let failed: Result<_, Box<dyn std::error::Error>> =
        options.try_create_with(name, len, |_| Err("no data".into()));
    assert_eq!(failed.unwrap_err().to_string(), "no data");
    let panicked = std::panic::catch_unwind(|| {
        options.create_with(name, len, |_| std::panic::resume_unwind(Box::new(())))
    });
    assert!(panicked.is_err());
    assert!(matches!(options.open(name), Err(OpenError::NotFound { .. })));
}

pub(crate) fn one_mapping_a_process(arena: &Arena) {
    let created = arena.create(1000);
    let address = created.as_ptr().addr();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let opened = arena.open();
                    assert_eq!(opened.as_ptr().addr(), address);
                    assert_eq!(opened.id(), created.id());
                }
            });
        }
    });
    // As well where nobody has it yet, and all come at once.
    created.persist().unwrap();
    drop(created);
    let buffers: Vec<SharedBuffer> = thread::scope(|scope| {
        let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| arena.open())).collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });
    assert!(buffers.iter().all(|buffer| buffer.as_ptr() == buffers[0].as_ptr()));
    arena.options().remove(arena.name()).unwrap();
}

pub(crate) fn handles_travel(arena: &Arena) {
    let buffer = arena.create(1000);
    let handle = buffer.handle();
    assert_eq!((handle.id(), handle.len(), handle.name()), (buffer.id(), 1000, Some(arena.name())));
    assert!(format!("{handle:?}").contains(arena.name()));
    let sent = postcard::to_stdvec(&handle).unwrap();
    let received: BufferHandle = postcard::from_bytes(&sent).unwrap();
    assert_eq!(received.open().unwrap().as_ptr(), buffer.as_ptr());

    // As arguments of a worker: as a descriptor, or by the os_id.
    let (sent, segments) = passing::collect(|| postcard::to_stdvec(&(&buffer, &handle)).unwrap());
    assert_eq!(segments.len(), usize::from(arena.is_native()));
    let fds = segments.iter().map(std::os::fd::AsFd::as_fd);
    let fds = fds.map(|fd| fd.try_clone_to_owned().unwrap()).collect();
    // SAFETY: these bytes and descriptors are what `collect` gave.
    let (same, again) = unsafe {
        passing::adopt(fds, || postcard::from_bytes::<(SharedBuffer, BufferHandle)>(&sent).unwrap())
    };
    assert_eq!((same.id(), again.open().unwrap().id()), (buffer.id(), buffer.id()));
    drop((same, again));

    // Another segment of the name is not what it was made from.
    arena.options().remove(arena.name()).unwrap();
    let other = arena.create(1000);
    let mismatch = received.open().unwrap_err();
    assert!(
        matches!(&mismatch, OpenError::Replaced { found, .. } if *found == other.id()),
        "{mismatch}"
    );
    drop(other);
    assert!(matches!(received.open(), Err(OpenError::NotFound { .. })));
}
