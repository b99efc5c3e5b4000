//! The table of claims, in the control area of an array.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use ndshm_sync::{EventCount, MemberId, Members, RawMutex};

use super::circle::{self, Row};
use super::entry::{self, Entry, Mode, Party, State};
use super::lock::Locked;
use super::part::{MOST_AXES, Part, Selection};

/// Claims that can be outstanding at once, those who wait and poisoned parts included.
pub(crate) const ENTRIES: usize = 1024;

/// What stands before the entries. Valid when zeroed; `axes` are those of the array, at most 6.
///
/// # Layout
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 24 | the lock of the table | |
/// | 24 | 8 | counts releases and versions, for those who wait ([`EventCount`]) | whoever releases or publishes |
/// | 32 | 4 | entries from here on are free | holder of the lock |
/// | 36 | 4 | zero | |
/// | 40 | 8 | tickets drawn by those who wait | holder of the lock |
/// | 48 | 8 | exclusive and atomic claims that were granted | holder of the lock |
/// | 56 | 8 | the version: how often the contents were published | whoever publishes |
/// | 64 | (32 + 24 x axes) x 1024 | the entries | |
///
/// An entry:
///
/// | offset | size | what | written by |
/// |---|---|---|---|
/// | 0 | 8 | the state word: slot in bits 0-15, generation in bits 32-63, `ATOMIC` bit 26, `WAITING` bit 27, `PANICKED` bit 28, `POISONED` bit 29, `EXCLUSIVE` bit 30, `HELD` bit 31; 0 when free | see below |
/// | 8 | 8 | ticket of one who waits | holder of the lock, while the entry is free |
/// | 16 | 8 | which thread of the owner | the same |
/// | 24 | 8 | zero | |
/// | 32 | 24 x axes | along each axis: first index, last index, step | the same |
///
/// | state | next |
/// |---|---|
/// | free | held, waiting: store by the holder of the lock, after the other fields |
/// | waiting | held: store by its owner, holding the lock. Free: the same, when it gives up; or by a holder of the lock that found the owner dead |
/// | held | free: store by its owner, which needs no lock. Poisoned: store by its owner (after a panic), or compare-and-swap by a holder of the lock that found the owner dead (exclusive claims), since that may have let go last of all; free: by the same (others) |
/// | poisoned | free: store by the holder of the lock, for a claimant that covers it, or (in a full table) where another poisoned part does |
///
/// Each transition is one store or compare-and-swap, so the table is whole at every instant: a holder of the lock that
/// dies leaves nothing to mend.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Head {
    pub(super) lock: RawMutex,
    pub(super) released: EventCount,
    used: AtomicU32,
    reserved: u32,
    tickets: AtomicU64,
    granted: AtomicU64,
    version: AtomicU64,
}

/// Bytes of a table for an array of that many axes.
pub(crate) const fn table_len(axes: usize) -> usize {
    size_of::<Head>() + 8 * table_words(axes)
}

/// Words of its entries.
pub(crate) const fn table_words(axes: usize) -> usize {
    let told_apart = if axes < MOST_AXES { axes } else { MOST_AXES };
    ENTRIES * entry::words(told_apart)
}

/// The table of an array of that shape.
///
/// # Invariants
///
/// 1. `words` is [`table_words`] of its axes long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClaimTable<'a> {
    pub(super) head: &'a Head,
    words: &'a [AtomicU64],
    pub(super) shape: &'a [usize],
}

/// What to do about a part that somebody else has claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Return at once.
    Refuse,
    /// Wait: until then, or for ever.
    Until(Option<Instant>),
}

impl Patience {
    pub(crate) fn timeout(timeout: Duration) -> Self {
        Self::Until(Instant::now().checked_add(timeout))
    }

