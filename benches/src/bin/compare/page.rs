//! `docs/benchmarks.md` and its plots: what was measured, with what there is to say of it, which is in
//! `benches/notes.md`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ndshm_benches::Report;

use crate::tables::{figure, ratio, time, verdicts};
use crate::{Comparison, plot};

const NOTES: &str = include_str!("../../../notes.md");

/// Writes them to that folder; which files they are.
pub(crate) fn write(comparison: &Comparison, docs: &Path) -> io::Result<Vec<PathBuf>> {
    let plots = docs.join("plots");
    fs::create_dir_all(&plots)?;
    let mut written = Vec::new();
    let mut page = head(comparison);
    targets(&mut page, comparison);
    for (family, reports) in families(comparison) {
        let picture = plots.join(format!("{family}.svg"));
        plot::draw(&reports, &picture).map_err(|e| io::Error::other(e.to_string()))?;
        section(&mut page, family, &reports);
        written.push(picture);
    }
    let _ = write!(page, "\n## Elsewhere\n\n{}\n", note("elsewhere").unwrap_or_default().trim());
    let path = docs.join("benchmarks.md");
    fs::write(&path, page)?;
    written.push(path);
    Ok(written)
}

fn head(comparison: &Comparison) -> String {
    let mut page = format!("# Benchmarks\n\n{}\n\n", note("head").unwrap_or_default().trim());
    let rough = if comparison.quick { " **A quick run: rough.**" } else { "" };
    let (machine, seconds) = (comparison.machine.line(), comparison.seconds);
    let _ = writeln!(page, "Measured {machine}; in {seconds:.0} s.{rough}");
    for (who, why) in &comparison.outcome.absent {
        let _ = writeln!(page, "Not there: {who} ({why}).");
    }
    page
}

fn targets(page: &mut String, comparison: &Comparison) {
    let (met, all) = verdicts(comparison)
        .fold((0, 0), |(met, all), (_, verdict)| (met + usize::from(verdict.met), all + 1));
    let _ = write!(
        page,
        "\n## Targets\n\n{met} of {all} are met. In brackets: the quartiles of the ratios within each round.\n\n\
         | group | target | | measured | why |\n|---|---|---|---|---|\n"
    );
    for (report, verdict) in verdicts(comparison) {
        let word = if verdict.met { "met" } else { "**missed**" };
        let why = if verdict.met { "" } else { &verdict.because };
        let (group, what, figure) = (&report.group, &verdict.what, figure(verdict));
        let _ = writeln!(page, "| {group} | {what} | {word} | {figure} | {why} |");
    }
}

/// In the order in which they were measured.
fn families(comparison: &Comparison) -> Vec<(&str, Vec<&Report>)> {
    let mut families: Vec<(&str, Vec<&Report>)> = Vec::new();
    for report in &comparison.outcome.reports {
        match families.iter_mut().find(|(family, _)| *family == report.family()) {
            Some((_, reports)) => reports.push(report),
            None => families.push((report.family(), vec![report])),
        }
    }
    families
}

fn section(page: &mut String, family: &str, reports: &[&Report]) {
    let _ = write!(
        page,
        "\n## {family}\n\n![{family}: times as long as the yardstick of each group](plots/{family}.svg)\n"
    );
    if let Some(note) = note(family) {
        let _ = write!(page, "\n{}\n", note.trim());
    }
    for report in reports {
        let setting = if report.setting.is_empty() { "" } else { ": " };
        let _ = write!(
            page,
            "\n| {}{setting}{}; {} rounds | median | x {} |\n|---|---|---|\n",
            report.group, report.setting, report.rounds, report.yardstick
        );
        for one in &report.measured {
            let (time, ratio) = (time(one.spread().median), ratio(one.beside(report.yardstick())));
            let _ = writeln!(page, "| {} | {time} | {ratio} |", one.name);
        }
    }
}

/// What there is to say, by the title of its section.
fn note(title: &str) -> Option<&'static str> {
    let sections = NOTES.split("\n## ").skip(1);
    sections
        .filter_map(|section| section.split_once('\n'))
        .find(|(head, _)| *head == title)
        .map(|(_, text)| text)
}
