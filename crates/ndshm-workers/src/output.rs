//! What workers print, line by line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys;

/// What becomes of what workers print: [`Workers::output`](crate::Workers::output).
///
/// ```
/// use ndshm_workers::{Event, Output, Stream, Workers};
///
/// fn main() {
///     ndshm_workers::init();
///     let mut lines = Vec::new();
///     let workers = Workers::new(2).output(Output::Events).on_event(|event| {
///         if let Event::Output { rank, stream: Stream::Stdout, line } = event {
///             lines.push((rank, String::from_utf8_lossy(&line).into_owned()));
///         }
///     });
///     let greet = |w: &ndshm_workers::Worker, ()| Ok::<_, String>(println!("I am {}", w.rank()));
///     workers.run(greet, &()).unwrap();
///     drop(workers);
///     lines.sort();
///     assert_eq!(lines, [(0, "I am 0".to_owned()), (1, "I am 1".to_owned())]);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// It goes where this process's goes, as it comes: lines of several workers may mix.
    #[default]
    Inherit,
    /// This process prints it while it waits, line by line, each with the rank before it: `[2] text`.
    Prefixed,
    /// It is told as [`Event::Output`](crate::Event::Output), line by line, and printed nowhere.
    Events,
}

/// Which of a worker's streams.
///
/// ```
/// use ndshm_workers::Stream;
///
/// assert_ne!(Stream::Stdout, Stream::Stderr);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// A line that is longer comes in pieces.
const LONGEST: usize = 1 << 20;

/// A stream of a worker, cut into lines.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) stream: Stream,
    pipe: Option<File>,
    pending: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(stream: Stream, pipe: OwnedFd) -> io::Result<Self> {
        sys::make_nonblocking(&pipe)?;
        Ok(Self { stream, pipe: Some(pipe.into()), pending: Vec::new() })
    }

    /// What to wait for; `None` once it was closed.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there; `line` gets each whole line, without its end. At most a few pieces, so that
    /// a worker that prints without end holds up nobody.
    pub(crate) fn read(&mut self, piece: &mut [u8], line: &mut dyn FnMut(Stream, Vec<u8>)) {
        for _ in 0..4 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(piece) {
                Ok(n @ 1..) => self.take(&piece[..n], line),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => {
                    self.pipe = None;
                    self.flush(line);
                }
            }
        }
    }

    /// What came last, where it is no whole line.
    pub(crate) fn flush(&mut self, line: &mut dyn FnMut(Stream, Vec<u8>)) {
        if !self.pending.is_empty() {
            line(self.stream, std::mem::take(&mut self.pending));
        }
    }

    fn take(&mut self, bytes: &[u8], line: &mut dyn FnMut(Stream, Vec<u8>)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.pending.extend_from_slice(&rest[..end]);
            line(self.stream, std::mem::take(&mut self.pending));
            rest = &rest[end + 1..];
        }
        self.pending.extend_from_slice(rest);
        if self.pending.len() >= LONGEST {
            self.flush(line);
        }
    }
}

/// Prints a worker's line as this process's own.
pub(crate) fn print_prefixed(rank: usize, stream: Stream, line: &[u8]) {
    let mut text = format!("[{rank}] ").into_bytes();
    text.extend_from_slice(line);
    text.push(b'\n');
    // Where nobody listens there is nobody to tell.
    let _ = match stream {
        Stream::Stdout => {
            let mut out = io::stdout().lock();
            out.write_all(&text).and_then(|()| out.flush())
        }
        Stream::Stderr => io::stderr().lock().write_all(&text),
    };
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn lines_come_whole_however_they_arrive() {
        let (mut writer, reader) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(Stream::Stdout, reader.into()).unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 7];
        for text in ["one\ntw", "o\n\n", "thr", "ee"] {
            writer.write_all(text.as_bytes()).unwrap();
            lines.read(&mut piece, &mut |_, line| seen.push(String::from_utf8(line).unwrap()));
        }
        assert_eq!(seen, ["one", "two", ""]);
        drop(writer);
        lines.read(&mut piece, &mut |_, line| seen.push(String::from_utf8(line).unwrap()));
        assert_eq!(seen, ["one", "two", "", "three"]);
        assert!(lines.fd().is_none());
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let mut lines = Lines { stream: Stream::Stderr, pipe: None, pending: Vec::new() };
        let mut count = 0;
        for _ in 0..5 {
            lines.take(&vec![b'x'; LONGEST / 2], &mut |_, line| count += line.len());
        }
        assert_eq!(count, 2 * LONGEST);
    }
}
