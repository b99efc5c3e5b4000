//! A claim that this process holds.

use super::entry::{Mode, State};
use super::part::Selection;
use super::request::Refused;
use super::table::ClaimTable;
use crate::segment::Segment;

/// Dropping it releases. Small, since it is in every guard and so in every error that has one.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    segment: &'a Segment,
    shape: &'a [usize],
    /// # Invariants
    ///
    /// 1. The entry of this index is held by this process until this value is dropped.
    index: u32,
    mode: Mode,
    panicking: bool,
}

impl<'a> Claim<'a> {
    /// Of what [`ClaimTable::claim`] granted, in the table of that segment, whose array has that shape.
    #[inline]
    pub(crate) fn new(segment: &'a Segment, shape: &'a [usize], index: usize, mode: Mode) -> Self {
        Self { segment, shape, index: index as u32, mode, panicking: std::thread::panicking() }
    }

    /// What is claimed, as the table has it.
    pub(crate) fn selection(&self) -> Selection {
        let entry = self.table().map(|table| table.entry(self.index as usize));
        entry.map_or_else(|| Selection::whole(self.shape), |entry| entry.part(self.shape))
    }

    pub(crate) fn clear_poison(&self) -> Result<bool, Refused> {
        let claims = self.segment.claims(self.shape);
        claims.map_or(Ok(true), |(table, members)| table.clear_poison(members, &self.selection()))
    }

    fn table(&self) -> Option<ClaimTable<'a>> {
        self.segment.claim_table(self.shape)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let Some((table, members)) = self.segment.claims(self.shape) else { return };
        if !members.is_mine() {
            return; // In a forked child: the claim is the parent's.
        }
        // The entry is this claim's own (index invariant 1), and nobody takes it from the living.
        let entry = table.entry(self.index as usize);
        if self.mode == Mode::Exclusive && !self.panicking && std::thread::panicking() {
            entry.set(State::Poisoned { panicked: true }, members.me());
        } else {
            entry.free();
        }
        table.head.released.notify_all(members);
    }
}
