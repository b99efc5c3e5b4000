//! A payload that shows what was done to it: seventeen words that are one number in disguise and a
//! count for each seat, written one after another, so that whoever dies in between leaves them torn.

use std::ops::RangeInclusive;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;

use crate::arena::SEATS;
use crate::scene::Dead;
use crate::seat::At;
use crate::stage::Stage;
use crate::violation::Violation;

/// Words made from the first, and their checksum.
const MADE: usize = 8;
/// Where the counts of the seats begin.
const TURNS: usize = 1 + MADE;

/// The count of all turns and who took the last; seven words made from that; their checksum; then the
/// turns of each seat.
pub type Ledger = [u64; TURNS + SEATS];

/// Writes of a turn.
pub const WRITES: usize = 2 + MADE;

/// One of no turn.
#[must_use]
pub fn fresh() -> Ledger {
    let mut ledger = [0; TURNS + SEATS];
    ledger[..TURNS].copy_from_slice(&made_from(0));
    ledger
}

/// Turns that were taken.
#[must_use]
pub const fn count(ledger: &Ledger) -> u64 {
    ledger[0] >> 8
}

const fn writer(ledger: &Ledger) -> usize {
    (ledger[0] & 0xff) as usize % SEATS
}

fn turns(ledger: &Ledger) -> u64 {
    ledger[TURNS..].iter().sum()
}

fn made_from(head: u64) -> [u64; TURNS] {
    let mut words = [head; TURNS];
    for i in 1..MADE {
        words[i] = (words[i - 1] ^ head).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    words[MADE] = words[..MADE].iter().fold(0, |sum: u64, w| sum.rotate_left(7) ^ w);
    words
}

/// Whether all words fit together.
#[must_use]
pub fn is_whole(ledger: &Ledger) -> bool {
    ledger[..TURNS] == made_from(ledger[0]) && turns(ledger) == count(ledger)
}

fn put(ledger: &mut Ledger, at: usize, value: u64) {
    // SAFETY: an exclusive reference; volatile, so that the words are written here, in this order,
    // and not all at once where the compiler likes.
    unsafe { ptr::write_volatile(&raw mut ledger[at], value) };
}

/// In what order the words of a turn of `seat` are written.
pub fn order(seat: usize) -> impl Iterator<Item = usize> {
    [0, TURNS + seat].into_iter().chain(1..TURNS)
}

/// One turn of `seat`, word by word; says after each how many are written.
pub fn take_turn(ledger: &mut Ledger, seat: usize, mut written: impl FnMut(u8)) {
    let head = (count(ledger) + 1) << 8 | seat as u64;
    let made = made_from(head);
    let turns = ledger[TURNS + seat] + 1;
    for (k, at) in (1..).zip(order(seat)) {
        put(ledger, at, if at < TURNS { made[at] } else { turns });
        written(k);
    }
}

/// Completes the turn that somebody died in. The first word is written whole or not at all: go forward
/// to what it says.
pub fn mend(ledger: &mut Ledger, mut written: impl FnMut()) {
    let missing = count(ledger).wrapping_sub(turns(ledger));
    if missing == 1 {
        let at = TURNS + writer(ledger);
        let turns = ledger[at] + 1;
        put(ledger, at, turns);
    }
    written();
    for (i, value) in made_from(ledger[0]).into_iter().enumerate().skip(1) {
        put(ledger, i, value);
        written();
    }
}

/// How many turns one may have done beyond those that it has counted, where its turn is done once begun.
#[must_use]
pub fn begun_is_done(at: At) -> RangeInclusive<u64> {
    match at {
        // Between saying so and the first word.
        At::Changing(0) => 0..=1,
        At::Changing(_) | At::Changed | At::Releasing => 1..=1,
        _ => 0..=0,
    }
}

/// Holds the turns of every seat against what the players say of themselves: the living are at the
/// gate, and these have died, each after so many more turns as `beyond` says. Reports what is missing,
/// and what nobody did.
pub fn audit(
    ledger: &Ledger,
    stage: &Stage,
    dead: &[Dead],
    beyond: impl Fn(At) -> RangeInclusive<u64>,
) {
    if !is_whole(ledger) {
        stage.report(Violation::Torn, &format!("a payload that does not fit: {ledger:x?}"));
    }
    for seat in stage.others() {
        let found = ledger[TURNS + seat];
        let (done, possible) = match dead.iter().find(|dead| dead.seat == seat) {
            None => (stage.words_of(seat).read().0, 0..=0),
            Some(&Dead { done, at, .. }) => (done, beyond(at)),
        };
        if !possible.contains(&found.wrapping_sub(done)) {
            let details = format!(
                "seat {seat} has done {done} turns, and the payload has {found} of them; dead: \
                 {dead:?}"
            );
            stage.report(Violation::Lost, &details);
        }
        // The next in this seat goes on from there.
        if dead.iter().any(|dead| dead.seat == seat) {
            stage.words_of(seat).say(found, At::Starting);
        }
    }
}

/// Holds what was told of each of the dead against what it was doing: told once where it had the thing
/// for certain, never where it had not. Which of them others were told of.
pub fn told(stage: &Stage, dead: &[Dead]) -> Vec<bool> {
    let times = |seat| stage.words_of(seat).told.load(SeqCst);
    for seat in stage.others().filter(|seat| dead.iter().all(|dead| dead.seat != *seat)) {
        if times(seat) != 0 {
            stage.report(Violation::Stolen, &format!("seat {seat} lives, and was told to be dead"));
        }
    }
    let of_one = |one: &Dead| {
        let told = times(one.seat);
        // One that was told may have died before it could say so, and left the next its own death.
        let heir =
            |other: &Dead| other.seat != one.seat && matches!(other.at, At::Wanting | At::Mending);
        let possible = match one.at {
            at if at.is_inside() => u64::from(!dead.iter().any(heir))..=1,
            // Beside the instruction that takes or releases.
            At::Wanting | At::Releasing => 0..=1,
            _ => 0..=0,
        };
        if !possible.contains(&told) {
            let what = if told == 0 { Violation::Torn } else { Violation::Other };
            stage.report(
                what,
                &format!("{one:?} died, and that was told {told} times; all dead: {dead:?}"),
            );
        }
        told > 0
    };
    dead.iter().map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_cut_short_anywhere_shows_and_is_mended() {
        for cut in 0..=WRITES {
            let mut ledger = fresh();
            take_turn(&mut ledger, 3, |_| {});
            assert!(is_whole(&ledger));
            let before = ledger;
            take_turn(&mut ledger, 5, |_| {});
            let after = ledger;
            let mut torn = before;
            order(5).take(cut).for_each(|i| torn[i] = after[i]);
            assert_eq!(is_whole(&torn), cut == 0 || cut == WRITES, "cut after {cut}");
            mend(&mut torn, || {});
            assert_eq!(torn, if cut == 0 { before } else { after });
        }
    }
}
