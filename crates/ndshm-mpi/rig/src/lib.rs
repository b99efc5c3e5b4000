//! What the programs of the rig share.

pub mod launch;
pub mod memory;
pub mod turns;

/// The code of docs/mpi.md, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/mpi.md")]
struct Guide;
