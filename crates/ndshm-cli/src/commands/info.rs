//! `ndshm info`.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cli::Common;
use crate::model::{FileFacts, Kind, Segment, State};
use crate::outcome::{Outcome, Verdict};
use crate::output::{print, print_json};
use crate::screen::{Screen, Style};
use crate::size::human;
use crate::target::find;

pub(crate) fn run(common: &Common, name: &str) -> Outcome {
    let segment = Segment::of(&find(name, common.dir.as_deref())?)?;
    if common.json {
        print_json(&segment)?;
    } else {
        print(&text(&segment, &Screen::of_stdout()))?;
    }
    Ok(if segment.is_harmed() { Verdict::Found } else { Verdict::Fine })
}

fn text(segment: &Segment, screen: &Screen) -> String {
    let mut out = screen.paint(Style::Bold, &segment.name) + "\n";
    let mut line = |key: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {key:<10}{value}");
        }
    };
    line("path", &segment.path.display().to_string());
    line("state", state(segment.state));
    line("kind", &kind(segment));
    line("problem", segment.problem.as_deref().unwrap_or_default());
    if let (Some(dtype), Some(order)) = (&segment.dtype, segment.order) {
        let order = if order == 'C' { "C (row-major)" } else { "F (column-major)" };
        line("dtype", dtype);
        line("shape", &segment.shape_text());
        line("order", order);
    }
    line("data", &segment.data_bytes.map_or(String::new(), size));
    line("size", &size(segment.bytes));
    if let Some(file) = &segment.file {
        facts(file, segment.bytes, &mut line);
    }
    if let Some(version) = segment.format_version {
        line("format", &format!("version {version}"));
    }
    line("instance", segment.instance.as_deref().unwrap_or_default());
    let attached = segment.attached.iter().map(|p| {
        let mode = if p.writable { "" } else { ", read-only" };
        (format!("pid {} ({}){mode}", p.pid, p.command), Style::Plain)
    });
    list(&mut out, "attached", attached.collect(), screen);
    let members = segment.members.iter().map(|who| match who.alive {
        true => (who.text.clone(), Style::Plain),
        false => (format!("{}, gone", who.text), Style::Faint),
    });
    list(&mut out, "members", members.collect(), screen);
    let holds = segment.holds().into_iter();
    let holds = holds.map(|h| (h.text, if h.harm { Style::Bad } else { Style::Plain }));
    list(&mut out, "holds", holds.collect(), screen);
    out
}

fn facts(file: &FileFacts, bytes: u64, line: &mut impl FnMut(&str, &str)) {
    if file.capacity != bytes {
        line("capacity", &size(file.capacity));
    }
    line("reserved", &size(file.reserved));
    line("owner", &format!("user {}, group {}, mode {}", file.owner, file.group, file.mode));
    line("made", &age(file.modified));
}

/// Several lines under one key.
fn list(out: &mut String, key: &str, items: Vec<(String, Style)>, screen: &Screen) {
    for (i, (text, style)) in items.into_iter().enumerate() {
        let key = if i == 0 { key } else { "" };
        let _ = writeln!(out, "  {key:<10}{}", screen.paint(style, &text));
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Live => {
            "live: processes have it; the name goes when its creator drops it, or, if that was killed, by `ndshm gc` once nobody has it"
        }
        State::LivePersisted => {
            "live and persisted: processes have it; the name stays until `ndshm rm`"
        }
        State::Persisted => "persisted: nobody has it; it stays until `ndshm rm`",
        State::Orphaned => {
            "orphaned: nobody has it, and nobody wanted it kept; `ndshm gc` removes it"
        }
        State::Unknown => "unknown: this user may not look into it",
        State::File => "a file",
    }
}

fn kind(segment: &Segment) -> String {
    match segment.kind {
        Kind::Value => {
            let value = segment.value.filter(|value| value.initialised);
            let value = value.map_or("no value yet".to_owned(), |v| format!("{} bytes", v.bytes));
            format!("value under a mutex, {value}")
        }
        Kind::Array => "array, a live .npy file".to_owned(),
        Kind::Npy => ".npy file".to_owned(),
        Kind::Raw => "raw bytes".to_owned(),
        other => other.name().to_owned(),
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1024 {
        format!("{bytes} bytes")
    } else {
        format!("{bytes} bytes ({})", human(bytes))
    }
}

fn age(modified: u64) -> String {
    let then = UNIX_EPOCH + Duration::from_secs(modified);
    let seconds = SystemTime::now().duration_since(then).map_or(0, |age| age.as_secs());
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
