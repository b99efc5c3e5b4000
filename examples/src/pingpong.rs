//! What `ping` and `pong` agree on: where they meet, and what lies there in which order.

use std::error::Error;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::ptr::NonNull;
use std::time::Duration;

use ndshm::sync::{Barrier, LayoutError, Members, Mutex, Region};

/// How many numbers ping has squared by pong.
pub const ROUNDS: u64 = 10_000;

/// How long one waits for the other to start, or to answer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The ranks of the two.
pub const PING: usize = 0;
/// See [`PING`].
pub const PONG: usize = 1;

/// A file that both map, made by whoever comes first, for the rest of the process's life.
///
/// # Errors
///
/// No argument, or no such file can be made and mapped.
pub fn meet() -> io::Result<(PathBuf, Region<'static>)> {
    let path = PathBuf::from(std::env::args_os().nth(1).ok_or_else(|| {
        io::Error::other("give both the path of one file that is not there yet, in /dev/shm")
    })?);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    file.set_len(1 << 16)?; // the same for both, so it does not matter who comes first
    let map = Box::leak(Box::new((memmap2::MmapRaw::map_raw(&file)?, file)));
    let base = NonNull::new(map.0.as_mut_ptr()).ok_or_else(|| io::Error::other("mapped at 0"))?;
    // SAFETY: mapped for ever; a new file is zero; only these two programs know it, and both use it
    // through `agree` alone.
    Ok((path, unsafe { Region::new(base, map.0.len(), map.1.as_fd()) }))
}

/// The number, and where the two meet. Both ask for the same, in the same order.
///
/// # Errors
///
/// As for [`Layout`](ndshm::sync::Layout).
pub fn agree<'m>(members: &'m Members<'m>) -> Result<(Mutex<'m, u64>, Barrier<'m>), LayoutError> {
    let mut layout = members.layout();
    Ok((layout.mutex(0)?, layout.barrier(2)?))
}

/// 0, or 1 and one line that says what went wrong.
#[must_use]
pub fn status(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
