//! A mutex in shared memory under the guards of `lock_api`, across processes.

use std::any::Any;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use lock_api::{RawMutex, RawMutexTimed};
use ndshm_sync::{BoundMutex, LockError, Members, Mutex, Region};
use ndshm_testkit::{Child, Role, SharedMemory, arguments, until};

const REGION: usize = 64 * 1024;
const LIMIT: Duration = Duration::from_secs(40);
const EACH: u64 = 10_000;

ndshm_testkit::suite! {
    roles: [player],
    tests: [
        60 => increments_of_generic_code,
        60 => the_death_of_a_holder_is_a_panic,
        60 => time_outs,
        60 => a_panic_of_ours_does_not_poison,
        60 => a_forked_child_acquires_nothing,
        60 => one_that_is_bound_to_nothing,
    ],
}

fn join(memory: &SharedMemory) -> Members<'_> {
    // SAFETY: a fresh memfd, mapped for the rest of the process's life; the first `REGION` bytes
    // are used through this crate only.
    let region = unsafe { Region::new(memory.base(), REGION, memory.file().as_fd()) };
    Members::join(region).expect("cannot join")
}

fn create() -> SharedMemory {
    SharedMemory::create(REGION + 4096)
}

/// Behind the region. Word 0 is what the lock guards, word 1 how far a child has come.
fn word(memory: &SharedMemory, n: usize) -> &'static AtomicU64 {
    memory.word(REGION + 8 * n)
}

fn lock<'m>(members: &'m Members<'m>) -> Mutex<'m, ()> {
    members.layout().mutex(()).expect("no place for the mutex")
}

fn shared<'m>(
    word: Mutex<'m, ()>,
    guarded: &'static AtomicU64,
) -> lock_api::Mutex<BoundMutex<'m>, &'static AtomicU64> {
    lock_api::Mutex::from_raw(BoundMutex::new(word), guarded)
}

/// Knows nothing of processes.
fn increment<R: RawMutex>(mutex: &lock_api::Mutex<R, &AtomicU64>) {
    let guard = mutex.lock();
    guard.store(guard.load(Relaxed) + 1, Relaxed);
}

fn player() {
    let memory = SharedMemory::inherited();
    let members = join(&memory);
    let shared = shared(lock(&members), word(&memory, 0));
    match arguments()[0].as_str() {
        "add" => (0..EACH).for_each(|_| increment(&shared)),
        "hold" => {
            let _guard = shared.lock();
            word(&memory, 1).store(1, SeqCst);
            thread::sleep(LIMIT);
        }
        other => panic!("{other}?"),
    }
}

fn child(memory: &SharedMemory, what: &str) -> Child {
    Role::new("player").shared(memory.file()).arg(what).spawn()
}

fn holder(memory: &SharedMemory) -> Child {
    word(memory, 1).store(0, SeqCst);
    let child = child(memory, "hold");
    until("it holds", LIMIT, || word(memory, 1).load(SeqCst) == 1);
    child
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).expect("a panic with a text")
}

fn increments_of_generic_code() {
    let memory = create();
    let members = join(&memory);
    let mut adders = [(); 3].map(|()| child(&memory, "add"));
    let shared = shared(lock(&members), word(&memory, 0));
    (0..EACH).for_each(|_| increment(&shared));
    adders.iter_mut().for_each(|adder| adder.succeed(LIMIT));
    assert_eq!(shared.lock().load(Relaxed), 4 * EACH);
    assert!(!shared.is_locked());
}

fn the_death_of_a_holder_is_a_panic() {
    let memory = create();
    let members = join(&memory);
    let word = lock(&members);
    let shared = shared(word, self::word(&memory, 0));
    let mut child = holder(&memory);
    assert!(shared.is_locked());
    child.kill();

    // Whoever asks, in whatever way, and again.
    let ways: [&dyn Fn(); 4] = [
        &|| drop(shared.lock()),
        &|| drop(shared.try_lock()),
        &|| drop(shared.try_lock_for(Duration::from_secs(1))),
        &|| drop(shared.try_lock_until(Instant::now())),
    ];
    for way in ways {
        let told = catch_unwind(AssertUnwindSafe(way)).expect_err("the holder died");
        let text = text(&*told);
        assert!(text.contains("died while holding the lock"), "{text}");
        assert!(text.contains(&format!("pid {}", child.pid())), "{text}");
        assert!(!shared.is_locked(), "left locked by the panic");
        assert!(word.is_poisoned());
    }
    match word.try_lock() {
        Err(LockError::Poisoned(p)) => p.into_inner().clear_poison(),
        other => panic!("the poison should have stayed: {other:?}"),
    }
    increment(&shared);
    assert_eq!(shared.lock().load(Relaxed), 1);
}

fn time_outs() {
    let memory = create();
    let members = join(&memory);
    let shared = shared(lock(&members), word(&memory, 0));
    let _child = holder(&memory);
    let (start, short) = (Instant::now(), Duration::from_millis(60));
    assert!(shared.try_lock().is_none());
    assert!(shared.try_lock_for(short).is_none());
    assert!(shared.try_lock_until(Instant::now() + short).is_none());
    assert!(start.elapsed() >= 2 * short);
}

fn a_panic_of_ours_does_not_poison() {
    let memory = create();
    let members = join(&memory);
    let shared = shared(lock(&members), word(&memory, 0));
    ndshm_testkit::panic_holding(|| shared.lock());
    increment(&shared);
}

fn a_forked_child_acquires_nothing() {
    let memory = create();
    let members = join(&memory);
    let shared = shared(lock(&members), word(&memory, 0));
    let guard = shared.lock();
    // SAFETY: the child only does what is looked at here, and ends; nothing that another thread (the
    // watchdog) could have left half-done is waited for, but the allocator, which glibc mends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        std::panic::set_hook(Box::new(|_| ()));
        drop(guard);
        let told = catch_unwind(AssertUnwindSafe(|| drop(shared.try_lock())));
        let well = told.is_err_and(|told| text(&*told).contains("forked"));
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!well)) };
    }
    let mut status = 0;
    // SAFETY: `status` is what the kernel writes.
    let r = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((r, status), (pid, 0), "the forked child failed");
    assert!(shared.is_locked(), "the child released what is its parent's");
    drop(guard);
    increment(&shared);
}

fn one_that_is_bound_to_nothing() {
    fn refuses<R>(what: impl FnOnce() -> R) {
        let told = catch_unwind(AssertUnwindSafe(|| drop(what())));
        let told = told.expect_err("there is no lock");
        assert!(text(&*told).contains("bound to no lock"), "{}", text(&*told));
    }
    let mutex = lock_api::Mutex::<BoundMutex<'static>, u32>::new(1);
    refuses(|| *mutex.lock());
    refuses(|| mutex.try_lock().is_some());
    refuses(|| mutex.is_locked());
    refuses(|| BoundMutex::INIT.try_lock_for(Duration::ZERO));
}
