//! Turning SIGBUS into an error while bytes are copied.
//!
//! A touch of a mapped page that the file does not have any more, because a peer has truncated it, is a SIGBUS. Within a
//! [`Watch`] it is not: the handler puts a private page of zeroes in place of the missing one, notes that, and the copy
//! goes on to its end, which then is an error. The page is given back to the file before the copy returns.
//!
//! The handler looks only at memory that is never freed, and makes only system calls that any handler may make. A
//! fault that is none of its business goes on to the handler that was there before.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::mem;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, compiler_fence};

/// A copy under way, or one that was: then another may have the entry.
///
/// # Invariants
///
/// 1. Leaked, never freed; `next` is set before the entry is on the list, and never again.
/// 2. While `owner` is not 0, only the thread that it names writes to the entry, in its handler too.
/// 3. While `owner` is not 0, `damaged` is a flag that lives, and `begin..end` are pages of one mapping of a file, which
///    the handler may replace.
struct Entry {
    next: *const Entry,
    /// Process and thread; 0 while nobody has it.
    owner: AtomicU64,
    begin: AtomicUsize,
    end: AtomicUsize,
    writable: AtomicBool,
    damaged: AtomicPtr<AtomicBool>,
    /// What was replaced: from the lowest address to the end of the highest page. Empty where nothing was.
    lowest: AtomicUsize,
    highest: AtomicUsize,
}

/// All entries there are.
static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// What was installed before; leaked.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
static INSTALLED: AtomicBool = AtomicBool::new(false);
static PAGE: AtomicUsize = AtomicUsize::new(0);

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// Has this process's SIGBUS come here first, from now on.
pub(crate) fn install() {
    if INSTALLED.load(Acquire) {
        return;
    }
    PAGE.store(super::page_size(), Relaxed);
    let mut before = no_action();
    // SAFETY: only asks; the kernel writes one `sigaction`, which `before` is.
    unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) };
    let handler = on_bus_error as Handler as libc::sighandler_t;
    if before.sa_sigaction != handler {
        // Known before the handler can need it. Of two threads that come here at once, the second finds the same.
        let kept = Box::into_raw(Box::new(before));
        if PREVIOUS.compare_exchange(ptr::null_mut(), kept, AcqRel, Acquire).is_err() {
            // SAFETY: made just now, and nobody else has seen it.
            drop(unsafe { Box::from_raw(kept) });
        }
        let mut action = no_action();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handler has the type that SA_SIGINFO asks for, and does only what handlers may.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) };
    }
    INSTALLED.store(true, Release);
}

fn no_action() -> libc::sigaction {
    // SAFETY: all zeroes is a valid `sigaction`: the default, no flags, an empty mask.
    unsafe { mem::zeroed() }
}

/// While this lives, a fault of this thread in its range is noted instead of ending the process.
pub(crate) struct Watch<'a> {
    entry: &'static Entry,
    damaged: &'a AtomicBool,
    /// It belongs to the thread that made it.
    _thread: PhantomData<*const ()>,
}

impl<'a> Watch<'a> {
    /// Watches addresses, which are those of one mapping; `damaged` becomes true before a page is replaced, and stays so.
    pub(super) fn start(range: Range<usize>, writable: bool, damaged: &'a AtomicBool) -> Self {
        let entry = take();
        entry.begin.store(range.start, Relaxed);
        entry.end.store(range.end, Relaxed);
        entry.writable.store(writable, Relaxed);
        entry.damaged.store(ptr::from_ref(damaged).cast_mut(), Relaxed);
        entry.lowest.store(usize::MAX, Relaxed);
        entry.highest.store(0, Relaxed);
        // A handler runs on the thread that it interrupts, and sees what that has done so far: only the compiler must
        // keep the order.
        compiler_fence(SeqCst);
        Self { entry, damaged, _thread: PhantomData }
    }

    /// True if a page of this mapping was missing, now or ever.
    pub(crate) fn damaged(&self) -> bool {
        compiler_fence(SeqCst);
        self.damaged.load(Acquire)
    }

    /// What was replaced since it began.
    pub(super) fn replaced(&self) -> Option<Range<usize>> {
        compiler_fence(SeqCst);
        let range = self.entry.lowest.load(Relaxed)..self.entry.highest.load(Relaxed);
        (!range.is_empty()).then_some(range)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        compiler_fence(SeqCst);
        // A handler that interrupts from here on finds no range.
        self.entry.end.store(0, Relaxed);
        compiler_fence(SeqCst);
        self.entry.owner.store(0, Release);
    }
}

