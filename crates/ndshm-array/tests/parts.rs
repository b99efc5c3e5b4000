//! Claims of slices, of several parts, atomic ones; who waits for whom.

mod common;

use std::error::Error;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use common::one_line;
use ndarray::{IxDyn, ShapeBuilder, arr2, s};
use ndshm_array::{ClaimError, SharedArray, SharedArray1, SharedArray2, SharedArray3, Tiling};
use ndshm_testkit::Watchdog;

type Test = Result<(), Box<dyn Error>>;

const LONG: Duration = Duration::from_secs(20);

fn watchdog(what: &str) -> Watchdog {
    Watchdog::start(what, Duration::from_secs(60))
}

/// What somebody else gets.
fn elsewhere<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|s| s.spawn(f).join().expect("no panic"))
}

/// Lets threads get so far that they sleep.
fn while_others_wait() {
    thread::sleep(Duration::from_millis(150));
}

#[test]
fn slices_exclude_each_other_where_they_share_an_element() -> Test {
    let _watchdog = watchdog("slices");
    let a = SharedArray2::<u32>::zeros((6, 8))?;
    let _even = a.claim_mut(s![.., ..;2])?;
    elsewhere(|| {
        a.claim_mut(s![.., 1..;2]).unwrap().fill(1); // the columns between
        a.claim_mut(s![2, 3]).unwrap().fill(2); // an element, without axes
        a.claim_mut(s![1..;3, -1..;-4]).unwrap().fill(3);
        let refused = [
            a.claim(..1).map(drop).map_err(|e| e.without_guard()),
            a.claim(s![5, 4]).map(drop).map_err(|e| e.without_guard()),
            a.claim_mut(s![..;5, ..;3]).map(drop).map_err(|e| e.without_guard()),
        ];
        for e in refused.map(Result::unwrap_err) {
            one_line(&e, &["[0..6, 0..7;2]", "cannot be claimed"]);
        }
    });
    Ok(())
}

#[test]
fn a_part_slices_the_whole_to_what_was_claimed() -> Test {
    let _watchdog = watchdog("parts");
    let a = SharedArray2::from_shape_fn((6, 8), |(i, j)| (10 * i + j) as u32)?;
    let whole = a.to_owned()?;
    for part in [s![.., ..], s![2..3, 7..], s![1..;2, ..;3], s![0..6;5, 1..8;2], s![..2, 3..4;9]] {
        let claim = a.claim(part)?;
        let slices = claim.part();
        let sliced = whole.slice_each_axis(|along| slices.slice(along.axis.index()));
        assert_eq!(sliced, *claim, "{slices}");
        let inside = whole.indexed_iter().filter(|&((i, j), _)| slices.contains(&[i, j]));
        assert!(inside.map(|(_, element)| element).eq(&sliced), "{slices}");
    }
    Ok(())
}

#[test]
fn a_claim_shows_its_part_with_the_indices_of_the_array() -> Test {
    for fortran in [false, true] {
        let a = SharedArray3::<u64>::zeros((4, 5, 6).set_f(fortran))?;
        let index = |(i, j, k): (usize, usize, usize)| (100 * i + 10 * j + k) as u64;
        a.claim_mut(s![1..;2, .., ..;-2])?.fill_with_index(index);
        a.claim_mut(s![2, 1.., 3])?.fill_with_index(index);
        a.claim_mut(s![0, ndarray::NewAxis, 4, ..])?.fill_with_index(index);
        a.claim_mut(s![0, 0, 0])?.fill_with_index(|i| index(i) + 7);
        let read = a.read()?;
        for (at, &element) in read.indexed_iter() {
            let (i, j, k) = at;
            let filled = i % 2 == 1 && k % 2 == 1 || i == 2 && j >= 1 && k == 3 || i == 0 && j == 4;
            let expected = if at == (0, 0, 0) { 7 } else { u64::from(filled) * index(at) };
            assert_eq!(element, expected, "{at:?}");
        }
    }
    Ok(())
}

#[test]
fn what_an_axis_does_not_have_is_an_error() -> Test {
    let a = SharedArray2::<u8>::zeros((6, 8))?;
    let e = a.claim(s![.., 3..9]).unwrap_err();
    assert!(matches!(e, ClaimError::OutOfBounds { axis: 1, len: 8, .. }));
    one_line(&e, &["axis 1 has no indices 3..9", "the array has 8 along it"]);
    one_line(&a.claim_mut(s![-7, ..]).unwrap_err(), &["axis 0 has no indices -7..-6"]);
    let d = SharedArray::<u8, IxDyn>::zeros(IxDyn(&[3, 4]))?;
    let slice = s![1.., 2];
    assert_eq!(d.claim(slice.as_ref())?.shape(), [2]);
    Ok(())
}

