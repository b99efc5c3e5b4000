//! The NPY format, as live arrays need it.
//!
//! A shared array *is* an `.npy` file: a header of [`HEADER_LEN`] bytes, then the elements, then whatever the
//! array keeps behind them. NumPy maps such a file while processes work on it, because readers take what the header
//! announces and leave trailing bytes alone. Two things here go beyond other NPY writers:
//!
//! * the header has a fixed size of one page, so that the elements begin on a page boundary;
//! * the length of the slowest axis stands in an 8-byte-aligned field of 8 bytes (see
//!   [`NpyHeader::slowest_axis_field`]), so that one aligned 8-byte store can change it under a reader's eyes.
//!
//! | item | what it does |
//! |---|---|
//! | [`NpyHeader`] | element type, memory order and shape; to and from bytes |
//! | [`Dtype`], [`ArrayDtype`], [`StructDtype`], [`Field`] | the element types understood here |
//! | [`NpyFile`] | a file on disk, opened and checked, read in file order |
//! | [`write_npy`] | writes a file whole or not at all |
//!
//! Everything is little-endian, in the file and in memory; other byte orders are refused with the remedy.
//!
//! ```
//! use ndshm_array::{SharedArray2, npy::{Dtype, NpyFile}};
//!
//! # let name = format!("doc.npy.{}", std::process::id());
//! let live = SharedArray2::<f32>::options().name(&name).from_elem((3, 2), 0.5)?;
//! let mut file = NpyFile::open(live.path().expect("it has a name"))?; // as NumPy would
//! let mut elements = [0.0_f32; 6];
//! file.read_into(&Dtype::F32, &mut elements)?;
//! assert_eq!(elements, [0.5; 6]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compound;
mod decode;
mod descr;
mod dtype;
mod error;
mod file;
mod header;
mod shared;
mod write;

pub use compound::{ArrayDtype, Field, StructDtype};
pub use dtype::Dtype;
pub use error::{EncodeError, HeaderError, NpyError};
pub use file::NpyFile;
pub use header::{HEADER_LEN, MAX_AXES, NpyHeader, Order};
pub use write::write_npy;
pub(crate) use write::write_npy_with;

#[cfg(target_endian = "big")]
compile_error!(
    "ndshm-array supports little-endian machines only: elements are stored as they lie in memory"
);
