//! The other of two programs: it squares the numbers that `ping` puts there.
//!
//! `cargo run --release --example pong -- /dev/shm/pingpong`, and the same with `ping`.

use std::error::Error;
use std::process::ExitCode;

use ndshm::sync::Members;
use ndshm_examples::pingpong::{PATIENCE, PONG, ROUNDS, agree, meet, status};

fn play() -> Result<(), Box<dyn Error>> {
    let members = Members::join(meet()?.1)?;
    let (number, table) = agree(&members)?;
    let mut me = table.join(PONG)?;
    me.wait_timeout(PATIENCE)?; // until ping is there
    for _ in 0..ROUNDS {
        me.wait_timeout(PATIENCE)?; // my turn
        let mut number = number.lock()?;
        *number *= *number;
        drop(number);
        me.wait_timeout(PATIENCE)?; // your turn
    }
    Ok(())
}

fn main() -> ExitCode {
    status(play())
}
