//! One value under a mutex.

mod common;

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use common::one_line;
use ndshm_array::{ArrayHandle, SharedArray1, SharedMutex};
use ndshm_buffer::{BufferHandle, passing};
use ndshm_sync::LockError;
use ndshm_testkit::Watchdog;

type Test = Result<(), Box<dyn Error>>;

/// What a worker gets that is handed `value`: through inherited descriptors, as a launcher does it.
fn handed_on<A, B>(value: &A) -> Result<B, postcard::Error>
where
    A: serde::Serialize,
    B: serde::de::DeserializeOwned,
{
    use std::os::fd::AsFd;
    let (bytes, segments) = passing::collect(|| postcard::to_stdvec(value));
    let fds = segments.iter().map(|s| s.as_fd().try_clone_to_owned().unwrap()).collect();
    // SAFETY: bytes and descriptors are those that were just collected.
    unsafe { passing::adopt(fds, || postcard::from_bytes(&bytes?)) }
}

#[test]
fn threads_and_clones_share_one_value() -> Test {
    let _watchdog = Watchdog::start("a shared mutex", Duration::from_secs(60));
    let total = SharedMutex::new([0_u64; 9])?;
    let clone = total.clone();
    thread::scope(|s| {
        for handle in [&total, &clone, &total, &clone] {
            s.spawn(|| {
                for _ in 0..2000 {
                    let mut guard = handle.lock().unwrap();
                    assert!(guard.iter().all(|x| *x == guard[0]), "torn");
                    guard.iter_mut().for_each(|x| *x += 1);
                }
            });
        }
    });
    drop(total);
    assert_eq!(*clone.lock()?, [8000; 9]);
    let guard = clone.lock()?;
    thread::scope(|s| {
        s.spawn(|| {
            assert!(matches!(clone.try_lock(), Err(LockError::WouldBlock { owner: Some(_) })));
            let e = clone.lock_timeout(Duration::from_millis(30)).unwrap_err();
            assert!(matches!(e, LockError::TimedOut { owner: Some(_) }));
            one_line(&e, &["pid"]);
        });
    });
    drop(guard);
    assert!(clone.try_lock().is_ok());
    Ok(())
}

#[test]
fn values_of_all_sizes_fit() -> Test {
    drop(SharedMutex::new(())?.lock()?);
    assert_eq!(*SharedMutex::new(3_u8)?.lock()?, 3);
    assert_eq!(*SharedMutex::new(3_u128)?.lock()?, 3);
    let big = SharedMutex::new([7_u64; 4096])?;
    big.lock()?[4095] = 8;
    assert_eq!(big.lock()?.iter().sum::<u64>(), 7 * 4096 + 1);
    // On both sides of each page's end.
    let nearly_a_page = SharedMutex::new([[1_u32; 31]; 31])?;
    assert_eq!(nearly_a_page.lock()?.as_flattened().iter().sum::<u32>(), 961);
    assert_eq!(SharedMutex::new([1_u8; 4096])?.lock()?.len(), 4096);
    assert_eq!(SharedMutex::new([[1_u64; 512]; 8])?.lock()?.len(), 8);
    Ok(())
}

#[test]
fn a_panic_poisons_it() -> Test {
    let value = SharedMutex::new(1_u64)?;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        *value.lock().unwrap() = 2;
        let _guard = value.lock().unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    let Err(LockError::Poisoned(poisoned)) = value.lock() else { panic!("this was poisoned") };
    assert!(poisoned.panicked() && poisoned.member().pid == Some(std::process::id()));
    one_line(&poisoned, &["panicked"]);
    let mut guard = poisoned.into_inner();
    assert_eq!(*guard, 2);
    guard.clear_poison();
    drop(guard);
    assert_eq!(*value.lock()?, 2);
    Ok(())
}

#[test]
fn outside_a_worker_there_is_only_a_handle() -> Test {
    let value = SharedMutex::new(1.5_f64)?;
    let bytes = postcard::to_stdvec(&value)?;
    let handle: BufferHandle = postcard::from_bytes(&bytes)?;
    // Raw bytes of it would let safe code change what a guard lends.
    assert!(matches!(handle.open(), Err(ndshm_buffer::OpenError::Typed { .. })));
    // JSON, because it keeps the text of errors.
    let text = serde_json::to_string(&value)?;
    let e = serde_json::from_str::<SharedMutex<f64>>(&text).unwrap_err();
    one_line(&e, &["only where a worker starts"]);

    let array = SharedArray1::<f64>::zeros(3)?;
    let e = serde_json::from_str::<SharedArray1<f64>>(&serde_json::to_string(&array)?).unwrap_err();
    one_line(&e, &["only where a worker starts", "ArrayHandle", "unsafe open()"]);
    let bytes = postcard::to_stdvec(&array)?;
    let handle: ArrayHandle<f64, ndarray::Ix1> = postcard::from_bytes(&bytes)?;
    assert_eq!(handle.shape(), [3]);
    Ok(())
}

#[test]
fn it_is_one_value_however_often_it_is_handed_on() -> Test {
    let value = SharedMutex::new(5_u64)?;
    let (one, two): (SharedMutex<u64>, SharedMutex<u64>) = handed_on(&(&value, &value))?;
    let three: SharedMutex<u64> = handed_on(&one)?;
    for (i, handle) in [&value, &one, &two, &three].into_iter().enumerate() {
        assert_eq!(*handle.lock()?, 5 + i as u64, "handle {i} is of another value");
        *handle.lock()? += 1;
    }
    let guard = two.lock()?;
    assert!(matches!(value.try_lock(), Err(LockError::WouldBlock { .. })));
    assert!(matches!(three.try_lock(), Err(LockError::WouldBlock { .. })));
    drop(guard);
    drop((value, one, two));
    assert_eq!(*three.lock()?, 9);
    Ok(())
}

#[test]
fn it_does_not_become_another_type() -> Test {
    let value = SharedMutex::new([0_u64; 2])?;
    assert!(handed_on::<_, SharedMutex<u64>>(&value).is_err());
    assert!(handed_on::<_, SharedMutex<[u64; 512]>>(&value).is_err());
    assert!(handed_on::<_, SharedMutex<[u64; 2]>>(&value).is_ok());
    assert!(handed_on::<_, SharedArray1<u64>>(&value).is_err());
    assert!(handed_on::<_, SharedMutex<u64>>(&SharedArray1::<u64>::zeros(5)?).is_err());
    Ok(())
}

#[test]
fn an_array_that_is_claimed_here_is_not_handed_on() -> Test {
    let a = SharedArray1::<u64>::from_elem(4, 3)?;
    let guard = a.claim(1..2)?;
    let refused = handed_on::<_, SharedArray1<u64>>(&a);
    assert!(refused.is_err(), "the worker would wait for this thread");
    // As an inert handle it goes; and another thread's claim is not this one's.
    assert!(postcard::to_stdvec(&a.handle()).is_ok() && postcard::to_stdvec(&a).is_ok());
    thread::scope(|s| {
        s.spawn(|| assert!(handed_on::<_, SharedArray1<u64>>(&a).is_ok()));
    });
    drop(guard);
    let b: SharedArray1<u64> = handed_on(&a)?;
    b.write()?.fill(4);
    assert_eq!(a.read()?.sum(), 16);
    let (c, d): (SharedArray1<u64>, SharedArray1<u64>) = handed_on(&(&a, &b))?;
    assert_eq!((c.read()?.sum(), d.read()?.sum()), (16, 16));
    Ok(())
}
