//! Runs the models: all of them, or those named.

use std::process::ExitCode;

use ndshm_models::{Depth, Explored, scenarios};

fn main() -> ExitCode {
    let mut depth = Depth::Full;
    let mut names = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--list" => {
                scenarios::all().for_each(|s| println!("{:<24} {}", s.name, s.shows));
                return ExitCode::SUCCESS;
            }
            "--trace" => ndshm_models::world::trace_panics(),
            "--short" => depth = Depth::Short,
            name if scenarios::all().any(|s| s.name == name) => names.push(argument),
            _ => {
                eprintln!(
                    "usage: models [--list] [--short] [--trace] [NAME...]; no model is called {argument}"
                );
                return ExitCode::from(2);
            }
        }
    }
    println!(
        "{:<24} {:>12} {:>10} {:>6} {:>9}",
        "model", "executions", "deaths", "steps", "seconds"
    );
    for scenario in scenarios::all() {
        if names.is_empty() || names.iter().any(|n| n == scenario.name) {
            let Explored { executions, deaths, steps, elapsed } = scenario.explore(depth);
            let seconds = elapsed.as_secs_f64();
            println!(
                "{:<24} {executions:>12} {deaths:>10} {steps:>6} {seconds:>9.1}",
                scenario.name
            );
        }
    }
    ExitCode::SUCCESS
}
