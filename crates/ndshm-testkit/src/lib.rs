//! What the tests of this workspace share.
//!
//! A test of a primitive crosses a real process boundary. The pieces for that, one a module:
//!
//! - [`suite!`]: the `main` of a test binary with `harness = false`, which is also the `main` of
//!   its child processes: each is the same binary, started again in a named *role*.
//! - [`Role`] starts one, hands it shared memory as its standard input; [`Child`] kills and reaps
//!   it when dropped.
//! - [`SharedMemory`]: a memfd, words in it that tell how far a child has come.
//! - [`Watchdog`]: ends the process, loudly, when a test takes too long. Children die with it.
//! - [`Rng`]: seeded, so that a run can be repeated (`NDSHM_TEST_SEED`).
//! - [`Name`], [`scratch`]: for segments with names; nothing stays in /dev/shm.
//! - [`fork`], [`raise_descriptors`], [`default_signals`], where a test is about those.
//! - `Traced`: a forked child, one system call at a time (x86-64 only).
//! - [`until`], [`takes`], [`skip`], [`Samples`], [`one_line`]. [`members!`] and [`panic_holding`] for examples.
//!
//! Under the standard harness a role is started with [`Role::in_test`], and the test itself begins
//! with `if let Some(role) = ndshm_testkit::role() { ... return }`.

mod child;
mod descriptors;
mod examples;
mod filesystem;
mod fork;
mod memory;
mod names;
mod numpy;
mod poll;
mod rng;
mod role;
mod samples;
mod signals;
mod skip;
mod suite;
#[cfg(target_arch = "x86_64")]
mod syscalls;
mod watchdog;

pub use child::Child;
pub use descriptors::raise_descriptors;
pub use examples::panic_holding;
pub use filesystem::{mount_tmpfs, mount_tmpfs_of, own_mounts};
pub use fork::{ends_well, fork};
pub use memory::{SharedMemory, map, map_memfd};
pub use names::{Name, one_line, scratch};
pub use numpy::numpy;
pub use poll::{takes, until};
pub use rng::Rng;
pub use role::{Role, arguments, die_with_parent, role};
pub use samples::Samples;
pub use signals::default_signals;
pub use skip::skip;
pub use suite::{RoleEntry, Test, run_suite};
#[cfg(target_arch = "x86_64")]
pub use syscalls::Traced;
pub use watchdog::Watchdog;
