//! `ndshm ls`.

use serde::Serialize;

use crate::cli::Common;
use crate::model::{Kind, Segment, State};
use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::{print, print_json};
use crate::screen::{Screen, Style};
use crate::size::human;
use crate::table::{Align, Cell, Table};
use crate::target::options;

/// So many who hold something stand in a line; `info` has all, which may be a thousand.
const SHOWN: usize = 6;

#[derive(Serialize)]
struct Listing {
    segments: Vec<Segment>,
}

pub(crate) fn run(common: &Common) -> Outcome {
    let segments = all(common)?;
    if common.json {
        print_json(&Listing { segments })?;
        return Ok(Verdict::Fine);
    }
    let screen = Screen::of_stdout();
    let mut text = table(&segments, &screen);
    if screen.is_terminal() {
        text.push_str(&summary(&segments, &screen));
    }
    print(&text)?;
    Ok(Verdict::Fine)
}

/// All segments of the directory, looked at.
pub(crate) fn all(common: &Common) -> Result<Vec<Segment>, Failure> {
    Ok(Segment::of_segments(&options(common.dir.as_deref()).list()?))
}

fn table(segments: &[Segment], screen: &Screen) -> String {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("STATE", Align::Left),
        ("KIND", Align::Left),
        ("DTYPE", Align::Left),
        ("SHAPE", Align::Left),
        ("SIZE", Align::Right),
        ("ATTACHED", Align::Left),
        ("HOLDS", Align::Left),
    ]);
    for segment in segments {
        table.row(vec![
            Cell::styled(&segment.name, Style::Bold),
            state(segment),
            kind(segment),
            Cell::new(segment.dtype_text()),
            Cell::new(segment.shape_text()),
            Cell::new(human(segment.bytes)),
            Cell::new(segment.attached_text()),
            holds(segment),
        ]);
    }
    table.render(screen)
}

pub(crate) fn state(segment: &Segment) -> Cell {
    let style = match segment.state {
        State::Live | State::LivePersisted => Style::Good,
        State::Orphaned => Style::Warning,
        State::Persisted | State::Unknown | State::File => Style::Plain,
    };
    Cell::styled(segment.state.name(), style)
}

pub(crate) fn kind(segment: &Segment) -> Cell {
    let style = if segment.kind == Kind::Damaged { Style::Bad } else { Style::Plain };
    Cell::styled(segment.kind.name(), style)
}

/// Who holds what in one line; of what is damaged, why.
pub(crate) fn holds(segment: &Segment) -> Cell {
    let style = if segment.is_harmed() { Style::Bad } else { Style::Plain };
    if let Some(problem) = &segment.problem {
        return Cell::styled(problem, style);
    }
    let holds = segment.holds();
    let mut texts: Vec<_> = holds.iter().take(SHOWN).map(|hold| hold.text.as_str()).collect();
    let more = format!("and {} more", holds.len().saturating_sub(SHOWN));
    if holds.len() > SHOWN {
        texts.push(&more);
    }
    Cell::styled(texts.join("; "), style)
}

fn summary(segments: &[Segment], screen: &Screen) -> String {
    let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let orphans = segments.iter().filter(|s| s.state == State::Orphaned).count();
    let mut line = match segments.len() {
        0 => "no segments".to_owned(),
        1 => format!("1 segment, {}", human(total)),
        n => format!("{n} segments, {}", human(total)),
    };
    match orphans {
        0 => {}
        1 => line.push_str("; 1 orphan, which `ndshm gc` removes"),
        n => line.push_str(&format!("; {n} orphans, which `ndshm gc` removes")),
    }
    screen.paint(Style::Faint, &line) + "\n"
}
