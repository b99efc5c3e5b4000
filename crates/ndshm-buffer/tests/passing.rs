//! Segments that travel as descriptors: over sockets, and to programs that are started.

mod common;

use std::fs;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Duration;

use common::{bytes, listing, one_line, scratch, within};
use ndshm_buffer::{
    BufferOptions, InheritError, OpenError, PassError, ReceiveError, SharedBuffer, TYPED_MAGIC,
};
use ndshm_testkit::{Role, arguments, skip};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

const SOON: Duration = Duration::from_secs(60);
const OTHER: u32 = 65_533;

ndshm_testkit::suite! {
    roles: [receiver, heir, intruder, without_proc],
    tests: [
        60 => segments_are_received_by_another_process,
        60 => messages_go_before_and_after,
        60 => what_is_read_only_stays_so,
        60 => a_segment_in_flight_is_in_use,
        60 => what_comes_is_checked,
        60 => descriptors_that_should_not_come_are_closed,
        60 => closed_and_silent_sockets,
        60 => another_user_gets_what_it_is_sent,
        60 => a_program_inherits_segments,
        60 => what_is_inherited_is_checked,
        60 => without_proc_it_works_too,
    ],
}

fn options() -> BufferOptions {
    SharedBuffer::options()
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn descriptors() -> usize {
    listing("/proc/self/fd".as_ref()).len()
}

fn read_only_of(buffer: &SharedBuffer) -> SharedBuffer {
    options().read_only(true).open_handle(&buffer.handle()).unwrap()
}

// --- Sockets -----------------------------------------------------------------------------------------

fn receiver() {
    let socket = UnixStream::connect(&arguments()[0]).unwrap();
    for _ in 0..3 {
        let buffer = options().receive_from(&socket).unwrap();
        assert_eq!(&bytes(&buffer)[..5], b"hello");
        if buffer.is_read_only() {
            buffer.write_at(8, b"x").unwrap_err();
        } else {
            buffer.write_at(8, b"answer").unwrap();
        }
        (&socket).write_all(&[1]).unwrap();
    }
}

fn segments_are_received_by_another_process() {
    let dir = scratch();
    let at = dir.path().join("socket");
    let listener = UnixListener::bind(&at).unwrap();
    let mut child = Role::new("receiver").arg(at.display()).spawn();
    let (socket, _) = listener.accept().unwrap();
    let named = within(dir.path()).create("a", 3 << 20).unwrap();
    // A name is not needed any more.
    named.unlink().unwrap();
    let anonymous = SharedBuffer::anonymous(64).unwrap();
    for buffer in [&named, &anonymous, &read_only_of(&anonymous)] {
        if !buffer.is_read_only() {
            buffer.write_at(0, b"hello   ------").unwrap();
        }
        buffer.send_to(&socket).unwrap();
        (&socket).read_exact(&mut [0]).unwrap();
        assert_eq!(&bytes(buffer)[8..14], b"answer");
    }
    child.succeed(SOON);
}

fn messages_go_before_and_after() {
    let (mut here, mut there) = pair();
    let (a, b) = (SharedBuffer::anonymous(64).unwrap(), SharedBuffer::anonymous(64).unwrap());
    let growing = options().capacity(1 << 20).anonymous(100).unwrap();
    here.write_all(b"first").unwrap();
    a.send_to(&here).unwrap();
    b.send_to(&here).unwrap();
    here.write_all(b"last").unwrap();
    growing.send_to(&here).unwrap();
    let mut text = [0; 5];
    there.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"first");
    assert_eq!(options().receive_from(&there).unwrap().id(), a.id());
    assert_eq!(options().receive_from(&there).unwrap().id(), b.id());
    there.read_exact(&mut text[..4]).unwrap();
    assert_eq!(&text[..4], b"last");
    let received = options().receive_from(&there).unwrap();
    received.grow(5000).unwrap();
    assert_eq!((received.id(), growing.len()), (growing.id(), 5000));
}

fn flags(fd: BorrowedFd<'_>) -> i32 {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    i32::from_str_radix(flags.trim(), 8).unwrap()
}

fn what_is_read_only_stays_so() {
    let dir = scratch();
    let named = within(dir.path()).create("a", 64).unwrap();
    for buffer in [named, SharedBuffer::anonymous(64).unwrap()] {
        let (here, there) = pair();
        let reader = read_only_of(&buffer);
        reader.send_to(&here).unwrap();
        buffer.send_to(&here).unwrap();
        buffer.send_to(&here).unwrap();
        drop(reader);
        let received = options().receive_from(&there).unwrap();
        assert!(received.is_read_only() && received.atomics().is_none());
        // Not to be mapped for writing, whatever is tried.
        assert_eq!(flags(received.as_fd()) & libc::O_ACCMODE, libc::O_RDONLY);
        // And not to be sent on as something better.
        let (again, end) = pair();
        received.send_to(&again).unwrap();
        assert!(options().receive_from(&end).unwrap().is_read_only());
        drop(received);
        // A receiver may ask for less than it was sent.
        let less = options().read_only(true).receive_from(&there).unwrap();
        assert_eq!(flags(less.as_fd()) & libc::O_ACCMODE, libc::O_RDONLY);
        assert!(!options().receive_from(&there).unwrap().is_read_only());
    }
}

