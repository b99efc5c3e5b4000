//! Whether a wait would close a circle of those who wait for each other.
//!
//! Edges of the graph of waits begin at one who waits, and exist from the moment that it begins to; who
//! is granted a part was waited for already by all who wait for it then. So a circle is closed by one
//! that begins to wait, and looking once, then, is enough.

use ndshm_sync::Members;

use super::entry::{Party, State};
use super::part::Selection;
use super::request::Want;

/// An entry of the table, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) part: Selection,
    pub(crate) state: State,
    pub(crate) by: Party,
}

/// Whether one of those that `me` would wait for waits for `me`, perhaps by way of others.
pub(crate) fn would_close(rows: &[Row], members: &Members<'_>, me: Party, wants: &[Want]) -> bool {
    let mut seen: Vec<Party> = Vec::new();
    let mut next: Vec<Party> =
        wants.iter().flat_map(|want| waited_for(rows, me, want, u64::MAX)).collect();
    while let Some(party) = next.pop() {
        if party == me {
            return true;
        }
        if seen.contains(&party) {
            continue;
        }
        seen.push(party);
        let waits = rows.iter().filter_map(|row| match row.state {
            State::Waiting(mode, ticket) if row.by == party => Some(((row.part, mode), ticket)),
            _ => None,
        });
        let before = next.len();
        next.extend(waits.flat_map(|(want, ticket)| waited_for(rows, party, &want, ticket)));
        // The dead wait for nobody.
        if next.len() > before && !members.is_alive(party.member) {
            next.truncate(before);
        }
    }
    false
}

/// Whom one waits for that drew that ticket: who holds what it wants, and who has waited for longer.
fn waited_for(rows: &[Row], party: Party, want: &Want, ticket: u64) -> Vec<Party> {
    let (part, wanted) = want;
    let blocks = |row: &&Row| match row.state {
        State::Held(mode) => row.by != party && wanted.excludes(mode) && part.overlaps(&row.part),
        State::Waiting(mode, other) => {
            other < ticket
                && row.by != party
                && wanted.excludes(mode)
                && part.overlaps(&row.part)
                && !is_kept_by(rows.iter().copied(), row.by, other, party)
        }
        State::Poisoned { .. } => false,
    };
    rows.iter().filter(blocks).map(|row| row.by).collect()
}

/// Whether any of what `waiter` wants, since it drew that ticket, is kept from it by a claim of `party`: which then need not
/// wait for it, whoever came first.
pub(super) fn is_kept_by(
    rows: impl Iterator<Item = Row> + Clone,
    waiter: Party,
    ticket: u64,
    party: Party,
) -> bool {
    rows.clone().any(|wish| {
        let State::Waiting(wanted, of) = wish.state else { return false };
        wish.by == waiter
            && of == ticket
            && rows.clone().any(|held| {
                matches!(held.state, State::Held(mode) if held.by == party && mode.excludes(wanted))
                    && held.part.overlaps(&wish.part)
            })
    })
}
