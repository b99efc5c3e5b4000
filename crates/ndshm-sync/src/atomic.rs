//! The atomics of everything that has a protocol: one place to put others in their stead, which the
//! models do (`crates/ndshm-models`).

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence};

/// Keeps a load that follows from being done before a read-modify-write that precedes.
///
/// On x86-64 every read-modify-write is a full barrier itself (Intel SDM 3A, 9.2.3.9), so only the
/// compiler has to be told; elsewhere it takes a fence.
#[inline]
pub(crate) fn fence_after_rmw() {
    if cfg!(all(target_arch = "x86_64", not(miri))) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}
