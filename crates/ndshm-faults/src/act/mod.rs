//! What is done to players, one way a module.

mod kill;
mod orphan;
mod step;
mod stop;

use crate::child;
use crate::job::Job;
use crate::scene::{Act, Hang, Subject};

/// A worker's whole life.
pub(crate) fn run(job: &Job) {
    child::keep_sigchld();
    child::hurry(true);
    if job.act == Act::Forks {
        child::adopt_orphans();
    }
    let mut subject = job.survivor();
    // What hangs has been reported, while the others were as they were.
    let _ = perform(job, &mut *subject);
    job.settle(0);
}

fn perform(job: &Job, subject: &mut dyn Subject) -> Result<(), Hang> {
    match job.act {
        Act::Kill | Act::Storm | Act::Namespaces | Act::Recycled | Act::Forks => {
            kill::run(job, subject)
        }
        Act::Stop => stop::run(job, subject),
        Act::Step => step::run(job, subject),
        Act::Orphaned => orphan::before(job, subject),
        Act::OrphanedInWait => orphan::in_the_wait(job, subject),
    }
}