#[test]
fn parts_are_had_together_or_not_at_all() -> Test {
    let _watchdog = watchdog("many parts");
    let a = SharedArray1::<u32>::zeros(10)?;
    let held = a.claim_mut(8..)?;
    elsewhere(|| {
        let soon = Duration::from_millis(5);
        let refused = a.claim_many_mut([0..2, 7..9], soon).map(drop);
        assert!(matches!(refused, Err(ClaimError::Overlap { held, .. }) if held == (8..10)));
        a.claim_mut(0..2).unwrap().fill(1); // it was given back
    });
    drop(held);
    let own = a.claim_many_mut([0..3, 2..4], LONG).map(drop);
    assert!(matches!(own, Err(ClaimError::Own { part, held }) if part == (2..4) && held == (0..3)));
    drop(a.claim_many([0..3, 2..4], LONG)?); // to read
    // Both want both, in both orders, many times.
    let taken = AtomicUsize::new(0);
    thread::scope(|s| {
        for parts in [[0..1, 9..10], [9..10, 0..1]] {
            let (a, taken) = (&a, &taken);
            s.spawn(move || {
                for _ in 0..500 {
                    let [mut x, mut y] = a.claim_many_mut(parts.clone(), LONG).unwrap();
                    assert_eq!(taken.fetch_add(1, SeqCst), 0);
                    (x[0], y[0]) = (x[0] + 1, y[0] + 1);
                    taken.store(0, SeqCst);
                }
            });
        }
    });
    assert_eq!((a.read()?[0], a.read()?[9]), (1001, 1000));
    Ok(())
}

#[test]
fn atomic_claims_go_beside_each_other_and_not_beside_views() -> Test {
    let _watchdog = watchdog("atomics");
    let a = SharedArray2::<f64>::zeros((4, 4))?;
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                let sums = a.claim_atomic(..).unwrap();
                for n in 0..1000 {
                    sums.fetch_add((n % 4, 1), 0.5);
                    sums.fetch_max((0, 0), f64::from(n as u32));
                    sums.fetch_min((0, 3), -f64::from(n as u32));
                }
            });
        }
    });
    let read = a.read()?;
    assert_eq!(read.column(1), ndarray::arr1(&[500.0; 4]));
    assert_eq!((read[[0, 0]], read[[0, 3]]), (999.0, -999.0));
    elsewhere(|| assert!(matches!(a.claim_atomic(2..), Err(ClaimError::Overlap { .. }))));
    drop(read);
    let column = a.claim_atomic(s![.., 1])?;
    elsewhere(|| {
        assert!(matches!(a.claim(..1), Err(ClaimError::Overlap { .. })));
        a.claim_mut(s![.., 2]).unwrap().fill(1.0);
    });
    column.copy_in(&(2.0 * &column.copy_out()));
    assert_eq!(column.copy_out(), ndarray::arr1(&[1000.0; 4]));
    let out = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| column.load(4)));
    assert!(out.is_err());
    Ok(())
}

#[test]
fn who_came_first_is_served_first() -> Test {
    let _watchdog = watchdog("order");
    let a = SharedArray1::<u32>::zeros(10)?;
    let order = std::sync::Mutex::new(Vec::new());
    let came = |n: u32| order.lock().unwrap().push(n);
    let reader = a.read()?;
    thread::scope(|s| -> Test {
        s.spawn(|| {
            let _all = a.write_timeout(LONG).unwrap();
            came(1);
        });
        while_others_wait();
        // It excludes the writer, which waits: so it comes after it, though the reader would let it in.
        let refused = elsewhere(|| a.claim(2..3).map(drop).map_err(ClaimError::without_guard));
        let Err(e @ ClaimError::Overlap { waits: true, .. }) = refused else {
            panic!("it overtook a writer: {refused:?}")
        };
        one_line(&e, &["has waited for rows 0..10 for longer"]);
        s.spawn(|| {
            let _part = a.claim_timeout(2..3, LONG).unwrap();
            came(2);
        });
        while_others_wait();
        // The one that reads already is not kept waiting by who waits for it.
        drop(a.claim(4..5)?);
        assert!(order.lock().unwrap().is_empty());
        drop(reader);
        Ok(())
    })?;
    assert_eq!(*order.lock().unwrap(), [1, 2]);
    Ok(())
}

