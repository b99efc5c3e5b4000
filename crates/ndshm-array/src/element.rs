//! What an array can hold.

use bytemuck::Pod;
use num_complex::Complex;

use crate::npy::Dtype;

/// A number that may lie in a shared array: plain bytes, any of which are a value, with a name
/// that NumPy knows.
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
