//! Claims within one process: its threads exclude each other as processes do.

mod common;

use std::error::Error;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::{Name, one_line, only};
use ndarray::{IxDyn, ShapeBuilder, arr0};
use ndshm_array::{
    ClaimError, ReadGuard, SharedArray, SharedArray1, SharedArray2, SharedArrayD, WriteGuard,
};
use ndshm_testkit::Watchdog;

type Test = Result<(), Box<dyn Error>>;

const SOON: Duration = Duration::from_millis(60);
const ENTRIES: usize = 1024;

fn watchdog(test: &str) -> Watchdog {
    Watchdog::start(test, Duration::from_secs(60))
}

/// What another thread gets.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|s| s.spawn(f).join().unwrap())
}

#[test]
fn disjoint_claims_are_had_at_once_from_one_reference() -> Test {
    let a = SharedArray2::<u32>::zeros((10, 3))?;
    let mut guards = Vec::new();
    for row in 0..10 {
        guards.push(a.claim_mut(row..=row)?);
    }
    for (row, guard) in guards.iter_mut().enumerate() {
        assert_eq!((guard.row_range(), guard.dim()), (row..row + 1, (1, 3)));
        guard.fill(row as u32);
    }
    // All of them and a neighbour's rows are refused, to read and to write.
    for row in 0..10 {
        assert!(matches!(a.claim(row..=row), Err(ClaimError::Own { .. })));
        elsewhere(|| assert!(matches!(a.claim(row..=row), Err(ClaimError::Overlap { .. }))));
    }
    drop(guards.remove(4));
    elsewhere(|| assert_eq!(a.claim_mut(4..5).map(|g| g.sum()).ok(), Some(12)));
    drop(guards);
    assert_eq!(a.read()?.column(2).to_vec(), (0..10).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn an_overlap_says_who_and_which_rows() -> Test {
    let a = SharedArray1::<u8>::zeros(20)?;
    let held = a.claim_mut(5..10)?;
    elsewhere(|| {
        // Each edge from both sides.
        for (rows, refused) in [
            (0..5, false),
            (0..6, true),
            (4..5, false),
            (5..6, true),
            (7..8, true),
            (9..10, true),
            (9..20, true),
            (10..11, false),
            (10..20, false),
            (0..20, true),
        ] {
            match a.claim_mut(rows.clone()) {
                Ok(guard) => assert!(!refused && guard.row_range() == rows, "{rows:?} was had"),
                Err(ClaimError::Overlap { part, held, by, waits: false }) => {
                    assert!(refused, "{rows:?} was refused");
                    assert!(part == rows && held == (5..10), "{part} and {held}");
                    assert_eq!(by.pid, Some(std::process::id()));
                }
                Err(e) => panic!("{e}"),
            }
        }
        let Err(e) = a.claim(8..12) else { panic!("these rows are taken") };
        let pid = format!("pid {}", std::process::id());
        one_line(&e, &["rows 8..12 cannot be claimed", "rows 5..10", &pid]);
    });
    let Err(e) = a.read() else { panic!("this thread would wait for itself") };
    assert!(matches!(&e, ClaimError::Own { part, held } if *part == (0..20) && *held == (5..10)));
    one_line(&e, &["rows 0..20", "this thread itself has rows 5..10", "drop that guard"]);
    drop(held);
    Ok(())
}

#[test]
fn the_same_thread_may_read_twice_and_not_write_into_what_it_reads() -> Test {
    let _watchdog = watchdog("own claims");
    let a = SharedArray1::<u8>::zeros(8)?;
    let (one, two) = (a.read()?, a.claim(3..5)?);
    assert!(matches!(a.write(), Err(ClaimError::Own { .. })));
    assert!(matches!(a.write_timeout(Duration::MAX), Err(ClaimError::Own { .. })));
    assert!(matches!(a.claim_mut(4..=4), Err(ClaimError::Own { .. })));
    drop(one);
    assert!(matches!(a.claim_mut(4..=4), Err(ClaimError::Own { held, .. }) if held == (3..5)));
    drop(two);
    a.write()?[3] = 1;
    // Nor does another handle, or another mapping of the name, hide that it is the same array.
    let guard = a.write()?;
    let other = a.clone();
    assert!(matches!(other.read(), Err(ClaimError::Own { .. })));
    drop(guard);
    let name = Name::new("own");
    let first = SharedArray1::<u8>::options().name(&*name).zeros(8)?;
    // SAFETY: only this test has the name.
    let second = unsafe { SharedArray1::<u8>::open(&name)? };
    let _guard = first.claim_mut(2..4)?;
    assert!(matches!(second.read(), Err(ClaimError::Own { .. })));
    Ok(())
}

#[test]
fn ranges_are_those_of_slices() -> Test {
    let a = SharedArray1::<u64>::from_array(&ndarray::Array1::from_iter(0..10))?;
    let rows = |range: (Bound<usize>, Bound<usize>)| a.claim_mut(range).map(|g| g.row_range());
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(a.claim(..)?.row_range(), 0..10);
    assert_eq!(a.claim(3..)?.to_vec(), (3..10).collect::<Vec<_>>());
    assert_eq!(a.claim(..=3)?.to_vec(), [0, 1, 2, 3]);
    assert_eq!(a.claim_mut(2..=2)?.to_vec(), [2]);
    assert_eq!(rows((Excluded(2), Included(4))).ok(), Some(3..5));
    assert_eq!(rows((Excluded(9), Unbounded)).ok(), Some(10..10));
    let out = |range: (Bound<usize>, Bound<usize>)| match rows(range) {
        Err(ClaimError::OutOfBounds { axis: 0, asked, len: 10 }) => (asked.start, asked.end),
        other => panic!("{other:?}"),
    };
    assert_eq!(out((Included(5), Excluded(11))), (5, 11));
    assert_eq!(out((Included(11), Unbounded)), (11, 10));
    #[allow(clippy::reversed_empty_ranges, reason = "what is refused")]
    let backwards = a.claim(5..3);
    assert!(matches!(backwards, Err(ClaimError::OutOfBounds { .. })));
    assert_eq!(out((Included(0), Included(usize::MAX))), (0, isize::MAX));
    assert_eq!(out((Excluded(usize::MAX), Unbounded)), (isize::MAX, 10));
    let Err(e) = a.claim_mut(7..12) else { panic!("there are ten rows") };
    one_line(&e, &["axis 0 has no indices 7..12", "the array has 10 along it"]);
    Ok(())
}

#[test]
fn empty_ranges_are_in_nobodys_way() -> Test {
    let a = SharedArray2::<f32>::zeros((6, 2))?;
    let _all = a.write()?;
    let empty = [a.claim_mut(0..0)?, a.claim_mut(3..3)?, a.claim_mut(6..)?];
    assert!(empty.iter().all(|guard| guard.is_empty() && guard.ncols() == 2));
    Ok(())
}

/// The one element of an array without axes is its one row: no range gets at it unclaimed.
#[test]
fn no_dimensions_are_one_row() -> Test {
    let a = SharedArray::from_array(&arr0(7_i64))?;
    assert_eq!((a.nrows(), a.ndim(), a.len(), a.shape().len()), (1, 0, 1, 0));
    *a.claim_mut(0..1)?.first_mut().unwrap() = 8;
    let d = SharedArrayD::<i64>::zeros(IxDyn(&[]))?;
    fn exclusive<D: ndarray::Dimension>(a: &SharedArray<i64, D>) {
        for rows in [0..0, 1..1, 0..1] {
            let held: WriteGuard<'_, _, _> = a.claim_mut(rows.clone()).unwrap();
            elsewhere(|| match a.claim(0..0) {
                Err(ClaimError::Overlap { .. }) => {}
                Ok(two) => assert!(two.is_empty(), "claims {rows:?} and 0..0 share an element"),
                Err(e) => panic!("{e}"),
            });
            drop(held);
        }
        assert!(matches!(a.claim(0..2), Err(ClaimError::OutOfBounds { len: 1, .. })));
    }
    exclusive(&a);
    exclusive(&d);
    assert_eq!(a.read()?.first(), Some(&8));
    Ok(())
}

#[test]
fn claims_are_of_rows_in_every_shape_and_order() -> Test {
    fn check<D: ndarray::Dimension>(shape: D, f_order: bool) {
        let shape = shape.into_shape_with_order();
        let dim = shape.raw_dim().clone();
        let shape = dim.clone().set_f(f_order);
        let a = SharedArray::<i32, D>::zeros(shape).unwrap();
        let n = a.nrows();
        let (mut top, bottom) = (a.claim_mut(..n / 2).unwrap(), a.claim_mut(n / 2..).unwrap());
        assert_eq!(top.shape()[1..], dim.slice()[1..]);
        assert_eq!(top.len() + bottom.len(), a.len());
        top.fill(1);
        assert!(bottom.iter().all(|&x| x == 0), "{dim:?}: rows reach into others");
        let sum = top.len() as i32;
        drop((top, bottom));
        assert_eq!(a.read().unwrap().sum(), sum, "{dim:?}");
    }
    for f in [false, true] {
        check(ndarray::Dim(5), f);
        check(ndarray::Dim([5, 4]), f);
        check(ndarray::Dim([1, 4]), f);
        check(ndarray::Dim([4, 3, 2]), f);
        check(ndarray::Dim([4, 1, 3, 2]), f);
        check(ndarray::Dim([3, 2, 2, 2, 2]), f);
        check(ndarray::Dim([3, 2, 1, 2, 2, 2]), f);
        check(IxDyn(&[3, 2, 2]), f);
        check(IxDyn(&[2; 9]), f);
        // Nothing along one axis or the other.
        check(ndarray::Dim([0, 4]), f);
        check(ndarray::Dim([4, 0]), f);
        check(ndarray::Dim(0), f);
        check(IxDyn(&[2, 0, 3]), f);
    }
    Ok(())
}

#[test]
fn readers_share_and_a_writer_excludes() -> Test {
    let _watchdog = watchdog("readers and writers");
    let a = SharedArray1::<u64>::zeros(100)?;
    let (readers, writers, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Barrier::new(6);
    thread::scope(|s| {
        for thread in 0..6 {
            let (a, readers, writers, most, start) = (&a, &readers, &writers, &most, &start);
            s.spawn(move || {
                start.wait();
                for _ in 0..60 {
                    if thread < 2 {
                        let mut guard = a.write().unwrap();
                        assert_eq!(writers.fetch_add(1, SeqCst) + readers.load(SeqCst), 0);
                        *guard += 1;
                        thread::yield_now();
                        writers.fetch_sub(1, SeqCst);
                    } else {
                        let guard = a.read().unwrap();
                        assert_eq!(writers.load(SeqCst), 0);
                        most.fetch_max(readers.fetch_add(1, SeqCst) + 1, SeqCst);
                        assert!(guard.iter().all(|x| x == &guard[0]), "a torn write is seen");
                        thread::sleep(Duration::from_micros(50));
                        readers.fetch_sub(1, SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(a.read()?.sum(), 100 * 2 * 60);
    assert!(most.into_inner() > 1, "readers never shared");
    Ok(())
}

#[test]
fn waits_end_with_the_holder_or_with_the_time() -> Test {
    let _watchdog = watchdog("waits");
    let a = SharedArray1::<u8>::zeros(10)?;
    let held = a.claim_mut(4..6)?;
    elsewhere(|| {
        let timed = |f: &dyn Fn() -> bool| {
            let start = Instant::now();
            assert!(f(), "had, or refused for another reason");
            let took = start.elapsed();
            assert!(took >= SOON && took < Duration::from_secs(10), "{took:?}");
        };
        timed(
            &|| matches!(a.read_timeout(SOON), Err(ClaimError::Overlap { held, .. }) if held == (4..6)),
        );
        timed(&|| matches!(a.write_timeout(SOON), Err(ClaimError::Overlap { .. })));
        timed(&|| matches!(a.claim_timeout(5..7, SOON), Err(ClaimError::Overlap { .. })));
        timed(&|| matches!(a.claim_mut_timeout(0..5, SOON), Err(ClaimError::Overlap { .. })));
        assert!(matches!(a.read_timeout(Duration::ZERO), Err(ClaimError::Overlap { .. })));
        assert_eq!(a.claim_mut_timeout(6.., Duration::MAX).map(|g| g.len()).ok(), Some(4));
        assert!(matches!(
            a.claim_timeout(6..11, Duration::MAX),
            Err(ClaimError::OutOfBounds { .. })
        ));
    });
    thread::scope(|s| {
        let waiters = [
            s.spawn(|| a.read().map(|_| ()).is_ok()),
            s.spawn(|| a.write().map(|_| ()).is_ok()),
            s.spawn(|| a.write_timeout(Duration::MAX).map(|_| ()).is_ok()),
            s.spawn(|| a.claim_mut_timeout(5..=5, Duration::from_secs(50)).map(|_| ()).is_ok()),
        ];
        thread::sleep(SOON);
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        drop(held);
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
    Ok(())
}

#[test]
fn a_full_table_is_an_error_and_passes() -> Test {
    let a = SharedArray1::<u16>::zeros(ENTRIES + 1)?;
    let mut guards = (0..ENTRIES).map(|row| a.claim_mut(row..=row)).collect::<Vec<_>>();
    // One may be kept for whoever mends what others left.
    let refused = guards.iter().filter(|guard| guard.is_err()).count();
    assert!(refused <= 1, "{refused} of {ENTRIES} were refused");
    let Err(e) = a.claim_mut(ENTRIES..) else { panic!("the table is full") };
    assert!(matches!(e, ClaimError::Full { most: ENTRIES }));
    one_line(&e, &["1024", "table of claims"]);
    let full = elsewhere(|| a.claim_timeout(ENTRIES.., Duration::MAX).map(|_| ()).map_err(drop));
    assert!(full.is_err(), "a wait for an entry would be for whoever holds most");
    guards.pop();
    guards.pop();
    a.claim_mut(ENTRIES..)?[0] = 5;
    drop(guards);
    assert_eq!(a.read()?.sum(), 5);
    Ok(())
}

#[test]
fn a_panic_poisons_what_was_written_to_and_no_more() -> Test {
    let a = SharedArray1::<u8>::zeros(10)?;
    let panics = |f: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
    panics(&|| {
        let _guard = a.read().unwrap();
        panic!("on purpose, while reading");
    });
    drop(a.write()?);
    panics(&|| {
        let _two = (a.claim_mut(2..4).unwrap(), a.claim_mut(6..7).unwrap(), a.claim(0..2).unwrap());
        panic!("on purpose, while writing");
    });
    drop([a.claim_mut(..2)?, a.claim_mut(4..6)?, a.claim_mut(7..)?]);
    let Err(ClaimError::Poisoned(poisoned)) = a.claim(3..4) else { panic!("this was poisoned") };
    assert!(only(&poisoned).panicked && only(&poisoned).row_range() == (2..4));
    assert_eq!(only(&poisoned).member.pid, Some(std::process::id()));
    one_line(&poisoned, &["panicked", "rows 2..4", "clear_poison"]);
    let read: ReadGuard<'_, _, _> = poisoned.into_inner();
    assert_eq!(read.row_range(), 3..4);
    drop(read);
    // It stays until a claim that covers it clears it.
    for (rows, whole) in [(3..4, false), (0..3, false), (3..6, false), (2..4, true)] {
        let Err(e) = a.claim_mut(rows.clone()) else { panic!("{rows:?} was cleared too early") };
        let mut guard = e.into_guard().unwrap();
        assert_eq!(guard.clear_poison()?, whole, "{rows:?}");
    }
    drop(a.claim_mut(2..4)?);
    assert!(matches!(a.read(), Err(ClaimError::Poisoned(p)) if only(&p).row_range() == (6..7)));
    assert!(a.write().err().unwrap().into_guard().unwrap().clear_poison()?);
    drop(a.write()?);
    // A guard taken while unwinding is none that the panic interrupted.
    struct Unwinding<'a>(&'a SharedArray1<u8>);
    impl Drop for Unwinding<'_> {
        fn drop(&mut self) {
            self.0.write().unwrap().fill(3);
        }
    }
    panics(&|| {
        let _unwinding = Unwinding(&a);
        panic!("on purpose");
    });
    assert_eq!(a.read()?.sum(), 30);
    Ok(())
}

#[test]
fn read_only_is_for_the_raw_tier() -> Test {
    let name = Name::new("ro");
    let a = SharedArray2::<i16>::options().name(&*name).from_elem((3, 2), -4)?;
    // SAFETY: only this test has the name.
    let b = unsafe { SharedArray2::<i16>::options().read_only(true).open(&name)? };
    assert!(b.is_read_only() && !a.is_read_only());
    assert!(matches!(b.read(), Err(ClaimError::ReadOnly)));
    assert!(matches!(b.write(), Err(ClaimError::ReadOnly)));
    assert!(matches!(b.write_timeout(Duration::MAX), Err(ClaimError::ReadOnly)));
    assert!(matches!(b.claim(..1), Err(ClaimError::ReadOnly)));
    let Err(e) = b.claim_mut(..1) else { panic!("had") };
    one_line(&e, &["read-only", "read-write"]);
    a.write()?[[2, 1]] = 9;
    // SAFETY: nobody writes meanwhile.
    let view = unsafe { b.view() };
    assert_eq!((view[[2, 1]], view.sum()), (9, 9 - 5 * 4));
    let dir = tempfile::tempdir()?;
    let e = b.save(dir.path().join("a.npy")).unwrap_err();
    one_line(&e, &["read-only"]);
    assert!(common::is_empty(dir.path()));
    Ok(())
}
