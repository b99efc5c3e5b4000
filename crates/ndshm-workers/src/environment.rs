//! The environment variables by which a process learns that it is a worker.
//!
//! | variable | value |
//! |---|---|
//! | `NDSHM_RANK` | this worker, from 0 |
//! | `NDSHM_SIZE` | number of workers |
//! | `NDSHM_GROUP` | `1:socket:hello:inode:launcher`: version, two inherited descriptors, the inode of the second, the launcher's pid |
//!
//! Rank and size stay visible to the worker's own children. `NDSHM_GROUP` is taken out of the
//! environment, and would not make them workers either: both descriptors are closed on exec.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::sys;

const RANK: &str = "NDSHM_RANK";
const SIZE: &str = "NDSHM_SIZE";
const GROUP: &str = "NDSHM_GROUP";
const VERSION: u64 = 1;

/// What the variables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variables {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    pub(crate) socket: i32,
    pub(crate) hello: i32,
    pub(crate) hello_inode: u64,
    pub(crate) launcher: u32,
}

impl Variables {
    /// Tells the worker that `command` starts.
    pub(crate) fn set(&self, command: &mut Command) {
        let Self { rank, size, socket, hello, hello_inode, launcher } = self;
        command.env(RANK, rank.to_string());
        command.env(SIZE, size.to_string());
        command.env(GROUP, format!("{VERSION}:{socket}:{hello}:{hello_inode}:{launcher}"));
    }

    fn parse(rank: OsString, size: OsString, group: OsString) -> Option<Self> {
        let group = group.into_string().ok()?;
        let numbers: Vec<u64> = group.split(':').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [VERSION, socket, hello, hello_inode, launcher] = numbers[..] else {
            return None;
        };
        Some(Self {
            rank: rank.into_string().ok()?.parse().ok()?,
            size: size.into_string().ok()?.parse().ok()?,
            socket: socket.try_into().ok()?,
            hello: hello.try_into().ok()?,
            hello_inode,
            launcher: launcher.try_into().ok()?,
        })
    }
}

/// What a worker process starts from.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    pub(crate) socket: UnixStream,
    pub(crate) hello: File,
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
    let (rank, size) = (std::env::var_os(RANK), std::env::var_os(SIZE));
    let parsed = rank.zip(size).and_then(|(rank, size)| Variables::parse(rank, size, group));
    let variables = parsed.ok_or(Unusable)?;
    if sys::is_single_threaded() {
        // SAFETY: the environment may be changed while no other thread can read it, and there is
        // no other thread. (With others about it stays; it is inert in this process's children.)
        unsafe { std::env::remove_var(GROUP) };
    }
    match descriptors(&variables) {
        Some((socket, hello)) => Ok(Some(Inherited {
            rank: variables.rank,
            size: variables.size,
            socket: UnixStream::from(socket),
            hello,
        })),
        // A worker's child, to which the variable came and the descriptors did not.
        None if sys::parent_pid() != Some(variables.launcher) => Ok(None),
        None => Err(Unusable),
    }
}

fn descriptors(variables: &Variables) -> Option<(OwnedFd, File)> {
    if variables.rank >= variables.size || variables.socket == variables.hello {
        return None;
    }
    let path = format!("/proc/self/fd/{}", variables.hello);
    if std::fs::metadata(path).ok()?.ino() != variables.hello_inode {
        return None;
    }
    // SAFETY: the launcher left this descriptor open for this process, as the inode shows, and
    // nothing knows of it yet: `init` runs before anything that could, once in a process.
    let hello = unsafe { sys::inherited(variables.hello) }.ok()?;
    // SAFETY: as above: the two descriptors travel together.
    let socket = unsafe { sys::inherited(variables.socket) }.ok()?;
    Some((socket, File::from(hello)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_understood() {
        let variables = Variables {
            rank: 3,
            size: 8,
            socket: 11,
            hello: 12,
            hello_inode: u64::MAX,
            launcher: 4711,
        };
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
        for group in ["", "1", "1:3:4:5", "2:3:4:5:6", "1:3:4:5:6:7", "1:-3:4:5:6", "1:x:4:5:6"] {
            assert_eq!(parse(group), None, "{group:?}");
        }
        assert!(parse("1:3:4:5:6").is_some());
    }
}
