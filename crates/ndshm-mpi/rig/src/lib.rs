//! What the programs of the rig share.

pub mod launch;
pub mod memory;
pub mod turns;
