//! `#[derive(Element)]` of [ndshm-array](https://docs.rs/ndshm-array), which re-exports it: use it from there, or from ndshm.

#![forbid(unsafe_code)]

mod element;
mod fields;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct the element of shared arrays; NumPy sees a structured dtype with the same field names.
///
/// The struct is `#[repr(C)]`, `Copy`, and all its fields are elements: numbers, `Bool8`, arrays, other such structs. It has
/// no padding, whose bytes would have no value: where the compiler would put some, put a field with `#[element(padding)]`,
/// which NumPy sees as a gap, as in its own dtypes with `align=True`, and into which it may write anything. The fields of a tuple struct are `f0`, `f1` and so on, NumPy's names for fields that have
/// none. A `#[repr(transparent)]` struct is to NumPy what its only field is.
///
/// It implements `bytemuck::Pod` and `Zeroable`, too: do not derive these.
///
/// ```
/// use ndshm_array::{Bool8, Element, SharedArray1};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Element)]
/// #[repr(C)]
/// struct Particle {
///     position: [f64; 3],
///     charge: f32,
///     alive: Bool8,
///     #[element(padding)]
///     _rest: [u8; 3],
/// }
///
/// let particles = SharedArray1::<Particle>::zeros(100)?;
/// particles.write()?[7].position[2] = 0.5;
/// // NumPy: np.load(path, mmap_mode="r")["position"][7, 2]
/// assert_eq!(
///     Particle::DTYPE.descr(),
///     "[('position', '<f8', (3,)), ('charge', '<f4'), ('alive', '|b1'), ('', '|V3')]"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What does not compile
///
/// Padding that nobody named:
///
/// ```compile_fail,E0080
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Sample {
///     channel: u8, // three bytes of padding follow
///     value: f32,
/// }
/// ```
///
/// Padding at the end:
///
/// ```compile_fail,E0080
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Sample {
///     value: f32,
///     channel: u8,
/// }
/// ```
///
/// A field that is no element, because another process may write a 2, or because it points into this one:
///
/// ```compile_fail,E0277
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Flags {
///     done: bool, // use Bool8
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Named {
///     name: &'static str, // use [u8; N]
/// }
/// ```
///
/// What is no struct, or has no fields:
///
/// ```compile_fail
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(u8)]
/// enum Colour {
///     Red,
///     Green, // another process may write a 7
/// }
/// ```
///
/// ```compile_fail
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Nothing;
/// ```
///
/// A layout that Rust may choose anew in each program:
///
/// ```compile_fail
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// struct Pair {
///     a: f64,
///     b: f64,
/// }
/// ```
///
/// A type with parameters:
///
/// ```compile_fail
/// # use ndshm_array::Element;
/// #[derive(Clone, Copy, Element)]
/// #[repr(C)]
/// struct Pair<T> {
///     a: T,
///     b: T,
/// }
/// ```
#[proc_macro_derive(Element, attributes(element))]
pub fn element(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    element::derive(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
