//! One matrix, many processes.
//!
//! `P` processes run `compute(rank, size, array)` on one array in shared memory: no copies,
//! ordinary [ndarray](https://docs.rs/ndarray) operations, locks that survive a SIGKILL and say
//! who died.
//!
//! ```
//! use ndshm::prelude::*;
//!
//! fn compute(w: &Worker, m: SharedArray2<f64>) -> ndshm::Result<f64> {
//!     let mut band = m.claim_mut(w.band(m.nrows()))?; // my rows; overlap is refused across processes
//!     band.fill_with_index(|(i, j)| (i + j) as f64); // indices of the whole matrix
//!     drop(band);
//!     w.barrier()?; // everyone's rows are there, or an error names who died
//!     Ok(m.read()?.sum()) // the guard derefs to ndarray
//! }
//!
//! fn main() -> ndshm::Result<()> {
//!     ndshm::init(); // first line: a worker process starts here
//!     let m = SharedArray2::<f64>::zeros((200, 100))?;
//!     let sums = Workers::new(4).run(compute, &m)?;
//!     assert_eq!(sums, [2_980_000.0; 4]);
//!     Ok(())
//! }
//! ```
//!
//! This crate re-exports the others, and adds nothing. Each can be used alone:
//!
//! | crate | what it gives |
//! |---|---|
//! | [`buffer`] = `ndshm-buffer` | raw bytes that several processes map |
//! | [`sync`] = `ndshm-sync` | locks, barriers, semaphores, events on any shared memory |
//! | [`array`](mod@array) = `ndshm-array` | typed arrays over a buffer, with claims checked across processes |
//! | [`workers`] = `ndshm-workers` | P processes from a function |
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `lock_api` | `sync::BoundMutex`: a mutex in shared memory under the guards and the traits of `lock_api` |
//! | `portable` | [`buffer::Backend::Portable`] and [`sync::Backend::Portable`]: second backends beside those of Linux; arrays and workers do not use them |
//! | `progress` | `progress_bars`: bars on the terminal while workers run |

#![forbid(unsafe_code)]

pub use ndarray;
pub use ndshm_array as array;
pub use ndshm_buffer as buffer;
pub use ndshm_sync as sync;
pub use ndshm_workers as workers;

pub use ndshm_array::{
    AppendArray, AppendArray1, AppendArray2, AppendArray3, AppendError, AppendHandle, ArrayHandle,
    ArrayOptions, AtomicElement, Bool8, ClaimError, Element, Epochs, ReadGuard, SharedArray,
    SharedArray1, SharedArray2, SharedArray3, SharedArray4, SharedArray5, SharedArray6,
    SharedArrayD, SharedMutex, Tasks, Tiling, WriteGuard,
};
pub use ndshm_buffer::{Placed, Placement, Prefault, Prefaulted, SharedBuffer};
pub use ndshm_sync::{BarrierError, BarrierWaitResult, LockError};
#[cfg(feature = "progress")]
pub use ndshm_workers::progress_bars;
pub use ndshm_workers::{
    Cause, Error, Event, Failure, JoinGroupError, Output, Pin, Pool, Result, RunError, StartError,
    Stream, Worker, Workers, init, test_support,
};

/// What most programs need: `use ndshm::prelude::*`.
pub mod prelude {
    pub use ndshm_array::{
        AppendArray, AppendArray1, AppendArray2, AppendArray3, AppendError, ClaimError, Epochs,
        SharedArray, SharedArray1, SharedArray2, SharedArray3, SharedArray4, SharedArray5,
        SharedArray6, SharedArrayD, SharedMutex, Tasks, Tiling,
    };
    pub use ndshm_buffer::SharedBuffer;
    pub use ndshm_sync::{BarrierError, BarrierWaitResult, LockError};
    pub use ndshm_workers::{Pool, RunError, Worker, Workers};
}

/// The examples of the READMEs and of the pages, as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../../../README.md")]
    struct Repository;

    #[doc = include_str!("../../../docs/guide.md")]
    struct Guide;

    #[doc = include_str!("../../../docs/coming-from.md")]
    struct ComingFrom;

    #[doc = include_str!("../../../docs/failures.md")]
    struct Failures;

    #[doc = include_str!("../../../docs/faq.md")]
    struct Questions;
}
