//! Arithmetic on `&guard`: as on ndarray's references, with broadcasting, and always yielding an
//! ordinary [`Array`] in private memory.

use std::ops::{Add, Div, Mul, Neg, Sub};

use ndarray::{Array, ArrayBase, ArrayRef, Data, DimMax, Dimension, ScalarOperand};
use num_complex::Complex;

use super::guard::{ReadGuard, WriteGuard};
use crate::element::Element;

/// `&left op &right`, where both lend an [`ArrayRef`] of `T`.
macro_rules! arrays {
    ($op:ident::$f:ident, [$($data:ident)?; $($w:ident),*] $left:ty, $right:ty) => {
        impl<T, $($data,)? D, E $(, $w)*> $op<&$right> for &$left
        where
            T: Element + $op<T, Output = T>,
            $($data: Data<Elem = T>,)?
            D: Dimension + DimMax<E>,
            E: Dimension,
        {
            type Output = Array<T, <D as DimMax<E>>::Output>;

            #[track_caller]
            fn $f(self, right: &$right) -> Self::Output {
                let (left, right): (&ArrayRef<T, D>, &ArrayRef<T, E>) = (self, right);
                left.$f(right)
            }
        }
    };
}

/// `&guard op scalar`, and `scalar op &guard` for each of the listed.
macro_rules! scalars {
    ($op:ident::$f:ident, $guard:ident, $($scalar:ty),+) => {
        impl<T, D, W> $op<T> for &$guard<'_, T, D, W>
        where
            T: Element + ScalarOperand + $op<T, Output = T>,
            D: Dimension,
        {
            type Output = Array<T, D>;

            fn $f(self, right: T) -> Array<T, D> {
                (&**self).$f(right)
            }
        }

        $(impl<D: Dimension, W> $op<&$guard<'_, $scalar, D, W>> for $scalar {
            type Output = Array<$scalar, D>;

            fn $f(self, right: &$guard<'_, $scalar, D, W>) -> Array<$scalar, D> {
                self.$f(&**right)
            }
        })+
    };
}

macro_rules! operators {
    ($($op:ident::$f:ident),+ for $guard:ident) => {$(
        arrays!($op::$f, [; W, V] $guard<'_, T, D, W>, ReadGuard<'_, T, E, V>);
        arrays!($op::$f, [; W, V] $guard<'_, T, D, W>, WriteGuard<'_, T, E, V>);
        arrays!($op::$f, [; W] $guard<'_, T, D, W>, ArrayRef<T, E>);
        arrays!($op::$f, [; V] ArrayRef<T, D>, $guard<'_, T, E, V>);
        arrays!($op::$f, [S; W] $guard<'_, T, D, W>, ArrayBase<S, E>);
        arrays!($op::$f, [S; V] ArrayBase<S, D>, $guard<'_, T, E, V>);
        scalars!($op::$f, $guard, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64,
            Complex<f32>, Complex<f64>);
    )+};
}

operators!(Add::add, Sub::sub, Mul::mul, Div::div for ReadGuard);
operators!(Add::add, Sub::sub, Mul::mul, Div::div for WriteGuard);

macro_rules! negation {
    ($($guard:ident),+) => {$(
        impl<T, D, W> Neg for &$guard<'_, T, D, W>
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

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, arr1, arr2};

    use crate::SharedArray;

    #[test]
    fn operators_are_those_of_ndarray() {
        let (x, row) = (arr2(&[[1.0, 2.0], [3.0, 4.0]]), arr1(&[10.0, 20.0]));
        let (a, b) = (SharedArray::from_array(&x).unwrap(), SharedArray::from_array(&row).unwrap());
        let (a, b) = (a.write().unwrap(), b.read().unwrap());
        let expected: Array2<f64> = &x - &row;
        assert_eq!(&a - &b, expected);
        assert_eq!(&a - &row, expected);
        assert_eq!(&x - &b, expected);
        assert_eq!(&a - &*row, expected);
        assert_eq!(&*x - &b, expected);
        assert_eq!(2.0 * &a + &b * 3.0, 2.0 * &x + &row * 3.0);
        assert_eq!(1.0 / &b, 1.0 / &row);
        let negative: Array1<f64> = -&b;
        assert_eq!(negative, -&row);
    }
}
