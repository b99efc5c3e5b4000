//! Running a model in all its interleavings, and with a death at every step.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loom::thread;

use crate::member::Members;
use crate::world::{Death, World};

/// How many times an execution may take the processor from a party that could go on: the bound of
/// loom's search, beyond which bugs are not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// As the scenario asks for: two or three, one where four parties meet.
    Short,
    /// One more, for minutes.
    Full,
}

/// What came of a scenario that holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Explored {
    /// Executions, all different.
    pub executions: u64,
    /// In how many of them a party died.
    pub deaths: u64,
    /// At how many different steps.
    pub steps: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// A model of one thing, under a name.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// By which it is run.
    pub name: &'static str,
    /// What is shown.
    pub shows: &'static str,
    pub(crate) run: fn(&mut Explorer),
}

impl Scenario {
    /// Explores it.
    ///
    /// # Panics
    ///
    /// Where something does not hold, with loom's report or the assertion that failed.
    pub fn explore(&self, depth: Depth) -> Explored {
        let start = Instant::now();
        let mut explorer = Explorer { depth, explored: Explored::default() };
        (self.run)(&mut explorer);
        Explored { elapsed: start.elapsed(), ..explorer.explored }
    }
}

/// A model is given who dies, and when.
type Model = Arc<dyn Fn(Option<Death>) + Send + Sync>;

pub(crate) struct Explorer {
    depth: Depth,
    explored: Explored,
}

impl Explorer {
    /// All executions with at most `preemptions` (one more where more depth is asked for), nobody dying.
    pub(crate) fn check(
        &mut self,
        preemptions: usize,
        model: impl Fn(Option<Death>) + Send + Sync + 'static,
    ) {
        let model: Model = Arc::new(model);
        self.once(preemptions, None, &model);
    }

    /// The same for each step at which `party` can die.
    pub(crate) fn kill(
        &mut self,
        preemptions: usize,
        party: usize,
        model: impl Fn(Option<Death>) + Send + Sync + 'static,
    ) {
        let model: Model = Arc::new(model);
        let mut step = 0;
        while self.once(preemptions, Some(Death { party, step }), &model) {
            step += 1;
        }
        assert!(step > 0, "nobody died");
        self.explored.steps += step;
    }

    /// Whether anybody died in any of the executions.
    fn once(&mut self, preemptions: usize, death: Option<Death>, model: &Model) -> bool {
        let counted = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let mut builder = loom::model::Builder::new();
        let deeper = usize::from(self.depth == Depth::Full);
        builder.preemption_bound = Some(preemptions + deeper);
        let (model, count) = (model.clone(), counted.clone());
        builder.check(move || {
            model(death);
            count.0.fetch_add(1, Ordering::Relaxed);
            count.1.fetch_add(u64::from(World::somebody_died()), Ordering::Relaxed);
        });
        let deaths = counted.1.load(Ordering::Relaxed);
        self.explored.executions += counted.0.load(Ordering::Relaxed);
        self.explored.deaths += deaths;
        deaths > 0
    }
}

/// Runs each party on a thread of its own until it returns or dies. `last` is told of each that
/// died, by itself, at the moment of its death.
///
/// None runs on the calling thread: that would begin first, and each other before it would be paid
/// for with a preemption.
pub(crate) fn run_all<S: 'static>(
    world: &Rc<World>,
    shared: &Rc<S>,
    bodies: &[fn(&S, &Members<'static>)],
    last: fn(&S, usize),
) {
    let threads = bodies.iter().copied().enumerate().map(|(party, body)| {
        let (world, shared) = (world.clone(), shared.clone());
        thread::spawn(move || {
            world.run(party, |m| body(&shared, m), || last(&shared, party));
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().expect("a panic ends the whole model");
    }
}
