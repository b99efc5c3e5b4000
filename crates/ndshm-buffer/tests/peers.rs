//! Segments between processes: handles, inherited descriptors, page protection, forks, modes.

mod common;

use std::fs;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use common::{Name, bytes, listing, one_line, scratch, within};
use ndshm_buffer::{BufferHandle, CreateError, OpenError, RemoveError, SharedBuffer, passing};
use ndshm_testkit::{Child, Role, arguments, skip};

const SOON: Duration = Duration::from_secs(20);
const NOBODY: u32 = 65_534;
const OTHER: u32 = 65_533;

ndshm_testkit::suite! {
    roles: [handle_opener, adopter, store_into_read_only, forker, masked, stranger, holder, creator],
    tests: [
        60 => handles_open_in_another_process,
        60 => a_handle_dies_with_its_holder,
        60 => segments_travel_as_inherited_descriptors,
        60 => inherited_descriptors_are_checked,
        60 => a_store_into_a_read_only_mapping_faults,
        60 => a_forked_child_removes_nothing,
        60 => modes_do_not_depend_on_the_umask,
        60 => segments_of_other_users_are_refused,
        60 => another_user_is_refused,
        60 => the_directory_may_come_from_the_environment,
    ],
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn sent<T: serde::Serialize>(value: &T) -> String {
    hex(&postcard::to_stdvec(value).unwrap())
}

fn read_only_of(buffer: &SharedBuffer) -> SharedBuffer {
    SharedBuffer::options().read_only(true).open_handle(&buffer.handle()).unwrap()
}

// --- Handles -------------------------------------------------------------------------------------

fn handle_opener() {
    let handle: BufferHandle = postcard::from_bytes(&unhex(&arguments()[0])).unwrap();
    let buffer = handle.open().unwrap();
    assert_eq!(&bytes(&buffer)[..5], b"hello");
    if buffer.is_read_only() {
        buffer.write_at(8, b"x").unwrap_err();
    } else {
        buffer.write_at(8, b"answer").unwrap();
    }
    assert_eq!(buffer.as_ptr().addr() % if buffer.len() >= 2 << 20 { 2 << 20 } else { 4096 }, 0);
}

fn handles_open_in_another_process() {
    let name = Name::new("handle");
    for len in [64, 3 << 20] {
        let named = SharedBuffer::options().create(&name, len).unwrap();
        for buffer in [SharedBuffer::anonymous(len).unwrap(), named] {
            buffer.write_at(0, b"hello").unwrap();
            for reader in [read_only_of(&buffer), buffer.clone()] {
                let argument = sent(&reader.handle());
                Role::new("handle_opener").arg(argument).spawn().succeed(SOON);
                let answer = bytes(&buffer)[8..14] == *b"answer";
                assert_eq!(answer, !reader.is_read_only());
            }
        }
    }
    let refused = postcard::from_bytes::<SharedBuffer>(
        &postcard::to_stdvec(&SharedBuffer::anonymous(64).unwrap()).unwrap(),
    );
    assert!(refused.is_err());
}

fn holder() {
    let buffer = SharedBuffer::anonymous(64).unwrap();
    println!("{}", sent(&buffer.handle()));
    std::thread::sleep(SOON);
}

fn a_handle_dies_with_its_holder() {
    let mut child = Role::new("holder").piped().spawn();
    let handle: BufferHandle = postcard::from_bytes(&unhex(&child.line())).unwrap();
    let opened = handle.open().unwrap();
    child.kill();
    // This process has it mapped: found without its holder.
    assert_eq!(handle.open().unwrap().as_ptr(), opened.as_ptr());
    drop(opened);
    let gone = handle.open().unwrap_err();
    assert!(matches!(gone, OpenError::Gone { .. }), "{gone}");
    one_line(&gone, &["/proc/", "keep its buffer"]);
}

// --- Inherited descriptors -------------------------------------------------------------------------

type Arguments = (SharedBuffer, SharedBuffer, SharedBuffer, BufferHandle, SharedBuffer, u32);

fn adopt<R>(fds: Vec<OwnedFd>, f: impl FnOnce() -> R) -> R {
    // SAFETY: all that is deserialised here are plain buffers, of no layer above.
    unsafe { passing::adopt(fds, f) }
}

fn adopter() {
    let fds: Vec<OwnedFd> = arguments()[0]
        .split(',')
        .map(|number| {
            // SAFETY: the parent let this process inherit these numbers, and nothing else here owns them.
            unsafe { OwnedFd::from_raw_fd(number.parse().unwrap()) }
        })
        .collect();
    let numbers: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let arguments = unhex(&arguments()[1]);
    let (one, reader, named, handle, again, seven): Arguments = adopt(fds, || {
        assert!(passing::is_adopting());
        for number in &numbers {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
            assert_ne!(flags & libc::O_CLOEXEC, 0, "a program started now would inherit it");
        }
        postcard::from_bytes(&arguments).unwrap()
    });
    assert!(!passing::is_adopting());
    assert_eq!(seven, 7);
    assert_eq!(one.as_ptr(), again.as_ptr());
    assert_eq!((one.is_read_only(), reader.is_read_only()), (false, true));
    assert_eq!(one.id(), reader.id());
    assert_eq!(named.name().unwrap(), "inherited");
    assert!(!named.path().unwrap().exists());
    one.write_at(0, b"from the child").unwrap();
    named.write_at(0, b"too").unwrap();
    let opened = handle.open().unwrap();
    opened.write_at(1, b"handle").unwrap();
    // The descriptors were closed, each mapping has its own.
    for number in numbers {
        let path = format!("/proc/self/fd/{number}");
        let open = fs::metadata(path).map(|m| m.ino());
        let mine = [&one, &reader, &named, &opened].map(|b| b.as_fd().as_raw_fd());
        assert!(open.is_err() || mine.contains(&number));
    }
}

/// Starts the adopter with these descriptors under their own numbers.
fn adopt_elsewhere(arguments: &[u8], segments: &[SharedBuffer]) -> Child {
    let open: Vec<OwnedFd> =
        segments.iter().map(|segment| rustix::io::dup(segment).unwrap()).collect();
    // `dup` leaves close-on-exec off: inherited.
    let numbers: Vec<_> = open.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    Role::new("adopter").arg(numbers.join(",")).arg(hex(arguments)).spawn()
}

fn segments_travel_as_inherited_descriptors() {
    let dir = scratch();
    let one = SharedBuffer::anonymous(64).unwrap();
    let reader = read_only_of(&one);
    let named = within(dir.path()).create("inherited", 64).unwrap();
    named.unlink().unwrap();
    let another = SharedBuffer::anonymous(4096).unwrap();
    let (bytes_sent, segments) = passing::collect(|| {
        assert!(passing::is_collecting());
        postcard::to_stdvec(&(&one, &reader, &named, another.handle(), &one, 7_u32)).unwrap()
    });
    assert!(!passing::is_collecting());
    assert_eq!(segments.len(), 4, "each segment and access once");
    adopt_elsewhere(&bytes_sent, &segments).succeed(SOON);
    assert_eq!(&bytes(&one)[..14], b"from the child");
    assert_eq!(&bytes(&named)[..3], b"too");
    assert_eq!(&bytes(&another)[1..7], b"handle");
}

fn inherited_descriptors_are_checked() {
    let (one, two) = (SharedBuffer::anonymous(64).unwrap(), SharedBuffer::anonymous(64).unwrap());
    let (sent, segments) = passing::collect(|| postcard::to_stdvec(&one).unwrap());
    assert_eq!(segments.len(), 1);
    let clone = |buffer: &SharedBuffer| buffer.as_fd().try_clone_to_owned().unwrap();
    let take = || postcard::from_bytes::<SharedBuffer>(&sent).is_ok();
    assert!(!take());
    assert!(!adopt(vec![], take));
    assert!(!adopt(vec![clone(&two)], take));
    assert!(adopt(vec![clone(&one)], take));
    // A run within a run has its own list, and the outer one is back after it, even after a panic.
    adopt(vec![clone(&one)], || {
        assert!(!adopt(vec![clone(&two)], take));
        let panicked = std::panic::catch_unwind(|| adopt(vec![], || panic!("on purpose")));
        assert!(panicked.is_err() && take());
    });
    let ((), outer) = passing::collect(|| {
        postcard::to_stdvec(&one).unwrap();
        let ((), inner) = passing::collect(|| drop(postcard::to_stdvec(&two).unwrap()));
        assert_eq!(inner[0].id(), two.id());
    });
    assert_eq!((outer.len(), outer[0].id()), (1, one.id()));
    assert!(!passing::is_collecting() && !passing::is_adopting());
}

// --- Read-only -------------------------------------------------------------------------------------

fn store_into_read_only() {
    let handle: BufferHandle = postcard::from_bytes(&unhex(&arguments()[0])).unwrap();
    let buffer = handle.open().unwrap();
    assert_eq!(bytes(&buffer)[0], 5);
    rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    )
    .unwrap();
    println!("ready");
    // SAFETY: not for the pages to see: the store must fault, which is what is tested.
    unsafe { buffer.as_ptr().write_volatile(6) };
    println!("the store went through");
}

