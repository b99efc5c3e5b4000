//! Typed N-dimensional arrays in memory that several processes share.
//!
//! An array is a file in memory whose bytes are a valid `.npy` file, followed by a control area
//! with the locks: `numpy.load("/dev/shm/ndshm.heat", mmap_mode="r")` reads a live one with nothing
//! installed. Its elements are lent as ndarray's own reference types, for as long as a *claim* on
//! their rows is held; claims are checked across processes, so disjoint parts of one matrix are
//! written in parallel, and what a killed process left half-written is known by name.
//!
//! # Index
//!
//! - [`SharedArray`], aliases [`SharedArray1`] to [`SharedArray6`] and [`SharedArrayD`];
//!   [`ArrayOptions`] for names; [`ArrayHandle`] to send one to another process.
//! - [`ReadGuard`], [`WriteGuard`], [`ClaimError`], [`PoisonedClaim`], [`PoisonedPart`]: getting at the elements.
//! - [`Element`]: what an array can hold.
//! - [`SharedMutex`]: one value under a mutex, which travels like an array.
//! - [`inspect`]: segments of whatever kind and type, looked at without taking part; for tools.
//! - [`npy`]: headers and files of NumPy's format. [`FORMAT_VERSION`]: that of segments.
//!
//! ```
//! use ndshm_array::SharedArray2;
//!
//! let m = SharedArray2::<f64>::zeros((100, 50))?;
//! std::thread::scope(|s| {
//!     for band in [0..50, 50..100] {
//!         let m = &m; // another process would have its own handle to the same memory
//!         s.spawn(move || m.claim_mut(band).unwrap().fill_with_index(|(i, j)| (i + j) as f64));
//!     }
//! });
//! assert_eq!(m.read()?[[99, 49]], 148.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// What #[derive(Element)] names, here as elsewhere.
extern crate self as ndshm_array;

mod access;
mod aliases;
mod array;
mod atomic;
mod bool8;
mod claim;
mod claims;
mod create;
mod element;
mod error;
mod format;
mod geometry;
mod handle;
pub mod inspect;
mod instance;
mod mutex;
pub mod npy;
mod options;
mod prefault;
mod rank;
mod save;
mod segment;
mod snapshot;

pub use aliases::{
    SharedArray1, SharedArray2, SharedArray3, SharedArray4, SharedArray5, SharedArray6,
    SharedArrayD,
};
pub use array::SharedArray;
pub use atomic::{AtomicElement, AtomicGuard};
pub use bool8::Bool8;
pub use claim::{
    ClaimError, Mode, Outside, Part, PoisonedClaim, PoisonedPart, ReadGuard, Select, WriteGuard,
};
pub use claims::ClaimResult;
pub use element::Element;
pub use error::{CreateError, LoadError, OpenError, PrefaultError, SaveError};
pub use format::{FORMAT_VERSION, FormatError};
pub use half;
pub use handle::ArrayHandle;
pub use mutex::SharedMutex;
pub use ndarray;
pub use ndshm_buffer::{PersistError, Placed, Placement, Prefault, Prefaulted, RemoveError};
pub use ndshm_derive::Element;
pub use ndshm_sync::{LockError, Member, MutexGuard, Poisoned};
pub use options::ArrayOptions;
pub use rank::set_rank;

/// What `#[derive(Element)]` needs of other crates.
#[doc(hidden)]
pub mod derive {
    pub use bytemuck::{Pod, Zeroable};
}

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
