//! Barriers of many parties.

use std::cell::RefCell;

use ndshm_sync::Members;

use crate::crew::{Crew, Turn, Work};
use crate::member;
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit};

const SIZES: &[usize] = &[2, 4, 8, 32, 125, 500, 1000];

/// A measurement takes as many crossings as take this long, but at least one.
const ENOUGH: f64 = 40e6;

pub(crate) fn run(plan: &Plan, out: &mut Out) {
    let memory = member::memory(256 * 1024);
    // The job's number is the index of the barrier.
    let prepare = |rank| -> Work {
        let members = member::join(memory);
        let mut layout = members.layout();
        let barriers = SIZES.iter().map(|&parties| layout.barrier(parties).expect("there is room"));
        let parties = barriers.zip(SIZES).map(|(barrier, &parties)| {
            let party = (rank < parties).then(|| barrier.join(rank).expect("a free rank"));
            RefCell::new(party)
        });
        let parties: Vec<_> = parties.collect();
        Box::new(move |turn: &Turn<'_>| {
            let mut party = parties[turn.job as usize].borrow_mut();
            let mut cross = || {
                party.as_mut().expect("a party").wait().expect("nobody died");
            };
            cross(); // all are awake from here on
            turn.repeat(cross);
        })
    };
    let mut crew = Crew::new(&prepare);
    let table = "A barrier";
    let mut crossing = Series::new(table, "parties", "a crossing", Unit::Nanoseconds);
    let mut each = Series::new(table, "parties", "for each party", Unit::Nanoseconds);
    for n in plan.sizes(SIZES) {
        out.at(format!("{n} parties"));
        crew.grow_to(n);
        let job = SIZES.iter().position(|&size| size == n).expect("one of them");
        let job = u32::try_from(job).expect("a small number");
        let mut count = 1;
        while crew.each(n, job, count) < ENOUGH {
            count *= 2;
        }
        #[allow(clippy::cast_precision_loss, reason = "a count of some thousands")]
        let point = Point::measure(n, plan.rounds(9), || crew.each(n, job, count) / count as f64);
        crossing.points.push(point);
        let part = |figure: f64| figure / f64::from(u16::try_from(n).expect("a small number"));
        let quartiles = (part(point.quartiles.0), part(point.quartiles.1));
        let (median, worst) = (part(point.median), part(point.worst));
        each.points.push(Point { n, median, quartiles, worst });
    }
    out.series([crossing, each]);
    out.note(format!(
        "A barrier itself has no limit of parties but the length of its region: 64 bytes each, and 64 more. As \
         processes, at most {} can be members of one region; a party may also be a thread of one.",
        Members::MOST
    ));
}
