//! Parts of arrays as messages: as bytes where they are in one piece.

use std::ffi::c_int;
use std::ops::Range;

use crate::error::Result;
use crate::grid::volume;
use crate::sys::{Datatype, Lent, LentMut};

/// Where the part lies in the memory of an array in C order.
#[derive(Debug)]
pub(super) enum Place {
    /// All in one: from that byte on, so many.
    Whole {
        offset: usize,
        bytes: c_int,
    },
    Scattered(Datatype),
}

impl Place {
    /// The part of an array of that shape, whose elements have `size` bytes.
    pub(super) fn of(size: usize, shape: &[usize], part: &[Range<usize>]) -> Result<Self> {
        // It is in one piece if behind the first axis along which it is longer than 1 it has all of each.
        let axes = || part.iter().zip(shape);
        let long = part.iter().position(|range| range.len() > 1).unwrap_or(shape.len());
        let whole = axes().skip(long + 1).all(|(range, n)| range.len() == *n);
        let bytes = volume(part) * size;
        if let (true, Ok(bytes)) = (whole, c_int::try_from(bytes)) {
            let first = axes().fold(0, |at, (range, n)| at * n + range.start);
            return Ok(Self::Whole { offset: first * size, bytes });
        }
        Ok(Self::Scattered(Datatype::part(size, shape, part)?))
    }

    pub(super) fn lent(&self, base: *mut u8) -> Lent<'_> {
        match self {
            Self::Whole { offset, bytes } => Lent::bytes(base.wrapping_add(*offset), *bytes),
            Self::Scattered(datatype) => Lent::typed(base, datatype),
        }
    }

    pub(super) fn lent_mut(&self, base: *mut u8) -> LentMut<'_> {
        match self {
            Self::Whole { offset, bytes } => LentMut::bytes(base.wrapping_add(*offset), *bytes),
            Self::Scattered(datatype) => LentMut::typed(base, datatype),
        }
    }
}
