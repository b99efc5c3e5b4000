//! `ndshm doctor`: whether this machine is fit for shared arrays, and what to do where it is not.

mod attention;
mod group;
mod huge;
mod limits;
mod logout;
mod proc;
mod room;

use serde::Serialize;

use crate::cli::Common;
use crate::outcome::{Outcome, Verdict};
use crate::output::{print, print_json};
use crate::screen::{Screen, Style};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Good to know; nothing to do.
    Note,
    /// Something to do.
    Warn,
}

#[derive(Clone, Debug, Serialize)]
struct Finding {
    section: &'static str,
    level: Level,
    what: String,
    remedy: Option<String>,
}

impl Finding {
    fn ok(section: &'static str, what: impl Into<String>) -> Self {
        Self { section, level: Level::Ok, what: what.into(), remedy: None }
    }

    fn note(section: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::ok(section, what) }
    }

    fn warn(section: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, remedy: Some(remedy.into()), ..Self::ok(section, what) }
    }
}

#[derive(Serialize)]
struct Diagnosis {
    healthy: bool,
    findings: Vec<Finding>,
}

pub(crate) fn run(common: &Common) -> Outcome {
    let mut findings = Vec::new();
    findings.extend(room::examine(common.dir.as_deref()));
    findings.extend(huge::examine());
    findings.extend(limits::examine());
    findings.extend(group::examine());
    findings.extend(proc::examine());
    findings.extend(logout::examine());
    findings.extend(attention::examine(common));
    let healthy = findings.iter().all(|finding| finding.level != Level::Warn);
    if common.json {
        print_json(&Diagnosis { healthy, findings })?;
    } else {
        print(&text(&findings, &Screen::of_stdout()))?;
    }
    Ok(if healthy { Verdict::Fine } else { Verdict::Found })
}

fn text(findings: &[Finding], screen: &Screen) -> String {
    let mut text = String::new();
    let mut section = "";
    for finding in findings {
        if finding.section != section {
            section = finding.section;
            text.push_str(&(screen.paint(Style::Bold, section) + "\n"));
        }
        let mark = match finding.level {
            Level::Ok => screen.paint(Style::Good, "ok  "),
            Level::Note => screen.paint(Style::Faint, "note"),
            Level::Warn => screen.paint(Style::Warning, "WARN"),
        };
        text.push_str(&format!("  {mark}  {}\n", finding.what));
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("        -> {remedy}\n"));
        }
    }
    let warnings = findings.iter().filter(|f| f.level == Level::Warn).count();
    text.push_str(&match warnings {
        0 => "all is well\n".to_owned(),
        1 => "1 thing needs attention\n".to_owned(),
        n => format!("{n} things need attention\n"),
    });
    text
}
