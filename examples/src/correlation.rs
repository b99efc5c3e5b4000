//! What the `correlation` example needs besides what it shows: options, input, report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use ndarray::ArrayRef2;
use ndshm::prelude::*;
use serde_json::json;

use crate::heatmap::heatmap;
use crate::options::at_least_one;

/// Correlations of the columns of a table of numbers, computed in P processes.
///
/// Equal to numpy.corrcoef(x, rowvar=False), with NaN for columns whose values are all equal.
#[derive(Debug, Parser)]
#[command(
    name = "correlation",
    after_help = "Exit status: 0 all right, 1 a worker failed, 2 the \
    input is bad."
)]
pub struct Options {
    /// A 2-D `.npy` file of integers or floats: rows are samples
    #[arg(value_name = "FILE.npy", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/wine.npy"),
        hide_default_value = true)]
    pub file: PathBuf,
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = at_least_one)]
    pub workers: usize,
    /// Write the matrix of correlations there
    #[arg(long, value_name = "OUT.npy")]
    pub out: Option<PathBuf>,
    /// Draw the matrix of correlations there
    #[arg(long, value_name = "OUT.png")]
    pub png: Option<PathBuf>,
    /// Names of the columns, one a line [default: FILE.txt, where that has as many lines]
    #[arg(long, value_name = "FILE.txt")]
    pub labels: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Loads the table into shared memory.
///
/// # Errors
///
/// It cannot be read, is not a table of real numbers, or has no rows or no columns.
pub fn load(file: &Path) -> ndshm::Result<SharedArray2<f64>> {
    let x = SharedArray2::load_as_f64(file)?;
    if x.is_empty() {
        let shape = x.shape();
        let text =
            format!("{}: its shape is {shape:?}; there is nothing to correlate", file.display());
        return Err(ndshm::Error::other(text));
    }
    Ok(x)
}

/// The result, written where it was asked for.
#[derive(Debug)]
pub struct Report<'a> {
    options: &'a Options,
    samples: usize,
    labels: Vec<String>,
    strongest: Vec<(usize, usize, f64)>,
    undefined: Vec<usize>,
}

impl<'a> Report<'a> {
    /// Writes and draws what was asked for.
    ///
    /// # Errors
    ///
    /// The names of the columns cannot be read or are not as many; a file cannot be written.
    pub fn new(
        x: &SharedArray2<f64>,
        r: &ArrayRef2<f64>,
        options: &'a Options,
    ) -> ndshm::Result<Self> {
        let labels = labels(options, x.ncols())?;
        if let Some(out) = &options.out {
            SharedArray2::from_array(r)?.save(out)?;
        }
        if let Some(png) = &options.png {
            let name = options.file.file_stem().unwrap_or_default().to_string_lossy();
            let title = format!("Correlation of {} columns of {name}", x.ncols());
            heatmap(png, &title, &labels, r.view()).map_err(ndshm::Error::other)?;
        }
        let pairs = r.indexed_iter().filter(|((i, j), r)| i < j && !r.is_nan());
        let mut strongest: Vec<_> = pairs.map(|((i, j), r)| (i, j, *r)).collect();
        strongest.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        strongest.truncate(5);
        let undefined = (0..x.ncols()).filter(|&i| r[[i, i]].is_nan()).collect();
        Ok(Self { options, samples: x.nrows(), labels, strongest, undefined })
    }

    /// Prints what there is to say.
    pub fn print(&self, took: Duration) {
        let Self { options, samples, labels, .. } = self;
        let (columns, seconds) = (labels.len(), took.as_secs_f64());
        if options.json {
            let pair = |&(i, j, r): &(usize, usize, f64)| json!([labels[i], labels[j], r]);
            println!(
                "{}",
                json!({
                    "file": options.file, "samples": samples, "columns": columns,
                    "workers": options.workers, "seconds": seconds,
                    "out": options.out, "png": options.png,
                    "strongest": self.strongest.iter().map(pair).collect::<Vec<_>>(),
                    "undefined": self.undefined.iter().map(|&i| &labels[i]).collect::<Vec<_>>(),
                })
            );
            return;
        }
        println!(
            "{samples} samples of {columns} columns, {} workers, {seconds:.3} s",
            options.workers
        );
        for &(i, j, r) in &self.strongest {
            println!("{r:>7.3}  {} ~ {}", labels[i], labels[j]);
        }
        if !self.undefined.is_empty() {
            println!(
                "undefined (all values equal, or not finite): {} columns",
                self.undefined.len()
            );
        }
        for file in [&options.out, &options.png].into_iter().flatten() {
            println!("written: {}", file.display());
        }
    }
}

/// The names of the columns, or their numbers.
fn labels(options: &Options, columns: usize) -> ndshm::Result<Vec<String>> {
    let path = options.labels.clone().unwrap_or_else(|| options.file.with_extension("txt"));
    let read = std::fs::read_to_string(&path);
    let names = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    match (read.map(names), &options.labels) {
        (Ok(names), _) if names.len() == columns => Ok(names),
        (Ok(names), Some(_)) => Err(ndshm::Error::other(format!(
            "{}: {} names for {columns} columns; there must be one a line",
            path.display(),
            names.len()
        ))),
        (Err(e), Some(_)) => Err(ndshm::Error::other(format!("{}: {e}", path.display()))),
        (_, None) => Ok((0..columns).map(|i| i.to_string()).collect()),
    }
}
