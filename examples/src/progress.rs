//! How far the workers are, on a terminal.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ndshm::workers::Event;

/// Draws the progress of all workers as one bar on standard error, if that is a terminal.
pub fn bar(what: &'static str, hidden: bool) -> impl FnMut(Event) {
    let bar = if hidden { ProgressBar::hidden() } else { plain(0, what) };
    let mut ranks: HashMap<usize, (usize, usize)> = HashMap::new();
    move |event| match event {
        Event::Progress { rank, done, total } => {
            ranks.insert(rank, (done, total));
            let sum = |f: fn(&(usize, usize)) -> usize| ranks.values().map(f).sum::<usize>() as u64;
            bar.set_length(sum(|r| r.1));
            bar.set_position(sum(|r| r.0));
        }
        Event::Failed(failure) => bar.println(failure.to_string()),
        _ => {}
    }
}

/// A bar for `length` steps, cleared when dropped.
#[must_use]
pub(crate) fn plain(length: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg} {elapsed_precise}");
    let bar = ProgressBar::new(length as u64).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_finish(indicatif::ProgressFinish::AndClear)
}
