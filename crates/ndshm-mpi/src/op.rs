//! By what elements of several ranks are combined.

use ndshm_array::Element;
use num_complex::Complex;

use crate::sys::{MPI_Datatype, MPI_Op, kinds};

/// The sum; integers wrap around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum;

/// The product; integers wrap around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product;

/// The least; of no elements the greatest value there is. Which of a number and a NaN is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Min;

/// The greatest; of no elements the least value there is. Which of a number and a NaN is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Max;

/// What [`Sum`], [`Product`], [`Min`] and [`Max`] are for elements that they combine: integers and floats; complex numbers, but for the last two.
///
/// The order in which ranks of a node are combined is that of their ranks; that of nodes is the MPI library's. So a sum of floats
/// is the same from run to run with the same nodes, as far as the library promises that, and may differ in its last bits with others.
///
/// ```
/// use ndshm_mpi::{Min, Op, Sum};
///
/// assert_eq!(Op::<i32>::combine(Sum, 3, 4), 7);
/// assert_eq!(Op::combine(Min, 3.0, Op::<f64>::nothing(Min)), 3.0);
/// ```
pub trait Op<T>: Copy + sealed::Op<T> {
    /// Both together.
    #[must_use]
    fn combine(self, a: T, b: T) -> T;

    /// What changes nothing that it is combined with.
    #[must_use]
    fn nothing(self) -> T;
}

/// Elements that MPI can combine.
pub trait Number: Element + sealed::Number {}

pub(crate) mod sealed {
    use super::{MPI_Datatype, MPI_Op};

    /// What MPI calls the operation.
    pub trait Op<T> {
        #[doc(hidden)]
        fn raw(self) -> MPI_Op;
    }

    /// What MPI calls the elements, and those that change nothing.
    pub trait Number: Sized {
        #[doc(hidden)]
        const ZERO: Self;
        #[doc(hidden)]
        const ONE: Self;
        /// Of those that are ordered.
        #[doc(hidden)]
        const LEAST: Self;
        #[doc(hidden)]
        const GREATEST: Self;

        #[doc(hidden)]
        fn raw() -> MPI_Datatype;
    }
}

macro_rules! op {
    ($op:ident $raw:ident: $($t:ty)+ => |$a:ident, $b:ident| $both:expr, $nothing:ident) => {$(
        impl Op<$t> for $op {
            #[inline]
            fn combine(self, $a: $t, $b: $t) -> $t {
                $both
            }

            fn nothing(self) -> $t {
                <$t as sealed::Number>::$nothing
            }
        }

        impl sealed::Op<$t> for $op {
            fn raw(self) -> MPI_Op {
                kinds::$raw()
            }
        }
    )+};
}

op!(Sum sum: i8 i16 i32 i64 u8 u16 u32 u64 => |a, b| a.wrapping_add(b), ZERO);
op!(Sum sum: f32 f64 => |a, b| a + b, ZERO);
op!(Sum sum: Complex<f32> Complex<f64> => |a, b| a + b, ZERO);
op!(Product product: i8 i16 i32 i64 u8 u16 u32 u64 => |a, b| a.wrapping_mul(b), ONE);
op!(Product product: f32 f64 => |a, b| a * b, ONE);
op!(Product product: Complex<f32> Complex<f64> => |a, b| a * b, ONE);
op!(Min least: i8 i16 i32 i64 u8 u16 u32 u64 => |a, b| a.min(b), GREATEST);
op!(Min least: f32 f64 => |a, b| if b < a { b } else { a }, GREATEST);
op!(Max greatest: i8 i16 i32 i64 u8 u16 u32 u64 => |a, b| a.max(b), LEAST);
op!(Max greatest: f32 f64 => |a, b| if b > a { b } else { a }, LEAST);

macro_rules! number {
    ($($t:ty => $raw:ident: $zero:expr, $one:expr, $least:expr, $greatest:expr;)+) => {$(
        impl Number for $t {}

        impl sealed::Number for $t {
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            const LEAST: Self = $least;
            const GREATEST: Self = $greatest;

            fn raw() -> MPI_Datatype {
                kinds::$raw()
            }
        }
    )+};
}

macro_rules! integer {
    ($($t:ident)+) => {
        number! { $($t => $t: 0, 1, Self::MIN, Self::MAX;)+ }
    };
}

integer!(i8 i16 i32 i64 u8 u16 u32 u64);
number! {
    f32 => f32: 0.0, 1.0, Self::NEG_INFINITY, Self::INFINITY;
    f64 => f64: 0.0, 1.0, Self::NEG_INFINITY, Self::INFINITY;
    // Not ordered: nobody asks for the last two.
    Complex<f32> => c32: Self::new(0.0, 0.0), Self::new(1.0, 0.0), Self::ZERO, Self::ZERO;
    Complex<f64> => c64: Self::new(0.0, 0.0), Self::new(1.0, 0.0), Self::ZERO, Self::ZERO;
}
