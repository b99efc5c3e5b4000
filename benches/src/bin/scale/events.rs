//! One event that all wait for.

use std::time::Duration;

use ndshm_sync::Reset;

use crate::crew::{Crew, Turn, Work};
use crate::member;
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit, since};

const SIZES: &[usize] = &[2, 8, 32, 125, 250, 500, 1000];

const RELEASE: u32 = 0;
const RESET: u32 = 1;

/// After which all of them sleep.
const ASLEEP: Duration = Duration::from_millis(15);

pub(crate) fn run(plan: &Plan, out: &mut Out) {
    let memory = member::memory(64 * 1024);
    let prepare = |rank| -> Work {
        let members = member::join(memory);
        let event = members.layout().event(Reset::Manual).expect("there is room");
        Box::new(move |turn: &Turn<'_>| match (turn.job, rank) {
            (RESET, _) => event.reset(),
            (_, 0) => {
                std::thread::sleep(ASLEEP);
                turn.begins();
                event.set();
                turn.ends();
            }
            _ => {
                event.wait().expect("a member");
                turn.ends();
            }
        })
    };
    let mut crew = Crew::new(&prepare);
    let of = "processes that sleep on it, and one that sets it";
    let table = |what| Series::new("An event", of, what, Unit::Nanoseconds);
    let (mut set, mut all) = (table("setting it"), table("until the last goes on"));
    for n in plan.sizes(SIZES) {
        out.at(format!("{n} processes"));
        crew.grow_to(n);
        let mut took = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds(15) {
            crew.each(1, RESET, 1);
            crew.each(n, RELEASE, 1);
            let (began, ended) = crew.span(0);
            let last = (0..n).map(|rank| crew.span(rank).1).max().expect("two at least");
            for (to, end) in took.iter_mut().zip([ended, last]) {
                to.push(since(began, end));
            }
        }
        let [setting, going] = took;
        set.points.push(Point::of(n - 1, setting));
        all.points.push(Point::of(n - 1, going));
    }
    out.series([set, all]);
}
