//! Segments half made, or spoilt.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::thread;
use std::time::{Duration, Instant};

use ndshm_buffer::{CreateError, OpenError, SharedBuffer};
use ndshm_testkit::one_line;

use crate::arena::Arena;

const PAUSE: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(2);
const BLOCK: usize = 16 << 10;
/// From its end to the trailer.
const TRAILER: usize = 64;

/// A file as `shm_open` makes one, empty.
fn empty(arena: &Arena) -> File {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600).open(arena.file()).unwrap()
}

/// All that a segment of 1000 bytes is made of.
fn image(arena: &Arena) -> Vec<u8> {
    let buffer = arena.create(1000);
    buffer.write_at(0, b"whole").unwrap();
    fs::read(arena.file()).unwrap()
}

pub(crate) fn an_opener_waits_for_its_creator(arena: &Arena) {
    let image = image(arena);
    assert_eq!(image.len(), BLOCK);
    // Step by step, as another process does it, but slowly.
    let file = empty(arena);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(PAUSE);
            file.set_len(BLOCK as u64).unwrap();
            thread::sleep(PAUSE);
            let magic = BLOCK - TRAILER;
            file.write_all_at(&image[..magic], 0).unwrap();
            file.write_all_at(&image[magic + 8..], (magic + 8) as u64).unwrap();
            thread::sleep(PAUSE);
            file.write_all_at(&image[magic..magic + 8], magic as u64).unwrap();
        });
        let begin = Instant::now();
        let opened = arena.open();
        assert!(begin.elapsed() >= 3 * PAUSE);
        let mut five = [0; 5];
        opened.read_at(0, &mut five).unwrap();
        assert_eq!((&five, opened.len()), (b"whole", 1000));
    });
    arena.options().remove(arena.name()).unwrap();

    // What another program makes is whole once it has a length.
    let os_id = format!("/ndshm-p.{}", arena.name());
    let plain = os_id.replace("ndshm-p.", "ndshm-test-");
    let path = arena.file().with_file_name(&plain[1..]);
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(&path).unwrap();
    let opened = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(PAUSE);
            file.set_len(1000).unwrap();
        });
        SharedBuffer::options().open_os_id(&plain)
    });
    fs::remove_file(path).unwrap();
    assert_eq!(opened.unwrap().len(), 1000);
}

pub(crate) fn what_stays_half_made_is_an_error(arena: &Arena) {
    let (options, name) = (arena.options(), arena.name());
    let waited = || {
        let begin = Instant::now();
        let error = options.open(name).unwrap_err();
        let took = begin.elapsed();
        assert!(took >= PATIENCE && took < 5 * PATIENCE, "{took:?}");
        one_line(&error, &[name, "remove it", "anew"]);
        error
    };
    let file = empty(arena);
    assert!(matches!(waited(), OpenError::Empty { .. }));
    file.set_len(BLOCK as u64).unwrap();
    assert!(matches!(waited(), OpenError::Unfinished { .. }));
    assert!(matches!(options.create(name, 1), Err(CreateError::NameTaken { .. })));
    options.remove(name).unwrap();
    drop(empty(arena));
    options.remove(name).unwrap();
    arena.create(1);
}

pub(crate) fn what_its_end_says_is_checked(arena: &Arena) {
    let image = image(arena);
    let end = BLOCK - TRAILER;
    let with = |changes: &[(usize, &[u8])], len: usize| {
        let file = empty(arena);
        let mut bytes = image.clone();
        for (at, change) in changes {
            bytes[end + at..][..change.len()].copy_from_slice(change);
        }
        bytes.resize(len, 0);
        file.write_all_at(&bytes, 0).unwrap();
        let opened = arena.options().open(arena.name());
        arena.options().remove(arena.name()).unwrap();
        opened.map(|buffer| buffer.len())
    };
    assert_eq!(with(&[], BLOCK).unwrap(), 1000);
    let longest = (end as u64).to_le_bytes();
    assert_eq!(with(&[(16, &longest)], BLOCK).unwrap(), end);
    let newer = with(&[(8, &[2])], BLOCK).unwrap_err();
    assert!(matches!(newer, OpenError::Version { found: 2, known: 1, .. }), "{newer}");
    one_line(&newer, &[arena.name(), "version 2", "version 1"]);
    let beyond = (end as u64 + 1).to_le_bytes();
    for (changes, len) in [
        (&[(16, &[0; 8][..])][..], BLOCK),
        (&[(16, &beyond)], BLOCK),
        (&[(16, &[0xff; 8])], BLOCK),
        (&[(24, &[1])], BLOCK),
        (&[], BLOCK + 4096),
        (&[], BLOCK - 1),
    ] {
        let damaged = with(changes, len).unwrap_err();
        assert!(matches!(damaged, OpenError::Damaged { .. }), "{damaged}");
        one_line(&damaged, &[arena.name(), "anew"]);
    }
}