    fn left(self) -> Option<Duration> {
        let left = match self {
            Self::Refuse => return None,
            Self::Until(None) => Duration::MAX,
            Self::Until(Some(at)) => at.saturating_duration_since(Instant::now()),
        };
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

impl<'a> ClaimTable<'a> {
    /// `shape` is the array's, `words` what follows `head`.
    pub(crate) fn new(head: &'a Head, words: &'a [AtomicU64], shape: &'a [usize]) -> Self {
        Self { head, words, shape }
    }

    /// Claims all of `wants` at once, in the entries that `at` then names, or none. What is poisoned
    /// among them comes with it.
    ///
    /// Who waits is served in order of arrival among those who exclude each other.
    pub(crate) fn claim(
        self,
        members: &Members<'static>,
        wants: &[Want],
        at: &mut [usize],
        patience: Patience,
    ) -> Result<Vec<Poison>, Refused> {
        for (i, (part, mode)) in wants.iter().enumerate() {
            let clash = |(other, of): &&Want| mode.excludes(*of) && part.overlaps(other);
            if let Some((held, _)) = wants[..i].iter().find(clash) {
                return Err(Refused::Own { part: (*part).into(), held: (*held).into() });
            }
        }
        let me = Party { member: members.me(), thread: this_thread() };
        let ticket = {
            let _locked = Locked::new(self.head, members, patience)?;
            let mut found = Found::default();
            self.look(members, me, wants, None, &mut found)?;
            let Some(refused) = found.blocked else {
                self.make_room(members, at, found.mends)?;
                self.grant(me, wants, at);
                return Ok(found.poison);
            };
            if patience.left().is_none() {
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
                    if let Some(panicked) = bury(entry, mode, by.member) {
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

    /// Finds as many free entries as `at` is long. The last entry of a table is kept for who can
    /// mend: else a table full of poison could never be cleared. By the holder of the lock.
    fn make_room(
        self,
        members: &Members<'_>,
        at: &mut [usize],
        mends: bool,
    ) -> Result<(), Refused> {
        for swept in [false, true] {
            if swept {
                self.sweep(members);
            }
            // Whoever looks at all entries need not look at those that were let go of behind the last one. Only a holder
            // of the lock takes a free one, so they stay free.
            let was_used = self.used();
            let last = (0..was_used).rev().find(|&i| self.entry(i).state().is_some());
            let used = last.map_or(0, |last| last + 1);
            let mut free =
                (0..used).filter(|&i| self.entry(i).state().is_none()).chain(used..ENTRIES);
            let mut found = 0;
            for (to, index) in at.iter_mut().zip(&mut free) {
                *to = index;
                found += 1;
            }
            if found == at.len() && (mends || free.next().is_some()) {
                let most = at.iter().max().map_or(0, |last| last + 1).max(used);
                if most != was_used {
                    // Release: who sees the count sees that entries are free, and what was written under claims
                    // that are not looked at any more. A death before they are made out leaves them free.
                    self.head.used.store(most as u32, Ordering::Release);
                }
                return Ok(());
            }
        }
        Err(Refused::Full)
    }

    /// Makes room in a full table, wherever it is: frees what the dead have no use for, and poisoned
    /// parts of nothing or within other poisoned parts, and joins those of one member that follow
    /// each other. By the holder of the lock.
    fn sweep(self, members: &Members<'_>) {
        let mut kept: Vec<(Entry<'_>, Selection, MemberId, bool)> = Vec::new();
        for (entry, state, by) in self.entries() {
            let panicked = match state {
                State::Poisoned { panicked } => panicked,
                _ if members.is_alive(by.member) => continue,
                State::Held(mode) => match bury(entry, mode, by.member) {
                    Some(panicked) => panicked,
                    None => continue,
                },
                State::Waiting(..) => {
                    entry.free();
                    continue;
                }
            };
            let part = entry.part(self.shape);
            if part.is_empty() || kept.iter().any(|(_, other, ..)| other.covers(&part)) {
                entry.free();
                continue;
            }
            let neighbour = kept.iter_mut().find_map(|(to, other, of, how)| {
                let alike = *of == by.member && *how == panicked;
                alike.then(|| other.joined(&part)).flatten().map(|joined| (to, other, joined))
            });
            if let Some((to, other, (axis, indices))) = neighbour {
                to.grow(axis, indices);
                *other = to.part(self.shape);
                entry.free();
            } else {
                kept.push((entry, part, by.member, panicked));
            }
        }
    }

    /// Whether the calling thread holds a claim of this array.
    pub(crate) fn held_by_this_thread(self, members: &Members<'_>) -> bool {
        let me = Party { member: members.me(), thread: this_thread() };
        self.entries().any(|(_, state, by)| matches!(state, State::Held(_)) && by == me)
    }

    /// How often the contents were published.
    pub(crate) fn version(self) -> &'a AtomicU64 {
        &self.head.version
    }

    /// What is slept on by those who wait.
    pub(crate) fn released(self) -> &'a EventCount {
        &self.head.released
    }

    /// The number of exclusive and atomic claims that were granted until now. Where it is the same
    /// after a copy as before, and [`written`](Self::written) found nobody in between, nobody has written.
    pub(crate) fn granted(self) -> u64 {
        self.head.granted.load(Ordering::Acquire)
    }

    /// All that is claimed to be written, or poisoned; for one that cannot write a claim. A claim of the
    /// dead is poison that nobody has met yet.
    pub(crate) fn written(self) -> impl Iterator<Item = (Selection, State, MemberId)> {
        self.entries().filter_map(|(entry, state, by)| {
            let writes = match state {
                State::Held(mode) => mode != Mode::Shared,
                State::Poisoned { .. } => true,
                State::Waiting(..) => false,
            };
            writes.then(|| (entry.part(self.shape), state, by.member))
        })
    }

    /// Clears the poison of the parts that this one covers; whether that was all it overlaps.
    pub(super) fn clear_poison(
        self,
        members: &Members<'static>,
        part: &Selection,
    ) -> Result<bool, Refused> {
        let _locked = Locked::new(self.head, members, Patience::Until(None))?;
        let mut all = true;
        for (entry, state, _) in self.entries() {
            let poisoned = entry.part(self.shape);
            if matches!(state, State::Poisoned { .. }) && part.overlaps(&poisoned) {
                if part.covers(&poisoned) {
                    entry.free();
                } else {
                    all = false;
                }
            }
        }
        Ok(all)
    }

    fn rows(self) -> impl Iterator<Item = Row> + Clone {
        self.entries().map(move |(entry, state, by)| Row {
            part: entry.part(self.shape),
            state,
            by,
        })
    }

    /// All entries that are not free.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Entry<'a>, State, Party)> + Clone {
        (0..self.used()).filter_map(move |index| {
            let entry = self.entry(index);
            entry.state().map(|(state, by)| (entry, state, by))
        })
    }

    pub(super) fn entry(self, index: usize) -> Entry<'a> {
        let len = self.words.len() / ENTRIES;
        Entry(&self.words[index * len..][..len])
    }

    fn used(self) -> usize {
        // A corrupted count is cut to what there is.
        (self.head.used.load(Ordering::Acquire) as usize).min(ENTRIES)
    }
}

impl Found {
    fn add(&mut self, wants: &[Want], by: MemberId, panicked: bool, part: Selection) {
        let covers = |(want, mode): &Want| *mode == Mode::Exclusive && want.covers(&part);
        self.mends |= wants.iter().any(covers);
        self.poison.push(Poison { by, panicked, part });
    }
}

/// Ends a claim that was seen to be held by an owner that is dead now; where that left its part poisoned, whether it had
/// panicked.
fn bury(entry: Entry<'_>, mode: Mode, owner: MemberId) -> Option<bool> {
    // Each step of an atomic claimant is whole.
    let left = (mode == Mode::Exclusive).then_some(State::Poisoned { panicked: false });
    if entry.replace(State::Held(mode), left, owner) {
        return left.map(|_| false);
    }
    // Between the look and its death it let go of it, or panicked: what it stored last stands.
    match entry.state() {
        Some((State::Poisoned { panicked }, _)) => Some(panicked),
        _ => None,
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

/// A number for the calling thread that no other of this process has.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static THIS: Cell<u64> = const { Cell::new(0) });
    THIS.with(|this| {
        if this.get() == 0 {
            this.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        this.get()
    })
}

#[cfg(test)]
mod tests {
    use super::super::progression::Progression;
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn what_was_let_go_before_a_death_is_not_poisoned() {
        let words: Vec<AtomicU64> = (0..entry::words(1)).map(|_| AtomicU64::new(0)).collect();
        let entry = Entry(&words);
        let owner = MemberId::from_bits(1 << 32 | 5).unwrap();
        let held = State::Held(Mode::Exclusive);
        let part = Selection::whole(&[3]);
        // Seen as held, and then:
        for (done_since, left) in
            [(None, Some(false)), (Some(State::Poisoned { panicked: true }), Some(true))]
        {
            entry.write(&part, held, Party { member: owner, thread: 1 });
            done_since.into_iter().for_each(|state| entry.set(state, owner));
            assert_eq!(bury(entry, Mode::Exclusive, owner), left);
            assert!(matches!(entry.state(), Some((State::Poisoned { .. }, _))));
        }
        entry.free();
        assert_eq!(bury(entry, Mode::Exclusive, owner), None);
        assert_eq!(entry.state(), None);
    }

    #[test]
    fn what_is_free_behind_the_last_is_not_looked_at() {
        let members: &'static Members<'static> = Box::leak(Box::new(ndshm_testkit::members!()));
        let words: Vec<AtomicU64> = (0..table_words(1)).map(|_| AtomicU64::new(0)).collect();
        let head = Head {
            lock: RawMutex::new(),
            released: EventCount::new(),
            used: AtomicU32::new(0),
            reserved: 0,
            tickets: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            version: AtomicU64::new(0),
        };
        let shape = [100];
        let table = ClaimTable::new(&head, &words, &shape);
        let claim = |row| {
            let part = Selection::new(&shape, [Progression::new(row, 1, 1)]);
            let mut at = [0];
            let got = table.claim(members, &[(part, Mode::Exclusive)], &mut at, Patience::Refuse);
            assert!(got.unwrap().is_empty());
            (at[0], table.used())
        };
        for row in 0..50 {
            assert_eq!(claim(row), (row, row + 1));
        }
        (10..50).for_each(|index| table.entry(index).free());
        assert_eq!(claim(60), (10, 11));
        table.entry(3).free();
        assert_eq!(claim(61), (3, 11));
        (0..11).for_each(|index| table.entry(index).free());
        assert_eq!(claim(62), (0, 1));
    }

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(offset_of!(Head, lock), 0);
        assert_eq!(offset_of!(Head, released), 24);
        assert_eq!(offset_of!(Head, used), 32);
        assert_eq!(offset_of!(Head, tickets), 40);
        assert_eq!(offset_of!(Head, granted), 48);
        assert_eq!(offset_of!(Head, version), 56);
        assert_eq!(size_of::<Head>(), 64);
        assert_eq!(table_len(2) - 64, (32 + 24 * 2) * 1024);
        assert_eq!(table_len(9), table_len(6));
    }
}
