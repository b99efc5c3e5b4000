//! The environment variables by which a process learns that it is a worker.
//!
//! | variable | value |
//! |---|---|
//! | `NDSHM_RANK` | this worker, from 0 |
//! | `NDSHM_SIZE` | number of workers |
//! | `NDSHM_GROUP` | `2:socket:inode:launcher`: version, an inherited descriptor, its inode, the launcher's pid |
//! | | `2:program:handle`: of a program that was started as it is; how to find the group's segment |
//!
//! Rank and size stay visible to the worker's own children. `NDSHM_GROUP` is taken out of the
//! environment by the first kind, and would not make them workers either: the descriptor is closed on exec.
//! The second kind stays: whichever process of the program it is may join.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::sys;

const RANK: &str = "NDSHM_RANK";
const SIZE: &str = "NDSHM_SIZE";
const GROUP: &str = "NDSHM_GROUP";
const VERSION: u64 = 2;
const PROGRAM: &str = "2:program:";

/// What the variables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variables {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    pub(crate) socket: i32,
    pub(crate) inode: u64,
    pub(crate) launcher: u32,
}

impl Variables {
    /// Tells the worker that `command` starts.
    pub(crate) fn set(&self, command: &mut Command) {
        let Self { rank, size, socket, inode, launcher } = self;
        set(command, *rank, *size, format!("{VERSION}:{socket}:{inode}:{launcher}"));
    }

    fn parse(rank: OsString, size: OsString, group: OsString) -> Option<Self> {
        let group = group.into_string().ok()?;
        let numbers: Vec<u64> = group.split(':').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [VERSION, socket, inode, launcher] = numbers[..] else {
            return None;
        };
        Some(Self {
            rank: rank.into_string().ok()?.parse().ok()?,
            size: size.into_string().ok()?.parse().ok()?,
            socket: socket.try_into().ok()?,
            inode,
            launcher: launcher.try_into().ok()?,
        })
    }
}

fn set(command: &mut Command, rank: usize, size: usize, group: String) {
    command.env(RANK, rank.to_string()).env(SIZE, size.to_string()).env(GROUP, group);
}

/// Tells the program that `command` starts where its group's segment is.
pub(crate) fn set_program(command: &mut Command, rank: usize, size: usize, handle: &[u8]) {
    let digits = handle.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    set(command, rank, size, format!("{PROGRAM}{digits}"));
}

/// The rank, the size, and where the group's segment is: of a program that was started in a group.
pub(crate) fn program() -> Result<Option<(usize, usize, Vec<u8>)>, Unusable> {
    if sys::is_privileged_start() {
        return Ok(None);
    }
    let group = std::env::var(GROUP).unwrap_or_default();
    let Some(digits) = group.strip_prefix(PROGRAM) else { return Ok(None) };
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let parsed = number(RANK).zip(number(SIZE)).filter(|(rank, size)| rank < size);
    let (rank, size) = parsed.ok_or(Unusable)?;
    Ok(Some((rank, size, bytes(digits).ok_or(Unusable)?)))
}

/// What the hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// What a worker process starts from.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    pub(crate) socket: UnixStream,
}

/// Why a process that was started as a worker cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

/// Takes this process's start-up out of its environment: `None` in an ordinary process.
pub(crate) fn take() -> Result<Option<Inherited>, Unusable> {
    // Whoever starts a setuid program chooses its environment, and must not choose what it runs.
    if sys::is_privileged_start() {
        return Ok(None);
    }
    let Some(group) = std::env::var_os(GROUP) else {
        return Ok(None);
    };
    if group.to_str().is_some_and(|group| group.starts_with(PROGRAM)) {
        return Ok(None);
    }
    let (rank, size) = (std::env::var_os(RANK), std::env::var_os(SIZE));
    let parsed = rank.zip(size).and_then(|(rank, size)| Variables::parse(rank, size, group));
    let variables = parsed.ok_or(Unusable)?;
    if sys::is_single_threaded() {
        // SAFETY: the environment may be changed while no other thread can read it, and there is
        // no other thread. (With others about it stays; it is inert in this process's children.)
        unsafe { std::env::remove_var(GROUP) };
    }
    match socket(&variables) {
        Some(socket) => Ok(Some(Inherited { rank: variables.rank, size: variables.size, socket })),
        // A worker's child, to which the variable came and the descriptor did not.
        None if sys::parent_pid() != variables.launcher => Ok(None),
        None => Err(Unusable),
    }
}

fn socket(variables: &Variables) -> Option<UnixStream> {
    if variables.rank >= variables.size {
        return None;
    }
    let path = format!("/proc/self/fd/{}", variables.socket);
    if std::fs::metadata(path).ok()?.ino() != variables.inode {
        return None;
    }
    // SAFETY: the launcher left this descriptor open for this process, as the inode shows, and
    // nothing knows of it yet: `init` runs before anything that could, once in a process.
    unsafe { sys::inherited(variables.socket) }.ok().map(UnixStream::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_understood() {
        let variables = Variables { rank: 3, size: 8, socket: 11, inode: u64::MAX, launcher: 4711 };
        let mut command = Command::new("true");
        variables.set(&mut command);
        let get = |name: &str| {
            let found = command.get_envs().find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value).unwrap().to_owned()
        };
        let parsed = Variables::parse(get(RANK), get(SIZE), get(GROUP));
        assert_eq!(parsed, Some(variables));
    }

    #[test]
    fn anything_else_is_not() {
        let parse = |group: &str| Variables::parse("0".into(), "1".into(), group.into());
        for group in ["", "2", "2:3:4", "1:3:4:5", "2:3:4:5:6", "2:-3:4:5", "2:x:4:5"] {
            assert_eq!(parse(group), None, "{group:?}");
        }
        assert!(parse("2:3:4:5").is_some());
    }

    #[test]
    fn a_handle_survives_its_digits() {
        for handle in [&[][..], &[0, 1, 0xFF, 0x7A]] {
            let mut command = Command::new("true");
            set_program(&mut command, 0, 2, handle);
            let found = command.get_envs().find(|(key, _)| *key == GROUP).unwrap().1.unwrap();
            let digits = found.to_str().unwrap().strip_prefix(PROGRAM).unwrap();
            assert_eq!(bytes(digits).as_deref(), Some(handle));
        }
        assert_eq!((bytes("0g"), bytes("é")), (None, None));
    }
}
