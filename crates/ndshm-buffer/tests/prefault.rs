//! Memory got beforehand: what is got, on filesystems of every size, by attachers, beside writers, through kills.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use common::{Name, listing, one_line, scratch, within};
use ndshm_buffer::{
    CreateError, Placed, Placement, Prefault, PrefaultError, Prefaulted, SharedBuffer, Shortage,
};
use ndshm_testkit::{Role, arguments, ends_well, fork, mount_tmpfs_of, own_mounts, skip};

const SOON: Duration = Duration::from_secs(100);
const MIB: usize = 1 << 20;
const BLOCK: usize = 2 * MIB;

ndshm_testkit::suite! {
    roles: [attacher, forker, small_filesystems, filled_on_the_way, slow_creator, without_huge_pages],
    tests: [
        120 => everything_that_was_asked_for_is_got,
        120 => attachers_and_forked_children_get_what_the_creator_got,
        120 => a_worker_prefaults_its_band,
        120 => progress_goes_up_to_the_end,
        120 => a_panic_in_the_callback_leaves_nothing,
        120 => a_truncated_file_is_an_error,
        120 => memory_nodes_are_chosen_where_there_are_some,
        200 => filesystems_of_every_size,
        200 => a_filesystem_that_fills_up_on_the_way,
        120 => a_creator_killed_on_the_way_leaves_nothing,
        120 => a_kernel_without_huge_pages,
    ],
}

/// Bytes that the page tables of this process map by huge pages, in the mapping that begins there.
fn mapped_huge(buffer: &SharedBuffer) -> usize {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let start = format!("{:x}-", buffer.as_ptr().addr());
    let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&start));
    let of = lines.find_map(|line| line.strip_prefix("ShmemPmdMapped:")).unwrap();
    of.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Holds what is said to be got against what the kernel says; the huge bytes.
fn agrees(got: Prefaulted, buffer: &SharedBuffer) -> usize {
    let huge = usize::try_from(got.huge).unwrap();
    assert_eq!(mapped_huge(buffer), huge.next_multiple_of(BLOCK), "{got}");
    assert_eq!(got.huge + got.small + got.reserved, buffer.len() as u64, "{got}");
    huge
}

fn touch_all(buffer: &SharedBuffer) {
    // SAFETY: nobody else has the segment.
    unsafe { buffer.as_mut_slice() }.fill(7);
}

fn everything_that_was_asked_for_is_got() {
    let name = Name::new("got");
    let mut most = 0;
    let lengths =
        [1, 4096, MIB, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + MIB - 1, 3 * MIB, 5_000_001, 40 * MIB];
    for len in lengths {
        let huge = [Prefault::huge(), Prefault::huge().insist()];
        for prefault in [Prefault::none(), Prefault::pages()].into_iter().chain(huge) {
            for threads in [0, 3] {
                let options = SharedBuffer::options().prefault(prefault.clone().threads(threads));
                for buffer in [options.anonymous(len), options.create(&name, len)] {
                    let buffer = buffer.unwrap();
                    most = most.max(agrees(buffer.prefaulted(), &buffer));
                    // SAFETY: nobody else has the segment.
                    assert!(unsafe { buffer.as_slice() } == vec![0; len]);
                    let stat = rustix::fs::fstat(&buffer).unwrap();
                    assert_eq!(stat.st_size as usize, len, "what a huge page adds is not seen");
                    assert!(stat.st_blocks as usize * 512 >= len, "{len} bytes are not reserved");
                    touch_all(&buffer);
                }
            }
        }
    }
    if most == 0 {
        skip("huge pages", "this kernel gives none");
    }
    // Anonymous ones are sealed all the same.
    let buffer = SharedBuffer::options().prefault(Prefault::huge()).anonymous(5 * MIB).unwrap();
    assert!(rustix::fs::ftruncate(&buffer, 6 * MIB as u64).is_err());
}

// --- Attachers -------------------------------------------------------------------------------------

fn attacher() {
    let [name, huge] = &arguments()[..] else { unreachable!("two arguments") };
    let huge: usize = huge.parse().unwrap();
    for read_only in [false, true] {
        let buffer = SharedBuffer::options().read_only(read_only).open(name).unwrap();
        assert_eq!(buffer.prefaulted().reserved, buffer.len() as u64);
        // At the end `open` looks whether the segment is typed.
        assert!(mapped_huge(&buffer) <= BLOCK, "nothing else was touched yet");
        let got = buffer.prefault(.., &Prefault::huge().threads(2)).unwrap();
        let found = agrees(got, &buffer);
        assert_eq!(found, huge, "{got}");
        assert_eq!(got.reserved, 0);
        // SAFETY: nobody writes now.
        assert!(unsafe { buffer.as_slice() } == vec![3; buffer.len()]);
    }
}

fn forker() {
    let buffer = SharedBuffer::options().prefault(Prefault::huge()).anonymous(11 * MIB).unwrap();
    let huge = agrees(buffer.prefaulted(), &buffer);
    ends_well(fork(true, || {
        assert_eq!(mapped_huge(&buffer), 0, "a child begins with no page tables of shared memory");
        let got = buffer.prefault(.., &Prefault::huge().threads(2)).unwrap();
        assert!(agrees(got, &buffer) == huge && got.reserved == 0, "{got}");
    }));
}

