//! The messages from a worker to its launcher.
//!
//! A frame is `length: u64` (little-endian, of what follows), `kind: u8`, payload. The length has
//! no bound but memory; the reader allocates for bytes that came, never for a length it was told.

use std::io::{self, Write};

/// One message. The last of a run is neither `Ready` nor `Progress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The process is a worker of its group, and waits for orders.
    Ready,
    /// How far it is.
    Progress { done: u64, total: u64 },
    /// The result, serialised.
    Done(Vec<u8>),
    /// The function returned an error.
    Failed(String),
    /// The function panicked.
    Panicked(String),
    /// The function could not be called.
    NeverStarted(String),
    /// The result could not be serialised.
    BadResult(String),
}

const LENGTH: usize = size_of::<u64>();

const READY: u8 = 1;
const PROGRESS: u8 = 2;
const DONE: u8 = 3;
const FAILED: u8 = 4;
const PANICKED: u8 = 5;
const NEVER_READY: u8 = 6;
const BAD_RESULT: u8 = 7;

/// Writes `message` as one frame.
pub(crate) fn write(to: &mut impl Write, message: &Message) -> io::Result<()> {
    let mut pair = [0; 16];
    let (kind, payload): (u8, &[u8]) = match message {
        Message::Ready => (READY, &[]),
        Message::Progress { done, total } => {
            pair[..8].copy_from_slice(&done.to_le_bytes());
            pair[8..].copy_from_slice(&total.to_le_bytes());
            (PROGRESS, &pair)
        }
        Message::Done(bytes) => (DONE, bytes),
        Message::Failed(text) => (FAILED, text.as_bytes()),
        Message::Panicked(text) => (PANICKED, text.as_bytes()),
        Message::NeverStarted(text) => (NEVER_READY, text.as_bytes()),
        Message::BadResult(text) => (BAD_RESULT, text.as_bytes()),
    };
    // In one piece: each would wake the reader.
    let mut frame = Vec::with_capacity(LENGTH + 1 + payload.len());
    frame.extend_from_slice(&(payload.len() as u64 + 1).to_le_bytes());
    frame.push(kind);
    frame.extend_from_slice(payload);
    to.write_all(&frame)
}

/// Puts frames together from the pieces in which a stream delivers them.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// Takes the next bytes of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Garbled> {
        let Some((length, rest)) = self.pending.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| Garbled)?;
        if rest.len() < length {
            return Ok(None);
        }
        let after = self.pending.split_off(LENGTH + length);
        let mut frame = std::mem::replace(&mut self.pending, after);
        let &kind = frame.get(LENGTH).ok_or(Garbled)?;
        frame.drain(..=LENGTH);
        decode(kind, frame).map(Some)
    }
}

/// The bytes are none of ours: something else wrote to the worker's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

fn decode(kind: u8, payload: Vec<u8>) -> Result<Message, Garbled> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(match kind {
        READY if payload.is_empty() => Message::Ready,
        PROGRESS => {
            let (done, total) = payload.split_first_chunk().ok_or(Garbled)?;
            Message::Progress {
                done: u64::from_le_bytes(*done),
                total: u64::from_le_bytes(total.try_into().map_err(|_| Garbled)?),
            }
        }
        DONE => Message::Done(payload),
        FAILED => Message::Failed(text(&payload)),
        PANICKED => Message::Panicked(text(&payload)),
        NEVER_READY => Message::NeverStarted(text(&payload)),
        BAD_RESULT => Message::BadResult(text(&payload)),
        _ => return Err(Garbled),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_any_fragmentation() {
        let messages = [
            Message::Ready,
            Message::Progress { done: 3, total: u64::MAX },
            Message::Done(vec![7; 1000]),
            Message::Done(Vec::new()),
            Message::Failed("no".into()),
            Message::Panicked("päng".into()),
            Message::NeverStarted(String::new()),
            Message::BadResult("x".into()),
        ];
        let mut stream = Vec::new();
        for message in &messages {
            write(&mut stream, message).unwrap();
        }
        for piece in [1, 2, 7, 9, 64, stream.len()] {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for bytes in stream.chunks(piece) {
                decoder.feed(bytes);
                while let Some(message) = decoder.next().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, messages, "in pieces of {piece}");
        }
    }

    #[test]
    fn foreign_bytes_are_told() {
        let frames: [&[u8]; 4] = [
            &[0; 8],
            &[1, 0, 0, 0, 0, 0, 0, 0, 99],
            &[2, 0, 0, 0, 0, 0, 0, 0, READY, 1],
            &[3, 0, 0, 0, 0, 0, 0, 0, PROGRESS, 1, 1],
        ];
        for frame in frames {
            let mut decoder = Decoder::default();
            decoder.feed(frame);
            assert_eq!(decoder.next(), Err(Garbled), "{frame:?}");
        }
    }

    #[test]
    fn a_length_alone_allocates_nothing() {
        let mut decoder = Decoder::default();
        decoder.feed(&(u64::MAX / 4).to_le_bytes());
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.pending.capacity() < 1024);
    }
}
