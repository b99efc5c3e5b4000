//! What an array can hold.

use bytemuck::Pod;
use num_complex::Complex;

use crate::npy::Dtype;

/// A number that may lie in a shared array: plain bytes, any of which are a value, with a name
/// that NumPy knows.
///
/// ```
/// use ndshm_array::{ClaimError, Element, SharedArray1};
///
/// fn largest<T: Element + PartialOrd>(a: &SharedArray1<T>) -> Result<Option<T>, ClaimError<()>> {
///     let elements = a.read().map_err(ClaimError::without_guard)?;
///     Ok(elements.iter().copied().reduce(|x, y| if x < y { y } else { x }))
/// }
/// let a = SharedArray1::from_array(&ndarray::arr1(&[3_u16, 9, 4]))?;
/// assert_eq!(largest(&a)?, Some(9));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Implemented for all integers of fixed width, floats, and complex numbers of floats. References,
/// pointers, `bool` and anything that owns memory are not elements and do not compile:
///
/// ```compile_fail,E0277
/// use ndshm_array::SharedArray1;
/// let names = SharedArray1::<String>::zeros(3);
/// ```
///
/// ```compile_fail,E0277
/// use ndshm_array::SharedArray1;
/// let flags = SharedArray1::<bool>::zeros(3); // another process may write a 2: use u8
/// ```
///
/// # Safety
///
/// `DTYPE` describes the type: same size, same meaning of the bytes, little-endian.
pub unsafe trait Element: Pod + Send + Sync {
    /// The element type by the name NumPy gives it.
    ///
    /// ```
    /// use ndshm_array::Element;
    ///
    /// assert_eq!(<f64 as Element>::DTYPE.name(), "float64");
    /// ```
    const DTYPE: Dtype;
}

macro_rules! element {
    ($($t:ty => $dtype:ident),+ $(,)?) => {$(
        const _: () = assert!(size_of::<$t>() == Dtype::$dtype.size());
        // SAFETY: the sizes are equal (asserted above), and the names of the two say the same.
        unsafe impl Element for $t {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )+};
}

element! {
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f32 => F32, f64 => F64, Complex<f32> => C64, Complex<f64> => C128,
}
