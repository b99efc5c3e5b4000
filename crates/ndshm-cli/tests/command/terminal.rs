//! On a terminal: one made for the test.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ndshm_testkit::scratch;

use crate::keeper::made;
use crate::run::command;

const LIMIT: Duration = Duration::from_secs(20);

/// The two ends of a terminal of 100 columns and 40 lines.
fn pair() -> (File, OwnedFd) {
    let size = libc::winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    let (none, size) = (std::ptr::null_mut(), &raw const size);
    // SAFETY: the two numbers are what it writes; it reads `size`, and takes null for the rest.
    let r = unsafe { libc::openpty(&raw mut master, &raw mut slave, none, std::ptr::null(), size) };
    assert_eq!(r, 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    let master = unsafe { File::from_raw_fd(master) };
    // SAFETY: the same.
    (master, unsafe { OwnedFd::from_raw_fd(slave) })
}

/// The command on a terminal, what it shows as it comes, and the keys.
fn on_terminal(
    dir: &std::path::Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Child, Receiver<Vec<u8>>, File) {
    let (mut master, slave) = pair();
    let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
    let mut command = command(dir);
    command.args(arguments).envs(environment.iter().copied());
    let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
    let keys = master.try_clone().expect("a descriptor");
    let (sender, shown) = channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // An error is the end: nobody has the other side any more.
        while let Ok(n @ 1..) = master.read(&mut piece) {
            if sender.send(piece[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    (child, shown, keys)
}

/// All that is shown until `found`, or until the end.
fn until(shown: &Receiver<Vec<u8>>, found: impl Fn(&str) -> bool) -> String {
    let (start, mut all) = (Instant::now(), Vec::new());
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if found(&text) {
            return text;
        }
        match shown.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
            Ok(piece) => all.extend(piece),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return text,
            Err(e) => panic!("{e}: {text:?}"),
        }
    }
}

fn whole(dir: &std::path::Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (mut child, shown, _keys) = on_terminal(dir, arguments, environment);
    let text = until(&shown, |_| false);
    assert!(child.wait().expect("it ends").success(), "{text}");
    text
}

pub(crate) fn colours_on_a_terminal_only() {
    let dir = scratch();
    let dir = dir.path();
    let _maker = made(dir, "heat", &[]);
    let view = ["view", "heat"];
    let true_colour = [("COLORTERM", "truecolor")];
    assert!(whole(dir, &view, &true_colour).contains("\x1b[38;2;"));
    let palette = whole(dir, &view, &[]);
    assert!(palette.contains("\x1b[38;5;") && !palette.contains(";2;"), "{palette:?}");
    for none in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let plain = whole(dir, &view, &none);
        assert!(!plain.contains('\x1b') && plain.contains('@'), "{none:?}: {plain:?}");
    }
    let listed = whole(dir, &["ls"], &[]);
    assert!(listed.contains("\x1b[32mlive\x1b[0m") && listed.contains("1 segment, "), "{listed:?}");
}

pub(crate) fn top_ends_and_leaves_the_terminal_as_it_was() {
    let dir = scratch();
    let dir = dir.path();
    let maker = made(dir, "heat", &["w0..5"]);
    for key in [&b"q"[..], b"\x03"] {
        let (mut child, shown, mut keys) = on_terminal(dir, &["top", "-i", "0.1"], &[]);
        let claim = format!("pid {} writes rows", maker.pid());
        let text = until(&shown, |text| text.contains(&claim));
        assert!(text.contains("\x1b[?1049h") && text.contains("q: end"), "{text:?}");
        keys.write_all(key).expect("a key");
        let rest = until(&shown, |_| false);
        assert!(rest.contains("\x1b[?1049l") && rest.contains("\x1b[?25h"), "{rest:?}");
        assert!(child.wait().expect("it ends").success());
    }
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let (mut child, shown, _keys) = on_terminal(dir, &["top", "-i", "3600"], &[]);
        until(&shown, |text| text.contains("q: end"));
        // SAFETY: a child of this process that is not reaped yet; no memory is touched.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, signal) }, 0);
        let rest = until(&shown, |_| false);
        assert!(rest.contains("\x1b[?1049l") && rest.contains("\x1b[?25h"), "{rest:?}");
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(signal));
    }
}
