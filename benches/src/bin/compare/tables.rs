//! What came of it, for a terminal; and the figures as people read them.

use std::io::{self, Write};

use ndshm_benches::{Report, Spread, Verdict};

use crate::Comparison;

pub(crate) fn print(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    for report in &comparison.outcome.reports {
        print_report(report, out)?;
    }
    writeln!(out, "\ntargets")?;
    for (report, verdict) in verdicts(comparison) {
        let word = if verdict.met { "met   " } else { "MISSED" };
        let figure = figure(verdict);
        writeln!(out, "{word} {figure:<24} {}: {}", report.group, verdict.what)?;
        if !verdict.met && !verdict.because.is_empty() {
            writeln!(out, "{:31} known from elsewhere: {}", "", verdict.because)?;
        }
    }
    if !comparison.outcome.absent.is_empty() {
        writeln!(out, "\nnot there")?;
    }
    for (who, why) in &comparison.outcome.absent {
        writeln!(out, "{who}: {why}")?;
    }
    writeln!(out, "\n{}; {:.0} s", comparison.machine.line(), comparison.seconds)
}

/// Each with its group.
pub(crate) fn verdicts(comparison: &Comparison) -> impl Iterator<Item = (&Report, &Verdict)> {
    comparison.outcome.reports.iter().flat_map(|r| r.verdicts.iter().map(move |v| (r, v)))
}

fn print_report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let setting = if report.setting.is_empty() { "" } else { ": " };
    writeln!(out, "\n{}{setting}{}; {} rounds", report.group, report.setting, report.rounds)?;
    writeln!(out, "{:<34} {:>12}   x {}", "", "median", report.yardstick)?;
    for one in &report.measured {
        let (time, ratio) = (time(one.spread().median), ratio(one.beside(report.yardstick())));
        writeln!(out, "{:<34} {time:>12}   {ratio}", one.name)?;
    }
    Ok(())
}

/// What a verdict rests on.
pub(crate) fn figure(verdict: &Verdict) -> String {
    verdict.spread.map_or_else(|| number(verdict.figure), ratio)
}

/// A median and its quartiles.
pub(crate) fn ratio(spread: Spread) -> String {
    let Spread { low, median, high } = spread;
    format!("{} ({} to {})", number(median), number(low), number(high))
}

/// Three digits.
pub(crate) fn number(x: f64) -> String {
    match x {
        _ if x >= 100.0 => format!("{x:.0}"),
        _ if x >= 10.0 => format!("{x:.1}"),
        _ if x >= 0.1 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}

/// Nanoseconds, in the unit that suits them.
pub(crate) fn time(nanos: f64) -> String {
    match nanos {
        _ if nanos >= 1e9 => format!("{} s", number(nanos / 1e9)),
        _ if nanos >= 1e6 => format!("{} ms", number(nanos / 1e6)),
        _ if nanos >= 1e3 => format!("{} µs", number(nanos / 1e3)),
        _ => format!("{} ns", number(nanos)),
    }
}
