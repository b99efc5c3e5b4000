//! Arithmetic on `&guard`: always yields an ordinary [`Array`] in private memory.

use std::ops::{Add, Div, Mul, Neg, Sub};

use ndarray::{Array, ArrayRef, DimMax, Dimension, ScalarOperand};
use num_complex::Complex;

use super::guard::{ReadGuard, WriteGuard};
use crate::element::Element;

macro_rules! between_guards {
    ($op:ident::$f:ident, $left:ident, $right:ident) => {
        impl<T, D> $op<&$right<'_, T, D>> for &$left<'_, T, D>
        where
            T: Element + $op<T, Output = T>,
            D: Dimension + DimMax<D, Output = D>,
        {
            type Output = Array<T, D>;

            fn $f(self, right: &$right<'_, T, D>) -> Array<T, D> {
                (&**self).$f(&**right)
            }
        }
    };
}

macro_rules! with_others {
    ($op:ident::$f:ident, $guard:ident, $($scalar:ty),+) => {
        impl<T, D> $op<&ArrayRef<T, D>> for &$guard<'_, T, D>
        where
            T: Element + $op<T, Output = T>,
            D: Dimension + DimMax<D, Output = D>,
        {
            type Output = Array<T, D>;

            fn $f(self, right: &ArrayRef<T, D>) -> Array<T, D> {
                (&**self).$f(right)
            }
        }

        impl<T, D> $op<T> for &$guard<'_, T, D>
        where
            T: Element + ScalarOperand + $op<T, Output = T>,
            D: Dimension,
        {
            type Output = Array<T, D>;

            fn $f(self, right: T) -> Array<T, D> {
                (&**self).$f(right)
            }
        }

        $(impl<D: Dimension> $op<&$guard<'_, $scalar, D>> for $scalar {
            type Output = Array<$scalar, D>;

            fn $f(self, right: &$guard<'_, $scalar, D>) -> Array<$scalar, D> {
                self.$f(&**right)
            }
        })+
    };
}

macro_rules! operator {
    ($($op:ident::$f:ident),+) => {$(
        between_guards!($op::$f, ReadGuard, ReadGuard);
        between_guards!($op::$f, ReadGuard, WriteGuard);
        between_guards!($op::$f, WriteGuard, ReadGuard);
        between_guards!($op::$f, WriteGuard, WriteGuard);
        with_others!($op::$f, ReadGuard, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex<f32>, Complex<f64>);
        with_others!($op::$f, WriteGuard, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex<f32>, Complex<f64>);
    )+};
}

operator!(Add::add, Sub::sub, Mul::mul, Div::div);

macro_rules! negation {
    ($($guard:ident),+) => {$(
        impl<T, D> Neg for &$guard<'_, T, D>
        where
            T: Element + Neg<Output = T>,
            D: Dimension,
        {
            type Output = Array<T, D>;

            fn neg(self) -> Array<T, D> {
                self.mapv(|x| -x)
            }
        }
    )+};
}

negation!(ReadGuard, WriteGuard);
