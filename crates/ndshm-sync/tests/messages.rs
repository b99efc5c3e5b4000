//! What people read: each error is one line that says what, who and what to do, and `?` takes it along without its guard.

use std::error::Error;
use std::time::{Duration, Instant};

use ndshm_sync::{
    AcquireError, Barrier, BarrierError, LayoutError, LockError, Members, Mutex, OnDeath,
    OnceError, Reset, Roster, Semaphore,
};
use ndshm_testkit::{members, one_line as says, panic_holding};

const SOON: Duration = Duration::from_millis(1);

#[test]
fn of_locks() -> Result<(), Box<dyn Error>> {
    let members = members!();
    let me = format!("pid {}", std::process::id());
    let mut layout = members.layout();
    let (mutex, rwlock) = (layout.mutex(1_u64)?, layout.rwlock(1_u64)?);
    let (mutex, rwlock) = (&mutex, &rwlock);

    let held = mutex.lock()?;
    assert_eq!(format!("{held} {held:?}"), "1 1");
    let errors = std::thread::scope(|s| {
        let other = s.spawn(|| {
            [
                mutex.try_lock().unwrap_err().without_guard(),
                mutex.lock_timeout(SOON).unwrap_err().without_guard(),
                mutex.lock_deadline(Instant::now()).unwrap_err().without_guard(),
            ]
        });
        other.join().unwrap()
    });
    says(&errors[0], &["the lock is held by", &me]);
    says(&errors[1], &["timed out waiting for a lock held by", &me]);
    says(&errors[2], &["timed out waiting for a lock held by", &me]);
    assert!(format!("{errors:?}").starts_with("[WouldBlock { owner: Some("), "{errors:?}");
    let [error, ..] = errors;
    assert!(error.into_guard().is_none());
    drop(held);

    panic_holding(|| mutex.lock());
    let mut error = mutex.lock().unwrap_err();
    says(&mutex.try_lock().unwrap_err().without_guard(), &["is held"]);
    assert!(format!("{error:?}").contains("panicked: true"), "{error:?}");
    if let LockError::Poisoned(poisoned) = &mut error {
        **poisoned.get_mut() = 7;
    }
    let error = LockError::<()>::from(error);
    says(&error, &[&me, "panicked while holding the lock", "call clear_poison"]);
    assert!(mutex.inspect().to_string().contains("; poisoned by"), "{}", mutex.inspect());
    assert_eq!(**mutex.lock().unwrap_err().into_guard().as_ref().unwrap(), 7);

    panic_holding(|| rwlock.write());
    assert!(rwlock.is_poisoned());
    let readable = rwlock.read().unwrap_err().into_guard().unwrap();
    assert_eq!(format!("{readable} {readable:?}"), "1 1");
    drop(readable);
    rwlock.write().unwrap_err().into_guard().unwrap().clear_poison();
    assert_eq!(format!("{}", rwlock.write()?), "1");

    // `?` drops the guard, whatever the function returns: the lock is free in what follows.
    fn boxed(mutex: &Mutex<'_, u64>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _guard = mutex.lock()?;
        Ok(())
    }
    fn plain(mutex: &Mutex<'_, u64>) -> Result<(), LockError<()>> {
        let _guard = mutex.lock()?;
        Ok(())
    }
    says(&boxed(mutex).unwrap_err(), &["call clear_poison"]);
    says(&plain(mutex).unwrap_err(), &["call clear_poison"]);
    assert!(matches!(mutex.try_lock(), Err(LockError::Poisoned(_))), "it is free, and poisoned");
    Ok(())
}

