//! Where a part of an array lies.

use ndarray::{Dimension, IxDyn, RawArrayViewMut, ShapeBuilder, SliceInfoElem};

use super::DynArray;
use crate::claim::{Outside, Select, Selection};

/// Where a part of an array lies.
pub(super) struct Place {
    pub(super) part: Vec<SliceInfoElem>,
    /// From the first element of the array to that of the part, in bytes.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In bytes.
    pub(super) strides: Vec<isize>,
}

impl Place {
    /// The part of that array, of all of it without any index; and what is claimed of it.
    pub(super) fn select(
        array: &DynArray,
        part: &[SliceInfoElem],
    ) -> Result<(Selection, Self), Outside> {
        let part = match part {
            [] => vec![SliceInfoElem::from(..); array.shape().len()],
            part => part.to_vec(),
        };
        let selection = Select::<IxDyn>::part(&&*part, array.shape())?;
        Ok((selection, Self::of(array, part)))
    }

    /// The part has been found to be within the array.
    fn of(array: &DynArray, part: Vec<SliceInfoElem>) -> Self {
        // As bytes: with one axis more, along which those of an element lie.
        let and = |axes: &[usize], last| IxDyn(&[axes, &[last]].concat());
        let shape = and(array.shape(), array.dtype().size());
        let shape = shape.strides(and(&array.strides(), 1));
        // SAFETY: the elements fit into the data, which is mapped (array invariant 1).
        let all = unsafe { RawArrayViewMut::<u8, IxDyn>::from_shape_ptr(shape, array.as_ptr()) };
        let bytes: Vec<_> = part.iter().copied().chain([SliceInfoElem::from(..)]).collect();
        let mut view = Select::<IxDyn>::view(&*bytes, all);
        let axes = view.ndim() - 1;
        let offset = view.as_mut_ptr().addr() - array.as_ptr().addr();
        Self {
            part,
            offset,
            shape: view.shape()[..axes].to_vec(),
            strides: view.strides()[..axes].to_vec(),
        }
    }

    /// A copy of its elements, row by row, whoever writes to them.
    pub(super) fn copy(&self, array: &DynArray) -> Vec<u8> {
        let size = array.dtype().size();
        // The last axes, as long as they lie as in a copy, are copied at once.
        let (mut run, mut axes) = (size, self.shape.len());
        while axes > 0 && (self.shape[axes - 1] == 1 || self.strides[axes - 1] == run.cast_signed())
        {
            axes -= 1;
            run *= self.shape[axes];
        }
        let runs = IxDyn(&self.shape[..axes]);
        let mut bytes = vec![0; runs.size() * run];
        let places = ndarray::indices(runs).into_iter();
        for (index, to) in places.zip(bytes.chunks_exact_mut(run.max(1))) {
            let steps = index.slice().iter().zip(&self.strides);
            let offset: isize = steps.map(|(&i, stride)| i.cast_signed() * stride).sum();
            array.copy_bytes(self.offset.wrapping_add_signed(offset), to);
        }
        bytes
    }
}
