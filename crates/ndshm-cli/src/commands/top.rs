//! `ndshm top`: looks again and again, and says what has changed.

use std::io::IsTerminal;
use std::io::{Write, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGTERM};

use super::ls;
use crate::cli::{Common, Top};
use crate::model::Segment;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::output::{print, print_json};
use crate::screen::{Screen, Style};
use crate::size::human;
use crate::table::{Align, Cell, Table};

pub(crate) fn run(common: &Common, given: &Top) -> Outcome {
    let frames = if given.once { Some(1) } else { given.frames };
    if Screen::of_stdout().is_terminal()
        && stdin().is_terminal()
        && frames.is_none()
        && !common.json
    {
        return watch(common, given.interval);
    }
    let mut before = None;
    let mut shown = 0;
    loop {
        let now = Look::now(common)?;
        if common.json {
            print_json(&now.changed_since(before.as_ref()))?;
        } else {
            let gap = if shown > 0 { "\n" } else { "" };
            print(&(gap.to_owned() + &now.frame(before.as_ref(), &Screen::of_stdout())))?;
        }
        shown += 1;
        if frames.is_some_and(|frames| shown >= frames) {
            return Ok(Verdict::Fine);
        }
        before = Some(now);
        std::thread::sleep(given.interval);
    }
}

/// What there was at one moment.
struct Look {
    at: Instant,
    segments: Vec<Segment>,
}

/// A segment, and what is new about it.
#[derive(Serialize)]
struct Seen<'a> {
    #[serde(flatten)]
    segment: &'a Segment,
    change: String,
    claims_per_second: Option<f64>,
}

#[derive(Serialize)]
struct Frame<'a> {
    segments: Vec<Seen<'a>>,
    gone: Vec<&'a str>,
}

impl Look {
    fn now(common: &Common) -> Result<Self, Failure> {
        Ok(Self { at: Instant::now(), segments: ls::all(common)? })
    }

    fn changed_since<'a>(&'a self, before: Option<&'a Self>) -> Frame<'a> {
        let seconds = before.map_or(0.0, |b| self.at.duration_since(b.at).as_secs_f64());
        let segments = self.segments.iter().map(|segment| {
            let was = before.and_then(|b| b.segments.iter().find(|s| s.name == segment.name));
            let same = was.filter(|was| is_same(was, segment));
            let released = same.map(|was| segment.releases.wrapping_sub(was.releases));
            Seen {
                segment,
                change: before.map_or(String::new(), |_| change(was, segment)),
                claims_per_second: released
                    .filter(|_| seconds > 0.0)
                    .map(|n| f64::from(n) / seconds),
            }
        });
        let still = |name: &str| self.segments.iter().any(|s| s.name == name);
        let gone = before.into_iter().flat_map(|b| &b.segments).map(|s| s.name.as_str());
        Frame { segments: segments.collect(), gone: gone.filter(|name| !still(name)).collect() }
    }

    fn frame(&self, before: Option<&Self>, screen: &Screen) -> String {
        let frame = self.changed_since(before);
        let mut table = Table::new(&[
            ("NAME", Align::Left),
            ("STATE", Align::Left),
            ("SIZE", Align::Right),
            ("ATTACHED", Align::Right),
            ("MEMBERS", Align::Right),
            ("CLAIMS/S", Align::Right),
            ("CHANGE", Align::Left),
            ("HOLDS", Align::Left),
        ]);
        for Seen { segment, change, claims_per_second } in &frame.segments {
            let living = segment.members.iter().filter(|who| who.alive).count();
            table.row(vec![
                Cell::styled(&segment.name, Style::Bold),
                ls::state(segment),
                Cell::new(human(segment.bytes)),
                Cell::new(segment.attached.len().to_string()),
                Cell::new(living.to_string()),
                Cell::new(claims_per_second.map_or(String::new(), |rate| format!("{rate:.0}"))),
                Cell::styled(change, Style::Warning),
                ls::holds(segment),
            ]);
        }
        let mut text = table.render(screen);
        if !frame.gone.is_empty() {
            let gone = format!("gone: {}", frame.gone.join(", "));
            text.push_str(&(screen.paint(Style::Warning, &gone) + "\n"));
        }
        text
    }
}

/// Whether they are one segment, and not two that had the name one after the other.
fn is_same(was: &Segment, now: &Segment) -> bool {
    let id = |s: &Segment| (s.file.as_ref().map(|f| (f.device, f.inode)), s.instance.clone());
    id(was) == id(now)
}

