//! Asking for parts: looking at who is in the way, waiting, being granted.

use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use ndshm_sync::{MemberId, Members};

use super::circle::{self, Row};
use super::entry::{Mode, Party, State};
use super::lock::Locked;
use super::part::{Part, Selection};
use super::table::ClaimTable;

/// What to do about a part that somebody else has claimed.
#[derive(Clone, Copy)]
pub(crate) enum Patience<'p> {
    /// Return at once.
    Refuse,
    /// Wait: until then, or for ever.
    Until(Option<Instant>),
    /// The same, as long as it says so, too: asked between sleeps of [`SLICE`], without a lock.
    While(Option<Instant>, &'p dyn Fn() -> bool),
}

/// How long one that asks whether to go on sleeps at most.
pub(super) const SLICE: Duration = Duration::from_millis(50);

impl Patience<'_> {
    pub(crate) fn timeout(timeout: Duration) -> Self {
        Self::Until(Instant::now().checked_add(timeout))
    }

    /// Whether there is no time to wait. Asks nobody.
    fn is_over(self) -> bool {
        match self {
            Self::Refuse => true,
            Self::Until(at) | Self::While(at, _) => at.is_some_and(|at| at <= Instant::now()),
        }
    }

    /// For how long to sleep next, if at all.
    fn left(self) -> Option<Duration> {
        let (at, most) = match self {
            Self::Refuse => return None,
            Self::Until(at) => (at, Duration::MAX),
            Self::While(_, goes_on) if !goes_on() => return None,
            Self::While(at, _) => (at, SLICE),
        };
        let left = at.map_or(most, |at| at.saturating_duration_since(Instant::now()).min(most));
        (!left.is_zero()).then_some(left)
    }
}

/// A part, and what for.
pub(crate) type Want = (Selection, Mode);

/// A part that somebody left half-changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poison {
    pub(crate) by: MemberId,
    pub(crate) panicked: bool,
    pub(crate) part: Selection,
}

/// Why there is no claim.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// This member holds a part that overlaps, or has waited for it for longer; and time is up.
    Overlap {
        part: Part,
        held: Part,
        by: MemberId,
        waits: bool,
    },
    /// This very thread does, and would wait for itself; or two of the parts overlap.
    Own {
        part: Part,
        held: Part,
    },
    /// The one to wait for waits, perhaps by way of others, for this thread.
    Deadlock {
        part: Part,
        held: Part,
        by: MemberId,
    },
    Full,
    /// The lock of the table was not to be had.
    Busy {
        by: Option<MemberId>,
    },
    Forked,
}

/// What a look at all entries found.
#[derive(Debug, Default)]
struct Found {
    poison: Vec<Poison>,
    /// Whether the claim would cover some of that.
    mends: bool,
    blocked: Option<Refused>,
}

