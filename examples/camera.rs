//! One of two programs that share raw bytes: it makes pictures, `viewer` looks at them. ndshm-buffer alone.
//!
//! `cargo run --release --example camera`, and in another terminal the same with `viewer`, after it.
//!
//! The first eight bytes of the segment count: odd while a picture is being made, even once it is whole.

use std::error::Error;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::fence;
use std::thread::sleep;
use std::time::Duration;

use ndshm_buffer::SharedBuffer;

const PICTURE: usize = 320 * 200;
const PICTURES: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    // Its name goes with the buffer, at the end of this program; a viewer keeps the bytes as long as it likes.
    let frames = SharedBuffer::options().create("camera", 8 + PICTURE)?;
    println!("{}: a picture every 4 ms", frames.path().expect("it has a name").display());
    let count = frames.atomic_u64(0).expect("aligned, and writable");
    for n in 0..PICTURES {
        let picture = vec![n as u8; PICTURE];
        count.store(2 * n + 1, Relaxed); // who looks now is not to trust it
        fence(Release); // before the first byte of it
        frames.write_at(8, &picture)?;
        count.store(2 * n + 2, Release); // after the last
        sleep(Duration::from_millis(4));
    }
    count.store(u64::MAX - 1, Release); // no more
    Ok(())
}
