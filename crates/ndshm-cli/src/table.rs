//! Columns that line up, on a terminal and in a pipe.

use crate::screen::{Screen, Style};

/// What stands in a cell; never empty, so that columns can be told apart by their spaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::styled(text, Style::Plain)
    }

    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        let text = text.into();
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, style }
    }
}

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

const GAP: &str = "  ";

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell a column");
        self.rows.push(cells);
    }

    /// All lines, the titles first. On a terminal they are cut at its edge.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        let titles = self.columns.iter().map(|(title, _)| Cell::styled(*title, Style::Bold));
        let titles: Vec<_> = titles.collect();
        let lines = || std::iter::once(&titles).chain(&self.rows);
        let width = |column: usize| lines().map(|row| count(&row[column].text)).max();
        let widths: Vec<_> = (0..self.columns.len()).map(|c| width(c).unwrap_or(0)).collect();
        let edge = screen.size.map_or(usize::MAX, |(columns, _)| columns);
        lines().map(|row| self.line(row, &widths, edge, screen)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], edge: usize, screen: &Screen) -> String {
        let (mut line, mut used) = (String::new(), 0);
        for (i, cell) in row.iter().enumerate() {
            let gap = if i == 0 { "" } else { GAP };
            let room = edge.saturating_sub(used + gap.len());
            if room == 0 {
                break;
            }
            let text = shortened(&cell.text, room);
            let last = i + 1 == row.len();
            let missing = widths[i].min(room) - count(&text).min(widths[i].min(room));
            let pad = " ".repeat(missing);
            let painted = screen.paint(cell.style, &text);
            line.push_str(gap);
            match self.columns[i].1 {
                Align::Left if last => line.push_str(&painted),
                Align::Left => line.push_str(&(painted + &pad)),
                Align::Right => line.push_str(&(pad + &painted)),
            }
            used += gap.len() + widths[i];
        }
        line.push('\n');
        line
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// At most `room` characters, the last an ellipsis where some are missing.
pub(crate) fn shortened(text: &str, room: usize) -> String {
    if count(text) <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_are_never_empty() {
        let mut table =
            Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right), ("X", Align::Left)]);
        table.row(vec![Cell::new("heat"), Cell::new("1 B"), Cell::new("")]);
        table.row(vec![Cell::new("a-long-name"), Cell::new("1023 B"), Cell::new("y z")]);
        let text = table.render(&Screen::plain());
        assert_eq!(
            text,
            "NAME           SIZE  X\nheat            1 B  -\na-long-name  1023 B  y z\n"
        );
    }

    #[test]
    fn a_terminal_cuts_at_its_edge() {
        let mut table = Table::new(&[("NAME", Align::Left), ("HOLDS", Align::Left)]);
        table.row(vec![Cell::new("heat"), Cell::new("pid 123 writes rows 0..100")]);
        let narrow = Screen { size: Some((20, 10)), ..Screen::plain() };
        assert!(table.render(&narrow).lines().all(|line| line.chars().count() <= 20));
        assert!(table.render(&narrow).contains('…'));
    }
}
