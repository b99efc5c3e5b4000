//! Ours and the rivals, compared.
//!
//! `cargo run --release -p ndshm-benches --bin compare`. It runs the turns of every benchmark, prints what came of them
//! beside what was promised, and writes `docs/benchmarks.md` and its plots where it is asked to.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ndshm_benches::{Machine, Outcome};
use serde::{Deserialize, Serialize};

mod page;
mod plot;
mod run;
mod tables;

/// Ours and the rivals by turns: medians, ratios, and what was promised.
///
/// Exit status: 0; 1 with --check, where a target is missed; 2 where it could not be measured.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Only the groups with this in their names: locks, rwlock, barrier, event, condvar, semaphore, transfer, segments,
    /// prefault, claims, blog, matmul, workers.
    group: Option<String>,
    /// Less of everything: under a minute, and rough.
    #[arg(long)]
    quick: bool,
    /// Exit with 1 where a target is missed.
    #[arg(long)]
    check: bool,
    /// All that was measured as JSON, on standard output.
    #[arg(long)]
    json: bool,
    /// Write docs/benchmarks.md and docs/plots/*.svg.
    #[arg(long, conflicts_with = "group")]
    write: bool,
    /// What an earlier run gave with --json, instead of measuring.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["group", "quick"])]
    from: Option<PathBuf>,
}

/// All that is known of a run.
#[derive(Debug, Deserialize, Serialize)]
struct Comparison {
    machine: Machine,
    quick: bool,
    seconds: f64,
    #[serde(flatten)]
    outcome: Outcome,
}

fn main() -> ExitCode {
    match compare(&Cli::parse()) {
        Ok(code) => code,
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("compare: {e}");
            ExitCode::from(2)
        }
    }
}

fn compare(cli: &Cli) -> io::Result<ExitCode> {
    let comparison = match &cli.from {
        Some(path) => read(path)?,
        None => run::all(cli.group.as_deref(), cli.quick)?,
    };
    if comparison.outcome.reports.is_empty() {
        return Err(io::Error::other("no group has that in its name"));
    }
    let mut out = io::stdout().lock();
    if cli.json {
        serde_json::to_writer(&mut out, &comparison)?;
        writeln!(out)?;
    } else {
        tables::print(&comparison, &mut out)?;
    }
    if cli.write {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        for path in page::write(&comparison, &docs)? {
            eprintln!("written: {}", path.display());
        }
    }
    let mut verdicts = comparison.outcome.reports.iter().flat_map(|report| &report.verdicts);
    let missed = cli.check && verdicts.any(|verdict| !verdict.met);
    Ok(if missed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn read(path: &Path) -> io::Result<Comparison> {
    let refused = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let mut text = String::new();
    File::open(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(refused)?;
    serde_json::from_str(&text).map_err(|e| refused(e.into()))
}
