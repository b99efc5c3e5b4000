//! The worker's side: from the inherited socket to the user's functions, and home.

use std::error::Error;
use std::fmt::Display;
use std::io::Write;
use std::os::fd::OwnedFd;

use ndshm_buffer::passing;
use ndshm_sync::{Absence, Barrier};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::environment::Inherited;
use crate::group::{self, Group};
use crate::order::{self, Inbox, Join, Order, Run};
use crate::outbox::Outbox;
use crate::sys::{ExecutableId, Image};
use crate::wire::Message;
use crate::worker::Worker;
use crate::{codec, panics};

/// What a user gives to `run`.
pub(crate) type Function<A, R, E> = fn(&Worker, A) -> Result<R, E>;

/// What knows a function's types again in the worker: an instance of [`trampoline`].
pub(crate) type Trampoline = fn(Call<'_>) -> Message;

type Anything = Box<dyn Error + Send + Sync>;

/// All that an instance of [`trampoline`] needs.
pub(crate) struct Call<'a> {
    worker: &'a Worker,
    segments: Vec<OwnedFd>,
    args: Vec<u8>,
    /// # Invariants
    ///
    /// 1. The address, in this process, of the [`Function`] that was given to the `run` whose
    ///    types the trampoline was made for.
    function: *const (),
}

/// What stays the same from run to run.
struct Station {
    rank: usize,
    size: usize,
    outbox: &'static Outbox,
    barrier: Barrier<'static>,
    image: Image,
}

/// Runs what the launcher orders, and ends the process.
pub(crate) fn enter(inherited: Inherited) -> ! {
    let Inherited { rank, size, socket } = inherited;
    // For the rest of the process's life, which is this function.
    let outbox: &'static Outbox = Box::leak(Box::new(Outbox::new(socket)));
    panics::note(outbox);
    let mut inbox = Inbox::default();
    let status = match join(rank, size, outbox, &mut inbox) {
        Ok(station) => {
            outbox.send(&Message::Ready);
            station.serve(&mut inbox)
        }
        Err(e) => {
            outbox.send(&Message::NeverStarted(e.to_string()));
            1
        }
    };
    std::process::exit(status)
}

fn join(
    rank: usize,
    size: usize,
    outbox: &'static Outbox,
    inbox: &mut Inbox,
) -> Result<Station, Anything> {
    let order = inbox
        .next(outbox.stream())
        .map_err(|e| format!("cannot read what the launcher left for it: {e}"))?;
    let Some((Order::Join(join), fds)) = order else {
        return Err("the launcher left nothing for it".into());
    };
    let Join { executable, size: launchers, group } = join;
    if executable != ExecutableId::current()? {
        return Err("it is not the executable that the launcher runs".into());
    }
    if launchers != size as u64 {
        return Err(format!("NDSHM_SIZE says {size} workers, the launcher {launchers}").into());
    }
    // First: the arrays among the arguments join their members when they are deserialised.
    ndshm_array::set_rank(u32::try_from(rank)?);
    let open = || -> Result<_, Anything> { Ok(group::open(&codec::decode(&group)?)?) };
    // SAFETY: it was written within `collect` by the launcher, as was the segment; that the socket is the
    // launcher's is what its inode, passed by the parent process, stands for. Who could forge it could as
    // well have run another program.
    let segment = unsafe { passing::adopt(fds, open) }?;
    // It lasts as long as the process. In particular nothing leaves the group before the end: whoever
    // waits for this worker's locks finds them released, or their holder dead.
    let group: &'static Group = Box::leak(Box::new(Group::join(segment, size, rank)?));
    let barrier = group.barrier();
    Ok(Station { rank, size, outbox, barrier, image: Image::current() })
}

impl Station {
    /// Until the last run, or the launcher's end; the exit status.
    fn serve(&self, inbox: &mut Inbox) -> i32 {
        loop {
            let (last, message) = match inbox.next(self.outbox.stream()) {
                Ok(Some((Order::Run(run), fds))) => (run.last, self.run(run, fds)),
                Ok(None) => return 0,
                Ok(Some(_)) => (true, Message::NeverStarted("it was told to join twice".into())),
                Err(e) => (true, Message::NeverStarted(e.to_string())),
            };
            // Before the launcher goes on and prints something itself.
            let _ = std::io::stdout().flush();
            self.outbox.send(&message);
            // What a panic left behind in this process is nobody's to build upon.
            if last || matches!(message, Message::Panicked(_)) {
                return i32::from(!matches!(message, Message::Done(_)));
            }
        }
    }

    fn run(&self, run: Run, mut segments: Vec<OwnedFd>) -> Message {
        let Self { rank, size, outbox, barrier, ref image } = *self;
        let addresses = image.address(run.trampoline).zip(image.address(run.function));
        let Some((trampoline, function)) = addresses else {
            return Message::NeverStarted("its function is not in the executable".to_owned());
        };
        // SAFETY: the order comes from a `run` in a process of the same executable file (compared in
        // `join`), which wrote the position of a `Trampoline` there; the same code lies at the same
        // position here.
        let trampoline = unsafe { std::mem::transmute::<*const (), Trampoline>(trampoline) };
        let args = match order::arguments(run.args, &mut segments) {
            Ok(args) => args,
            Err(e) => return Message::NeverStarted(format!("cannot read its arguments: {e}")),
        };
        // One that takes the place of a dead one was lost to the others, and stays so.
        let party = if run.attempt == 0 { barrier.join(rank).map(Some) } else { Ok(None) };
        let party = match party {
            Ok(party) => party,
            Err(e) => return Message::NeverStarted(e.to_string()),
        };
        let attempt = usize::try_from(run.attempt).unwrap_or(usize::MAX);
        let worker = Worker::new(rank, size, attempt, party, Some(outbox));
        let call = Call { worker: &worker, segments, args, function };
        let message = panics::catch(|| trampoline(call)).unwrap_or_else(Message::Panicked);
        // Those who wait learn at once, not only when the launcher has heard. Of one that took the place of
        // a dead one they have learnt already.
        if attempt == 0 {
            let good = matches!(message, Message::Done(_));
            barrier.withdraw(rank, if good { Absence::Left } else { Absence::Failed });
        }
        message
    }
}

/// Calls the function with its arguments; what is to be reported.
pub(crate) fn trampoline<A, R, E>(call: Call<'_>) -> Message
where
    A: DeserializeOwned,
    R: Serialize,
    E: Display,
{
    let Call { worker, segments, args, function } = call;
    // SAFETY: a trampoline for these types is entered with the function of the same `run`
    // (invariant 1 of `function`).
    let function = unsafe { std::mem::transmute::<*const (), Function<A, R, E>>(function) };
    // SAFETY: they were written within `collect` by the launcher, as were the segments; `join` made
    // sure that this is its executable.
    let args = unsafe { passing::adopt(segments, || codec::decode(&args)) };
    let args = match args {
        Ok(args) => args,
        Err(e) => {
            let text = format!("its arguments cannot be deserialised: {e}");
            return Message::NeverStarted(text);
        }
    };
    match function(worker, args) {
        Ok(value) => match codec::encode(&value) {
            Ok(bytes) => Message::Done(bytes),
            Err(e) => Message::BadResult(e.to_string()),
        },
        Err(e) => Message::Failed(e.to_string()),
    }
}
