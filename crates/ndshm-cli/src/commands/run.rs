//! `ndshm run`.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::thread::available_parallelism;

use ndshm_workers::{Cause, Event, Output, Pin, RunError, StartError, Stream, Workers};
use rustix::process::{Signal, getpid, kill_process};
use serde_json::json;

use crate::cli::{Common, Run};
use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::{complain, print_json};
use crate::screen::{Colours, Screen};

const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

pub(crate) fn run(common: &Common, given: &Run) -> Outcome {
    let processors = || available_parallelism().map_or(1, std::num::NonZero::get);
    let size = given.processes.map_or_else(processors, usize::from);
    let show = Show::new(common, size);
    // By the first that fails: those after it may have been ended for it.
    let status = Cell::new(None);
    let on_event = |event: Event| {
        if let Event::Failed(failure) = &event
            && status.get().is_none()
        {
            status.set(Some(status_of(&failure.cause)));
        }
        show.event(event);
    };
    let output = if given.no_prefix { Output::Inherit } else { Output::Events };
    let mut workers = Workers::new(size).output(output).grace(given.grace).on_event(on_event);
    if given.pin {
        workers = workers.pin(Pin::Spread);
    }
    if let Some(threads) = given.threads {
        workers = workers.threads(threads.into());
    }
    if let Some(dir) = &common.dir {
        workers = workers.env("NDSHM_DIR", dir);
    }
    let (program, args) = given.command.split_first().ok_or_else(|| Failure::new("no program"))?;
    let ended = workers.run_program(program, args);
    drop(workers);
    if let Some(failure) = show.refused.take() {
        return Err(failure);
    }
    match ended {
        Ok(()) => Ok(Verdict::Fine),
        Err(RunError::Interrupted { signal }) => Ok(Verdict::Status(signalled(signal))),
        Err(RunError::Start(error @ StartError::Program { .. })) => {
            let found = match &error {
                StartError::Program { source, .. } => source.kind() != ErrorKind::NotFound,
                _ => true,
            };
            complain(error);
            Ok(Verdict::Status(if found { NOT_EXECUTABLE } else { NOT_FOUND }))
        }
        Err(error @ RunError::Failed { .. }) => {
            let all = if size > 1 { "; all were ended" } else { "" };
            // One for each that failed by itself.
            error.to_string().lines().for_each(|line| complain(format_args!("{line}{all}")));
            Ok(Verdict::Status(status.get().unwrap_or(1)))
        }
        Err(error) => Err(error.into()),
    }
}

/// As a shell has it.
fn status_of(cause: &Cause) -> u8 {
    match cause {
        Cause::Exited(status) => u8::try_from(*status).unwrap_or(1),
        Cause::Killed { signal, .. } => signalled(*signal),
        Cause::OutOfMemory => signalled(Signal::KILL.as_raw()),
        _ => 1,
    }
}

fn signalled(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(255)
}

/// What is shown meanwhile.
struct Show {
    json: bool,
    size: usize,
    /// Of standard output, and of standard error.
    colours: [bool; 2],
    /// Why standard output takes no more.
    refused: RefCell<Option<Failure>>,
}

impl Show {
    fn new(common: &Common, size: usize) -> Self {
        let colours = Screen::of_stdout().colours != Colours::None;
        let errors = stderr().is_terminal() && (colours || !stdout().is_terminal());
        let json = common.json;
        Self { json, size, colours: [colours, errors && !no_colour()], refused: RefCell::new(None) }
    }

    fn event(&self, event: Event) {
        let shown = match event {
            Event::Output { rank, stream, line } if self.json => {
                let stream = if stream == Stream::Stdout { "stdout" } else { "stderr" };
                let line = String::from_utf8_lossy(&line);
                print_json(&json!({ "rank": rank, "stream": stream, "line": line }))
            }
            Event::Output { rank, stream: Stream::Stdout, line } => {
                let line = self.prefixed(rank, &line, self.colours[0]);
                crate::output::print_bytes(&line)
            }
            Event::Output { rank, line, .. } => {
                // Where nobody listens there is nobody to tell.
                let _ = stderr().write_all(&self.prefixed(rank, &line, self.colours[1]));
                Ok(())
            }
            Event::Started { rank, pid } if self.json => {
                print_json(&json!({ "rank": rank, "event": "started", "pid": pid }))
            }
            Event::Finished { rank } if self.json => {
                print_json(&json!({ "rank": rank, "event": "finished" }))
            }
            Event::Failed(failure) if self.json => print_json(&json!({
                "rank": failure.rank,
                "event": "failed",
                "pid": failure.pid,
                "status": status_of(&failure.cause),
                "cause": failure.cause.to_string(),
            })),
            _ => Ok(()),
        };
        if let Err(failure) = shown
            && self.refused.borrow().is_none()
        {
            *self.refused.borrow_mut() = Some(failure);
            // All end as they do for anybody who asks this process to. It can only be refused where
            // this process has ended.
            let _ = kill_process(getpid(), Signal::TERM);
        }
    }

    fn prefixed(&self, rank: usize, line: &[u8], colour: bool) -> Vec<u8> {
        let width = (self.size - 1).to_string().len();
        let rank = if colour {
            // Six that are seen on light and dark.
            format!("\x1b[{}m[{rank:>width$}]\x1b[0m ", 31 + rank % 6)
        } else {
            format!("[{rank:>width$}] ")
        };
        [rank.as_bytes(), line, b"\n"].concat()
    }
}

fn no_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("NO_COLOR") || std::env::var("TERM").is_ok_and(|term| term == "dumb")
}
