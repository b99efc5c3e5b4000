//! Entries for new claims, and where there are none left, what the dead have no use for.

use std::sync::atomic::Ordering;

use ndshm_sync::{MemberId, Members};

use super::entry::{Entry, State};
use super::lock::Locked;
use super::part::Selection;
use super::request::{Patience, Refused};
use super::table::{ClaimTable, ENTRIES};

impl ClaimTable<'_> {
    /// Finds as many free entries as `at` is long. The last entry of a table is kept for who can
    /// mend: else a table full of poison could never be cleared. By the holder of the lock.
    pub(super) fn make_room(
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
                State::Held(mode) => match entry.bury(mode, by.member) {
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
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::super::entry::Mode;
    use super::super::progression::Progression;
    use super::super::table::{Head, table_words};
    use super::*;

    #[test]
    fn what_is_free_behind_the_last_is_not_looked_at() {
        let members: &'static Members<'static> = Box::leak(Box::new(ndshm_testkit::members!()));
        let words: Vec<AtomicU64> = (0..table_words(1)).map(|_| AtomicU64::new(0)).collect();
        let head = Head::zeroed();
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
}
