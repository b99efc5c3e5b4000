//! Memory got before it is used, huge pages where the kernel has them.

mod buffer;
mod options;
mod purse;
mod report;
mod work;

pub use options::{Placement, Prefault};
pub use report::{Placed, Prefaulted};

pub(crate) use work::{Failure, Job};
