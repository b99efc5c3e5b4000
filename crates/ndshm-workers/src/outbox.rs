//! The worker's end of the channel to its launcher.

use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::{self, Message};

/// Progress is sent at most this often; what comes in between is kept, and the last of it sent.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends messages; `&self` from any thread.
#[derive(Debug)]
pub(crate) struct Outbox {
    stream: UnixStream,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    sent: Option<Instant>,
    kept: Option<Message>,
}

impl Outbox {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, inner: Mutex::new(Inner { sent: None, kept: None }) }
    }

    /// The socket, whose other direction is free.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends `message`, after what progress was kept back.
    pub(crate) fn send(&self, message: &Message) {
        let mut inner = self.lock();
        if let Some(progress) = inner.kept.take() {
            self.put(&progress);
        }
        inner.sent = None;
        self.put(message);
    }

    /// Sends progress, or keeps it back until the next is due.
    pub(crate) fn progress(&self, done: u64, total: u64) {
        let mut inner = self.lock();
        let message = Message::Progress { done, total };
        if done >= total || inner.sent.is_none_or(|sent| sent.elapsed() >= PAUSE) {
            inner.kept = None;
            self.put(&message);
            inner.sent = Some(Instant::now());
        } else {
            inner.kept = Some(message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the lock held, so that no other message comes between.
    fn put(&self, message: &Message) {
        // Fails when the launcher is gone, and then so is this process in a moment.
        let _ = wire::write(&mut &self.stream, message);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn progress_is_throttled_and_its_end_is_not_lost() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let outbox = Outbox::new(theirs);
        for done in 0..1000 {
            outbox.progress(done, 2000);
        }
        outbox.send(&Message::Done(vec![1]));
        drop(outbox);
        let mut bytes = Vec::new();
        ours.read_to_end(&mut bytes).unwrap();
        let mut decoder = wire::Decoder::default();
        decoder.feed(&bytes);
        let mut seen = Vec::new();
        while let Some(message) = decoder.next().unwrap() {
            seen.push(message);
        }
        assert!(seen.len() < 500, "{} messages", seen.len());
        assert_eq!(seen[0], Message::Progress { done: 0, total: 2000 });
        assert_eq!(
            seen[seen.len() - 2..],
            [Message::Progress { done: 999, total: 2000 }, Message::Done(vec![1])]
        );
    }

    #[test]
    fn nobody_there_is_no_panic() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        Outbox::new(theirs).send(&Message::Ready);
    }
}
