//! What the `shared_matrix` example needs besides what it shows: options, the check, the report.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Parser;
use ndshm::array::OpenError;
use ndshm::prelude::*;
use serde_json::json;

use crate::options::{at_least_one, workers};
use crate::output::print;

/// P processes fill one n x n matrix in shared memory, M[i, j] = i + j; the parent checks it.
#[derive(Debug, Parser)]
#[command(
    name = "shared_matrix",
    allow_negative_numbers = true,
    after_help = "Exit status: 0 all right, 1 a worker failed or an \
    element is wrong, 2 bad input."
)]
pub struct Options {
    /// Rows and columns of the matrix [default: 2000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub size: Option<usize>,
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
    pub workers: usize,
    /// Make the matrix under this name, and keep it
    #[arg(long)]
    pub name: Option<String>,
    /// Start no workers: check the matrix that was kept under this name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "workers", "corrupt"])]
    pub attach: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Spoil the element [I, J] before the check, which has to find it
    #[arg(long, value_name = "I,J", value_parser = pair)]
    pub corrupt: Option<(usize, usize)>,
}

fn pair(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once(',').and_then(|(i, j)| Some((i.parse().ok()?, j.parse().ok()?)));
    numbers.ok_or_else(|| "must be two whole numbers with a comma between".to_owned())
}

impl Options {
    /// Rows and columns of the matrix to make.
    ///
    /// # Errors
    ///
    /// It has not the element that is to be spoilt.
    pub fn size(&self) -> ndshm::Result<usize> {
        let n = self.size.unwrap_or(2000);
        match self.corrupt {
            Some((i, j)) if i >= n || j >= n => Err(ndshm::Error::other(format!(
                "--corrupt {i},{j}: the matrix is {n} x {n}; both must be below {n}"
            ))),
            _ => Ok(n),
        }
    }
}

/// What came out.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows and columns.
    pub shape: (usize, usize),
    /// What each worker did.
    pub table: Vec<WorkerRow>,
    /// Elements that the parent looked at: all.
    pub elements_checked: usize,
    /// How many were not i + j.
    pub mismatches: usize,
    /// The first of them, and what is there.
    pub first: Option<(usize, usize, f64)>,
    /// The sum of all elements.
    pub checksum: f64,
    /// The sums of all workers, added under the mutex.
    pub locked_total: f64,
    /// From making the matrix to the end of the check.
    pub seconds: f64,
    /// The file of a matrix that is kept.
    pub kept: Option<PathBuf>,
}

/// What one worker did.
#[derive(Clone, Debug)]
pub struct WorkerRow {
    /// Its rank.
    pub rank: usize,
    /// Its process id.
    pub pid: u32,
    /// The rows that it filled.
    pub rows: Range<usize>,
    /// The sum of the whole matrix, as it saw it.
    pub sum: f64,
}

/// Opens a matrix that was kept under a name; of that size, if one is given.
///
/// # Errors
///
/// There is none, or it is something else.
pub fn open(name: &str, size: Option<usize>) -> ndshm::Result<SharedArray2<f64>> {
    // SAFETY: `mismatches` is all that is concluded from the elements, and while this process looks
    // whoever writes them is expected to do so through ndshm.
    let m = unsafe { SharedArray2::<f64>::open(name) };
    let m = m.map_err(|e: OpenError| ndshm::Error::from(e))?;
    match size {
        Some(n) if m.shape() != [n, n] => Err(ndshm::Error::other(format!(
            "cannot check {name}: its shape is {:?}, not [{n}, {n}]; give its --size, or none",
            m.shape()
        ))),
        _ => Ok(m),
    }
}

/// Looks at every element.
///
/// # Errors
///
/// The matrix cannot be read.
pub fn check(m: &SharedArray2<f64>, options: &Options) -> ndshm::Result<Report> {
    let start = std::time::Instant::now();
    let bar = if options.json {
        indicatif::ProgressBar::hidden()
    } else {
        crate::progress::plain(m.nrows(), "rows checked")
    };
    let all = m.read().map_err(|e| match m.path() {
        Some(path) => ndshm::Error::other(format!("{}: {e}", path.display())),
        None => e.into(),
    })?;
    let (mut mismatches, mut first) = (0, None);
    for (i, row) in all.rows().into_iter().enumerate() {
        for (j, &x) in row.iter().enumerate() {
            if x != (i + j) as f64 {
                mismatches += 1;
                first = first.or(Some((i, j, x)));
            }
        }
        bar.inc(1);
    }
    Ok(Report {
        shape: (m.nrows(), m.ncols()),
        elements_checked: all.len(),
        mismatches,
        first,
        checksum: all.sum(),
        seconds: start.elapsed().as_secs_f64(),
        ..Report::default()
    })
}

impl Report {
    /// Prints it; whether all is right.
    ///
    /// # Errors
    ///
    /// It cannot be printed.
    pub fn print(&self, options: &Options) -> ndshm::Result<bool> {
        let text = if options.json { format!("{}\n", self.json()) } else { self.text() };
        print(&text)?;
        Ok(self.mismatches == 0)
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "size": self.shape.0,
            "workers": self.table.len(),
            "pids": self.table.iter().map(|w| w.pid).collect::<Vec<_>>(),
            "elements_checked": self.elements_checked,
            "mismatches": self.mismatches,
            "checksum": self.checksum,
            "locked_total": self.locked_total,
            "seconds": self.seconds,
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, to: &mut String) -> std::fmt::Result {
        if !self.table.is_empty() {
            writeln!(to, "{:>4}  {:>8}  {:>15}  {:>18}", "rank", "pid", "rows", "sum of all")?;
            for WorkerRow { rank, pid, rows, sum } in &self.table {
                let rows = format!("{}..{}", rows.start, rows.end);
                writeln!(to, "{rank:>4}  {pid:>8}  {rows:>15}  {sum:>18}")?;
            }
            writeln!(to, "sums added under the mutex: {}", self.locked_total)?;
        }
        let (rows, columns) = self.shape;
        write!(to, "{} elements of {rows} x {columns} checked: ", self.elements_checked)?;
        match self.first {
            None => writeln!(to, "all are i + j")?,
            Some((i, j, x)) => writeln!(
                to,
                "{} WRONG, the first is [{i}, {j}]: {x}, not {}",
                self.mismatches,
                i + j
            )?,
        }
        writeln!(to, "{:.3} s", self.seconds)?;
        if let Some(path) = self.kept.as_deref().map(quoted) {
            writeln!(to, "kept; to open it, and to remove it:")?;
            let open = format!("a = np.load({path}, mmap_mode='r+'); print(a)");
            writeln!(to, "  python3 -c \"import numpy as np; {open}\"")?;
            writeln!(to, "  python3 -c \"import os; os.remove({path})\"")?;
        }
        Ok(())
    }
}

/// A path as a string of Python within a double-quoted string of the shell.
fn quoted(path: &Path) -> String {
    let python = path.to_string_lossy().replace('\\', r"\\").replace('\'', r"\'");
    let shell = python.chars().flat_map(|c| {
        let special = matches!(c, '\\' | '"' | '$' | '`');
        special.then_some('\\').into_iter().chain([c])
    });
    format!("'{}'", shell.collect::<String>())
}
