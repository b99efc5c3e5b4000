//! What an array can hold.

use bytemuck::Pod;
use half::f16;
use num_complex::Complex;

use crate::bool8::Bool8;
use crate::npy::{ArrayDtype, Dtype};

/// What may lie in a shared array: plain bytes, any of which are a value, with a name that NumPy knows.
///
/// | element | NumPy |
/// |---|---|
/// | `i8` to `i64`, `u8` to `u64` | `int8` to `int64`, `uint8` to `uint64` |
/// | [`half::f16`], `f32`, `f64` | `float16`, `float32`, `float64` |
/// | `Complex<f32>`, `Complex<f64>` | `complex64`, `complex128` |
/// | [`Bool8`] | `bool` |
/// | `[T; N]` of elements | a field `f0` with a subarray: `a["f0"]` has the axes of the array, then `N` |
/// | a struct with [`#[derive(Element)]`](derive@crate::Element) | a structured dtype with the same field names |
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
/// `usize` and `isize` are not elements, since two programs may differ in their size; `u128` and `half::bf16` are not, since
/// NumPy has no name for them (keep a `bf16` as the `u16` of `to_bits`). What else is none, and why it does not compile:
/// [the crate's page](crate#what-does-not-compile).
///
/// # Safety
///
/// `DTYPE` describes the type: same size, same meaning of the bytes, little-endian. The alignment is at most 4096, on which
/// the elements of a segment begin.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an element of a shared array",
    label = "not an `Element`",
    note = "elements are integers and floats of fixed size, `Complex`, `f16`, `Bool8` instead of `bool`, arrays `[T; N]` of \
            elements, and `#[repr(C)]` structs of elements with `#[derive(Element)]`",
    note = "what owns memory or refers to it (`String`, `Vec`, `Box`, `&T`, pointers) means nothing in another process, and of \
            an enum, a `bool` or a `char` not every byte that another process may write is a value"
)]
pub unsafe trait Element: Pod + Send + Sync {
    /// The element type as NumPy describes it.
    ///
    /// ```
    /// use ndshm_array::Element;
    ///
    /// assert_eq!(<f64 as Element>::DTYPE.name(), "float64");
    /// ```
    const DTYPE: &'static Dtype;
}

macro_rules! element {
    ($($t:ty => $dtype:ident),+ $(,)?) => {$(
        const _: () = assert!(size_of::<$t>() == Dtype::$dtype.size());
        // SAFETY: the sizes are equal (asserted above), and the names of the two say the same.
        unsafe impl Element for $t {
            const DTYPE: &'static Dtype = &Dtype::$dtype;
        }
    )+};
}

element! {
    Bool8 => Bool,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f16 => F16, f32 => F32, f64 => F64, Complex<f32> => C64, Complex<f64> => C128,
}

// SAFETY: `N` elements, one after the other, are what both are; the alignment is that of one.
unsafe impl<T: Element, const N: usize> Element for [T; N] {
    const DTYPE: &'static Dtype = &Dtype::Array(ArrayDtype::new(T::DTYPE, N));
}
