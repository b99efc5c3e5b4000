//! What a launcher tells its workers.
//!
//! A frame is `length: u64` (little-endian, of what follows) and an [`Order`], with descriptors at its
//! first bytes: of the group's segment for [`Join`]; for [`Run`] of the file with the arguments where they
//! are long, then of the segments among them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use ndshm_buffer::{SharedBuffer, passing};
use serde::{Deserialize, Serialize};

use crate::group::Group;
use crate::sys::{self, ExecutableId};
use crate::{StartError, codec};

/// What is longer goes into a file, once for all workers: a socket might not take it at once.
const SHORT: usize = 16 << 10;
const LENGTH: usize = size_of::<u64>();

/// One thing to do.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    Join(Join),
    Run(Run),
}

/// Which group this is. Comes first, and once.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Join {
    /// The executable in which `trampoline` and `function` are positions.
    pub(crate) executable: ExecutableId,
    /// Number of workers.
    pub(crate) size: u64,
    /// The group's segment, serialised.
    pub(crate) group: Vec<u8>,
}

/// Which function to call.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Position of the entry for this function's types.
    pub(crate) trampoline: u64,
    /// Position of the user's function.
    pub(crate) function: u64,
    /// How often a process of this rank died in this run.
    pub(crate) attempt: u64,
    /// Whether the process ends with it.
    pub(crate) last: bool,
    pub(crate) args: Args,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Args {
    Here(Vec<u8>),
    InFile,
}

impl Order {
    fn frame(&self) -> io::Result<Vec<u8>> {
        let encoded = codec::encode(self).map_err(io::Error::other)?;
        let mut frame = (encoded.len() as u64).to_le_bytes().to_vec();
        frame.extend_from_slice(&encoded);
        Ok(frame)
    }
}

/// The first order of a group's workers.
#[derive(Debug)]
pub(crate) struct Welcome {
    frame: Vec<u8>,
    segments: Vec<SharedBuffer>,
}

impl Welcome {
    pub(crate) fn new(group: &Group, size: usize) -> Result<Self, StartError> {
        let (encoded, segments) = passing::collect(|| codec::encode(group.segment()));
        let executable =
            ExecutableId::current().map_err(StartError::system("look at /proc/self/exe"))?;
        let group = encoded.map_err(StartError::group)?;
        let order = Order::Join(Join { executable, size: size as u64, group });
        let frame = order.frame().map_err(StartError::system("write what the workers need"))?;
        Ok(Self { frame, segments })
    }

    pub(crate) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let fds: Vec<_> = self.segments.iter().map(AsFd::as_fd).collect();
        told(sys::send(socket, &self.frame, &fds))
    }
}

/// One run, for all workers of a group.
#[derive(Debug)]
pub(crate) struct Task {
    trampoline: u64,
    function: u64,
    pub(crate) last: bool,
    args: Args,
    file: Option<File>,
    segments: Vec<SharedBuffer>,
}

impl Task {
    pub(crate) fn new(
        (trampoline, function): (u64, u64),
        last: bool,
        encode: impl FnOnce() -> Result<Vec<u8>, codec::Error>,
    ) -> Result<Self, StartError> {
        let (args, segments) = passing::collect(encode);
        let args = args.map_err(|e| StartError::Arguments(e.to_string()))?;
        let (args, file) = if args.len() <= SHORT {
            (Args::Here(args), None)
        } else {
            let file = sys::anonymous_file("ndshm-arguments").and_then(|mut file| {
                file.write_all(&args)?;
                Ok(file)
            });
            let what = "write the arguments of the workers into memory";
            (Args::InFile, Some(file.map_err(StartError::system(what))?))
        };
        Ok(Self { trampoline, function, last, args, file, segments })
    }