#[test]
fn readers_that_keep_coming_do_not_starve_a_writer() -> Test {
    let _watchdog = watchdog("starving");
    let a = SharedArray1::<u32>::zeros(10)?;
    let (done, start) = (AtomicUsize::new(0), Barrier::new(4));
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                start.wait();
                while done.load(SeqCst) == 0 {
                    let guard = a.read().unwrap();
                    thread::sleep(Duration::from_millis(1));
                    drop(guard);
                }
            });
        }
        start.wait();
        for _ in 0..20 {
            a.write_timeout(LONG).expect("within that time").fill(1);
        }
        done.store(1, SeqCst);
    });
    Ok(())
}

#[test]
fn a_circle_of_waits_is_told_to_one_of_them() -> Test {
    let _watchdog = watchdog("circle");
    for parties in [2, 3, 5] {
        let a = SharedArray1::<u64>::zeros(parties)?;
        let (held, told) = (Barrier::new(parties), AtomicUsize::new(0));
        thread::scope(|s| {
            for me in 0..parties {
                let (a, held, told) = (&a, &held, &told);
                s.spawn(move || {
                    let mut mine = a.claim_mut(me..me + 1).unwrap();
                    held.wait();
                    let next = (me + 1) % parties;
                    match a.claim_mut_timeout(next..next + 1, LONG) {
                        Ok(mut theirs) => theirs[0] += 1,
                        Err(e @ ClaimError::Deadlock { .. }) => {
                            one_line(&e, &["waits for what this thread has", "claim both at once"]);
                            told.fetch_add(1, SeqCst);
                        }
                        Err(e) => panic!("{e}"),
                    }
                    mine[0] += 1;
                });
            }
        });
        assert_eq!(told.load(SeqCst), 1, "of {parties}");
        assert_eq!(a.read()?.sum(), 2 * parties as u64 - 1);
    }
    Ok(())
}

#[test]
fn a_wait_behind_one_who_waits_is_no_circle() -> Test {
    let _watchdog = watchdog("chain");
    let a = SharedArray1::<u64>::zeros(3)?;
    let first = a.claim_mut(0..1)?;
    thread::scope(|s| {
        for me in 1..3 {
            let a = &a;
            s.spawn(move || {
                let _mine = a.claim_mut(me..me + 1).unwrap();
                drop(a.claim_mut_timeout(me - 1..me, LONG).unwrap());
            });
            while_others_wait();
        }
        drop(first);
    });
    Ok(())
}

#[test]
fn one_who_gives_up_lets_those_behind_it_go_on() -> Test {
    let _watchdog = watchdog("giving up");
    let a = SharedArray1::<u64>::zeros(10)?;
    let reader = a.claim(..5)?;
    thread::scope(|s| {
        s.spawn(|| assert!(a.write_timeout(Duration::from_millis(400)).is_err()));
        while_others_wait();
        let start = Instant::now();
        // Beyond the reader, but behind the writer.
        elsewhere(|| a.claim_mut_timeout(5.., LONG).map(drop).unwrap());
        assert!(start.elapsed() < LONG / 2);
    });
    drop(reader);
    Ok(())
}

#[test]
fn an_owned_guard_keeps_its_array() -> Test {
    let _watchdog = watchdog("owned");
    let a = SharedArray2::from_array(&arr2(&[[1, 2, 3], [4, 5, 6]]))?;
    let mut column = a.claim_mut_owned(s![.., 1])?;
    let other = a.clone();
    drop(a);
    column[1] = 9;
    assert_eq!(column.to_vec(), [2, 9]);
    elsewhere(|| assert!(other.claim(..).map(drop).is_err()));
    drop(column);
    assert_eq!(other.read()?.sum(), 1 + 2 + 3 + 4 + 9 + 6);
    Ok(())
}

