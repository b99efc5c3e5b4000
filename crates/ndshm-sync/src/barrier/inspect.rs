//! What a barrier is doing at this moment, for people.

use super::error::ranks_in_words;
use std::fmt::Write;

use super::raw::{RawBarrier, absence, departed};
use crate::atomic::Ordering;
use crate::inspect::{Holder, Inspection};
use crate::member::MemberId;

impl RawBarrier<'_> {
    pub(super) fn inspect(&self) -> Inspection {
        let (attempt, broken) = self.now();
        let mut state = if broken { "broken" } else { "whole" }.to_owned();
        let [mut arrived, mut gone, mut awaited] = [const { Vec::new() }; 3];
        let (mut lost, mut holders) = (String::new(), Vec::new());
        for (rank, cell) in self.parties.iter().enumerate() {
            let owner = cell.owner.load(Ordering::Acquire);
            let joined = MemberId::from_bits(owner).map(|id| Holder::of(id, self.members));
            if departed(owner) {
                gone.push(rank);
                continue;
            }
            if self.has_arrived(rank, attempt) {
                arrived.push(rank);
            } else if let Some(why) = cell.absence(self.members, attempt) {
                let _ = write!(lost, ", rank {rank} {why}");
            } else {
                awaited.push(rank);
            }
            holders.extend(joined.filter(|_| absence(owner).is_none()));
        }
        for (ranks, what) in [(arrived, "arrived"), (gone, "departed"), (awaited, "awaited")] {
            if !ranks.is_empty() {
                let _ = write!(state, ", {} {what}", ranks_in_words(&ranks));
            }
        }
        state += &lost;
        if !holders.is_empty() {
            state += ", joined";
        }
        let sleepers = self.has_sleepers();
        Inspection { kind: "barrier", state, holders, sleepers, poisoned_by: None }
    }
}