impl ClaimTable<'_> {
    /// Claims all of `wants` at once, in the entries that `at` then names, or none. What is poisoned
    /// among them comes with it.
    ///
    /// Who waits is served in order of arrival among those who exclude each other.
    pub(crate) fn claim(
        self,
        members: &Members<'static>,
        wants: &[Want],
        at: &mut [usize],
        patience: Patience<'_>,
    ) -> Result<Vec<Poison>, Refused> {
        for (i, (part, mode)) in wants.iter().enumerate() {
            let clash = |(other, of): &&Want| mode.excludes(*of) && part.overlaps(other);
            if let Some((held, _)) = wants[..i].iter().find(clash) {
                return Err(Refused::Own { part: (*part).into(), held: (*held).into() });
            }
        }
        let me = Party::here(members);
        let ticket = {
            let _locked = Locked::new(self.head, members, patience)?;
            let mut found = Found::default();
            self.look(members, me, wants, None, &mut found)?;
            let Some(refused) = found.blocked else {
                self.make_room(members, at, found.mends)?;
                self.grant(me, wants, at);
                return Ok(found.poison);
            };
            if patience.is_over() {
                return Err(refused);
            }
            if let Refused::Overlap { part, held, by, .. } = refused
                && circle::would_close(&self.rows().collect::<Vec<_>>(), members, me, wants)
            {
                return Err(Refused::Deadlock { part, held, by });
            }
            self.make_room(members, at, found.mends)?;
            let ticket = self.head.tickets.load(Ordering::Relaxed).wrapping_add(1);
            self.head.tickets.store(ticket, Ordering::Relaxed);
            for ((part, mode), &index) in wants.iter().zip(&*at) {
                self.entry(index).write(part, State::Waiting(*mode, ticket), me);
            }
            ticket
        };
        let waiting = Waiting { table: self, members, at };
        loop {
            let seen = self.head.released.read();
            let refused = {
                let _locked = Locked::new(self.head, members, patience)?;
                let mut found = Found::default();
                self.look(members, me, wants, Some(ticket), &mut found)?;
                let Some(refused) = found.blocked else {
                    self.grant(me, wants, waiting.at);
                    std::mem::forget(waiting);
                    return Ok(found.poison);
                };
                refused
            };
            let left = patience.left().ok_or(refused)?;
            self.head.released.wait(members, seen, left);
        }
    }

    /// Looks at all entries, notes what it finds, and buries the dead that it meets; by the holder of the
    /// lock. `ticket` is that of one who waits already.
    fn look(
        self,
        members: &Members<'_>,
        me: Party,
        wants: &[Want],
        ticket: Option<u64>,
        found: &mut Found,
    ) -> Result<(), Refused> {
        for (entry, state, by) in self.entries() {
            let mode = match state {
                State::Held(mode) => mode,
                State::Poisoned { .. } => Mode::Exclusive,
                // Later ones wait for this one.
                State::Waiting(_, other) if ticket.is_some_and(|mine| mine <= other) => continue,
                State::Waiting(mode, _) => mode,
            };
            let poisoned = matches!(state, State::Poisoned { .. });
            // Once somebody is in the way it matters no more who else is: with hundreds who wait for one part, each looks
            // at all the others.
            if found.blocked.is_some() && !poisoned && by != me {
                continue;
            }
            let in_the_way =
                |(part, want): &Want| (poisoned || want.excludes(mode)) && !entry.is_apart(part);
            if !wants.iter().any(in_the_way) {
                continue;
            }
            let held = entry.part(self.shape);
            let overlapping =
                |(part, want): &&Want| (poisoned || want.excludes(mode)) && part.overlaps(&held);
            let Some(&(part, _)) = wants.iter().find(overlapping) else { continue };
            match state {
                State::Poisoned { panicked } => found.add(wants, by.member, panicked, held),
                // Told before any other: that one might be waiting for this thread.
                State::Held(_) if by == me => {
                    return Err(Refused::Own { part: part.into(), held: held.into() });
                }
                // It waits for this very one, which therefore need not wait for it.
                State::Waiting(_, ticket) if circle::is_kept_by(self.rows(), by, ticket, me) => {}
                _ if members.is_alive(by.member) => {
                    let waits = matches!(state, State::Waiting(..));
                    let (part, held) = (part.into(), held.into());
                    found.blocked = Some(Refused::Overlap { part, held, by: by.member, waits });
                }
                State::Held(mode) => {
                    if let Some(panicked) = entry.bury(mode, by.member) {
                        found.add(wants, by.member, panicked, held);
                    }
                }
                State::Waiting(..) => entry.free(),
            }
        }
        Ok(())
    }

    /// Makes out entries as held; by the holder of the lock.
    fn grant(self, me: Party, wants: &[Want], at: &[usize]) {
        for ((part, mode), &index) in wants.iter().zip(at) {
            self.entry(index).write(part, State::Held(*mode), me);
        }
        if wants.iter().any(|(_, mode)| *mode != Mode::Shared) {
            // After the states, and before anything is written to the parts: who copies without a claim
            // sees one or the other (`granted`).
            let granted = self.head.granted.load(Ordering::Relaxed).wrapping_add(1);
            self.head.granted.store(granted, Ordering::Release);
            fence(Ordering::Release);
        }
        // What earlier claimants of these parts wrote is seen from here on: each released its
        // entry's word, and `Entry::state` acquired it; or the kernel took down its memory.
    }

    fn rows(self) -> impl Iterator<Item = Row> + Clone {
        self.entries().map(move |(entry, state, by)| Row {
            part: entry.part(self.shape),
            state,
            by,
        })
    }
}

impl Found {
    fn add(&mut self, wants: &[Want], by: MemberId, panicked: bool, part: Selection) {
        let covers = |(want, mode): &Want| *mode == Mode::Exclusive && want.covers(&part);
        self.mends |= wants.iter().any(covers);
        self.poison.push(Poison { by, panicked, part });
    }
}

/// Entries of one who waits, until it is granted what it waits for.
struct Waiting<'t, 'a> {
    table: ClaimTable<'t>,
    members: &'a Members<'static>,
    /// # Invariants
    ///
    /// 1. Entries that are waiting, of this thread.
    at: &'a [usize],
}

impl Drop for Waiting<'_, '_> {
    fn drop(&mut self) {
        if self.members.is_mine() {
            self.at.iter().for_each(|&index| self.table.entry(index).free());
            // Others may have waited for this one.
            self.table.head.released.notify_all(self.members);
        }
    }
}
