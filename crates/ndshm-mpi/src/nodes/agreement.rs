//! How ranks meet, and tell each other what went wrong.

use ndshm_sync::{Absence, BarrierError};

use super::Nodes;
use super::meeting::Meeting;
use super::told::{Told, outcome};
use crate::error::{Error, Result};

/// For how many time-outs more than those it waits for ranks wait for their leader: it waits for one more for those of other nodes, who
/// are first waited for on their own, and then for the messages that say what went wrong.
const FOR_LEADER: u32 = 3;

impl Nodes {
    /// Meets the ranks of this node: an error of any of them is one of all, this rank's own where it has one.
    pub(crate) fn meet<T>(&self, mine: Result<T>) -> Result<T> {
        self.meet_after(1, mine)
    }

    /// The same where some have waited for others meanwhile, for up to so many time-outs.
    pub(crate) fn meet_after<T>(&self, steps: u32, mine: Result<T>) -> Result<T> {
        let told = self.put_down(self.of_mine(mine.as_ref().err()), steps);
        let told = told.inspect_err(|e| self.close(e));
        outcome(mine, told)
    }

    /// Meets all ranks: an error of any of them is one of all, this rank's own where it has one.
    pub(crate) fn settle<T>(&self, mine: Result<T>) -> Result<T> {
        self.settle_after(1, mine)
    }

    /// The same where some have waited for others meanwhile, for up to so many time-outs.
    pub(crate) fn settle_after<T>(&self, steps: u32, mine: Result<T>) -> Result<T> {
        let told = self.told(mine.as_ref().err(), steps);
        outcome(mine, told)
    }

    /// Meets all ranks: what went wrong at any of them; the same at all of them.
    pub(super) fn told(&self, mine: Option<&Error>, steps: u32) -> Result<Option<Told>> {
        let of_node = self.put_down(self.of_mine(mine), steps);
        let leaders = self.leaders();
        let long = self.timeout().saturating_mul(steps.saturating_add(1));
        let of_node = match of_node {
            // Who is missing here the others are told of, too: they may wait for this node meanwhile.
            Err(e @ Error::Lost { .. }) => {
                let told = Told::of(self.rank(), &e).encoded();
                if let Some(leaders) = leaders.filter(|leaders| leaders.state().check().is_ok()) {
                    // Their own errors are not those that matter here.
                    let _ = leaders.failure(Some(told), long);
                }
                self.close(&e);
                return Err(e);
            }
            Err(e) => return Err(e),
            // All of this node know that nothing follows.
            Ok(Some(told)) if told.is_final() => return Ok(Some(told)),
            Ok(of_node) => of_node,
        };
        let of_all = leaders
            .map_or(Ok(None), |leaders| leaders.failure(of_node.as_ref().map(Told::encoded), long));
        let of_all = of_all.map(|told| told.map(|told| Told::decoded(&told)));
        let (failed, own) = match of_all {
            Ok(failed) => (failed, None),
            Err(own) => (Some(Told::of(self.rank(), &own)), Some(own)),
        };
        let told = self
            .put_down(failed, steps.saturating_add(FOR_LEADER))
            .inspect_err(|e| self.close(e))?;
        // Where it is the leaders who could not meet, this one's own error.
        own.map_or(Ok(told), Err)
    }

    fn of_mine(&self, mine: Option<&Error>) -> Option<Told> {
        mine.map(|e| Told::of(self.rank(), e))
    }

    /// Meets the ranks of this node, with what one of them has put down for that.
    fn put_down(&self, mine: Option<Told>, steps: u32) -> Result<Option<Told>> {
        let (state, is_final) = (self.world().state(), mine.as_ref().is_some_and(Told::is_final));
        // What broke something is told once.
        if self.0.closed.get() || !is_final {
            state.check()?;
        }
        let meeting = &mut *self.0.meeting.borrow_mut();
        let noted = mine.as_ref().map_or(Ok(()), |told| meeting.note(told));
        let told = noted.and_then(|()| meeting.meet(steps)).map_err(|e| self.lost(meeting, e))?;
        if let Some(told) = told.as_ref().filter(|told| told.is_final()) {
            self.close(&told.clone().error());
        }
        Ok(told)
    }

    /// Nothing follows that.
    fn close(&self, e: &Error) {
        self.world().state().note_final(e);
        self.0.closed.set(true);
    }

    /// Puts down a value for others of this node to [get](Self::get) after they have met; each rank has a cell, and there is one more.
    pub(crate) fn put(&self, cell: usize, value: [u64; 2]) -> Result<()> {
        let meeting = self.0.meeting.borrow();
        meeting.put(cell, value).map_err(|e| self.lost(&meeting, e))
    }

    pub(crate) fn get(&self, cell: usize) -> Result<[u64; 2]> {
        let meeting = self.0.meeting.borrow();
        meeting.get(cell).map_err(|e| self.lost(&meeting, e))
    }

    fn lost(&self, meeting: &Meeting, source: BarrierError) -> Error {
        let of_job = self.ranks_of(self.node());
        let gave_up = |lost: &ndshm_sync::Lost| lost.why == Absence::TimedOut;
        let local: Vec<usize> = match &source {
            BarrierError::Broken { lost } => {
                // Not who gave up is to blame, or has left since, but for whom it had waited.
                let looks = if lost.iter().any(gave_up) { 50 } else { 1 };
                if let Some(told) = meeting.given_up(looks) {
                    return told.error();
                }
                lost.iter().map(|lost| lost.rank).collect()
            }
            BarrierError::TimedOut { missing } => missing.clone(),
            _ => Vec::new(),
        };
        let ranks = local.into_iter().filter_map(|rank| of_job.get(rank).copied()).collect();
        let e = Error::Lost { node: self.node(), source, ranks };
        if let Error::Lost { source: BarrierError::TimedOut { .. }, .. } = &e {
            meeting.give_up(&Told::of(self.rank(), &e));
        }
        e
    }
}