fn a_segment_in_flight_is_in_use() {
    let dir = scratch();
    let own = within(dir.path());
    let (here, there) = pair();
    let created = own.clone().persist(true).create("a", 64).unwrap();
    created.write_at(0, b"here").unwrap();
    created.send_to(&here).unwrap();
    // As if its creator had been killed.
    let file = created.path().unwrap().to_owned();
    drop(created);
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(own.gc().unwrap().len(), 0);
    let received = options().receive_from(&there).unwrap();
    assert_eq!((received.name(), received.path()), (Some("a"), Some(file.as_path())));
    assert_eq!((&bytes(&received)[..4], own.gc().unwrap().len()), (&b"here"[..], 0));
    drop(received);
    assert_eq!(own.gc().unwrap().len(), 1);
    // One that nobody receives is gone with the socket.
    let created = own.create("a", 64).unwrap();
    created.send_to(&here).unwrap();
    drop(there);
}

/// Sends what `send_to` never would.
fn forge(socket: &UnixStream, text: &str, fds: &[BorrowedFd<'_>]) {
    let mut message = b"\x7fNDSHP\r\n".to_vec();
    message.extend((text.len() as u32).to_le_bytes());
    message.extend(text.bytes());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    let sent = sendmsg(socket, &[IoSlice::new(&message)], &mut control, SendFlags::empty());
    assert_eq!(sent.unwrap(), message.len());
}

fn ticket(buffer: &SharedBuffer) -> String {
    format!("ndshm-buffer 1 rw {} {} {}", buffer.id().dev(), buffer.id().ino(), buffer.len())
}

fn what_comes_is_checked() {
    let dir = scratch();
    let (here, there) = pair();
    let receive = || options().receive_from(&there);
    let buffer = SharedBuffer::anonymous(64).unwrap();
    let other = SharedBuffer::anonymous(64).unwrap();
    let named = within(dir.path()).create("a", 64).unwrap();
    let open = |buffer: &SharedBuffer, text: &str| -> OpenError {
        forge(&here, text, &[buffer.as_fd()]);
        match receive().unwrap_err() {
            ReceiveError::Open(error) => error,
            other => panic!("{other}"),
        }
    };
    assert!(matches!(open(&other, &ticket(&buffer)), OpenError::Replaced { .. }));
    let longer = ticket(&buffer).replace(" 64", " 65");
    assert!(matches!(open(&buffer, &longer), OpenError::Replaced { .. }));
    // A file that somebody could truncate, said to be an anonymous segment.
    let unsealed = open(&named, &ticket(&named));
    assert!(matches!(unsealed, OpenError::Unsealed { .. }), "{unsealed}");
    one_line(&unsealed, &["not sealed"]);
    let place = format!("{} a {}", ticket(&named), dir.path().display());
    fs::hard_link(named.path().unwrap(), dir.path().join("link")).unwrap();
    assert!(matches!(open(&named, &place), OpenError::HardLinks { .. }));
    fs::remove_file(dir.path().join("link")).unwrap();
    let typed = options().anonymous_with(64, |b| b[..8].copy_from_slice(&TYPED_MAGIC)).unwrap();
    assert!(matches!(open(&typed, &ticket(&typed)), OpenError::Typed { .. }));
    let (socket, _) = pair();
    forge(&here, &ticket(&buffer), &[socket.as_fd()]);
    assert!(matches!(receive(), Err(ReceiveError::Open(OpenError::NotRegular { .. }))));

    forge(&here, &ticket(&buffer), &[]);
    let missing = receive().unwrap_err();
    assert!(matches!(missing, ReceiveError::NoDescriptor), "{missing}");
    forge(&here, "ndshm-buffer 7 rw 1 2 3", &[buffer.as_fd()]);
    let version = receive().unwrap_err();
    assert!(matches!(version, ReceiveError::Version { found: 7, known: 1 }), "{version}");
    forge(&here, "nonsense", &[buffer.as_fd()]);
    let foreign = receive().unwrap_err();
    assert!(matches!(foreign, ReceiveError::Foreign), "{foreign}");
    one_line(&foreign, &["send_to"]);
    // After all that the socket is where it should be.
    forge(&here, &ticket(&buffer), &[buffer.as_fd()]);
    assert_eq!(receive().unwrap().id(), buffer.id());
    (&here).write_all(&[0xff; 12]).unwrap();
    assert!(matches!(receive(), Err(ReceiveError::Foreign)));
}

fn descriptors_that_should_not_come_are_closed() {
    let (here, there) = pair();
    let buffer = SharedBuffer::anonymous(64).unwrap();
    let before = descriptors();
    for count in [2, 4, 8] {
        forge(&here, &ticket(&buffer), &vec![buffer.as_fd(); count]);
        assert!(options().receive_from(&there).is_err());
        assert_eq!(descriptors(), before);
    }
    forge(&here, "ndshm-buffer 1 rw 1 2 3", &[buffer.as_fd()]);
    assert!(options().receive_from(&there).is_err());
    for _ in 0..100 {
        buffer.send_to(&here).unwrap();
        assert_eq!(options().receive_from(&there).unwrap().id(), buffer.id());
    }
    assert_eq!(descriptors(), before);
}

fn closed_and_silent_sockets() {
    let buffer = SharedBuffer::anonymous(64).unwrap();
    let (here, there) = pair();
    there.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let silent = options().receive_from(&there).unwrap_err();
    assert!(matches!(silent, ReceiveError::Io(_)), "{silent}");
    // In the middle of a message.
    (&here).write_all(b"\x7fNDSH").unwrap();
    drop(here);
    assert!(matches!(options().receive_from(&there), Err(ReceiveError::Closed)));
    assert!(matches!(options().receive_from(&there), Err(ReceiveError::Closed)));
    let (here, there) = pair();
    drop(there);
    // An error, and no SIGPIPE.
    one_line(&buffer.send_to(&here).unwrap_err(), &["an anonymous segment", "other end"]);
    let (here, _there) = pair();
    here.set_nonblocking(true).unwrap();
    let full = (0..100_000).find_map(|_| buffer.send_to(&here).err());
    one_line(&full.expect("a socket holds so much and no more"), &["an anonymous segment"]);
}

/// Another user, which receives a segment that it could not open.
fn intruder() {
    let socket = UnixStream::connect(&arguments()[0]).unwrap();
    // SAFETY: changes the user of this process, and touches no memory.
    assert_eq!(unsafe { libc::setresuid(OTHER, OTHER, OTHER) }, 0);
    let refused = options().receive_from(&socket).unwrap_err();
    assert!(
        matches!(refused, ReceiveError::Open(OpenError::ForeignOwner { owner: 0, .. })),
        "{refused}"
    );
    let trusting = options().foreign_owner(true);
    let reader = trusting.receive_from(&socket).unwrap();
    assert!(reader.is_read_only());
    // The descriptor cannot be made into a better one.
    let path = format!("/proc/self/fd/{}", reader.as_fd().as_raw_fd());
    assert!(fs::File::options().write(true).open(path).is_err());
    trusting.receive_from(&socket).unwrap().write_at(0, b"written").unwrap();
    (&socket).write_all(&[1]).unwrap();
}

fn another_user_gets_what_it_is_sent() {
    if !rustix::process::geteuid().is_root() {
        return skip("another user", "only root can become one");
    }
    let dir = scratch();
    let at = dir.path().join("socket");
    let listener = UnixListener::bind(&at).unwrap();
    let mut child = Role::new("intruder").arg(at.display()).spawn();
    let (socket, _) = listener.accept().unwrap();
    let buffer = SharedBuffer::anonymous(64).unwrap();
    for buffer in [&buffer, &read_only_of(&buffer), &buffer] {
        buffer.send_to(&socket).unwrap();
    }
    (&socket).read_exact(&mut [0]).unwrap();
    assert_eq!(&bytes(&buffer)[..7], b"written");
    child.succeed(SOON);
}

// --- Programs that are started -------------------------------------------------------------------------

/// This binary in a role, as a plain command.
fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("NDSHM_TEST_ROLE", role);
    command
}