#[test]
fn a_snapshot_is_of_one_moment_for_readers_too() -> Test {
    let _watchdog = watchdog("snapshots");
    let name = common::Name::new("snapshot");
    let options = SharedArray2::<u64>::options().name(&*name);
    let a = options.zeros((64, 64).set_f(true))?;
    // SAFETY: only this test has the name.
    let reader = unsafe { SharedArray2::<u64>::options().read_only(true).open(&name)? };
    let done = AtomicUsize::new(0);
    thread::scope(|s| {
        s.spawn(|| {
            for n in 1..400 {
                a.write().unwrap().fill(n);
                thread::sleep(Duration::from_micros(300));
            }
            done.store(1, SeqCst);
        });
        for from in [&a, &reader] {
            let done = &done;
            s.spawn(move || {
                let (mut last, mut seen) = (0, 0);
                while done.load(SeqCst) == 0 {
                    let copy = from.snapshot(LONG).unwrap();
                    let first = copy[[0, 0]];
                    assert!(copy.iter().all(|&x| x == first), "of two moments");
                    assert!(first >= last, "back in time");
                    seen += u64::from(first != last);
                    last = first;
                }
                assert!(seen > 10, "{seen} snapshots");
            });
        }
    });
    assert!(!reader.snapshot(LONG)?.is_standard_layout(), "in the order of the array");
    let writer = a.claim_mut(..3)?;
    let refused = reader.snapshot(Duration::from_millis(5));
    assert!(matches!(refused, Err(ClaimError::Overlap { held, .. }) if held == (0..3)));
    drop(writer);
    ndshm_testkit::panic_holding(|| a.claim_mut(s![.., 2..4]));
    for from in [&a, &reader] {
        let Err(ClaimError::Poisoned(p)) = from.snapshot(LONG) else { panic!("half-changed") };
        assert_eq!(p.parts()[0].part.to_string(), "[0..64, 2..4]");
        assert_eq!(p.into_inner().dim(), (64, 64));
    }
    Ok(())
}

#[test]
fn another_number_of_axes_is_an_error_and_poisons_nothing() -> Test {
    let a = SharedArray::<f64, IxDyn>::zeros(IxDyn(&[4, 5]))?;
    let cube = Tiling::new(IxDyn(&[4, 5, 2]), IxDyn(&[2, 2, 2]));
    let refused = [
        a.claim_mut(cube.tile(0)).map(drop).map_err(|e| e.without_guard()),
        a.claim_mut(s![1..].as_ref()).map(drop).map_err(|e| e.without_guard()),
        a.claim_many_mut([s![1..].as_ref()], LONG).map(drop).map_err(|e| e.without_guard()),
        a.claim(s![1.., .., 0].as_ref()).map(drop).map_err(|e| e.without_guard()),
    ];
    for e in refused.map(Result::unwrap_err) {
        assert!(matches!(e, ClaimError::OutOfBounds { .. }), "{e}");
    }
    drop(a.write()?); // neither taken nor poisoned
    a.claim_mut(Tiling::new(IxDyn(&[4]), IxDyn(&[3])).tile(1))?.fill(1.0); // whole rows
    assert_eq!(a.read()?.sum(), 5.0);
    Ok(())
}

/// One that waits for several parts is in nobody's way whom it waits for.
#[test]
fn who_has_what_others_wait_for_may_have_the_rest_of_it() -> Test {
    let _watchdog = watchdog("the rest of what others wait for");
    let a = SharedArray1::<f64>::zeros(10)?;
    let mine = a.claim_mut(0..1)?;
    thread::scope(|scope| {
        let waiter = scope.spawn(|| a.claim_many_mut([0..1, 5..6], LONG).map(drop).is_ok());
        while_others_wait();
        let more = a.claim_mut_timeout(5..6, LONG).map(drop);
        assert!(more.is_ok(), "{:?}", more.unwrap_err());
        drop(mine);
        assert!(waiter.join().unwrap());
    });
    Ok(())
}

#[test]
fn a_snapshot_beside_a_busy_writer_ends_in_time() -> Test {
    let _watchdog = watchdog("a snapshot");
    let dir = ndshm_testkit::scratch();
    let options = SharedArray1::<u64>::options().dir(dir.path());
    // Long enough that nobody copies it between two claims.
    let a = options.clone().name("busy").zeros(8 << 20)?;
    // SAFETY: all who write to it make claims.
    let reader = unsafe { options.read_only(true).open("busy") }?;
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !over.load(SeqCst) {
                drop(a.claim_mut(..1).unwrap());
                thread::sleep(Duration::from_millis(1));
            }
        });
        let copied = reader.snapshot(Duration::from_millis(50));
        assert!(matches!(
            copied,
            Ok(_) | Err(ClaimError::Busy { .. } | ClaimError::Overlap { .. })
        ));
        over.store(true, SeqCst);
        writer.join().unwrap();
    });
    assert_eq!(reader.snapshot(LONG)?.len(), 8 << 20);
    Ok(())
}
