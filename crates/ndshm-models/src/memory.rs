//! Memory as it is in a fresh region, and as it is between threads.

use std::mem::MaybeUninit;

use loom::cell::UnsafeCell;

use crate::world;

/// What a primitive is in fresh shared memory.
pub(crate) fn zeroed<T>() -> T {
    // SAFETY: called for words of primitives alone, which consist of numbers, of atomics, and of cells
    // of numbers; all are valid when zeroed.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// A number that is not atomic: loom reports accesses that nothing orders.
#[derive(Debug, Default)]
pub(crate) struct Plain(UnsafeCell<u32>);

impl Plain {
    pub(crate) fn read(&self) -> u32 {
        // SAFETY: loom ends the execution where a write is concurrent.
        self.0.with(|p| unsafe { *p })
    }

    /// A step of the party's own.
    pub(crate) fn write(&self, value: u32) {
        world::step();
        // SAFETY: loom ends the execution where another access is concurrent.
        self.0.with_mut(|p| unsafe { *p = value });
    }
}
