//! The turns of every benchmark, one after the other.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ndshm_benches::{Machine, Outcome};

use crate::Comparison;

/// In the order of the layers.
const BENCHMARKS: [&str; 6] = ["sync", "segments", "memory", "array", "workers", "blog"];

/// Runs them, with what it takes for that built first.
pub(crate) fn all(group: Option<&str>, quick: bool) -> io::Result<Comparison> {
    // Not measured while it is built.
    cargo(&["--no-run"])?.stdout(Stdio::null()).status().and_then(|status| {
        let failed = || io::Error::other("the benchmarks do not build");
        if status.success() { Ok(()) } else { Err(failed()) }
    })?;
    let (start, mut machine) = (Instant::now(), Machine::now());
    let bar = ProgressBar::new(BENCHMARKS.len() as u64);
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}");
    bar.set_style(style.map_err(io::Error::other)?);
    bar.enable_steady_tick(Duration::from_secs(1));
    let (mut outcome, scratch) = (Outcome::default(), tempfile::tempdir()?);
    for name in BENCHMARKS {
        let one = benchmark(name, group, quick, &scratch.path().join(name), &bar)?;
        outcome.reports.extend(one.reports);
        outcome.absent.extend(one.absent);
        bar.inc(1);
    }
    bar.finish_and_clear();
    machine.note_end();
    Ok(Comparison { machine, quick, seconds: start.elapsed().as_secs_f64(), outcome })
}

fn benchmark(
    name: &str,
    group: Option<&str>,
    quick: bool,
    report: &Path,
    bar: &ProgressBar,
) -> io::Result<Outcome> {
    let report_path = report.to_str().ok_or_else(|| io::Error::other("TMPDIR is not UTF-8"))?;
    let mut command = cargo(&["--bench", name])?;
    command.args(["--", "--turns", "--report", report_path]).args(group);
    if quick {
        command.arg("--quick");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let said = child.stderr.take().map(|mut stderr| {
        // Read beside the rest, or who says much would wait for ever.
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        })
    });
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        if let Some(group) = line?.strip_prefix("== ") {
            bar.set_message(group.to_owned());
        }
    }
    let status = child.wait()?;
    let said = said.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if !status.success() {
        return Err(io::Error::other(format!("the benchmark {name} failed ({status}):\n{said}")));
    }
    Outcome::read(report)
}

fn cargo(arguments: &[&str]) -> io::Result<Command> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--quiet", "--manifest-path", manifest]);
    if cfg!(feature = "iceoryx2") {
        command.args(["--features", "iceoryx2"]);
    }
    command.args(arguments);
    Ok(command)
}
