//! `kills`: see `--help`.

mod diary;
mod during;
mod job;
mod options;
mod plan;
mod processes;
mod report;
mod round;

use std::io;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ndshm_testkit::Rng;

use during::During;
use options::Options;
use plan::Plan;
use report::Report;

fn main() -> ExitCode {
    ndshm_workers::init();
    if std::env::args().nth(1).as_deref() == Some("job") {
        return job::run();
    }
    let options = Options::parse();
    match campaign(&options) {
        Ok(report) => {
            if options.json {
                println!("{:#}", report.json());
            } else {
                print!("{}", report.text());
            }
            ExitCode::from(u8::from(!report.is_clean()))
        }
        Err(e) => {
            eprintln!("kills: {e}");
            ExitCode::from(2)
        }
    }
}

fn campaign(options: &Options) -> io::Result<Report> {
    let only = options.during.as_ref().map(|name| {
        let found = During::ALL.iter().find(|during| during.name() == name).copied();
        found.ok_or_else(|| {
            io::Error::other(format!("nothing is called {name:?}; --help lists the options"))
        })
    });
    let only = only.transpose()?;
    let seed = options.seed.unwrap_or_else(|| {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(1, |t| t.as_secs() ^ u64::from(t.subsec_nanos()) << 20)
    });
    let mut rng = Rng::new(seed);
    // A folder of its own where segments usually are: whoever is at work there too is left alone.
    let folder = tempfile::Builder::new().prefix("ndshm-kills-").tempdir_in("/dev/shm")?;
    let bar = ProgressBar::new(options.rounds).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} {eta}")
            .map_err(io::Error::other)?,
    );
    let start = Instant::now();
    let mut rounds = Vec::new();
    for round in 0..options.rounds {
        let plan = Plan::draw(&mut rng, round, only);
        let scratch = tempfile::tempdir()?;
        let mark = format!("kills-{}-{round}", std::process::id());
        let outcome = round::play(&plan, options, &mark, folder.path(), scratch.path())?;
        for violation in &outcome.violations {
            bar.suspend(|| eprintln!("round {round}: {plan}: {violation}"));
        }
        rounds.push((plan, outcome));
        bar.set_message(rounds[rounds.len() - 1].0.during.name());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Report { seed, took: start.elapsed(), rounds })
}
