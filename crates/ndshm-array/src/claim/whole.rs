//! Where in its array an element is.

use ndarray::Dimension;

use crate::array::SharedArray;
use crate::element::Element;
use crate::npy::Order;

/// An array, as far as it takes to tell an element's index from its address.
#[derive(Clone, Debug)]
pub(crate) struct Whole<W> {
    /// Where the elements begin.
    base: usize,
    shape: W,
    order: Order,
}

impl<W: Dimension> Whole<W> {
    pub(crate) fn of<T: Element>(array: &SharedArray<T, W>) -> Self {
        let base = array.segment().data().as_ptr().addr();
        Self { base, shape: array.raw_dim(), order: array.order() }
    }

    /// The index of an element of the array. A division for each axis.
    pub(crate) fn index<T>(&self, element: *const T) -> W {
        let mut rest = (element.addr() - self.base) / size_of::<T>();
        let mut index = W::zeros(self.shape.ndim());
        let ndim = self.shape.ndim();
        for k in 0..ndim {
            // The fastest axis first.
            let axis = if self.order == Order::C { ndim - 1 - k } else { k };
            let len = self.shape[axis].max(1);
            index[axis] = rest % len;
            rest /= len;
        }
        index
    }

    /// Along which axis, and how far, it is from an index to an element that differs in one axis only.
    pub(crate) fn step<T>(&self, from: &W, to: *const T) -> (usize, isize) {
        let to = self.index(to);
        let axis = (0..to.ndim()).find(|&axis| to[axis] != from[axis]).unwrap_or(0);
        (axis, to[axis].wrapping_sub(from[axis]).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, Ix3, ShapeBuilder};

    use super::*;

    #[test]
    fn an_address_tells_the_index() {
        for (order, fortran) in [(Order::C, false), (Order::F, true)] {
            let a = Array::<u16, Ix3>::zeros((2, 3, 4).set_f(fortran));
            let base = a.as_ptr().addr();
            let whole = Whole { base, shape: a.raw_dim(), order };
            for (index, element) in a.indexed_iter() {
                assert_eq!(whole.index(element).into_pattern(), index);
            }
            assert_eq!(whole.step(&Ix3(1, 2, 3), &a[[1, 0, 3]]), (1, -2));
        }
    }
}
