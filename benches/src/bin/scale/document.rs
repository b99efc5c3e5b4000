//! Tables, and the page that they stand in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::law;
use crate::series::{Series, Unit};
use crate::supervise::Results;

/// The page, with a place for each part: `{{locks}}`.
const TEMPLATE: &str = include_str!("scale.md.in");

/// Everything, for programs.
pub(crate) fn json(machine: &str, results: &[Results]) -> Value {
    let parts = results.iter().map(|part| {
        let series = part.series.iter().map(|series| {
            let law = law(series);
            json!({ "series": series, "law": law.as_ref().map(|l| l.word), "slope": law.map(|l| l.slope) })
        });
        json!({ "part": part.part, "series": series.collect::<Vec<_>>(), "notes": part.notes })
    });
    json!({ "machine": machine, "parts": parts.collect::<Vec<_>>() })
}

/// Writes the page.
pub(crate) fn write(machine: &str, results: &[Results]) -> Result<(), String> {
    let mut page = TEMPLATE.replace("{{machine}}", machine);
    for results in results {
        page = page.replace(&format!("{{{{{}}}}}", results.part), part(results).trim_end());
    }
    if let Some(left) = page.find("{{") {
        return Err(format!("the template has a place for nothing: {:.20}", &page[left..]));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scale.md");
    fs::write(&path, page).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The tables of a part, and what stands beneath.
pub(crate) fn part(results: &Results) -> String {
    let mut text = String::new();
    let mut rest = results.series.as_slice();
    while let Some(first) = rest.first() {
        let (these, others) =
            rest.split_at(rest.iter().take_while(|s| s.table == first.table).count());
        text += &table(these);
        text.push('\n');
        rest = others;
    }
    results.notes.iter().for_each(|note| _ = writeln!(text, "{note}\n"));
    text
}

/// Series beside each other, sizes beneath each other, and the laws.
fn table(series: &[Series]) -> String {
    let row = |first: &str, cell: &dyn Fn(&Series) -> String| {
        let cells: Vec<String> = series.iter().map(cell).collect();
        format!("| {first} | {} |\n", cells.join(" | "))
    };
    let first = &series[0];
    let mut text = row(&format!("{}: {}", first.table, first.of), &|s| s.what.clone());
    text += &row("---", &|_| "---".to_owned());
    let sizes: BTreeSet<usize> = series.iter().flat_map(|s| &s.points).map(|p| p.n).collect();
    for n in sizes {
        text += &row(&grouped(n), &|s| {
            let point = s.points.iter().find(|p| p.n == n);
            point.map_or_else(String::new, |p| shown(p.median, s.unit))
        });
    }
    text += &row("law", &|s| {
        law(s).map_or_else(String::new, |law| format!("{} ({:.2})", law.word, law.slope))
    });
    text
}

fn law(series: &Series) -> Option<law::Law> {
    #[allow(clippy::cast_precision_loss, reason = "sizes of some thousands")]
    let points: Vec<_> = series.points.iter().map(|p| (p.n as f64, p.median)).collect();
    if series.unit == Unit::Share { None } else { law::of(&points) }
}

/// With a comma for thousands.
fn grouped(n: usize) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

/// Three digits, and a unit.
fn shown(value: f64, unit: Unit) -> String {
    let (scales, base): (&[(f64, &str)], _) = match unit {
        Unit::Nanoseconds => (&[(1e9, "s"), (1e6, "ms"), (1e3, "µs")], "ns"),
        Unit::PerSecond => (&[(1e6, "M"), (1e3, "k")], ""),
        Unit::Share => return format!("{value:.2}"),
    };
    let fits = scales.iter().find(|(scale, _)| value >= *scale);
    let &(scale, suffix) = fits.unwrap_or(&(1.0, base));
    let value = value / scale;
    let places = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.places$} {suffix}").trim_end().to_owned()
}
