//! Each part in a process of its own, that is ended when it hangs.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ndshm_testkit::{Child, Role, scratch};

use crate::Part;
use crate::series::{Line, Series};

/// What a part has found.
pub(crate) struct Results {
    pub(crate) part: &'static str,
    pub(crate) series: Vec<Series>,
    pub(crate) notes: Vec<String>,
}

/// Runs them one after another; why one failed.
pub(crate) fn run(parts: &[&Part], quick: bool) -> Result<Vec<Results>, String> {
    let bar = ProgressBar::new(parts.len() as u64);
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let results = parts.iter().map(|part| {
        let results = supervised(part, quick, &bar);
        bar.inc(1);
        results
    });
    let results = results.collect();
    bar.finish_and_clear();
    results
}

fn supervised(part: &Part, quick: bool, bar: &ProgressBar) -> Result<Results, String> {
    let dir = scratch();
    let child = Role::new(part.name).arg(dir.path().display()).arg(quick).piped();
    let mut child = child.spawn();
    let limit = Duration::from_secs(part.limit);
    let (alive, watch) = mpsc::channel::<()>();
    let pid = libc::pid_t::try_from(child.pid()).expect("a process id");
    let hung = thread::scope(|scope| {
        let watchdog = scope.spawn(move || {
            let hung = watch.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if hung {
                // SAFETY: a child that is not waited for before this thread has ended; touches no memory. What it
                // has forked dies with it.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            hung
        });
        let results = read(part, &mut child, bar);
        drop(alive);
        watchdog.join().map(|hung| (hung, results))
    });
    let (hung, results) = hung.map_err(|_| "the watchdog failed".to_owned())?;
    if hung {
        return Err(format!("{} has not ended after {limit:?}: it hangs", part.name));
    }
    let status = child.wait(limit);
    if status.success() { Ok(results) } else { Err(format!("{} failed: {status}", part.name)) }
}

/// What it says until it ends.
fn read(part: &Part, child: &mut Child, bar: &ProgressBar) -> Results {
    let mut results = Results { part: part.name, series: Vec::new(), notes: Vec::new() };
    // An empty line is its end.
    while let line = child.line()
        && !line.is_empty()
    {
        match serde_json::from_str(&line) {
            Ok(Line::At(what)) => bar.set_message(format!("{}: {what}", part.name)),
            Ok(Line::Series(series)) => results.series.push(series),
            Ok(Line::Note(note)) => results.notes.push(note),
            Err(_) => eprintln!("{line}"),
        }
    }
    results
}
