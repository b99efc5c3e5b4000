//! How far the campaign is, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::Fault;

/// A bar on standard error. It has no thread of its own: the process that draws it forks.
pub(crate) struct Progress {
    bar: ProgressBar,
    done: u64,
}

impl Progress {
    pub(crate) fn start(faults: &[Fault]) -> Self {
        let rounds = faults.iter().map(|fault| fault.rounds).sum();
        let template = "{bar:30} {percent:>3} % {human_pos} rounds, {per_sec}, {eta} left: {msg}";
        let style = ProgressStyle::with_template(template);
        let bar = ProgressBar::with_draw_target(Some(rounds), ProgressDrawTarget::stderr())
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if let Some(first) = faults.first() {
            bar.set_message(name(first));
        }
        Self { bar, done: 0 }
    }

    /// That many rounds of the present fault are done.
    pub(crate) fn at(&self, rounds: u64) {
        self.bar.set_position(self.done + rounds);
    }

    /// The present fault is over.
    pub(crate) fn finish(&mut self, fault: &Fault) {
        self.done += fault.rounds;
        self.bar.set_message(name(fault));
        self.bar.set_position(self.done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn name(fault: &Fault) -> String {
    format!("{}, {}, {}", fault.primitive.name, fault.scene.name, fault.act.name())
}
