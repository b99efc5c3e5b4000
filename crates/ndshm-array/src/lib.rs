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
//! - [`Element`]: what an array can hold: numbers, [`Bool8`], arrays `[T; N]`, structs with
//!   [`#[derive(Element)]`](derive@Element). [`AtomicElement`]: what can be changed without a view.
//! - [`Tiling`], [`Tasks`], [`Epochs`] with its [`Step`]: tiles by number, tasks that workers draw, two arrays in turns.
//! - [`AppendArray`], [`AppendHandle`]: rows that any number of processes append, up to a capacity.
//! - [`SharedMutex`]: one value under a mutex, which travels like an array.
//! - [`dynamic`]: the same arrays where the element type is known only when the program runs; for bindings.
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
//!
//! # Writing looks like writing
//!
//! An array is changed through a guard, by whatever ndarray has for that, and without a copy:
//!
//! ```
//! use ndarray::{Zip, azip};
//! use ndshm_array::SharedArray2;
//!
//! let a = SharedArray2::<f64>::ones((4, 3))?;
//! let b = SharedArray2::from_shape_fn((4, 3), |(i, j)| (i + j) as f64)?;
//! let (mut a, b) = (a.write()?, b.read()?);
//! a += &b; // in place, as `*=` and the others; with broadcasting
//! a.assign(&(1.0 * &b)); // what an expression yields is private, until it is assigned
//! a.fill_with_index(|(i, j)| (10 * i + j) as f64); // indices of the whole array
//! a.map_inplace(|x| *x = x.sqrt());
//! a.zip_mut_with(&b, |x, y| *x += y);
//! Zip::from(&mut a).and(&b).for_each(|x, &y| *x *= y);
//! azip!((x in &mut a, &y in &b) *x -= y);
//! let product = a.t().dot(&*b); // an ordinary Array
//! # assert_eq!(product.dim(), (3, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What does not compile
//!
//! Rebinding, which in Python silently leaves the shared memory: arithmetic yields an ordinary array.
//!
//! ```compile_fail,E0308
//! # let mut m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! m = 1.0 * &m.read().unwrap();
//! ```
//!
//! ```compile_fail,E0277
//! # let mut m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! m = 1.0 * m; // an array is no operand: what a claim lends is
//! ```
//!
//! ```compile_fail,E0308
//! # let m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! let mut guard = m.write().unwrap();
//! guard = 1.0 * &guard;
//! ```
//!
//! Writing through a claim to read:
//!
//! ```compile_fail,E0596
//! # let m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! let read = m.read().unwrap();
//! read[[0, 0]] = 1.0;
//! ```
//!
//! A view that outlives its claim:
//!
//! ```compile_fail,E0505
//! # let m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! let read = m.read().unwrap();
//! let row = read.row(0);
//! drop(read);
//! println!("{row}");
//! ```
//!
//! A claim that outlives its array ([`claim_owned`](SharedArray::claim_owned) gives one that keeps it):
//!
//! ```compile_fail,E0505
//! # let m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! let read = m.read().unwrap();
//! drop(m);
//! println!("{}", read.sum());
//! ```
//!
//! A claim that is released by another thread than took it; what it lends may go to threads:
//!
//! ```compile_fail,E0277
//! # let m = ndshm_array::SharedArray2::<f64>::zeros((2, 3)).unwrap();
//! let read = m.read().unwrap();
//! std::thread::scope(|s| {
//!     s.spawn(move || drop(read));
//! });
//! ```
//!
//! Elements that refer to the memory of one process, or of which some bytes are no value. The message says what to use
//! instead:
//!
//! ```compile_fail,E0277
//! let names = ndshm_array::SharedArray1::<String>::zeros(3);
//! ```
//!
//! ```compile_fail,E0277
//! let names = ndshm_array::SharedArray1::from_elem(3, "anybody");
//! ```
//!
//! ```compile_fail,E0277
//! let pointers = ndshm_array::SharedArray1::<*const f64>::zeros(3);
//! ```
//!
//! ```compile_fail,E0277
//! let boxes = ndshm_array::SharedArray1::<Box<f64>>::zeros(3);
//! ```
//!
//! ```compile_fail,E0277
//! let flags = ndshm_array::SharedArray1::<bool>::zeros(3); // somebody may write a 2: use Bool8
//! ```
//!
//! ```compile_fail,E0277
//! enum Colour {
//!     Red,
//!     Green,
//! }
//! let colours = ndshm_array::SharedArray1::from_elem(3, Colour::Red); // somebody may write a 7
//! ```
//!
//! ```compile_fail,E0080
//! let nothing = ndshm_array::SharedArray1::<[f64; 0]>::zeros(3); // no bytes
//! ```
//!
//! Structs with such fields, or with padding: see [`#[derive(Element)]`](derive@Element).

// What #[derive(Element)] names, here as elsewhere.
extern crate self as ndshm_array;

mod access;
mod aliases;
mod append;
mod array;
mod atomic;
mod bool8;
mod cell;
mod claim;
mod claims;
mod create;
pub mod dynamic;
mod element;
mod epochs;
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
mod tasks;
mod tiling;
mod version;

pub use aliases::{
    SharedArray1, SharedArray2, SharedArray3, SharedArray4, SharedArray5, SharedArray6,
    SharedArrayD,
};
pub use append::{
    AppendArray, AppendArray1, AppendArray2, AppendArray3, AppendError, AppendHandle, LengthError,
};
pub use array::SharedArray;
pub use atomic::{AtomicElement, AtomicGuard};
pub use bool8::Bool8;
pub use claim::{
    ClaimError, Mode, Outside, Part, PoisonedClaim, PoisonedPart, ReadGuard, Select, WriteGuard,
};
pub use claims::ClaimResult;
pub use element::Element;
pub use epochs::{Epochs, Step};
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
pub use tasks::Tasks;
pub use tiling::{Tile, Tiling};

/// What `#[derive(Element)]` needs of other crates.
#[doc(hidden)]
pub mod derive {
    pub use bytemuck::{Pod, Zeroable};
}

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
