//! Arrays whose element type is known only when the program runs.
//!
//! A [`DynArray`] is the same segment, the same table of claims and the same `.npy` header as a
//! [`SharedArray`](crate::SharedArray): either opens what the other made, and each turns into the other where the types
//! agree. It is what a binding for another language builds on, and a tool that has to take arrays as they come.
//!
//! A [`DynClaim`] owns what it claims: it borrows nothing, may be kept beside its array, sent to another thread, and
//! released there. It lends elements as typed views where the caller names the type, and tells address, shape and strides where
//! it cannot.
//!
//! ```
//! use ndarray::SliceInfoElem;
//! use ndshm_array::{Mode, SharedArray2, dynamic::DynArray, npy::{Dtype, Order}};
//!
//! let dtype = Dtype::from_descr("<f4")?; // from a file, say
//! let a = DynArray::options().zeros(dtype, &[4, 3], Order::C)?;
//! let rows = [SliceInfoElem::from(1..3), SliceInfoElem::from(..)];
//! let mut claim = a.claim(&rows, Mode::Exclusive)?;
//! claim.view_mut::<f32>().ok_or("not of f32")?.fill(0.5);
//! drop(claim);
//! let typed: SharedArray2<f32> = a.typed()?;
//! assert_eq!(typed.read()?.sum(), 3.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
mod claim;
mod handle;
mod options;
mod place;

pub use array::DynArray;
pub use claim::DynClaim;
pub use handle::DynHandle;
pub use options::DynOptions;
