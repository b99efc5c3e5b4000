//! The primitives, one a module: what their players do, and what the survivor checks.

mod barrier;
mod exclusive;
mod mutex;

use crate::scene::Primitive;

/// All of them.
pub const ALL: &[Primitive] = &[mutex::MUTEX, barrier::BARRIER];
