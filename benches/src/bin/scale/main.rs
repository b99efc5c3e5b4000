//! How locks, barriers, claims, attaching and the collection of orphans grow: with 2 to 1,000
//! processes, with 1 to 10,000 segments or claims. See `--help`.
//!
//! Each part runs in a small process of its own, which forks its crew: what 1,000 processes have in
//! common is shared then, and a part that hangs is ended with all of them.

use std::process::ExitCode;

use clap::Parser;
use ndshm_testkit::{default_signals, die_with_parent, role};

mod attach;
mod barriers;
mod board;
mod claims;
mod crew;
mod document;
mod events;
mod law;
mod locks;
mod member;
mod memory;
mod plan;
mod segments;
mod series;
mod supervise;

use plan::Plan;
use series::Out;

/// A part of the measurements.
struct Part {
    name: &'static str,
    /// Seconds after which it counts as hanging.
    limit: u64,
    run: fn(&Plan, &mut Out),
}

const PARTS: [Part; 6] = [
    Part { name: "locks", limit: 120, run: locks::run },
    Part { name: "barriers", limit: 120, run: barriers::run },
    Part { name: "events", limit: 60, run: events::run },
    Part { name: "claims", limit: 60, run: claims::run },
    Part { name: "attach", limit: 60, run: attach::run },
    Part { name: "segments", limit: 120, run: segments::run },
];

/// Measures how locks, barriers, events, claims, attaching and gc grow with the number of processes,
/// claims and segments, and fits the law by which they do.
///
/// Prints progress on a terminal, then tables. Exit status: 0 when all was measured, 1 when a part
/// failed or hung, 2 for bad usage.
#[derive(Debug, Parser)]
#[command(name = "scale", version)]
struct Options {
    /// Only these parts; all of them where none is named.
    #[arg(value_name = "PART", value_parser = PARTS.map(|part| part.name))]
    parts: Vec<String>,

    /// Fewer rounds and sizes: half a minute instead of some.
    #[arg(long)]
    quick: bool,

    /// One JSON object on standard output instead of the tables.
    #[arg(long)]
    json: bool,

    /// Writes docs/scale.md with these figures. For all parts only.
    #[arg(long, conflicts_with_all = ["parts", "quick"])]
    write: bool,
}

fn main() -> ExitCode {
    if let Some(name) = role() {
        default_signals();
        die_with_parent();
        let part = PARTS.iter().find(|part| part.name == name).expect("a part's name");
        (part.run)(&Plan::inherited(), &mut Out::new());
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    let wanted = |part: &&Part| {
        options.parts.is_empty() || options.parts.iter().any(|name| name == part.name)
    };
    let machine = format!("Measured {}.", ndshm_benches::Machine::now().line());
    let parts: Vec<&Part> = PARTS.iter().filter(wanted).collect();
    let results = match supervise::run(&parts, options.quick) {
        Ok(results) => results,
        Err(why) => {
            eprintln!("scale: {why}");
            return ExitCode::from(1);
        }
    };
    if options.json {
        println!("{:#}", document::json(&machine, &results));
    } else {
        println!("{machine}");
        results.iter().for_each(|part| println!("\n{}", document::part(part)));
    }
    if options.write
        && let Err(why) = document::write(&machine, &results)
    {
        eprintln!("scale: {why}");
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}
