//! What the `shared_matrix` example needs besides what it shows: options, the check, the report.

use std::ops::Range;

use clap::Parser;
use ndshm::array::OpenError;
use ndshm::prelude::*;
use serde_json::json;

use crate::options::at_least_one;

/// P processes fill one n x n matrix in shared memory, M[i, j] = i + j; the parent checks it.
#[derive(Debug, Parser)]
#[command(
    name = "shared_matrix",
    after_help = "Exit status: 0 all right, 1 a worker failed or an \
    element is wrong, 2 the input is."
)]
pub struct Options {
    /// Rows and columns of the matrix [default: 2000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub size: Option<usize>,
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = at_least_one)]
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
    /// Spoil the element I,J before the check, which has to find it
    #[arg(long, value_name = "I,J", value_parser = pair)]
    pub corrupt: Option<(usize, usize)>,
}

fn pair(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once(',').and_then(|(i, j)| Some((i.parse().ok()?, j.parse().ok()?)));
    numbers.ok_or_else(|| "not two numbers with a comma between".to_owned())
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
    /// The sum of all elements.
    pub checksum: f64,
    /// The sums of all workers, added under the mutex.
    pub locked_total: f64,
    /// From making the matrix to the end of the check.
    pub seconds: f64,
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
    let all = m.read()?;
    let mut mismatches = 0;
    for (i, row) in all.rows().into_iter().enumerate() {
        let wrong = row.iter().enumerate().filter(|&(j, x)| *x != (i + j) as f64);
        mismatches += wrong.count();
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Report {
        shape: (m.nrows(), m.ncols()),
        elements_checked: all.len(),
        mismatches,
        checksum: all.sum(),
        seconds: start.elapsed().as_secs_f64(),
        ..Report::default()
    })
}

impl Report {
    /// Prints it; whether all is right.
    #[must_use]
    pub fn print(&self, options: &Options) -> bool {
        if options.json {
            println!("{}", self.json());
        } else {
            self.text(options);
        }
        self.mismatches == 0
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

    fn text(&self, options: &Options) {
        if !self.table.is_empty() {
            println!("{:>4}  {:>8}  {:>15}  {:>18}", "rank", "pid", "rows", "sum of all");
            for WorkerRow { rank, pid, rows, sum } in &self.table {
                let rows = format!("{}..{}", rows.start, rows.end);
                println!("{rank:>4}  {pid:>8}  {rows:>15}  {sum:>18}");
            }
            println!("sums added under the mutex: {}", self.locked_total);
        }
        let (rows, columns) = self.shape;
        let verdict = match self.mismatches {
            0 => "all are i + j".to_owned(),
            n => format!("{n} WRONG"),
        };
        println!("{} elements of {rows} x {columns} checked: {verdict}", self.elements_checked);
        println!("{:.3} s", self.seconds);
        if let Some(name) = &options.name {
            let dir = std::env::var("NDSHM_DIR").unwrap_or_else(|_| "/dev/shm".to_owned());
            let path = format!("{dir}/ndshm.{name}");
            println!("kept; to open it, and to remove it:");
            println!(
                "  python3 -c \"import numpy as np; print(np.load('{path}', mmap_mode='r+'))\""
            );
            println!("  python3 -c \"import os; os.remove('{path}')\"");
        }
    }
}
