//! What all ranks do together, in turns.

use std::time::Instant;

use mpi::collective::SystemOperation;
use mpi::traits::{Communicator, CommunicatorCollectives};
use ndshm_benches::Measured;

/// A name, and what all ranks do at the same time; `prepare` is not timed.
pub struct Contender<'a> {
    name: &'static str,
    prepare: Box<dyn FnMut() + 'a>,
    operation: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    /// One that needs no preparation.
    pub fn new(name: &'static str, operation: impl FnMut() + 'a) -> Self {
        Self { name, prepare: Box::new(|| {}), operation: Box::new(operation) }
    }
}

/// Measures all in turns, each round beginning with another; as long as the slowest rank takes, of `times` operations. The
/// same in all ranks.
///
/// The first round, in which memory is touched and connections are made, does not count.
///
/// # Panics
///
/// When MPI has fewer ranks than one.
pub fn in_turns(
    ranks: &impl Communicator,
    rounds: usize,
    times: u32,
    contenders: &mut [Contender<'_>],
) -> Vec<Measured> {
    let mut measured: Vec<Measured> = contenders
        .iter()
        .map(|c| Measured { name: c.name.to_owned(), nanos: Vec::new() })
        .collect();
    let count = contenders.len();
    for round in 0..=rounds {
        for i in (0..count).map(|i| (i + round) % count) {
            (contenders[i].prepare)();
            ranks.barrier();
            let start = Instant::now();
            (0..times).for_each(|_| (contenders[i].operation)());
            let mine = start.elapsed().as_secs_f64() * 1e9 / f64::from(times);
            let mut slowest = 0.0;
            ranks.all_reduce_into(&mine, &mut slowest, SystemOperation::max());
            if round > 0 {
                measured[i].nanos.push(slowest);
            }
        }
    }
    measured
}
