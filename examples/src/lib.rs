//! What the examples of ndshm share, and a reader of their source need not see: options, progress,
//! tables, drawing, exit statuses.

pub mod correlation;
mod exit;
pub mod heatmap;
mod options;
mod output;
pub mod pingpong;
mod progress;
pub mod shared_matrix;

pub use exit::exit_code;
pub use options::parse;
pub use progress::bar;
