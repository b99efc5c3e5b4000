//! How far the workers are, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use ndshm::workers::Event;

/// A worker counts this much when it has ended, and so much less as it said that it has to do.
const WHOLE: usize = 1000;

/// Draws the progress of `size` workers as one bar on standard error, if that is a terminal.
pub fn bar(what: &'static str, size: usize, hidden: bool) -> impl FnMut(Event) {
    let bar = if hidden { ProgressBar::hidden() } else { plain(size * WHOLE, what) };
    let mut parts = vec![0; size];
    move |event| {
        match event {
            Event::Progress { rank, done, total } => parts[rank] = done * WHOLE / total.max(1),
            Event::Finished { rank } => parts[rank] = WHOLE, // even if it had nothing to do
            _ => {}
        }
        bar.set_position(parts.iter().sum::<usize>() as u64);
    }
}

/// A bar for `length` steps, cleared when dropped.
#[must_use]
pub(crate) fn plain(length: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg} {elapsed_precise}");
    let bar = ProgressBar::new(length as u64)
        .with_message(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_finish(ProgressFinish::AndClear);
    bar.tick(); // now: the ticker draws only once its thread runs
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