fn a_store_into_a_read_only_mapping_faults() {
    let name = Name::new("fault");
    let named = SharedBuffer::options().create(&name, 64).unwrap();
    for buffer in [named, SharedBuffer::anonymous(64).unwrap()] {
        buffer.write_at(0, &[5]).unwrap();
        let reader = read_only_of(&buffer);
        let argument = sent(&reader.handle());
        let mut child = Role::new("store_into_read_only").arg(argument).piped().spawn();
        assert_eq!(child.line(), "ready");
        assert_eq!(child.wait(SOON).signal(), Some(libc::SIGSEGV));
        assert_eq!(bytes(&buffer)[0], 5);
    }
}

// --- Fork, umask, users ----------------------------------------------------------------------------

fn forker() {
    let buffer = SharedBuffer::options().create(&arguments()[0], 64).unwrap();
    // SAFETY: this process has one thread, so its child may do whatever it likes.
    let child = unsafe { libc::fork() };
    if child == 0 {
        buffer.write_at(0, b"child").unwrap();
        drop(buffer);
        // SAFETY: ends the process, and touches nothing.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` has room for what the kernel writes.
    let reaped = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((reaped, status), (child, 0));
    assert!(buffer.path().unwrap().exists(), "the forked child removed the name");
    assert_eq!(&bytes(&buffer)[..5], b"child");
}

fn a_forked_child_removes_nothing() {
    let name = Name::new("fork");
    Role::new("forker").arg(&*name).spawn().succeed(SOON);
    assert!(!name.file().exists());
}

fn masked() {
    let dir = &arguments()[0];
    for mask in [0o000, 0o022, 0o077, 0o777] {
        rustix::process::umask(mask.into());
        for (keep, wanted) in [(false, 0o600), (true, 0o1600)] {
            let options = within(dir.as_ref()).persist(keep);
            let buffer = options.create("masked", 64).unwrap();
            let mode = fs::metadata(buffer.path().unwrap()).unwrap().mode() & 0o7777;
            assert_eq!(mode, wanted, "under umask {mask:o}");
            buffer.unlink().unwrap();
            let anonymous = options.anonymous(64).unwrap();
            assert_eq!(rustix::fs::fstat(&anonymous).unwrap().st_mode & 0o7777, 0o600);
        }
    }
}

fn modes_do_not_depend_on_the_umask() {
    let dir = scratch();
    Role::new("masked").arg(dir.path().display()).spawn().succeed(SOON);
}

fn segments_of_other_users_are_refused() {
    let dir = scratch();
    let options = within(dir.path());
    let buffer = options.create("a", 64).unwrap();
    if let Err(error) = chown(buffer.path().unwrap(), Some(OTHER), None) {
        return skip("segments of other users", &format!("cannot give a file away: {error}"));
    }
    for opened in [options.open("a"), buffer.handle().open()] {
        let foreign = opened.unwrap_err();
        assert!(matches!(foreign, OpenError::ForeignOwner { owner: OTHER, .. }));
        one_line(&foreign, &["ndshm.a", "foreign_owner(true)"]);
    }
    let foreign = options.remove("a").unwrap_err();
    assert!(matches!(foreign, RemoveError::ForeignOwner { owner: OTHER, .. }));
    let trusting = options.foreign_owner(true);
    assert_eq!(trusting.open("a").unwrap().id(), buffer.id());
    trusting.remove("a").unwrap();
    assert_eq!(listing(dir.path()).len(), 0);
}

/// Another user: everything that is for the owner alone is refused, with a typed error.
fn stranger() {
    let [dir, handle] = &arguments()[..] else { panic!("two arguments") };
    // SAFETY: changes the user of this process, and touches no memory.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
    let options = within(dir.as_ref());
    assert!(matches!(options.open("a"), Err(OpenError::ForeignOwner { owner: 0, .. })));
    let trusting = options.clone().foreign_owner(true);
    for read_only in [false, true] {
        let refused = trusting.clone().read_only(read_only).open("a").unwrap_err();
        assert!(matches!(refused, OpenError::PermissionDenied { .. }), "{refused}");
        one_line(&refused, &["ndshm.a", "ask its owner"]);
    }
    assert!(matches!(trusting.remove("a"), Err(RemoveError::PermissionDenied { .. })));
    let refused = options.create("b", 64).unwrap_err();
    assert!(matches!(refused, CreateError::Directory { .. }), "{refused}");
    one_line(&refused, &[dir, "may write to"]);
    let handle: BufferHandle = postcard::from_bytes(&unhex(handle)).unwrap();
    let refused = handle.open().unwrap_err();
    assert!(matches!(refused, OpenError::PermissionDenied { .. }), "{refused}");
}

fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return skip("another user", "only root can become one");
    }
    let dir = scratch();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let _named = within(dir.path()).create("a", 64).unwrap();
    let anonymous = SharedBuffer::anonymous(64).unwrap();
    let role = Role::new("stranger").arg(dir.path().display());
    role.arg(sent(&anonymous.handle())).spawn().succeed(SOON);
}

fn creator() {
    let dir = &arguments()[0];
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("NDSHM_DIR", dir) };
    let buffer = SharedBuffer::options().create("a", 64).unwrap();
    assert_eq!(buffer.path().unwrap().parent().unwrap(), AsRef::<std::path::Path>::as_ref(dir));
    // SAFETY: as above.
    unsafe { std::env::set_var("NDSHM_DIR", "") };
    let missing = SharedBuffer::options().open("a").unwrap_err();
    one_line(&missing, &["/dev/shm/ndshm.a", "create it first"]);
}

fn the_directory_may_come_from_the_environment() {
    let dir = scratch();
    Role::new("creator").arg(dir.path().display()).spawn().succeed(SOON);
    assert_eq!(listing(dir.path()).len(), 0);
}
