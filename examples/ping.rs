//! One of two programs that share a number, a mutex and a barrier: it asks, `pong` answers.
//!
//! `cargo run --release --example ping -- /dev/shm/pingpong`, and in another terminal the same with
//! `pong`, in either order. Kill one of them: the other says who died.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use ndshm::sync::Members;
use ndshm_examples::pingpong::{PATIENCE, PING, ROUNDS, agree, meet, status};

fn play() -> Result<(), Box<dyn Error>> {
    let (path, region) = meet()?;
    let members = Members::join(region)?;
    let (number, table) = agree(&members)?;
    let mut me = table.join(PING)?;
    me.wait_timeout(PATIENCE)?; // until pong is there
    std::fs::remove_file(path)?; // both have it mapped

    let start = Instant::now();
    for question in 1..=ROUNDS {
        *number.lock()? = question;
        me.wait_timeout(PATIENCE)?; // your turn
        me.wait_timeout(PATIENCE)?; // my turn
        let answer = *number.lock()?;
        if answer != question * question {
            return Err(format!("pong says that {question} squared is {answer}").into());
        }
    }
    let each = start.elapsed() / u32::try_from(ROUNDS)?;
    println!("{ROUNDS} numbers squared by another program, {each:?} each");
    Ok(())
}

fn main() -> ExitCode {
    status(play())
}
