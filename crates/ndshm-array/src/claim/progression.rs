//! Indices along one axis: every `step`-th from a first to a last one.

use std::fmt;

/// `first`, `first + step`, ... `last`; none, at `first`, where `step` is 0.
///
/// # Invariants
///
/// 1. `first <= last`, and `last - first` is a multiple of `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Progression {
    first: usize,
    last: usize,
    step: usize,
}

impl Progression {
    pub(crate) const EMPTY: Self = Self { first: 0, last: 0, step: 0 };

    /// `len` indices from `first` on, `step` apart (not 0). One beyond what can be counted is cut off.
    pub(crate) fn new(first: usize, len: usize, step: usize) -> Self {
        match len {
            0 => Self { first, last: first, step: 0 },
            // Of one, the step is no matter: 1, so that equal ones are equal.
            1 => Self { first, last: first, step: 1 },
            _ => Self { first, last: first.saturating_add((len - 1).saturating_mul(step)), step },
        }
    }

    /// The numbers as they were stored, whatever they are now.
    pub(crate) fn from_words([first, last, step]: [usize; 3]) -> Self {
        if last < first || step == 0 {
            return Self::new(first, 0, 1);
        }
        Self::new(first, ((last - first) / step).saturating_add(1), step)
    }

    pub(crate) const fn to_words(self) -> [usize; 3] {
        [self.first, self.last, self.step]
    }

    pub(crate) const fn first(self) -> usize {
        self.first
    }

    pub(crate) const fn last(self) -> usize {
        self.last
    }

    pub(crate) const fn step(self) -> usize {
        self.step
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.step == 0
    }

    pub(crate) const fn len(self) -> usize {
        if self.is_empty() { 0 } else { (self.last - self.first) / self.step + 1 }
    }

    /// From the first to the one behind the last.
    pub(crate) const fn span(self) -> usize {
        if self.is_empty() { 0 } else { self.last - self.first + 1 }
    }

    pub(crate) const fn contains(self, index: usize) -> bool {
        !self.is_empty()
            && self.first <= index
            && index <= self.last
            && (index - self.first).is_multiple_of(self.step)
    }

    /// Whether any index is in both.
    pub(crate) fn meets(self, other: Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        let (from, to) = (self.first.max(other.first), self.last.min(other.last));
        if from > to {
            return false;
        }
        if self.step == 1 && other.step == 1 {
            return true;
        }
        self.common(other, from).is_some_and(|index| index <= to)
    }

    /// The first index from `from` on that both would have if they went on for ever in both directions.
    ///
    /// The steps' greatest common divisor has to divide the distance; then the Chinese remainder theorem
    /// gives one index for each of their least common multiple.
    fn common(self, other: Self, from: usize) -> Option<usize> {
        let [a, b] = [self.step as i128, other.step as i128];
        let (gcd, inverse) = bezout(a, b);
        let distance = other.first as i128 - self.first as i128;
        if distance % gcd != 0 {
            return None;
        }
        let cycle = b / gcd;
        let times = (distance / gcd % cycle * (inverse % cycle)).rem_euclid(cycle);
        let (meeting, lcm) = (self.first as i128 + a * times, a * cycle);
        usize::try_from(from as i128 + (meeting - from as i128).rem_euclid(lcm)).ok()
    }

    /// Whether every index of the other is in this one.
    pub(crate) const fn covers(self, other: Self) -> bool {
        other.is_empty()
            || self.contains(other.first)
                && self.contains(other.last)
                && (other.first == other.last || other.step.is_multiple_of(self.step))
    }

    /// What both are together, where that is one progression and they follow each other.
    pub(crate) fn joined(self, other: Self) -> Option<Self> {
        if self.first > other.first {
            return other.joined(self);
        }
        if self.is_empty() || other.is_empty() || other.first <= self.last {
            return None;
        }
        let gap = other.first - self.last;
        // Of two single indices any distance would be a step: neighbours only.
        let fits = |one: Self| one.step == gap || one.first == one.last;
        (fits(self) && fits(other) && (self.step == gap || other.step == gap))
            .then(|| Self::new(self.first, self.len() + other.len(), gap))
    }
}

/// The greatest common divisor of two positive numbers, and what to multiply the first with to get
/// it but for multiples of the second.
fn bezout(a: i128, b: i128) -> (i128, i128) {
    let (mut r, mut s) = ((a, b), (1, 0));
    while r.1 != 0 {
        let q = r.0 / r.1;
        r = (r.1, r.0 - q * r.1);
        s = (s.1, s.0 - q * s.1);
    }
    if r.0 > 0 { (r.0, s.0) } else { (-r.0, -s.0) }
}

/// As a slice is written.
impl fmt::Display for Progression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, step } = *self;
        match self.len() {
            0 => write!(f, "{first}..{first}"),
            1 => write!(f, "{first}..{}", last.saturating_add(1)),
            _ if step == 1 => write!(f, "{first}..{}", last.saturating_add(1)),
            _ => write!(f, "{first}..{};{step}", last.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn small() -> impl Strategy<Value = Progression> {
        (0..30_usize, 0..8_usize, 1..9_usize).prop_map(|(f, n, s)| Progression::new(f, n, s))
    }

    fn all(one: Progression) -> BTreeSet<usize> {
        (0..one.len()).map(|i| one.first() + i * one.step()).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_indices(a in small(), b in small()) {
            let (x, y) = (all(a), all(b));
            prop_assert_eq!(a.meets(b), !x.is_disjoint(&y), "{} and {}", a, b);
            prop_assert_eq!(a.covers(b), x.is_superset(&y), "{} and {}", a, b);
            prop_assert_eq!(a.is_empty(), x.is_empty());
            for index in 0..90 {
                prop_assert_eq!(a.contains(index), x.contains(&index));
            }
            if let Some(both) = a.joined(b) {
                prop_assert!(x.is_disjoint(&y));
                prop_assert_eq!(all(both), &x | &y);
                prop_assert_eq!(b.joined(a), Some(both));
            }
            prop_assert_eq!(Progression::from_words(a.to_words()), a);
        }

        #[test]
        fn any_words_are_one(words in any::<[usize; 3]>(), other in any::<[usize; 3]>()) {
            let (a, b) = (Progression::from_words(words), Progression::from_words(other));
            prop_assert_eq!(a.meets(b), b.meets(a));
            prop_assert!(a.covers(a) && a.is_empty() != a.meets(a));
            let _ = (a.covers(b), a.joined(b), a.to_string());
        }
    }

    #[test]
    fn far_apart_and_with_large_steps() {
        let a = Progression::new(0, 1 << 20, 1 << 40);
        let b = Progression::new(3 << 40, 5, (1 << 40) - 1);
        assert!(a.meets(b), "in the first of b");
        assert!(!a.meets(Progression::new((3 << 40) + 1, 5, 1 << 30)));
    }
}
