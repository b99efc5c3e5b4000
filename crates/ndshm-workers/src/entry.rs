//! The worker's side: from the inherited descriptors to the user's function, and home.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;
use std::os::fd::OwnedFd;

use ndshm_buffer::{SharedBuffer, passing};
use ndshm_sync::{Absence, Barrier, Members};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::environment::Inherited;
use crate::hello::{self, Head};
use crate::outbox::Outbox;
use crate::sys::{self, ExecutableId, Image};
use crate::wire::Message;
use crate::worker::Worker;
use crate::{codec, group, panics};

/// What a user gives to `run`.
pub(crate) type Function<A, R, E> = fn(&Worker, A) -> Result<R, E>;

/// What knows a function's types again in the worker: an instance of [`trampoline`].
pub(crate) type Trampoline = fn(Start) -> i32;

type Anything = Box<dyn Error>;

/// All that an instance of [`trampoline`] needs.
pub(crate) struct Start {
    rank: usize,
    size: usize,
    outbox: &'static Outbox,
    segments: Vec<OwnedFd>,
    group: Vec<u8>,
    args: Vec<u8>,
    /// # Invariants
    ///
    /// 1. The address, in this process, of the [`Function`] that was given to the `run` whose
    ///    types the trampoline was made for.
    function: *const (),
}

/// Runs the worker and ends the process.
pub(crate) fn enter(inherited: Inherited) -> ! {
    let Inherited { rank, size, socket, hello } = inherited;
    // For the rest of the process's life, which is this function.
    let outbox: &'static Outbox = Box::leak(Box::new(Outbox::new(socket)));
    let prepared = hello::read(&hello)
        .map_err(|e| format!("cannot read what the launcher left for it: {e}"))
        .and_then(|(head, args)| prepare(rank, size, outbox, head, args));
    drop(hello);
    let status = match prepared {
        Ok((trampoline, start)) => trampoline(start),
        Err(text) => {
            outbox.send(&Message::NeverStarted(text));
            1
        }
    };
    std::process::exit(status)
}

fn prepare(
    rank: usize,
    size: usize,
    outbox: &'static Outbox,
    head: Head,
    args: Vec<u8>,
) -> Result<(Trampoline, Start), String> {
    let executable = ExecutableId::current().map_err(|e| e.to_string())?;
    if executable != head.executable {
        return Err("it is not the executable that the launcher runs".to_owned());
    }
    if head.size != size as u64 {
        return Err(format!("NDSHM_SIZE says {size} workers, the launcher {}", head.size));
    }
    let image = Image::current();
    let addresses = image.address(head.trampoline).zip(image.address(head.function));
    let (trampoline, function) = addresses.ok_or("its function is not in the executable")?;
    // SAFETY: the head comes from a `run` in a process of the same executable file (compared
    // above), which wrote the position of a `Trampoline` there; the same code lies at the same
    // position here. That the head comes from a `run` is what the descriptor's inode, passed by
    // the parent process, stands for; who could forge it could as well have run another program.
    let trampoline = unsafe { std::mem::transmute::<*const (), Trampoline>(trampoline) };
    let mut segments = Vec::with_capacity(head.segments.len());
    for fd in head.segments {
        // SAFETY: the launcher opened this descriptor for this worker, each number once, and
        // nothing in this process, which begins here, knows of it yet.
        let segment = unsafe { sys::inherited(fd) };
        segments.push(segment.map_err(|e| format!("a segment was not inherited: {e}"))?);
    }
    let group = head.group;
    Ok((trampoline, Start { rank, size, outbox, segments, group, args, function }))
}

/// Calls the function with its arguments, and reports; returns the exit status.
pub(crate) fn trampoline<A, R, E>(start: Start) -> i32
where
    A: DeserializeOwned,
    R: Serialize,
    E: Display,
{
    // SAFETY: a trampoline for these types is entered with the function of the same `run`
    // (invariant 1 of `function`).
    let function = unsafe { std::mem::transmute::<*const (), Function<A, R, E>>(start.function) };
    let outbox = start.outbox;
    let mut barrier = None;
    let caught = panics::catch(outbox, || {
        let Joined { worker, barrier: joined, args } = match join::<A>(start) {
            Ok(joined) => joined,
            Err(e) => return Message::NeverStarted(e.to_string()),
        };
        barrier = Some((joined, worker.rank()));
        outbox.send(&Message::Started);
        match function(worker, args) {
            Ok(value) => match codec::encode(&value) {
                Ok(bytes) => Message::Done(bytes),
                Err(e) => Message::BadResult(e.to_string()),
            },
            Err(e) => Message::Failed(e.to_string()),
        }
    });
    let last = caught.unwrap_or_else(Message::Panicked);
    let good = matches!(last, Message::Done(_));
    // Those who wait learn at once, not only when this process is gone.
    if let Some((barrier, rank)) = barrier {
        barrier.withdraw(rank, if good { Absence::Left } else { Absence::Failed });
    }
    // Before the launcher goes on and prints something itself.
    let _ = std::io::stdout().flush();
    outbox.send(&last);
    i32::from(!good)
}

struct Joined<A> {
    worker: &'static Worker,
    barrier: Barrier<'static>,
    args: A,
}

fn join<A: DeserializeOwned>(start: Start) -> Result<Joined<A>, Anything> {
    let Start { rank, size, outbox, segments, group, args, .. } = start;
    let rank_as_member = u32::try_from(rank)?;
    // First: the arrays among the arguments join their members when they are deserialised.
    ndshm_array::set_rank(rank_as_member);
    let decode = || -> Result<_, Anything> {
        let segment = group::open(&codec::decode(&group)?)?;
        let args = codec::decode(&args)
            .map_err(|e| format!("its arguments cannot be deserialised: {e}"))?;
        Ok((segment, args))
    };
    // SAFETY: both were written within `collect` by the launcher, as were the segments; `entry`
    // made sure that this is its executable.
    let (segment, args) = unsafe { passing::adopt(segments, decode) }?;
    // All of these last as long as the process. In particular nothing leaves the group before the
    // end: whoever waits for this worker's locks finds them released, or their holder dead.
    let segment: &'static SharedBuffer = Box::leak(Box::new(segment));
    let members = Members::join_as(group::region(segment), rank_as_member)?;
    let members: &'static Members<'static> = Box::leak(Box::new(members));
    let barrier = members.layout().barrier(size)?;
    let worker = Worker::new(barrier.join(rank)?, size, outbox);
    Ok(Joined { worker: Box::leak(Box::new(worker)), barrier, args })
}
