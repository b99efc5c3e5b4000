//! `ratios`: see `--help`.

mod allreduce;
mod broadcast;
mod halo;
mod links;
mod options;
mod report;

use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use mpi::traits::Communicator;
use ndshm_mpi::Nodes;
use ndshm_mpi_rig::launch::{is_rank, mpirun};

use options::{Options, Part};
use report::Report;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = if is_rank() { rank(&options).map(|()| true) } else { supervise(&options) };
    match done {
        Ok(met) => ExitCode::from(u8::from(options.check && !met)),
        Err(e) => {
            eprintln!("ratios: {e}");
            ExitCode::from(2)
        }
    }
}

/// Has each part measured by a job of its own, and tells what came of it.
fn supervise(options: &Options) -> Result<bool, Failure> {
    let mut report = Report::begin();
    for part in chosen(options) {
        report.add(job(mpirun(part.ranks(), std::env::current_exe()?), part, options)?);
        if let Some(script) = options.hosts.as_ref().filter(|_| part.is_of_hosts()) {
            let mut hosts = Command::new(script);
            hosts.args(["-n", "1", "--"]).arg(std::env::current_exe()?);
            report.add(job(hosts, part, options)?);
        }
    }
    report.end();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(report.is_met())
}

fn chosen(options: &Options) -> Vec<Part> {
    if options.part.is_empty() { Part::value_variants().to_vec() } else { options.part.clone() }
}

/// The first rank prints what was measured.
fn job(mut launcher: Command, part: Part, options: &Options) -> Result<report::Part, Failure> {
    launcher.args(["--part", part.name()]).args(options.quick.then_some("--quick"));
    let output = launcher.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(
            format!("the job that measures {} ended with {}", part.name(), output.status).into()
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn rank(options: &Options) -> Result<(), Failure> {
    let universe = ndshm_mpi::init()?;
    let world = universe.world();
    let mut measured = report::Part::default();
    for part in chosen(options) {
        // Ranks of one machine are two nodes where nodes are what it is about.
        let nodes = match part {
            Part::Halo => Nodes::of_size(&world, 1)?,
            _ => Nodes::new(&world)?,
        };
        match part {
            Part::Broadcast => broadcast::measure(&nodes, &world, options.quick, &mut measured)?,
            Part::Allreduce => allreduce::measure(&nodes, &world, options.quick, &mut measured)?,
            Part::Halo => halo::measure(&nodes, &world, options.quick, &mut measured)?,
            Part::Links => links::measure(&nodes, &world, &mut measured),
        }
    }
    if world.rank() == 0 {
        println!("{}", serde_json::to_string(&measured)?);
    }
    Ok(())
}