#[test]
fn of_semaphores() -> Result<(), Box<dyn Error>> {
    let members = members!();
    let semaphore = members.layout().semaphore(1, OnDeath::Report)?;
    let permit = semaphore.acquire()?;
    let error = semaphore.try_acquire().unwrap_err();
    assert_eq!(format!("{error:?}"), "WouldBlock { permits: 1 }");
    says(&error.without_permit(), &["all 1 permits are held by living members"]);
    let error = semaphore.acquire_timeout(SOON).unwrap_err();
    assert_eq!(format!("{error:?}"), "TimedOut { permits: 1 }");
    says(&AcquireError::<()>::from(error), &["timed out", "living members hold all"]);
    assert!(semaphore.try_acquire().unwrap_err().into_permit().is_none());

    fn boxed(semaphore: &Semaphore<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _permit = semaphore.try_acquire()?;
        Ok(())
    }
    says(&boxed(&semaphore).unwrap_err(), &["held by living members"]);
    drop(permit);
    boxed(&semaphore).unwrap();

    for permits in [0, Semaphore::MOST + 1, usize::MAX] {
        let error = members!().layout().semaphore(permits, OnDeath::Return).unwrap_err();
        assert!(matches!(error, LayoutError::Permits { permits: found, .. } if found == permits));
        says(&error, &[&permits.to_string(), &Semaphore::MOST.to_string()]);
    }
    // So many there may be, but not here.
    let error = members!().layout().semaphore(Semaphore::MOST, OnDeath::Return).unwrap_err();
    assert!(matches!(error, LayoutError::Full { .. }), "{error}");
    Ok(())
}

#[test]
fn of_barriers() -> Result<(), Box<dyn Error>> {
    let members = members!();
    let barrier: Barrier<'_> = members.layout().barrier(2)?;
    let mut party = barrier.join(0)?;
    let error = party.wait_timeout(SOON).unwrap_err();
    says(&error, &["timed out at the barrier", "not there yet: rank 1"]);
    let BarrierError::Broken { lost } = party.wait().unwrap_err() else { panic!("it is broken") };
    assert!(!lost.is_empty());
    says(&BarrierError::Broken { lost: Vec::new() }, &["it was reset meanwhile"]);
    let text = barrier.inspect().to_string();
    assert!(text.contains("rank 1"), "{text}");
    Ok(())
}

#[test]
fn of_what_is_done_once() -> Result<(), Box<dyn Error>> {
    let members = members!();
    let cell = members.layout().once_cell::<u64>()?;
    says(&cell.try_wait().unwrap_err(), &["not there yet", "nobody is at work on it"]);
    panic_holding(|| cell.get_or_init(|| std::panic::resume_unwind(Box::new(()))));
    let error = cell.wait_timeout(SOON).unwrap_err();
    assert!(matches!(error, OnceError::Abandoned { panicked: true, .. }), "{error:?}");
    says(&error, &["panicked while it initialised", "initialise it anew"]);
    Ok(())
}

/// All kinds, each asked for where the one before it lies.
#[test]
fn of_places_that_something_else_has() -> Result<(), Box<dyn Error>> {
    let memberships = std::array::from_fn::<_, 11, _>(|_| members!());
    let [a, b, c, d, e, f, g, h, i, j, k] = &memberships;
    a.layout().mutex(0_u64)?;
    b.layout().barrier(3)?;
    c.layout().rwlock(0_u64)?;
    d.layout().seqlock(0_u64)?;
    e.layout().condvar()?;
    f.layout().semaphore(5, OnDeath::Return)?;
    g.layout().semaphore(5, OnDeath::Report)?;
    h.layout().signal_semaphore(6)?;
    i.layout().event(Reset::Manual)?;
    j.layout().event(Reset::Auto)?;
    k.layout().latch(7)?;
    let there = [
        "a mutex around 8 bytes",
        "a barrier for 3 parties",
        "around 8 bytes",
        "a sequence lock around 8 bytes",
        "a condvar",
        "a semaphore of 5 permits",
        "a semaphore of 5 permits that reports deaths",
        "a signal semaphore that began with 6",
        "an event that stays set",
        "an event that resets itself",
        "a latch for 7 parties",
    ];
    for (members, there) in memberships.iter().zip(there) {
        let another = Members::join(members.region())?; // begins from the front
        says(&another.layout().once().unwrap_err(), &[there, "something done once"]);
    }
    Ok(())
}

#[test]
fn of_a_table_of_another_version() {
    use std::os::unix::fs::FileExt;

    let file = tempfile::tempfile().unwrap();
    file.set_len(Members::SIZE as u64).unwrap();
    assert!(Roster::read(&file, 0).is_ok(), "nobody has joined yet");
    file.write_all_at(&[0xff; 8], 0).unwrap();
    let error = Roster::read(&file, 0).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    says(&error, &["its table of members says version", "this build reads"]);
}
