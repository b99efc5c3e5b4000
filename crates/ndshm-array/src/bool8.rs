//! A truth value that any byte is.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Not};

use bytemuck::{Pod, Zeroable};

/// A truth value of one byte, NumPy's `bool`: zero is false, all else is true.
///
/// A Rust `bool` that is neither 0 nor 1 is undefined behaviour, and any process may write any byte to shared memory, so
/// `bool` itself is no [`Element`](crate::Element). Of this type every byte is a value: whoever finds a 2 reads `true`,
/// compares it equal to `true`, and a copy of it keeps the 2. What is made from a `bool` here is 0 or 1. NumPy takes such a
/// byte for `True`, too, but shows it in `a.view('u1')`.
///
/// ```
/// use ndshm_array::{Bool8, SharedArray1};
///
/// let done = SharedArray1::<Bool8>::zeros(3)?;
/// done.write()?[1] = true.into();
/// let done = done.read()?;
/// assert!(!done[0].get() && done[1] == true);
/// assert_eq!(done.iter().filter(|done| done.get()).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(transparent)]
pub struct Bool8(u8);

impl Bool8 {
    /// False: the byte 0.
    pub const FALSE: Self = Self(0);
    /// True: the byte 1.
    pub const TRUE: Self = Self(1);

    /// The byte 0 or 1.
    ///
    /// ```
    /// assert_eq!(ndshm_array::Bool8::new(true), ndshm_array::Bool8::TRUE);
    /// ```
    #[must_use]
    pub const fn new(value: bool) -> Self {
        Self(value as u8)
    }

    /// Whether the byte is not 0.
    ///
    /// ```
    /// let two: ndshm_array::Bool8 = bytemuck::cast(2_u8); // somebody else wrote it
    /// assert!(two.get());
    /// ```
    #[must_use]
    pub const fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool8 {
    fn from(value: bool) -> Self {
        Self::new(value)
    }
}

impl From<Bool8> for bool {
    fn from(value: Bool8) -> Self {
        value.get()
    }
}

impl PartialEq for Bool8 {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Bool8 {}

impl PartialEq<bool> for Bool8 {
    fn eq(&self, other: &bool) -> bool {
        self.get() == *other
    }
}

impl PartialOrd for Bool8 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bool8 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.get().cmp(&other.get())
    }
}

impl Hash for Bool8 {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl fmt::Debug for Bool8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

impl fmt::Display for Bool8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get(), f)
    }
}

impl Not for Bool8 {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(!self.get())
    }
}

macro_rules! logic {
    ($($op:ident::$f:ident, $assign:ident::$g:ident;)+) => {$(
        impl $op for Bool8 {
            type Output = Self;

            fn $f(self, other: Self) -> Self {
                Self::new(self.get().$f(other.get()))
            }
        }

        impl $assign for Bool8 {
            fn $g(&mut self, other: Self) {
                *self = self.$f(other);
            }
        }
    )+};
}

logic! {
    BitAnd::bitand, BitAndAssign::bitand_assign;
    BitOr::bitor, BitOrAssign::bitor_assign;
    BitXor::bitxor, BitXorAssign::bitxor_assign;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_truth_value() {
        for byte in 0..=u8::MAX {
            let value: Bool8 = bytemuck::cast(byte);
            assert_eq!((value.get(), value == (byte != 0)), (byte != 0, true));
            assert_eq!(bytemuck::cast::<Bool8, u8>(!value), u8::from(byte == 0));
            assert_eq!(bytemuck::cast::<Bool8, u8>(value & Bool8::TRUE), u8::from(byte != 0));
            assert_eq!(format!("{value}"), (byte != 0).to_string());
        }
        assert!(Bool8::FALSE < Bool8::TRUE);
        assert_eq!([Bool8::TRUE ^ Bool8::TRUE, Bool8::FALSE | Bool8::TRUE], [false, true]);
    }
}
