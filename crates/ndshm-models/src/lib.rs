//! Models of the state machines of ndshm-sync; see the README of this package.
//!
//! The modules `mutex`, `park`, `event_count`, `barrier` and the parts of `member` that decide are
//! the production sources themselves, included by path. What they stand on is supplied here:
//! [`atomic`] by loom's atomics, [`world`] the kernel, the parties and their deaths.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "of what is included, models use a part"
)]
#![allow(rustdoc::broken_intra_doc_links, reason = "the included sources link to types left out")]

pub mod atomic;
mod barrier;
mod explore;
mod layout;
mod member;
mod memory;
mod mutex;
pub mod scenarios;
mod wait;
pub mod world;

#[path = "sync/event_count.rs"]
mod event_count;
#[path = "sync/park.rs"]
mod park;

pub use event_count::EventCount;
pub use explore::{Depth, Explored, Scenario};
pub use member::{Member, MemberId, Members};
pub use mutex::{Acquired, Culprit, NotAcquired, RawMutex};
