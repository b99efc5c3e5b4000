//! Four processes count together: ndshm-sync alone, over a mapping made by memmap2.
//!
//! `cargo run --release --example sync_alone`

use std::error::Error;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::ptr::NonNull;
use std::{env, io};

use ndshm_sync::{Members, Region};

const WORKERS: usize = 4;
const COUNTS: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rank = env::args().nth(1).map(|rank| rank.parse::<usize>()).transpose()?;
    let file = match rank {
        None => tempfile::tempfile_in("/dev/shm")?, // any file will do, anonymous or not
        Some(_) => File::from(io::stdin().as_fd().try_clone_to_owned()?), // a worker's inheritance
    };
    file.set_len(1 << 16)?; // the table of members takes 16 KiB of it
    let map = memmap2::MmapRaw::map_raw(&file)?;
    let base = NonNull::new(map.as_mut_ptr()).ok_or("mapped at 0")?;
    // SAFETY: zero at first, mapped as long as `members` lives, and used by this program only.
    let region = unsafe { Region::new(base, map.len(), file.as_fd()) };
    let members = Members::join(region)?; // who is alive
    let mut layout = members.layout(); // all ask for the same, in the same order
    let total = layout.mutex(0_u64)?;
    let start = layout.barrier(WORKERS)?;

    if let Some(rank) = rank {
        start.join(rank)?.wait()?; // all at once
        for _ in 0..COUNTS {
            *total.lock()? += 1; // an error names who died with the lock
        }
        return Ok(());
    }
    let worker = |rank: usize| {
        Command::new(env::current_exe()?).arg(rank.to_string()).stdin(file.try_clone()?).spawn()
    };
    for worker in &mut (0..WORKERS).map(worker).collect::<Result<Vec<_>, _>>()? {
        if !worker.wait()?.success() {
            return Err("a worker failed".into());
        }
    }
    println!("{WORKERS} processes counted to {}", *total.lock()?);
    Ok(())
}