    pub(crate) fn send(&self, socket: &UnixStream, attempt: usize) -> io::Result<()> {
        let frame = self.frame(attempt)?;
        let file = self.file.iter().map(AsFd::as_fd);
        let fds: Vec<BorrowedFd<'_>> = file.chain(self.segments.iter().map(AsFd::as_fd)).collect();
        told(sys::send(socket, &frame, &fds))
    }

    fn frame(&self, attempt: usize) -> io::Result<Vec<u8>> {
        let Self { trampoline, function, last, ref args, .. } = *self;
        let (attempt, args) = (attempt as u64, args.clone());
        Order::Run(Run { trampoline, function, attempt, last, args }).frame()
    }
}

/// That a worker has ended already is seen otherwise.
fn told(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(e)
            if matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
        {
            Ok(())
        }
        sent => sent,
    }
}

/// Where a worker hears orders.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// What is read at once; made once.
    piece: Vec<u8>,
    pending: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Inbox {
    /// Waits for the next order, and what came with it; `None` when the launcher has let go.
    pub(crate) fn next(
        &mut self,
        socket: &UnixStream,
    ) -> io::Result<Option<(Order, Vec<OwnedFd>)>> {
        self.piece.resize(SHORT + 1024, 0);
        loop {
            if let Some(order) = self.whole()? {
                // An order is answered before the next is given: the descriptors are all its own. (The
                // first two may come together, each with its own at its first byte.)
                return Ok(Some((order, std::mem::take(&mut self.fds))));
            }
            let n = sys::receive(socket, &mut self.piece, &mut self.fds)?;
            if n == 0 {
                return Ok(None);
            }
            self.pending.extend_from_slice(&self.piece[..n]);
        }
    }

    fn whole(&mut self) -> io::Result<Option<Order>> {
        let Some((length, rest)) = self.pending.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(io::Error::other)?;
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let order = codec::decode(frame).map_err(io::Error::other)?;
        self.pending.drain(..LENGTH + length);
        Ok(Some(order))
    }
}

/// The arguments, where they travelled in a file, which is then the first of the descriptors.
pub(crate) fn arguments(args: Args, fds: &mut Vec<OwnedFd>) -> io::Result<Vec<u8>> {
    let Args::Here(bytes) = args else {
        if fds.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let file = File::from(fds.remove(0));
        let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
        // All workers share one file offset.
        file.read_exact_at(&mut bytes, 0)?;
        return Ok(bytes);
    };
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(args: Vec<u8>) -> Task {
        let buffer = SharedBuffer::anonymous(64).unwrap();
        let encode = || {
            codec::encode(&buffer)?;
            Ok(args)
        };
        Task::new((7, 9), true, encode).unwrap()
    }

    #[test]
    fn orders_arrive_with_their_descriptors() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut inbox = Inbox::default();
        let group = Group::create(3).unwrap();
        Welcome::new(&group, 3).unwrap().send(&ours).unwrap();
        for args in [Vec::new(), vec![5; SHORT], vec![6; SHORT + 1]] {
            task(args.clone()).send(&ours, 2).unwrap();
        }
        let (order, fds) = inbox.next(&theirs).unwrap().unwrap();
        assert!(matches!(order, Order::Join(Join { size: 3, .. })));
        assert_eq!(fds.len(), 1, "its own alone, although more has been sent");
        for expected in [Vec::new(), vec![5; SHORT], vec![6; SHORT + 1]] {
            let (order, mut fds) = inbox.next(&theirs).unwrap().unwrap();
            let Order::Run(run) = order else { panic!("{order:?}") };
            assert_eq!((run.trampoline, run.function, run.attempt, run.last), (7, 9, 2, true));
            assert_eq!(arguments(run.args, &mut fds).unwrap(), expected);
            assert_eq!(fds.len(), 1);
        }
        drop(ours);
        assert!(inbox.next(&theirs).unwrap().is_none());
    }

    #[test]
    fn what_is_no_order_is_an_error() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(&[4, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap();
        assert!(Inbox::default().next(&theirs).is_err());
    }
}