/// An entry for this thread.
fn take() -> &'static Entry {
    let me = this_thread();
    let first = ENTRIES.load(Acquire);
    let mut at: *const Entry = first;
    // SAFETY: null or an entry, which is never freed (invariant 1).
    while let Some(entry) = unsafe { at.as_ref() } {
        if entry.owner.load(Relaxed) == 0
            && entry.owner.compare_exchange(0, me, Acquire, Relaxed).is_ok()
        {
            return entry;
        }
        at = entry.next;
    }
    let entry = Box::leak(Box::new(Entry {
        next: first,
        owner: AtomicU64::new(me),
        begin: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        writable: AtomicBool::new(false),
        damaged: AtomicPtr::new(ptr::null_mut()),
        lowest: AtomicUsize::new(usize::MAX),
        highest: AtomicUsize::new(0),
    }));
    let mut first = first;
    loop {
        entry.next = first;
        // Release pairs with the loads of `ENTRIES`: who sees the entry sees what is in it.
        match ENTRIES.compare_exchange(first, entry, AcqRel, Acquire) {
            Ok(_) => return entry,
            Err(now) => first = now,
        }
    }
}

/// Process and thread: a forked child has entries of threads that it does not have.
fn this_thread() -> u64 {
    // SAFETY: neither touches memory.
    let process = unsafe { libc::getpid() };
    // SAFETY: as above.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    (process as u64) << 32 | (thread as u64 & 0xffff_ffff)
}

extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t`, which nobody else has.
    let told = unsafe { &*info };
    let code = told.si_code;
    // SAFETY: the field is valid for SIGBUS.
    let address = unsafe { told.si_addr() }.addr();
    if code != libc::BUS_ADRERR || !replace_page(address) {
        pass_on(signal, info, context, code);
    }
}

/// Puts zeroes where a copy of this thread has found nothing; false where none is under way there.
fn replace_page(address: usize) -> bool {
    let me = this_thread();
    let mut at: *const Entry = ENTRIES.load(Acquire);
    // SAFETY: null or an entry, which is never freed (invariant 1).
    while let Some(entry) = unsafe { at.as_ref() } {
        let range = entry.begin.load(Relaxed)..entry.end.load(Relaxed);
        if entry.owner.load(Relaxed) == me && range.contains(&address) {
            return replace_in(entry, address);
        }
        at = entry.next;
    }
    false
}

fn replace_in(entry: &Entry, address: usize) -> bool {
    let size = PAGE.load(Relaxed);
    let page = address & !(size - 1);
    // SAFETY: the flag lives as long as the copy is under way (invariant 3), which this has interrupted.
    if let Some(damaged) = unsafe { entry.damaged.load(Relaxed).as_ref() } {
        // Before anybody can read the zeroes.
        damaged.store(true, SeqCst);
    }
    entry.lowest.fetch_min(page, Relaxed);
    entry.highest.fetch_max(page + size, Relaxed);
    let write = if entry.writable.load(Relaxed) { libc::PROT_WRITE } else { 0 };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let at = ptr::without_provenance_mut(page);
    // SAFETY: a page of the mapping that is being copied from or to (invariant 3): atomics alone look at it, and any
    // value of them is valid.
    let mapped = unsafe { libc::mmap(at, size, libc::PROT_READ | write, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

/// As if this handler were not there.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void, code: c_int) {
    // SAFETY: null or leaked.
    let previous = unsafe { PREVIOUS.load(Acquire).as_ref() };
    let sent = code <= 0;
    match previous {
        Some(action) if action.sa_sigaction == libc::SIG_IGN && sent => {}
        Some(action) if ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction) => {
            if action.sa_flags & libc::SA_SIGINFO != 0 {
                // SAFETY: with this flag it was installed as a function of that type.
                let handler = unsafe { mem::transmute::<usize, Handler>(action.sa_sigaction) };
                handler(signal, info, context);
            } else {
                // SAFETY: without the flag, as one of this type.
                let handler =
                    unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(action.sa_sigaction) };
                handler(signal);
            }
        }
        _ => {
            let default = no_action();
            // SAFETY: reads one `sigaction`. What has faulted faults again once the handler returns, and ends the process.
            unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
            if sent {
                // SAFETY: comes when the handler returns; touches no memory.
                unsafe { libc::raise(signal) };
            }
        }
    }
}
