//! Segments of whatever kind, element type and number of dimensions, for tools: looked at without
//! taking part, saved, loaded.
//!
//! A look joins nothing, maps nothing, locks nothing and writes nothing; it reads the file. So it works
//! on what lives, on what a killed program left, on what may only be read and on `.npy` files on disk;
//! what is damaged, or truncated meanwhile, is an error and never a fault. It is a picture for people:
//! numbers that are being written may be seen half-changed, and who holds what is out of date at once.
//!
//! | item | what it does |
//! |---|---|
//! | [`SegmentFile`] | a file, opened to be looked at: what it holds |
//! | [`Report`], [`ClaimReport`] | who takes part, holds, waits, at this moment |
//! | [`Plane`], [`Pick`], [`Number`] | elements of any type, by rows and columns |
//! | [`SegmentFile::save`], [`SegmentFile::whole`] | under a claim on all of it: the one thing that joins |
//! | [`load`] | a new segment from an `.npy` file, whatever it holds |
//!
//! ```
//! use ndshm_array::{SharedArray2, inspect::{Contents, SegmentFile}};
//!
//! # let dir = tempfile::tempdir()?;
//! let a = SharedArray2::<f32>::options().dir(dir.path()).name("heat").zeros((4, 3))?;
//! let _rows = a.claim_mut(1..3)?;
//!
//! // In another program, of any user who may read the file:
//! let file = SegmentFile::open(dir.path().join("ndshm.heat"))?;
//! let Contents::Array(array) = file.contents() else { unreachable!() };
//! assert_eq!((array.dtype.name(), &*array.shape), ("float32", &[4, 3][..]));
//! let report = file.report()?;
//! assert_eq!((report.members.len(), report.claims[0].part.row_range()), (1, 1..3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod field;
mod file;
mod load;
mod number;
mod plane;
mod report;
mod save;

pub use error::{InspectError, PickError, WholeError};
pub use file::{ArrayContents, Contents, SegmentFile};
pub use load::load;
pub use number::Number;
pub use plane::{Pick, Plane};
pub use report::{ClaimReport, Report, ValueReport};