fn attachers_and_forked_children_get_what_the_creator_got() {
    let name = Name::new("attach");
    for prefault in [Prefault::none(), Prefault::pages(), Prefault::huge()] {
        let options = SharedBuffer::options().prefault(prefault);
        let buffer = options.create_with(&name, 11 * MIB, |bytes| bytes.fill(3)).unwrap();
        let huge = buffer.prefaulted().huge;
        Role::new("attacher").arg(&*name).arg(huge).spawn().succeed(SOON);
        drop(buffer);
        Role::new("forker").spawn().succeed(SOON);
    }
}

fn a_worker_prefaults_its_band() {
    let buffer = SharedBuffer::options().prefault(Prefault::huge()).anonymous(20 * MIB).unwrap();
    let all_huge = buffer.prefaulted().huge == 20 * MIB as u64;
    // The edges lie in blocks that the band has only a part of.
    let band = buffer.prefault(3 * MIB + 5..=9 * MIB, &Prefault::huge()).unwrap();
    assert_eq!(band.huge + band.small, 6 * MIB as u64 - 4);
    assert!(!all_huge || band.small == 0, "{band}");
    let none = buffer.prefault(.., &Prefault::none()).unwrap();
    assert_eq!(none.reserved, 20 * MIB as u64);
    let empty = buffer.prefault(7..7, &Prefault::pages()).unwrap();
    assert_eq!(empty.to_string(), "0 bytes");
    for beyond in [0..20 * MIB + 1, 20 * MIB + 1..20 * MIB + 1, usize::MAX - 1..usize::MAX] {
        let error = buffer.prefault(beyond, &Prefault::pages()).unwrap_err();
        assert!(matches!(error, PrefaultError::Range(_)), "{error}");
        one_line(&error, &["beyond"]);
    }
    #[allow(clippy::reversed_empty_ranges, reason = "what is refused")]
    buffer.prefault(2..1, &Prefault::pages()).unwrap_err();
    buffer.prefault(..=usize::MAX, &Prefault::pages()).unwrap_err();
}

// --- Progress --------------------------------------------------------------------------------------

fn progress_goes_up_to_the_end() {
    static SEEN: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());
    let len = 40 * MIB + 5;
    for prefault in [Prefault::none(), Prefault::pages(), Prefault::huge()] {
        let prefault =
            prefault.threads(3).progress(|done, total| SEEN.lock().unwrap().push((done, total)));
        println!("{prefault:?}");
        let buffer = SharedBuffer::options().prefault(prefault).anonymous(len).unwrap();
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        assert!(
            seen.len() > 2 && seen.is_sorted() && seen.iter().all(|(_, all)| *all == len as u64)
        );
        assert_eq!(seen.last(), Some(&(len as u64, len as u64)));
        assert_eq!(buffer.len(), len);
    }
}

fn a_panic_in_the_callback_leaves_nothing() {
    let dir = scratch();
    let descriptors = || listing("/proc/self/fd".as_ref()).len();
    let before = descriptors();
    for threads in [1, 2] {
        let panics = Prefault::huge().threads(threads).progress(|_, _| panic!("on purpose"));
        let options = within(dir.path()).prefault(panics);
        let create = || options.create("a", 40 * MIB).map(drop);
        assert!(std::panic::catch_unwind(create).is_err());
    }
    assert_eq!((listing(dir.path()).len(), descriptors()), (0, before));
}

// --- What others do ---------------------------------------------------------------------------------

fn a_truncated_file_is_an_error() {
    let dir = scratch();
    let buffer = within(dir.path()).create("a", 5 * MIB).unwrap();
    let file = OpenOptions::new().write(true).open(buffer.path().unwrap()).unwrap();
    file.set_len(4096).unwrap();
    for prefault in [Prefault::pages(), Prefault::huge()] {
        let error = buffer.prefault(.., &prefault).unwrap_err();
        assert!(matches!(error, PrefaultError::System { .. }), "{error}");
        one_line(&error, &["ndshm.a", "cannot fill its page tables", "truncated"]);
    }
}

fn memory_nodes_are_chosen_where_there_are_some() {
    for placement in [Placement::Interleave, Placement::Bands(3), Placement::Bands(0)] {
        for prefault in [Prefault::none(), Prefault::pages(), Prefault::huge()] {
            let options =
                SharedBuffer::options().prefault(prefault.placement(placement).threads(2));
            let buffer = options.anonymous(20 * MIB).unwrap();
            touch_all(&buffer);
            match buffer.prefaulted().placed {
                Placed::Nodes(nodes) => assert!(nodes > 1),
                Placed::OneNode => {}
                other => skip("memory nodes", &format!("{other:?}")),
            }
        }
    }
}

// --- Too little room -------------------------------------------------------------------------------

fn filesystems_of_every_size() {
    let Some(unshare) = own_mounts("small filesystems") else { return };
    let dir = scratch();
    Role::new("small_filesystems").under(unshare).arg(dir.path().display()).spawn().succeed(SOON);
}

