//! One mutex for all: wanted by all at once, by one, and held by one that is killed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ndshm_benches::{now, sleep_on, wake};
use ndshm_sync::{Members, Mutex, OnDeath, Semaphore};
use ndshm_testkit::{SharedMemory, die_with_parent, fork};

use crate::crew::{Crew, Turn, Work, kill, reap};
use crate::member;
use crate::memory::own_memory;
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit, since};

const SIZES: &[usize] = &[2, 8, 32, 125, 250, 500, 1000];

const LOCK: u32 = 0;
const ACQUIRE: u32 = 1;
const TAKE_OVER: u32 = 2;
const PROBE: u32 = 3;
const ALONE: u32 = 4;
const TAKE_OVER_AT_ONCE: u32 = 5;

/// Permits of the semaphore: one a processor of the machine that this was written on.
const PERMITS: usize = 2;

/// This process's handles.
struct Handles {
    members: &'static Members<'static>,
    counter: Mutex<'static, u64>,
    orphaned: Mutex<'static, u64>,
    permits: Semaphore<'static>,
}

impl Handles {
    fn here(memory: &'static SharedMemory) -> Self {
        let members = member::join(memory);
        let mut layout = members.layout();
        let mut mutex = || layout.mutex(0).expect("there is room");
        let (counter, orphaned) = (mutex(), mutex());
        let permits = layout.semaphore(PERMITS, OnDeath::Return).expect("there is room");
        Self { members, counter, orphaned, permits }
    }

    fn work(&self, turn: &Turn<'_>) {
        match turn.job {
            LOCK => turn.repeat(|| *self.counter.lock().expect("nobody died") += 1),
            ACQUIRE => turn.repeat(|| drop(self.permits.acquire().expect("nobody died"))),
            TAKE_OVER | TAKE_OVER_AT_ONCE => {
                turn.begins();
                let got = match turn.job {
                    TAKE_OVER => self.orphaned.lock(),
                    _ => self.orphaned.try_lock(),
                };
                turn.ends();
                let poisoned = got.expect_err("its owner was killed");
                poisoned.into_guard().expect("it was had all the same").clear_poison();
            }
            PROBE => {
                let others = self.members.alive().filter(|other| other.id != self.members.me());
                let last = others.last().expect("two at least").id;
                turn.repeat_alone(|| assert!(self.members.is_alive(last)));
            }
            ALONE => turn.repeat_alone(|| *self.counter.lock().expect("nobody died") += 1),
            other => unreachable!("job {other}"),
        }
    }
}

pub(crate) fn run(plan: &Plan, out: &mut Out) {
    let memory = member::memory(64 * 1024);
    let prepare = |_| -> Work {
        let handles = Handles::here(memory);
        Box::new(move |turn| handles.work(turn))
    };
    let mut crew = Crew::new(&prepare);
    let crowd = "processes that all want it";
    let table = |what, unit| Series::new("A lock wanted by all", crowd, what, unit);
    let mut throughput = table("mutex, locks a second", Unit::PerSecond);
    let mut fairness = table("mutex, Jain's index", Unit::Share);
    let mut permits = table("semaphore of 2, permits a second", Unit::PerSecond);
    let of = "members attached";
    let table = |what| Series::new("A lock beside many members", of, what, Unit::Nanoseconds);
    let mut alone = table("lock + unlock, uncontended");
    let mut probe = table("asking whether the owner lives");
    let mut later = table("taken over by `try_lock`");
    let mut asleep = table("taken over by one that has slept for 3 ms");
    for n in plan.sizes(SIZES) {
        out.at(format!("{n} processes"));
        crew.grow_to(n);
        let windows: Vec<_> =
            (0..plan.rounds(5)).map(|_| crew.window(n, LOCK, plan.window())).collect();
        let of = |figure: fn(&_) -> f64| Point::of(n, windows.iter().map(figure).collect());
        throughput.points.push(of(|window| window.per_second()));
        fairness.points.push(of(|window| window.fairness()));
        permits.points.push(Point::measure(n, plan.rounds(5), || {
            crew.window(n, ACQUIRE, plan.window()).per_second()
        }));
        let mut per = |job, count: u32| {
            Point::measure(n, plan.rounds(15), || {
                crew.each(1, job, count.into()) / f64::from(count)
            })
        };
        alone.points.push(per(ALONE, 200_000));
        probe.points.push(per(PROBE, 500));
        later.points.push(Point::measure(n, plan.rounds(45), || {
            let victim = Victim::new(memory, crew.flag());
            victim.kill();
            crew.each(1, TAKE_OVER_AT_ONCE, 1)
        }));
        asleep.points.push(Point::measure(n, plan.rounds(15), || {
            let victim = Victim::new(memory, crew.flag());
            crew.start(1, TAKE_OVER, 1);
            std::thread::sleep(Duration::from_millis(3));
            let killed = now();
            victim.kill();
            crew.finish();
            since(killed, crew.span(0).1)
        }));
    }
    out.series([throughput, fairness, permits, alone, probe, later, asleep]);
    let own = own_memory(crew.last());
    out.note(format!(
        "One of a crew of a thousand had {own} KiB of memory for itself, page tables included."
    ));
}

/// A process that holds the lock, to be killed.
struct Victim(libc::pid_t);

impl Victim {
    fn new(memory: &'static SharedMemory, held: &AtomicU32) -> Self {
        held.store(0, Ordering::Relaxed);
        let pid = fork(true, || {
            die_with_parent();
            let handles = Handles::here(memory);
            let _guard = handles.orphaned.lock().expect("whoever took it over has cleared it");
            held.store(1, Ordering::Release);
            wake(held);
            loop {
                std::thread::park();
            }
        });
        while held.load(Ordering::Acquire) == 0 {
            sleep_on(held, 0, Duration::from_millis(100));
        }
        Self(pid)
    }

    fn kill(self) {
        kill(self.0);
        reap(self.0);
    }
}