fn heir() {
    let frames = options().inherit("frames").unwrap();
    let again = options().inherit("frames").unwrap();
    assert_eq!(frames.as_ptr(), again.as_ptr());
    frames.write_at(0, b"from the heir").unwrap();
    let log = options().inherit("log.1").unwrap();
    assert!(log.is_read_only() && log.name() == Some("log"));
    assert_eq!(&bytes(&log)[..3], b"log");
    if let Ok(mut child) = Command::new("true").spawn() {
        child.wait().unwrap();
    }
    // Programs that this one starts have the variable, but not the descriptor.
    let listed = Command::new("ls").arg("/proc/self/fd").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let number = std::env::var("NDSHM_FD_frames").unwrap();
    let number = number.split(' ').next().unwrap();
    assert!(!listed.lines().any(|line| line == number), "{number} in {listed:?}");
    assert!(matches!(options().inherit("other"), Err(InheritError::NotPassed { .. })));
}

fn a_program_inherits_segments() {
    let dir = scratch();
    let frames = SharedBuffer::anonymous(64).unwrap();
    let log =
        within(dir.path()).create_with("log", 64, |b| b[..3].copy_from_slice(b"log")).unwrap();
    log.unlink().unwrap();
    let before = descriptors();
    let mut heir = command("heir");
    frames.pass_to(&mut heir, "frames").unwrap();
    read_only_of(&frames);
    let reader = {
        let (here, there) = pair();
        log.send_to(&here).unwrap();
        options().read_only(true).receive_from(&there).unwrap()
    };
    reader.pass_to(&mut heir, "log.1").unwrap();
    drop(reader);
    // More than once, and others at the same time have nothing of it.
    for _ in 0..2 {
        frames.write_at(0, &[0; 20]).unwrap();
        assert!(heir.status().unwrap().success());
        assert_eq!(&bytes(&frames)[..13], b"from the heir");
    }
    drop(heir);
    assert_eq!(descriptors(), before);
    let refused = frames.pass_to(&mut command("heir"), "a b").unwrap_err();
    assert!(matches!(refused, PassError::BadKey(_)));
    one_line(&refused, &["a b", "as a key"]);
}

