//! The atomics that the included sources use, as loom knows them.
//!
//! A word is a number of one of the world's atomics, which it gets when it is first used: so it is
//! valid when zeroed and `new` is `const`, as in shared memory, and every word of the model exists
//! before the first party runs.

use std::cell::Cell;
use std::fmt;

pub use loom::sync::atomic::Ordering;
/// Another party is to go on before this one looks again.
pub use loom::thread::yield_now as spin_loop;

use crate::world;

/// Before a load. loom takes sequentially consistent accesses for acquire and release, so what such a
/// store has over a releasing one stands here: a fence between it and the next such load of its
/// party, and nothing more. A store that is not of this kind may be passed by a load that is.
fn before_load(order: Ordering) -> Ordering {
    if order == Ordering::SeqCst && world::take_unfenced_store() {
        world::full_fence(); // heavy fences too: the order of the two is all that a light one gives
    }
    order
}

fn after_store(order: Ordering) {
    if order == Ordering::SeqCst {
        world::note_unfenced_store();
    }
}

/// As `std::sync::atomic::fence`.
pub fn fence(order: Ordering) {
    world::step();
    if order == Ordering::SeqCst {
        loom::sync::atomic::fence(Ordering::AcqRel);
        world::take_unfenced_store();
        world::full_fence();
    } else {
        loom::sync::atomic::fence(order);
    }
}

/// The model's compiler moves nothing.
pub fn compiler_fence(_order: Ordering) {}

/// As in production where it takes a fence.
pub fn fence_after_rmw() {
    fence(Ordering::SeqCst);
}

macro_rules! word {
    ($name:ident, $value:ty, $pool:ident) => {
        /// A word of shared memory, zero at first.
        #[repr(transparent)]
        #[derive(Default)]
        pub struct $name {
            /// Which of the world's words, from 1; 0 until it is used.
            number: Cell<$value>,
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "word {}", self.number.get())
            }
        }

        #[allow(missing_docs, reason = "as in std")]
        #[allow(clippy::missing_errors_doc, reason = "they are std's, under the same names")]
        impl $name {
            pub const fn new(value: $value) -> Self {
                assert!(value == 0, "words of shared memory are zero at first");
                Self { number: Cell::new(0) }
            }

            fn with<R>(&self, f: impl FnOnce(&loom::sync::atomic::$name) -> R) -> R {
                let world = world::current();
                if self.number.get() == 0 {
                    self.number.set(world.$pool.take() as $value);
                }
                f(world.$pool.get(self.number.get() as usize))
            }

            /// What a system call finds in the word: the newest value, and no ordering with it.
            pub(crate) fn kernel_read(&self) -> $value {
                let (any, order) = (<$value>::MAX, Ordering::Relaxed);
                self.with(|w| w.compare_exchange(any, any, order, order)).unwrap_or_else(|now| now)
            }

            /// Which word it is, for the kernel.
            pub(crate) fn key(&self) -> usize {
                self.with(|_| self.number.get() as usize)
            }

            pub fn load(&self, order: Ordering) -> $value {
                world::step();
                let now = self.with(|w| w.load(before_load(order)));
                world::trace(|| format!("{self:?}: {now:#x} loaded"));
                now
            }

            pub fn store(&self, value: $value, order: Ordering) {
                world::step();
                self.with(|w| w.store(value, order));
                after_store(order);
                world::trace(|| format!("{self:?}: {value:#x} stored"));
            }

            pub fn compare_exchange(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                world::step();
                before_load(success);
                let result = self.with(|w| w.compare_exchange(from, to, success, failure));
                after_store(success);
                world::trace(|| format!("{self:?}: {from:#x} to {to:#x}: {result:#x?}"));
                result
            }

            pub fn compare_exchange_weak(
                &self,
                from: $value,
                to: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(from, to, success, failure)
            }

            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut now = self.load(fetch);
                while let Some(next) = f(now) {
                    match self.compare_exchange(now, next, set, fetch) {
                        Ok(was) => return Ok(was),
                        Err(other) => now = other,
                    }
                }
                Err(now)
            }

            word!(fetch $value: swap fetch_add fetch_sub fetch_or fetch_and fetch_max);
        }
    };
    (fetch $value:ty: $($method:ident)*) => {
        $(pub fn $method(&self, value: $value, order: Ordering) -> $value {
            world::step();
            before_load(order);
            let was = self.with(|w| w.$method(value, order));
            after_store(order);
            world::trace(|| format!("{self:?}: {was:#x} {} {value:#x}", stringify!($method)));
            was
        })*
    };
}

word!(AtomicU32, u32, words32);
word!(AtomicU64, u64, words64);
