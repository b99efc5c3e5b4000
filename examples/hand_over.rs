//! A segment without a name goes from one program to another, over a Unix socket.
//!
//! `cargo run --release --example hand_over -- give /tmp/hand-over`, and in another terminal the same with `take`.

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use ndshm_buffer::SharedBuffer;

/// Makes a segment, gives it to whoever connects, and prints what came of it.
fn give(socket: &str) -> Result<(), Box<dyn Error>> {
    let listener = UnixListener::bind(socket)?;
    let (mut taker, _) = listener.accept()?;
    std::fs::remove_file(socket)?;
    // It can grow, in whichever process.
    let buffer = SharedBuffer::options().capacity(1 << 20).anonymous(64)?;
    buffer.write_at(0, b"a question")?;
    buffer.send_to(&taker)?;
    taker.read_exact(&mut [0])?; // it has answered
    let mut answer = vec![0; buffer.len() - 64];
    buffer.read_at(64, &mut answer)?;
    println!("{} bytes now: {}", buffer.len(), String::from_utf8(answer)?);
    Ok(())
}

fn take(socket: &str) -> Result<(), Box<dyn Error>> {
    let mut giver = UnixStream::connect(socket)?;
    let buffer = SharedBuffer::options().receive_from(&giver)?;
    let mut question = [0; 10];
    buffer.read_at(0, &mut question)?;
    let answer = format!("an answer to {}", str::from_utf8(&question)?);
    buffer.grow(64 + answer.len())?;
    buffer.write_at(64, answer.as_bytes())?;
    giver.write_all(&[1])?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["give", socket] => give(socket),
        ["take", socket] => take(socket),
        _ => Err("say `give` or `take`, and the path of a socket".into()),
    }
}