/// All that is created can be touched whole; this process dies of a SIGBUS otherwise.
fn small_filesystems() {
    let dir = &arguments()[0];
    let (mut created, mut refused, mut huge) = (0, 0, 0);
    for size in (1..=30).map(|size| size * MIB) {
        let dir = Path::new(dir).join(format!("{size}"));
        fs::create_dir(&dir).unwrap();
        mount_tmpfs_of(size, &dir);
        for threads in [1, 2] {
            let options = within(&dir).prefault(Prefault::huge().threads(threads));
            for len in
                [size / 2 + 1, size - MIB / 2, size - 4096, size - 1, size, size + 1, size + MIB]
            {
                match options.create("a", len) {
                    Ok(buffer) => {
                        assert!(len <= size);
                        touch_all(&buffer);
                        huge += agrees(buffer.prefaulted(), &buffer);
                        created += 1;
                    }
                    Err(error) => {
                        assert!(len > size, "{error}");
                        assert!(matches!(error, CreateError::NoSpace { .. }), "{error}");
                        refused += 1;
                    }
                }
                assert_eq!(listing(&dir).len(), 0);
            }
        }
    }
    println!("{created} created, {huge} bytes huge, {refused} refused");
}

fn a_filesystem_that_fills_up_on_the_way() {
    let Some(unshare) = own_mounts("a filesystem that fills up") else { return };
    let dir = scratch();
    Role::new("filled_on_the_way").under(unshare).arg(dir.path().display()).spawn().succeed(SOON);
}

/// Another program takes what was free, all but some pages, while the blocks are being got.
fn filled_on_the_way() {
    let dir = Path::new(&arguments()[0]).to_owned();
    mount_tmpfs_of(48 * MIB, &dir);
    let mut refused = 0;
    for kind in [Prefault::none(), Prefault::pages(), Prefault::huge()] {
        for pages_left in [0, 1, 3, 511, 512, 513, 1025] {
            for threads in [1, 2] {
                let filler = dir.join("filler");
                let at = filler.clone();
                let fill = move |done, _| {
                    if done == 16 * MIB as u64 {
                        let mut file = fs::File::create(&at).unwrap();
                        while file.write_all(&[0; 4096]).is_ok() {}
                        let len = file.metadata().unwrap().len() / 4096 * 4096;
                        file.set_len(len.saturating_sub(pages_left * 4096)).unwrap();
                    }
                };
                let options = within(&dir).prefault(kind.clone().threads(threads).progress(fill));
                match options.create("a", 40 * MIB) {
                    // The other thread was quicker than the filler.
                    Ok(buffer) => touch_all(&buffer),
                    Err(error) => {
                        assert!(
                            matches!(
                                &error,
                                CreateError::NoSpace {
                                    source: Some(_),
                                    shortage: Shortage::Directory(_),
                                    ..
                                }
                            ),
                            "{error}"
                        );
                        one_line(&error, &["41943040 bytes asked for", "remount"]);
                        refused += 1;
                    }
                }
                fs::remove_file(&filler).unwrap();
                assert_eq!(listing(&dir).len(), 0);
            }
        }
    }
    println!("{refused} of 42 were refused");
    assert!(refused >= 21, "one thread cannot be quicker");
    within(&dir).create("a", 48 * MIB).expect("nothing was lost on the way");
}

fn slow_creator() {
    let slow = Prefault::huge().progress(|done, _| {
        println!("{done}");
        thread::sleep(Duration::from_secs(50));
    });
    within(arguments()[0].as_ref()).prefault(slow).create("a", 40 * MIB).unwrap();
}

fn a_creator_killed_on_the_way_leaves_nothing() {
    let dir = scratch();
    let mut child = Role::new("slow_creator").arg(dir.path().display()).piped().spawn();
    assert_eq!(child.line(), (16 * MIB).to_string());
    let open = format!("/proc/{}/fd", child.pid());
    let on_the_way = |m: fs::Metadata| m.is_file() && m.size() == 40 * MIB as u64;
    let files = listing(open.as_ref());
    let inode = files.iter().filter_map(|fd| fs::metadata(fd).ok()).find(|m| on_the_way(m.clone()));
    assert!(inode.is_some_and(|inode| inode.nlink() == 0 && inode.blocks() > 0), "no name yet");
    child.kill();
    assert_eq!(listing(dir.path()).len(), 0);
}

/// As on kernels that cannot, or where huge pages were switched off for the process.
fn without_huge_pages() {
    // SAFETY: this option takes numbers, and touches no memory of ours.
    let off = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(off, 0, "{}", std::io::Error::last_os_error());
    for threads in [1, 2] {
        let options = SharedBuffer::options().prefault(Prefault::huge().threads(threads));
        let buffer = options.anonymous(64 * MIB).unwrap();
        assert_eq!(agrees(buffer.prefaulted(), &buffer), 0);
        assert_eq!(buffer.prefaulted().small, 64 * MIB as u64);
        touch_all(&buffer);
    }
}

fn a_kernel_without_huge_pages() {
    Role::new("without_huge_pages").spawn().succeed(SOON);
}
