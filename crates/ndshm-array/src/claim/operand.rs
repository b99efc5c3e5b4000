//! What `guard` does as an operand of ndarray beyond arithmetic: changed in place, multiplied,
//! compared, walked over, printed.

use std::fmt;
use std::ops::{AddAssign, DivAssign, MulAssign, SubAssign};

use ndarray::linalg::Dot;
use ndarray::{
    ArrayBase, ArrayRef, Data, Dimension, IntoNdProducer, ScalarOperand,
    iter::{Iter, IterMut},
};

use super::guard::{ReadGuard, WriteGuard};
use crate::element::Element;

/// `guard op= &right`, where both lend an [`ArrayRef`] of `T`; `right` is broadcast.
macro_rules! in_place {
    ($op:ident::$f:ident, [$($data:ident)?; $($v:ident)?] $right:ty) => {
        impl<T, $($data,)? D, W, E $(, $v)?> $op<&$right> for WriteGuard<'_, T, D, W>
        where
            T: Element + $op<T>,
            $($data: Data<Elem = T>,)?
            D: Dimension,
            E: Dimension,
        {
            #[track_caller]
            fn $f(&mut self, right: &$right) {
                let right: &ArrayRef<T, E> = right;
                (**self).$f(right);
            }
        }
    };
}

macro_rules! in_place_operators {
    ($($op:ident::$f:ident),+) => {$(
        in_place!($op::$f, [; V] ReadGuard<'_, T, E, V>);
        in_place!($op::$f, [; V] WriteGuard<'_, T, E, V>);
        in_place!($op::$f, [;] ArrayRef<T, E>);
        in_place!($op::$f, [S;] ArrayBase<S, E>);

        impl<T, D, W> $op<T> for WriteGuard<'_, T, D, W>
        where
            T: Element + ScalarOperand + $op<T>,
            D: Dimension,
        {
            fn $f(&mut self, right: T) {
                (**self).$f(right);
            }
        }
    )+};
}

in_place_operators!(
    AddAssign::add_assign,
    SubAssign::sub_assign,
    MulAssign::mul_assign,
    DivAssign::div_assign
);

macro_rules! operand {
    ($($guard:ident),+) => {$(
        /// `array.dot(&guard)`, as with what the guard lends.
        impl<T, D, E, W> Dot<$guard<'_, T, E, W>> for ArrayRef<T, D>
        where
            T: Element,
            E: Dimension,
            ArrayRef<T, D>: Dot<ArrayRef<T, E>>,
        {
            type Output = <ArrayRef<T, D> as Dot<ArrayRef<T, E>>>::Output;

            #[track_caller]
            fn dot(&self, right: &$guard<'_, T, E, W>) -> Self::Output {
                Dot::dot(self, &**right)
            }
        }

        impl<T, S, D, W> PartialEq<ArrayBase<S, D>> for $guard<'_, T, D, W>
        where
            T: Element + PartialEq,
            S: Data<Elem = T>,
            D: Dimension,
        {
            fn eq(&self, other: &ArrayBase<S, D>) -> bool {
                **self == **other
            }
        }

        impl<'g, T: Element, D: Dimension, W> IntoIterator for &'g $guard<'_, T, D, W> {
            type Item = &'g T;
            type IntoIter = Iter<'g, T, D>;

            fn into_iter(self) -> Iter<'g, T, D> {
                self.iter()
            }
        }

        /// Lets `Zip::and(&guard)` take it, and whatever else takes ndarray's producers.
        impl<'g, T: Element, D: Dimension, W> IntoNdProducer for &'g $guard<'_, T, D, W> {
            type Item = &'g T;
            type Dim = D;
            type Output = ndarray::ArrayView<'g, T, D>;

            fn into_producer(self) -> Self::Output {
                self.view()
            }
        }

        /// The elements, as ndarray prints them.
        impl<T: Element + fmt::Display, D: Dimension, W> fmt::Display for $guard<'_, T, D, W> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.view().fmt(f)
            }
        }

        /// The elements, as ndarray prints them.
        impl<T: Element + fmt::Debug, D: Dimension, W> fmt::Debug for $guard<'_, T, D, W> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.view().fmt(f)
            }
        }
    )+};
}

operand!(ReadGuard, WriteGuard);

impl<'g, T: Element, D: Dimension, W> IntoIterator for &'g mut WriteGuard<'_, T, D, W> {
    type Item = &'g mut T;
    type IntoIter = IterMut<'g, T, D>;

    fn into_iter(self) -> IterMut<'g, T, D> {
        self.iter_mut()
    }
}

/// Lets `Zip::from(&mut guard)` take it, and whatever else takes ndarray's producers.
impl<'g, T: Element, D: Dimension, W> IntoNdProducer for &'g mut WriteGuard<'_, T, D, W> {
    type Item = &'g mut T;
    type Dim = D;
    type Output = ndarray::ArrayViewMut<'g, T, D>;

    fn into_producer(self) -> Self::Output {
        self.view_mut()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Zip, arr1, arr2};

    use crate::SharedArray;

    #[test]
    fn a_guard_is_changed_in_place() {
        let (x, row) = (arr2(&[[1.0, 2.0], [3.0, 4.0]]), arr1(&[10.0, 20.0]));
        let [a, b] = [0, 1].map(|_| SharedArray::from_array(&x).unwrap());
        let (mut a, b) = (a.write().unwrap(), b.read().unwrap());
        a += &b;
        a -= &row;
        a *= 2.0;
        a /= &*b;
        assert_eq!(a, (&x + &x - &row) * 2.0 / &x);
    }

    #[test]
    fn a_guard_is_an_operand() {
        let x = arr2(&[[1.0, 2.0], [3.0, 4.0]]);
        let [a, b] = [0, 1].map(|_| SharedArray::from_array(&x).unwrap());
        let (mut a, b) = (a.write().unwrap(), b.read().unwrap());
        let product = x.dot(&x);
        assert_eq!(
            [a.dot(&b), x.dot(&b), b.dot(&x), b.dot(&a)],
            [&product, &product, &product, &product]
        );
        Zip::from(&mut a).and(&b).for_each(|a, b| *a += b);
        assert_eq!(a, 2.0 * &x);
        for element in &mut a {
            *element = 1.0;
        }
        assert_eq!((&a).into_iter().sum::<f64>(), 4.0);
        assert_eq!(format!("{a}"), "[[1, 1],\n [1, 1]]");
        assert!(format!("{b:?}").contains("4.0"));
    }
}
