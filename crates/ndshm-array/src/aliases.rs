//! Arrays by their number of dimensions.

use ndarray::{Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn};

use crate::array::SharedArray;

/// A one-dimensional shared array.
///
/// ```
/// let a = ndshm_array::SharedArray1::<f64>::zeros(5)?;
/// assert_eq!(a.shape(), [5]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArray1<T> = SharedArray<T, Ix1>;
/// A shared matrix.
///
/// ```
/// let a = ndshm_array::SharedArray2::<f64>::zeros((2, 3))?;
/// assert_eq!(a.shape(), [2, 3]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArray2<T> = SharedArray<T, Ix2>;
/// A three-dimensional shared array.
///
/// ```
/// let a = ndshm_array::SharedArray3::<f64>::zeros((2, 3, 4))?;
/// assert_eq!(a.shape(), [2, 3, 4]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArray3<T> = SharedArray<T, Ix3>;
/// A four-dimensional shared array.
///
/// ```
/// let a = ndshm_array::SharedArray4::<f64>::zeros((2, 3, 4, 5))?;
/// assert_eq!(a.shape(), [2, 3, 4, 5]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArray4<T> = SharedArray<T, Ix4>;
/// A five-dimensional shared array.
///
/// ```
/// let a = ndshm_array::SharedArray5::<f64>::zeros((2, 3, 4, 5, 6))?;
/// assert_eq!(a.shape(), [2, 3, 4, 5, 6]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArray5<T> = SharedArray<T, Ix5>;
/// A six-dimensional shared array.
///
/// ```
/// let a = ndshm_array::SharedArray6::<f64>::zeros((2, 3, 4, 5, 6, 7))?;
/// assert_eq!(a.shape(), [2, 3, 4, 5, 6, 7]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArray6<T> = SharedArray<T, Ix6>;
/// A shared array whose number of dimensions is known at run time.
///
/// ```
/// let a = ndshm_array::SharedArrayD::<f64>::zeros(&[2, 3][..])?;
/// assert_eq!(a.shape(), [2, 3]);
/// # Ok::<(), ndshm_array::CreateError>(())
/// ```
pub type SharedArrayD<T> = SharedArray<T, IxDyn>;
