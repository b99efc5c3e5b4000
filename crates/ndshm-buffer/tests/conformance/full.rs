//! Too little of something: an error that says of what, never a signal.

use std::fs;
use std::time::Duration;

use ndshm_buffer::{Backend, CreateError, OpenError, SharedBuffer, Shortage};
use ndshm_testkit::{Role, mount_tmpfs_of, one_line, own_mounts};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arena::{Arena, word};
use crate::common::compete;

const SOON: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;
/// What a segment takes beside a whole number of blocks.
const END: usize = 64;

pub(crate) fn a_full_filesystem_is_an_error(_: &Arena) {
    let Some(unshare) = own_mounts("a full filesystem") else { return };
    Role::new("full::small_filesystem").under(unshare).spawn().succeed(SOON);
}

pub(crate) fn small_filesystem() {
    mount_tmpfs_of(MIB, "/dev/shm");
    let files = || fs::read_dir("/dev/shm").unwrap().count();
    let options = SharedBuffer::options().backend(Backend::Portable);
    let too_much = |len: usize, free: usize| {
        let error = options.create("b", len).unwrap_err();
        assert!(
            matches!(&error, CreateError::NoSpace { asked, free: f, shortage: Shortage::SharedMemory, source: None, .. }
                if *asked == len as u64 && *f == free as u64),
            "{error}"
        );
        one_line(&error, &["/ndshm-p.b", "ask for less", "--shm-size"]);
    };
    too_much(2 * MIB, MIB);
    too_much(MIB, MIB);
    let half = options.create("a", MIB / 2 - END).unwrap();
    too_much(MIB / 2, MIB / 2);
    assert_eq!(files(), 1, "something of what failed was left");
    drop(half);
    // All there is, to the last byte, can be written.
    let all = options.create_with("a", MIB - END, |bytes| bytes.fill(1)).unwrap();
    all.write_at(0, &vec![2; MIB - END]).unwrap();
    too_much(1, 0);
    drop(all);
    assert_eq!(files(), 0);
    // What the kernel says, after the look, is for `failures.rs`, which has it say so.
    let [created, foreseen, _] = compete(&options, 200);
    assert!(created > 0 && foreseen > 0);
    assert_eq!(files(), 0);
    options.create("a", MIB - END).expect("nothing was lost on the way");
}

pub(crate) fn limits_of_the_process_are_errors(arena: &Arena) {
    let _there = arena.create(3 * MIB);
    for limit in ["file size", "addresses", "descriptors"] {
        arena.role("full::limited", limit).spawn().succeed(SOON);
    }
}

fn limit(what: Resource, to: u64) {
    let maximum = getrlimit(what).maximum;
    setrlimit(what, Rlimit { current: Some(to), maximum }).unwrap();
}

pub(crate) fn limited() {
    let arena = Arena::inherited();
    let new = format!("{}-new", arena.name());
    let create = |len| arena.options().create(&new, len);
    match word().as_str() {
        "file size" => {
            limit(Resource::Fsize, MIB as u64);
            let error = create(MIB).unwrap_err();
            assert!(
                matches!(error, CreateError::FileSizeLimit { limit: 0x10_0000, .. }),
                "{error}"
            );
            one_line(&error, &[&new, "ulimit -f"]);
            create(MIB - END).unwrap();
        }
        "addresses" => {
            limit(Resource::As, 256 * MIB as u64);
            let error = create(512 * MIB).unwrap_err();
            assert!(
                matches!(error, CreateError::NoSpace { .. } | CreateError::System { .. }),
                "{error}"
            );
            one_line(&error, &[&new]);
            let error = arena
                .options()
                .create_with(&new, 200 * MIB, |bytes| bytes.fill(1))
                .expect_err("twice as much does not fit");
            one_line(&error, &[&new]);
            create(MIB).unwrap();
        }
        _ => few_descriptors(&arena, &new),
    }
    assert!(matches!(arena.options().open(&new), Err(OpenError::NotFound { .. })));
}

/// Creates and opens with no descriptor left, with one, and so on, until all goes well.
fn few_descriptors(arena: &Arena, new: &str) {
    let open: Vec<_> = fs::read_dir("/proc/self/fd").unwrap().collect();
    let numbers = open.iter().filter_map(|fd| fd.as_ref().ok()?.file_name().to_str()?.parse().ok());
    let highest: u64 = numbers.max().unwrap();
    // A name is removed without a descriptor to spare.
    let buffer = arena.options().create(new, 64).unwrap();
    limit(Resource::Nofile, 0);
    drop(buffer);
    limit(Resource::Nofile, 1 << 10);
    assert!(arena.options().open(new).is_err(), "it was left");
    let mut outcomes = Vec::new();
    for number in 0..highest + 8 {
        limit(Resource::Nofile, number);
        let created = arena.options().create(new, 64);
        let opened = arena.options().open(arena.name());
        limit(Resource::Nofile, 1 << 10);
        if let Err(error) = &created {
            assert!(
                matches!(error, CreateError::TooManyFiles { limit: Some(l), .. } if *l == number),
                "{error}"
            );
            assert!(arena.options().open(new).is_err(), "it was left");
        }
        if let Err(error) = &opened {
            assert!(
                matches!(error, OpenError::TooManyFiles { limit: Some(l), .. } if *l == number),
                "{error}"
            );
        }
        outcomes.push([created.is_ok(), opened.is_ok()]);
    }
    assert_eq!((outcomes[0], outcomes.last()), ([false; 2], Some(&[true; 2])));
}
