//! Types of what is sent: elements as bytes, and rectangular parts of arrays.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::ops::Range;

use mpi::ffi::{self, MPI_Datatype};

use super::{check, int, is_finalised, kinds};
use crate::error::Error;

/// A type that was made here, and is freed.
#[derive(Debug)]
pub(crate) struct Datatype(MPI_Datatype);

impl Datatype {
    /// That many bytes as one element.
    fn bytes(n: usize) -> Result<Self, Error> {
        let n = int("bytes of an element", n)?;
        let byte = kinds::u8();
        Self::made("MPI_Type_contiguous", |made| {
            // SAFETY: `byte` is a type, `made` a place for one (invariant 1 of the module).
            unsafe { ffi::MPI_Type_contiguous(n, byte, made) }
        })
    }

    /// The part `ranges` of an array of that shape in C order, whose elements have `size` bytes.
    pub(crate) fn part(
        size: usize,
        shape: &[usize],
        ranges: &[Range<usize>],
    ) -> Result<Self, Error> {
        let element = Self::bytes(size)?;
        if shape.is_empty() {
            return Ok(element);
        }
        let ints = |of: &mut dyn Iterator<Item = usize>| -> Result<Vec<c_int>, Error> {
            of.map(|n| int("indices along an axis", n)).collect()
        };
        let sizes = ints(&mut shape.iter().copied())?;
        let parts = ints(&mut ranges.iter().map(ExactSizeIterator::len))?;
        let starts = ints(&mut ranges.iter().map(|range| range.start))?;
        let (axes, order) = (sizes.len() as c_int, ffi::MPI_ORDER_C as c_int);
        Self::made("MPI_Type_create_subarray", |made| {
            // SAFETY: three lists of `axes` numbers, a living type, a place for one.
            unsafe {
                ffi::MPI_Type_create_subarray(
                    axes,
                    sizes.as_ptr(),
                    parts.as_ptr(),
                    starts.as_ptr(),
                    order,
                    element.0,
                    made,
                )
            }
        })
    }

    fn made(
        call: &'static str,
        make: impl FnOnce(*mut MPI_Datatype) -> c_int,
    ) -> Result<Self, Error> {
        if is_finalised() {
            return Err(Error::Finalised);
        }
        // SAFETY: reading a constant of the library.
        let mut made = unsafe { ffi::RSMPI_DATATYPE_NULL };
        check(call, make(&raw mut made))?;
        let mut made = Self(made);
        // SAFETY: a type that was just made.
        check("MPI_Type_commit", unsafe { ffi::MPI_Type_commit(&raw mut made.0) })?;
        Ok(made)
    }
}

impl Drop for Datatype {
    fn drop(&mut self) {
        if !is_finalised() {
            // SAFETY: made here, freed once; what is in flight keeps it (MPI counts).
            unsafe { ffi::MPI_Type_free(&raw mut self.0) };
        }
    }
}

/// Memory to send from: an address, and what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent<'a> {
    pub(super) base: *const u8,
    pub(super) count: c_int,
    pub(super) datatype: MPI_Datatype,
    lent: PhantomData<&'a Datatype>,
}

/// Memory to receive into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LentMut<'a> {
    pub(super) base: *mut u8,
    pub(super) count: c_int,
    pub(super) datatype: MPI_Datatype,
    lent: PhantomData<&'a Datatype>,
}

impl<'a> Lent<'a> {
    /// What the type describes, from `base` on.
    pub(crate) fn typed(base: *const u8, datatype: &'a Datatype) -> Self {
        Self { base, count: 1, datatype: datatype.0, lent: PhantomData }
    }

    /// So many bytes.
    pub(crate) fn bytes(base: *const u8, count: c_int) -> Self {
        Self { base, count, datatype: kinds::u8(), lent: PhantomData }
    }

    /// Nothing.
    pub(crate) fn nothing() -> Self {
        Self { base: std::ptr::null(), count: 0, datatype: kinds::u8(), lent: PhantomData }
    }
}

impl<'a> LentMut<'a> {
    /// What the type describes, from `base` on.
    pub(crate) fn typed(base: *mut u8, datatype: &'a Datatype) -> Self {
        Self { base, count: 1, datatype: datatype.0, lent: PhantomData }
    }

    /// So many bytes.
    pub(crate) fn bytes(base: *mut u8, count: c_int) -> Self {
        Self { base, count, datatype: kinds::u8(), lent: PhantomData }
    }
}
