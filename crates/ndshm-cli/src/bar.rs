//! Progress, on a terminal.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// A bar for `bytes`, on standard error if that is a terminal, cleared when dropped.
pub(crate) fn bytes(bytes: u64, what: String, hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = "{bar:40} {percent:>3} % {binary_bytes_per_sec} {msg} {eta}";
    let style = ProgressStyle::with_template(style);
    ProgressBar::new(bytes)
        .with_message(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_finish(ProgressFinish::AndClear)
}
