//! What standard output can show.

use std::env;
use std::io::{IsTerminal, stdout};

/// How many colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    None,
    /// The 256 of xterm.
    Palette,
    /// 24 bits.
    True,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns and lines, where it is a terminal.
    pub(crate) size: Option<(usize, usize)>,
    pub(crate) colours: Colours,
}

/// How text is made to stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Bold,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Screen {
    pub(crate) fn of_stdout() -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        if !stdout().is_terminal() {
            return Self::plain();
        }
        let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
        let true_colours =
            env::var("COLORTERM").is_ok_and(|kind| kind == "truecolor" || kind == "24bit");
        let colours = match () {
            () if set("NO_COLOR") || dumb => Colours::None,
            () if true_colours => Colours::True,
            () => Colours::Palette,
        };
        let (columns, lines) = crossterm::terminal::size().unwrap_or((80, 24));
        let (columns, lines) = (usize::from(columns).max(20), usize::from(lines).max(5));
        Self { size: Some((columns, lines)), colours }
    }

    /// A pipe or a file.
    pub(crate) const fn plain() -> Self {
        Self { size: None, colours: Colours::None }
    }

    pub(crate) const fn is_terminal(&self) -> bool {
        self.size.is_some()
    }

    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Plain => return text.to_owned(),
            Style::Bold => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
        };
        if self.colours == Colours::None || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