fn what_is_inherited_is_checked() {
    let dir = scratch();
    let buffer = SharedBuffer::anonymous(64).unwrap();
    let set = |value: &str| {
        // SAFETY: of the threads of this process only the watchdog is another, which reads no environment.
        unsafe { std::env::set_var("NDSHM_FD_x", value) };
        options().inherit("x")
    };
    let number = buffer.as_fd().as_raw_fd();
    assert_eq!(set(&format!("{number} {}", ticket(&buffer))).unwrap().id(), buffer.id());
    for garbled in
        ["", "5", "-1 ndshm-buffer 1 rw 1 2 3", "x ndshm-buffer 1 rw 1 2 3", "5 ", "5 no"]
    {
        let refused = set(garbled).unwrap_err();
        assert!(matches!(refused, InheritError::Garbled { .. }), "{refused}");
        one_line(&refused, &["NDSHM_FD_x", "pass_to"]);
    }
    let closed = set(&format!("900 {}", ticket(&buffer))).unwrap_err();
    assert!(matches!(closed, InheritError::Closed { number: 900, .. }), "{closed}");
    one_line(&closed, &["NDSHM_FD_x", "900"]);
    let version = set(&format!("{number} ndshm-buffer 2 rw 1 2 3")).unwrap_err();
    assert!(matches!(version, InheritError::Version { found: 2, known: 1, .. }), "{version}");
    // Another file, a terminal, anything.
    let named = within(dir.path()).create("a", 64).unwrap();
    for other in [0, named.as_fd().as_raw_fd()] {
        let refused = set(&format!("{other} {}", ticket(&buffer))).unwrap_err();
        assert!(matches!(refused, InheritError::Open(_)), "{refused}");
    }
    // SAFETY: as above.
    unsafe { std::env::remove_var("NDSHM_FD_x") };
}

/// In mounts of its own, where nothing is at /proc.
fn without_proc() {
    let none = scratch();
    let target = c"/proc".as_ptr();
    let from = std::ffi::CString::new(none.path().to_str().unwrap()).unwrap();
    // SAFETY: both strings end in zero and live for the call.
    let r = unsafe {
        libc::mount(from.as_ptr(), target, std::ptr::null(), libc::MS_BIND, std::ptr::null())
    };
    assert_eq!(r, 0, "{}", std::io::Error::last_os_error());
    assert!(!fs::exists("/proc/self").unwrap());
    let (here, there) = pair();
    let buffer = SharedBuffer::anonymous(64).unwrap();
    buffer.send_to(&here).unwrap();
    buffer.send_to(&here).unwrap();
    assert_eq!(options().receive_from(&there).unwrap().as_ptr(), buffer.as_ptr());
    let reader = options().read_only(true).receive_from(&there).unwrap();
    reader.read_at(0, &mut [0; 64]).unwrap();
    // It has no descriptor that cannot write, and does not give one away that can.
    let refused = reader.send_to(&here).unwrap_err();
    one_line(&refused, &["read-only", "/proc"]);
    // Growing takes a lock of its own, for which it needs the file once more.
    let growing = options().capacity(8192).anonymous(64).unwrap();
    one_line(&growing.grow(100).unwrap_err(), &["an anonymous segment", "lock it for growing"]);
    let named = within(none.path()).capacity(8192).create("a", 64);
    assert_eq!(named.unwrap().grow(100).unwrap(), 100, "by its name");
}

fn without_proc_it_works_too() {
    let Some(unshare) = ndshm_testkit::own_mounts("sending without /proc") else { return };
    Role::new("without_proc").under(unshare).spawn().succeed(SOON);
}
