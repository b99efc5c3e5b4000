//! Progress on the terminal, while the workers run.

use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output::{Stream, print_prefixed};
use crate::{Event, Failure};

/// A bar for each worker that tells its [`progress`](crate::Worker::progress): what
/// [`Workers::on_event`](crate::Workers::on_event) is given. On standard error, if that is a terminal;
/// nothing is shown otherwise.
///
/// The bars are cleared when all have finished. With [`Output::Events`](crate::Output::Events) it also
/// prints what workers print, with the rank before each line, above the bars.
///
/// Needs the feature `progress`.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Worker, Workers, progress_bars};
///
/// fn steps(worker: &Worker, steps: usize) -> Result<(), String> {
///     for step in 0..steps {
///         worker.progress(step + 1, steps);
///     }
///     Ok(())
/// }
///
/// fn main() {
///     ndshm_workers::init();
///     Workers::new(2).on_event(progress_bars()).run(steps, &1000).unwrap();
/// }
/// ```
pub fn progress_bars() -> impl FnMut(Event) + 'static {
    let mut bars = Bars { all: MultiProgress::new(), of: BTreeMap::new() };
    move |event| bars.take(event)
}

struct Bars {
    all: MultiProgress,
    /// By rank: of those that are in a run, and have told something.
    of: BTreeMap<usize, ProgressBar>,
}

impl Bars {
    fn take(&mut self, event: Event) {
        match event {
            Event::Progress { rank, done, total } => {
                let bar = self.of.entry(rank).or_insert_with(|| {
                    let bar = ProgressBar::new(0).with_style(style()).with_prefix(rank.to_string());
                    self.all.insert(rank, bar)
                });
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            }
            Event::Finished { rank } => self.clear(rank),
            Event::Failed(failure) => self.failed(&failure, ""),
            Event::Retried { failure, .. } => self.failed(&failure, "; another takes its place"),
            Event::Output { rank, stream, line } => {
                self.all.suspend(|| print_prefixed(rank, stream, &line));
            }
            Event::Started { .. } => {}
        }
    }

    fn clear(&mut self, rank: usize) {
        if let Some(bar) = self.of.remove(&rank) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn failed(&mut self, failure: &Failure, then: &str) {
        self.clear(failure.rank);
        if !self.all.is_hidden() {
            let line = format!("{}{then}", failure.cause);
            self.all.suspend(|| print_prefixed(failure.rank, Stream::Stderr, line.as_bytes()));
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("[{prefix}] {bar:40} {pos}/{len} {eta}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
