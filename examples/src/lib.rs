//! What the examples of ndshm share, and a reader of their source need not see: options, progress,
//! tables, drawing, exit statuses.

mod bars;
pub mod correlation;
mod exit;
pub mod heatmap;
pub mod options;
mod output;
pub mod picture;
pub mod pingpong;
mod plot_error;
mod png;
mod progress;
pub mod shared_matrix;

pub use bars::bars;
pub use exit::exit_code;
pub use options::parse;
pub use output::{complain, print};
pub use progress::bar;
