//! An element as an atomic word.

use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering,
};

use half::f16;
use num_complex::Complex;

use crate::atomic::AtomicElement;
use crate::bool8::Bool8;

/// An element as an atomic word.
pub trait Cell: Copy {
    type Atomic;

    /// # Safety
    ///
    /// `element` is valid and aligned for `'a`, and reached by atomic operations alone meanwhile.
    unsafe fn at<'a>(element: *mut Self) -> &'a Self::Atomic;

    fn load(cell: &Self::Atomic) -> Self;
    fn store(cell: &Self::Atomic, value: Self);
    fn update(cell: &Self::Atomic, f: impl FnMut(Self) -> Self) -> Self;
    fn add(cell: &Self::Atomic, value: Self) -> Self;
}

/// One that is less or greater than another.
pub trait Ordered: Cell {
    fn min(a: Self, b: Self) -> Self;
    fn max(a: Self, b: Self) -> Self;
}

macro_rules! atomic {
    ($($t:ty as $atomic:ty, $to:expr, $from:expr, $add:expr;)+) => {$(
        impl AtomicElement for $t {}

        impl Cell for $t {
            type Atomic = $atomic;

            #[inline]
            unsafe fn at<'a>(element: *mut Self) -> &'a $atomic {
                const { assert!(size_of::<$t>() == size_of::<$atomic>()) }
                // SAFETY: the caller's promise; an element is as large as the atomic, and aligned to its
                // size, since the data begin at a page and strides are whole elements.
                unsafe { <$atomic>::from_ptr(element.cast()) }
            }

            #[inline]
            fn load(cell: &$atomic) -> Self {
                $from(cell.load(Ordering::Acquire))
            }

            #[inline]
            fn store(cell: &$atomic, value: Self) {
                cell.store($to(value), Ordering::Release);
            }

            #[inline]
            fn update(cell: &$atomic, mut f: impl FnMut(Self) -> Self) -> Self {
                let mut old = cell.load(Ordering::Acquire);
                loop {
                    let new = $to(f($from(old)));
                    match cell.compare_exchange_weak(
                        old,
                        new,
                        Ordering::AcqRel,
                        Ordering::Acquire,
                    ) {
                        Ok(old) => return $from(old),
                        Err(now) => old = now,
                    }
                }
            }

            #[inline]
            fn add(cell: &$atomic, value: Self) -> Self {
                let add: fn(&$atomic, $t) -> $t = $add;
                add(cell, value)
            }
        }
    )+};
}

macro_rules! ordered {
    ($($t:ty, $min:expr, $max:expr;)+) => {$(
        impl Ordered for $t {
            #[inline]
            fn min(a: Self, b: Self) -> Self {
                $min(a, b)
            }

            #[inline]
            fn max(a: Self, b: Self) -> Self {
                $max(a, b)
            }
        }
    )+};
}

macro_rules! integers {
    ($($t:ty as $atomic:ty),+) => {
        atomic! {$(
            $t as $atomic, std::convert::identity, std::convert::identity,
            |cell, value| cell.fetch_add(value, Ordering::AcqRel);
        )+}
        ordered! {$($t, Ord::min, Ord::max;)+}
    };
}

/// Whose operations are compare-and-swap loops on their bits.
macro_rules! floats {
    ($($t:ty as $atomic:ty, $to:expr, $from:expr);+ $(;)?) => {
        atomic! {$(
            $t as $atomic, $to, $from,
            |cell, value| <$t as Cell>::update(cell, |old| old + value);
        )+}
    };
}

integers! {
    i8 as AtomicI8, i16 as AtomicI16, i32 as AtomicI32, i64 as AtomicI64,
    u8 as AtomicU8, u16 as AtomicU16, u32 as AtomicU32, u64 as AtomicU64
}

floats! {
    f16 as AtomicU16, f16::to_bits, f16::from_bits;
    f32 as AtomicU32, f32::to_bits, f32::from_bits;
    f64 as AtomicU64, f64::to_bits, f64::from_bits;
    Complex<f32> as AtomicU64, bytemuck::cast, bytemuck::cast;
}

ordered! {
    f16, f16::min, f16::max;
    f32, f32::min, f32::max;
    f64, f64::min, f64::max;
    Bool8, Ord::min, Ord::max;
}

atomic! {
    Bool8 as AtomicU8, bytemuck::cast, bytemuck::cast,
    |cell, value| bytemuck::cast(cell.fetch_or(u8::from(value.get()), Ordering::AcqRel));
}
