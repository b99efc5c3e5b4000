//! The signals by which people end programs, seen instead of died of.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{c_int, sigaction, sighandler_t};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

const WATCHED: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// While one of these lives, handlers of SIGINT, SIGTERM and SIGHUP are in place. Where nobody watches
/// ([`Interrupts`]) they do what there would be without them. Where the program ignores such a signal, or has a
/// handler of its own, that stays.
#[derive(Debug)]
pub(crate) struct Handlers(());

/// While one of these lives, those signals are noted: the first of each kind; another ends the process, as
/// ever.
///
/// Several threads may have one each: all of them see what comes. The last to go sends what nobody has
/// asked about to the process once more.
#[derive(Debug)]
pub(crate) struct Interrupts {
    // Last to go: what is sent once more finds the dispositions of before, or handlers while nobody watches.
    _handlers: Handlers,
}

struct State {
    handlers: usize,
    /// Made once, and kept: the handler writes to it.
    wake: Option<OwnedFd>,
    /// What was there before.
    replaced: Vec<(c_int, sigaction)>,
}

static STATE: Mutex<State> = Mutex::new(State { handlers: 0, wake: None, replaced: Vec::new() });
/// For the handler: the descriptor in `STATE.wake`, the process that it is for, how many watch, what came last.
static WAKE: AtomicI32 = AtomicI32::new(-1);
static PROCESS: AtomicI32 = AtomicI32::new(0);
static WATCHING: AtomicUsize = AtomicUsize::new(0);
static CAUGHT: AtomicI32 = AtomicI32::new(0);
static TOLD: AtomicBool = AtomicBool::new(false);

impl Handlers {
    /// Puts them in, if they are not there yet.
    pub(crate) fn put_in() -> io::Result<Self> {
        let mut state = lock();
        // One that was forked with handlers in place has those of its parent, which are for that one.
        if PROCESS.load(Ordering::SeqCst) != own_pid() {
            let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            WAKE.store(wake.as_raw_fd(), Ordering::SeqCst);
            state.wake = Some(wake);
            PROCESS.store(own_pid(), Ordering::SeqCst);
        }
        if state.handlers == 0 {
            state.replaced = WATCHED.into_iter().filter_map(replace).collect();
        }
        state.handlers += 1;
        Ok(Self(()))
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        let mut state = lock();
        state.handlers -= 1;
        if state.handlers == 0 {
            for (signal, before) in std::mem::take(&mut state.replaced) {
                put_back(signal, &before);
            }
        }
    }
}

impl Interrupts {
    /// Begins to watch.
    pub(crate) fn watch() -> io::Result<Self> {
        let handlers = Handlers::put_in()?;
        WATCHING.fetch_add(1, Ordering::SeqCst);
        Ok(Self { _handlers: handlers })
    }

    /// The number of the signal that came last; whoever asks has to heed it.
    pub(crate) fn caught(&self) -> Option<i32> {
        let signal = CAUGHT.load(Ordering::SeqCst);
        if signal != 0 {
            TOLD.store(true, Ordering::SeqCst);
        }
        (signal != 0).then_some(signal)
    }
}

impl AsFd for Interrupts {
    /// Readable once there is something to ask about.
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is in `STATE.wake`, which is replaced only in a process that was forked since.
        unsafe { BorrowedFd::borrow_raw(WAKE.load(Ordering::SeqCst)) }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        let state = lock();
        if WATCHING.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        let caught = CAUGHT.swap(0, Ordering::SeqCst);
        if caught == 0 {
            return;
        }
        if let Some(wake) = &state.wake {
            // Refused only where it is empty.
            let _ = read(wake, &mut [0; 8]);
        }
        // Those that came are out (SA_RESETHAND), and for the next who watches in again.
        for (signal, _) in &state.replaced {
            replace(*signal);
        }
        if !TOLD.swap(false, Ordering::SeqCst) {
            // SAFETY: sends a signal; with nobody watching, its handler does what the disposition of before would.
            unsafe { libc::raise(caught) };
        }
    }
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own_pid() -> i32 {
    // SAFETY: takes nothing and touches nothing.
    unsafe { libc::getpid() }
}

/// Puts the handler in, where there is none; what was there before.
fn replace(signal: c_int) -> Option<(c_int, sigaction)> {
    let before = exchange(signal, None)?;
    if before.sa_sigaction != libc::SIG_DFL {
        return None;
    }
    // Reset: the second one ends the process.
    let flags = libc::SA_RESTART | libc::SA_RESETHAND;
    let ours = sigaction { sa_sigaction: handler(), sa_flags: flags, ..before };
    exchange(signal, Some(&ours)).map(|_| (signal, before))
}

/// Takes the handler out, unless the program has put in another meanwhile.
fn put_back(signal: c_int, before: &sigaction) {
    if let Some(now) = exchange(signal, Some(before))
        && now.sa_sigaction != libc::SIG_DFL
        && now.sa_sigaction != handler()
    {
        exchange(signal, Some(&now));
    }
}

fn handler() -> sighandler_t {
    note as extern "C" fn(c_int) as sighandler_t
}

/// Sets the disposition, if there is one to set; what it was.
fn exchange(signal: c_int, to: Option<&sigaction>) -> Option<sigaction> {
    let mut was = MaybeUninit::uninit();
    let to = to.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `to` is null, or what the system gave for this signal, or that with `note` as its handler,
    // which does only what a handler may; the old one is written to `was`.
    let r = unsafe { sigaction(signal, to, was.as_mut_ptr()) };
    // SAFETY: it was written, as the result says.
    (r == 0).then(|| unsafe { was.assume_init() })
}

/// The handler. Where nobody watches, in a child between fork and exec, or in one that was forked and goes
/// on, it is as if there were none.
extern "C" fn note(signal: c_int) {
    // SAFETY: gives the place of this thread's errno; nothing else.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: a place of this thread's own. What was interrupted must find it as it was.
    let before = unsafe { *errno };
    if WATCHING.load(Ordering::SeqCst) > 0 && own_pid() == PROCESS.load(Ordering::SeqCst) {
        CAUGHT.store(signal, Ordering::SeqCst);
        // SAFETY: it is open as long as the process lives (`STATE.wake`).
        let wake = unsafe { BorrowedFd::borrow_raw(WAKE.load(Ordering::SeqCst)) };
        // Refused only where it is full, and then it is readable already.
        let _ = write(wake, &1_u64.to_ne_bytes());
    } else {
        // SAFETY: the disposition is the default one by now (SA_RESETHAND); async-signal-safe.
        unsafe { libc::raise(signal) };
    }
    // SAFETY: as above.
    unsafe { *errno = before };
}
