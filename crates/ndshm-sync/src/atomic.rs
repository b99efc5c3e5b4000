//! The atomics of everything that has a protocol: one place to put others in their stead, which the
//! models do (`crates/ndshm-models`).

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
