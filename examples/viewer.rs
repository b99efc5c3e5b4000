//! The other of two programs that share raw bytes: see `camera`. Start it within the two seconds in which that runs.

use std::error::Error;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::fence;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ndshm_buffer::SharedBuffer;

/// Without a new picture for so long the camera is gone.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    // The page tables refuse a store, so the camera need not trust this program; the guard makes an error of a file that
    // another one truncates.
    let frames = SharedBuffer::options().read_only(true).guarded(true).open("camera")?;
    let mut picture = vec![0; frames.len() - 8];
    let (mut last, mut since) = (0, Instant::now());
    let (mut whole, mut torn) = (0, 0);
    loop {
        let before = frames.load_u64(0).expect("aligned");
        if before == u64::MAX - 1 {
            break; // the last word of the camera
        }
        if before == last || before % 2 == 1 {
            if since.elapsed() > PATIENCE {
                return Err(format!("no picture for {PATIENCE:?}: the camera is gone").into());
            }
            sleep(Duration::from_micros(100));
            continue;
        }
        frames.read_at(8, &mut picture)?;
        fence(Acquire); // after the last byte of it
        if frames.load_u64(0) != Some(before) {
            torn += 1; // overwritten meanwhile: look again
            continue;
        }
        assert!(
            picture.iter().all(|&byte| byte == picture[0]),
            "half of one picture, half of another"
        );
        (last, since, whole) = (before, Instant::now(), whole + 1);
    }
    println!("{whole} pictures seen, all whole; {torn} looked at too late");
    Ok(())
}
