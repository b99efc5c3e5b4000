//! The raw tier: elements without a claim.

use ndarray::{ArrayView, ArrayViewMut, Dimension, RawArrayViewMut, ShapeBuilder};

use crate::array::SharedArray;
use crate::element::Element;
use crate::npy::Order;

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// All elements, unchecked: no claim is made or looked at. Costs nothing, and is how an array that
    /// was opened read-only is read.
    ///
    /// # Safety
    ///
    /// As long as the view lives, nobody writes to the elements: no process, no thread, by whatever
    /// means; nobody truncates the file.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(4, 0.5)?;
    /// // SAFETY: no other process or thread has the array.
    /// assert_eq!(unsafe { a.view() }.sum(), 2.0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub unsafe fn view(&self) -> ArrayView<'_, T, D> {
        // SAFETY: the caller's promise; all else as for `raw_view`.
        unsafe { self.raw_view().deref_into_view() }
    }

    /// All elements to write, unchecked: no claim is made or looked at. Costs nothing.
    ///
    /// # Safety
    ///
    /// The array is not read-only; as long as the view lives, nobody else reads or writes the
    /// elements: no process, no thread, by whatever means; nobody truncates the file.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(4)?;
    /// // SAFETY: read-write, and no other process or thread has the array.
    /// unsafe { a.view_mut() }.fill(0.5);
    /// assert_eq!(a.read()?.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub unsafe fn view_mut(&self) -> ArrayViewMut<'_, T, D> {
        // SAFETY: the caller's promise; all else as for `raw_view`.
        unsafe { self.raw_view().deref_into_view_mut() }
    }

    /// All elements as pointers: for code that has a protocol of its own. Making it is safe, using
    /// it is not. Writing through it when the array is read-only is a fault (SIGSEGV).
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::from_array(&ndarray::arr2(&[[1, 2], [3, 4]]))?;
    /// let mut column = a.raw_view();
    /// column.slice_axis_inplace(ndarray::Axis(1), (1..2).into());
    /// // SAFETY: no other process or thread has the array, and `a` outlives the view.
    /// let column = unsafe { column.deref_into_view() };
    /// assert_eq!(column, ndarray::arr2(&[[2], [4]]));
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn raw_view(&self) -> RawArrayViewMut<T, D> {
        let shape = self.raw_dim().set_f(self.order() == Order::F);
        let data = self.segment().data().cast::<T>().as_ptr();
        // SAFETY: the shape fits the data (dim invariant 1), which is mapped as long as the
        // segment, and aligned to a page.
        unsafe { RawArrayViewMut::from_shape_ptr(shape, data) }
    }
}
