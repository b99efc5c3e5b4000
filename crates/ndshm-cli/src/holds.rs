//! Who holds what of a segment, or left what half-changed, in words.

use crate::model::{Claim, Kind, Mode, Segment, Who};

impl Segment {
    /// Who holds what, or left what half-changed: the harm first.
    pub(crate) fn holds(&self) -> Vec<Hold> {
        let mut holds: Vec<_> = self.claims.iter().map(Hold::of_claim).collect();
        if let Some(lock) = &self.lock {
            let what = if self.kind == Kind::Value { "the mutex" } else { "the table of claims" };
            holds.extend(lock.holder.iter().map(|who| Hold::of_lock(who, what)));
            // The table is whole at every instant, whoever died with its lock: poison there says nothing.
            if let (Some(who), Kind::Value) = (&lock.poisoned_by, self.kind) {
                holds.push(Hold { text: format!("{what} poisoned by {}", who.text), harm: true });
            }
        }
        holds.sort_by_key(|hold| !hold.harm);
        if self.waiters || self.lock.as_ref().is_some_and(|lock| lock.sleepers) {
            holds.push(Hold { text: "others wait".to_owned(), harm: false });
        }
        holds
    }

    pub(crate) fn is_harmed(&self) -> bool {
        self.kind == Kind::Damaged || self.holds().iter().any(|hold| hold.harm)
    }
}

/// One line of who holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) text: String,
    pub(crate) harm: bool,
}

impl Hold {
    fn of_claim(claim: &Claim) -> Self {
        let (part, who) = (&claim.part, &claim.by.text);
        let text = match (claim.poisoned, claim.by.alive, claim.mode) {
            _ if claim.waiting => {
                let dead = if claim.by.alive { "" } else { ", now dead" };
                format!("{who}{dead} waits for {part}")
            }
            (true, ..) => {
                let how = if claim.panicked { "panicked" } else { "died" };
                format!("{part} poisoned: {who} {how}")
            }
            (_, true, Mode::Write) => format!("{who} writes {part}"),
            (_, true, Mode::Read) => format!("{who} reads {part}"),
            (_, true, Mode::Atomic) => format!("{who} changes elements of {part}"),
            (_, false, Mode::Write) => format!("{part} left half-written: {who} died"),
            (_, false, Mode::Read) => format!("{part} read by {who}, now dead"),
            (_, false, Mode::Atomic) => format!("{part} changed by {who}, now dead"),
        };
        Self { text, harm: claim.is_harm() }
    }

    fn of_lock(who: &Who, what: &str) -> Self {
        if who.alive {
            Self { text: format!("{} holds {what}", who.text), harm: false }
        } else {
            Self { text: format!("{what} is still locked by {}, who died", who.text), harm: true }
        }
    }
}
