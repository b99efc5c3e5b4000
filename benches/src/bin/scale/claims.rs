//! Claims of rows: beside many that are outstanding, and by many processes at once.

use std::path::Path;
use std::sync::atomic::Ordering;

use ndshm_array::ndarray::Ix2;
use ndshm_array::{ArrayOptions, ClaimError, SharedArray2, WriteGuard};
use ndshm_benches::busy;

use crate::crew::{Crew, Turn, Work};
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit, since};

const OTHERS: &[usize] = &[0, 1, 10, 30, 100, 300, 1000];
const PROCESSES: &[usize] = &[2, 4, 8, 32, 125, 250];
const COLUMNS: usize = 8;

/// Claims for one figure.
const COUNT: u32 = 2000;

pub(crate) fn run(plan: &Plan, out: &mut Out) {
    beside(plan, out);
    by_many(plan, out);
}

fn beside(plan: &Plan, out: &mut Out) {
    let array = SharedArray2::<f64>::zeros((2000, COLUMNS)).expect("memory");
    let of = "claims outstanding, each of one row";
    let table = |what| Series::new("A claim beside others", of, what, Unit::Nanoseconds);
    let mut claim = table("claim + release of ten other rows");
    let mut after = table("the same, once those are released");
    let measure = |n| {
        Point::measure(n, plan.rounds(15), || {
            let start = busy();
            (0..COUNT).for_each(|_| drop(array.claim_mut(0..10).expect("free")));
            since(start, busy()) / f64::from(COUNT)
        })
    };
    for n in plan.sizes(OTHERS) {
        out.at(format!("{n} claims"));
        let kept = outstanding(&array, n);
        claim.points.push(measure(n));
        drop(kept);
        after.points.push(measure(n));
    }
    let mut kept = Vec::new();
    let refused = loop {
        match array.claim_mut_owned(20 + kept.len()..21 + kept.len()) {
            Ok(guard) => kept.push(guard),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, ClaimError::Full { .. }), "{refused}");
    let most = kept.len();
    out.series([claim, after]);
    out.note(format!(
        "{most} claims can be outstanding in one array. The next is refused, with `ClaimError::Full`: \"{refused}\". \
         (The last entry is kept for a claimant that can mend what the dead have left.)"
    ));
}

/// That many claims of one row each, behind those that are measured.
fn outstanding(array: &SharedArray2<f64>, n: usize) -> Vec<WriteGuard<'static, f64, Ix2>> {
    (20..20 + n).map(|row| array.claim_mut_owned(row..row + 1).expect("free")).collect()
}

fn options(dir: &Path) -> ArrayOptions<f64, Ix2> {
    SharedArray2::<f64>::options().dir(dir).name("claimed")
}

fn by_many(plan: &Plan, out: &mut Out) {
    let dir = plan.dir();
    let _array = options(dir).zeros((2000, COLUMNS)).expect("memory");
    let prepare = |rank: usize| -> Work {
        // SAFETY: of a directory that this program alone uses, and all its processes claim.
        let array = unsafe { options(dir).open("claimed") }.expect("it is there");
        Box::new(move |turn: &Turn<'_>| {
            turn.repeat(|| match array.claim_mut(rank..rank + 1) {
                Ok(guard) => drop(guard),
                // With so many on the lock of the table a second may not do.
                Err(ClaimError::Busy { .. }) => {
                    turn.flag().fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => panic!("{error}"),
            });
        })
    };
    let mut crew = Crew::new(&prepare);
    let of = "processes that claim rows of their own";
    let table = |what, unit| Series::new("Claims by many processes", of, what, unit);
    let mut throughput = table("claim + release a second, in all", Unit::PerSecond);
    let mut fairness = table("Jain's index", Unit::Share);
    for n in plan.sizes(PROCESSES) {
        out.at(format!("{n} processes"));
        crew.grow_to(n);
        let windows: Vec<_> =
            (0..plan.rounds(5)).map(|_| crew.window(n, 0, plan.window())).collect();
        let of = |figure: fn(&_) -> f64| Point::of(n, windows.iter().map(figure).collect());
        throughput.points.push(of(|window| window.per_second()));
        fairness.points.push(of(|window| window.fairness()));
    }
    out.series([throughput, fairness]);
    let busy = crew.flag().load(Ordering::Relaxed);
    out.note(format!(
        "Claims refused because the lock of the table was not had within a second: {busy}."
    ));
}
