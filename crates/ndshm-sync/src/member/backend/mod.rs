//! What a membership asks of its platform, and nothing else here does: a slot that comes free at
//! death, whether another's has, sleeping on a word, and the barrier for both sides of that.

mod native;

pub(super) use native::Seat;