fn change(was: Option<&Segment>, now: &Segment) -> String {
    let Some(was) = was else { return "new".to_owned() };
    if !is_same(was, now) {
        return "replaced".to_owned();
    }
    let mut changes = Vec::new();
    if was.state != now.state {
        changes.push(format!("was {}", was.state.name()));
    }
    if was.bytes != now.bytes {
        changes.push(format!("was {}", human(was.bytes)));
    }
    let came = now.attached.iter().filter(|p| !was.attached.contains(p)).count();
    let went = was.attached.iter().filter(|p| !now.attached.contains(p)).count();
    changes.extend((came > 0).then(|| format!("+{came} attached")));
    changes.extend((went > 0).then(|| format!("-{went} attached")));
    if was.holds() != now.holds() {
        changes.push("holds".to_owned());
    }
    changes.join(", ")
}

/// On a terminal, until `q`.
fn watch(common: &Common, interval: Duration) -> Outcome {
    let mut before = None;
    let mut now = Look::now(common)?; // what fails at once fails on the ordinary screen
    let signal = told_to_end()?;
    let terminal = Terminal::enter()?;
    loop {
        draw(&now, before.as_ref(), interval)?;
        let next = Instant::now() + interval;
        while let Some(wake) = wake(next, &signal)? {
            match wake {
                Wake::Resized => draw(&now, before.as_ref(), interval)?,
                Wake::Look => break,
                Wake::Quit => return Ok(Verdict::Fine),
                Wake::Signal(number) => {
                    drop(terminal);
                    // As if it had never been caught: who waits for this process is told how it ended.
                    signal_hook::low_level::emulate_default_handler(number)?;
                    return Ok(Verdict::Fine);
                }
            }
        }
        let look = Look::now(common)?;
        before = Some(std::mem::replace(&mut now, look));
    }
}

/// What happens between two looks.
enum Wake {
    Look,
    Resized,
    Quit,
    Signal(i32),
}

/// Waits for one of these; `None` when it is time for the next look.
fn wake(next: Instant, signal: &AtomicUsize) -> std::io::Result<Option<Wake>> {
    loop {
        let left = next.saturating_duration_since(Instant::now());
        let happened = event::poll(left.min(PATIENCE))?;
        if let number @ 1.. = signal.load(Ordering::Relaxed) {
            return Ok(Some(Wake::Signal(number as i32)));
        }
        if !happened {
            if left.is_zero() {
                return Ok(None);
            }
            continue;
        }
        match event::read()? {
            Event::Key(key) if ends(&key) => return Ok(Some(Wake::Quit)),
            Event::Key(KeyEvent { code: KeyCode::Char(' '), .. }) => return Ok(Some(Wake::Look)),
            Event::Resize(..) => return Ok(Some(Wake::Resized)),
            _ => {}
        }
    }
}

/// How long a signal may go unnoticed.
const PATIENCE: Duration = Duration::from_millis(100);

/// Becomes the number of a signal that ends this process, once that came: the terminal is to be put in order first.
fn told_to_end() -> std::io::Result<Arc<AtomicUsize>> {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGTERM, SIGHUP] {
        signal_hook::flag::register_usize(number, Arc::clone(&signal), number as usize)?;
    }
    Ok(signal)
}

fn ends(key: &KeyEvent) -> bool {
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind != KeyEventKind::Release
        && (ctrl_c || matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc))
}

fn draw(now: &Look, before: Option<&Look>, interval: Duration) -> Result<(), Failure> {
    let screen = Screen::of_stdout();
    let lines = screen.size.map_or(24, |(_, lines)| lines);
    let total: u64 = now.segments.iter().map(|s| s.bytes).sum();
    let title = format!(
        "{} segments, {}; every {} s; space: now, q: end",
        now.segments.len(),
        human(total),
        interval.as_secs_f64()
    );
    let text = screen.paint(Style::Faint, &title) + "\n\n" + &now.frame(before, &screen);
    let mut out = stdout().lock();
    queue!(out, MoveTo(0, 0))?;
    for (i, line) in text.lines().take(lines).enumerate() {
        // Line by line, so that nothing flickers; no newline after the last, which would scroll.
        write!(out, "{}{line}", if i > 0 { "\r\n" } else { "" })?;
        queue!(out, Clear(ClearType::UntilNewLine))?;
    }
    queue!(out, Clear(ClearType::FromCursorDown))?;
    out.flush()?;
    Ok(())
}

/// A screen of its own, keys as they are pressed; as it was when this is dropped.
struct Terminal;

impl Terminal {
    fn enter() -> Result<Self, Failure> {
        enable_raw_mode()?;
        let terminal = Self;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing more can be done about a terminal that is gone.
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}
