//! What the `correlation` example needs besides what it shows: options, input, report.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use ndarray::ArrayRef2;
use ndshm::array::LoadError;
use ndshm::prelude::*;
use serde_json::json;

use crate::heatmap::{self, heatmap};
use crate::options::workers;
use crate::output::print;

/// Correlations of the columns of a table of numbers, computed in P processes.
///
/// Equal to numpy.corrcoef(x, rowvar=False), with NaN for columns whose values are all equal.
#[derive(Debug, Parser)]
#[command(
    name = "correlation",
    allow_negative_numbers = true,
    after_help = "Exit status: 0 all right, 1 a worker failed, 2 bad \
    input."
)]
pub struct Options {
    /// A 2-D `.npy` file of integers or floats: rows are samples
    #[arg(value_name = "FILE.npy", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/wine.npy"),
        hide_default_value = true)]
    pub file: PathBuf,
    /// Worker processes
    #[arg(long, value_name = "P", default_value_t = 4, value_parser = workers)]
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

/// Loads the table into shared memory, and makes sure that the result can be written.
///
/// # Errors
///
/// It cannot be read, is not a table of real numbers, or has no rows or no columns; a file cannot
/// be written.
pub fn load(options: &Options) -> ndshm::Result<SharedArray2<f64>> {
    let file = options.file.display();
    let x = match SharedArray2::load_as_f64(&options.file) {
        Ok(x) if !x.is_empty() => x,
        Ok(x) => {
            let shape = x.shape();
            return Err(ndshm::Error::other(format!(
                "{file}: its shape is {shape:?}, so there is nothing to correlate; give a table \
                 of one row and column at least"
            )));
        }
        Err(LoadError::Dimensions { found, .. }) => {
            return Err(ndshm::Error::other(format!(
                "{file}: its shape is {found:?}; give a table, of rows and columns: reshape it"
            )));
        }
        Err(e) => return Err(e.into()),
    };
    let (out, png) = (options.out.as_deref(), options.png.as_deref());
    for path in [out, png].into_iter().flatten() {
        heatmap::writable(path).map_err(ndshm::Error::other)?;
    }
    if let (Some(out), Some(png)) = (out, png)
        && out == png
    {
        let text = format!("{}: is both --out and --png; give two files", out.display());
        return Err(ndshm::Error::other(text));
    }
    labels(options, x.ncols())?;
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
    ///
    /// # Errors
    ///
    /// It cannot be printed.
    pub fn print(&self, took: Duration) -> ndshm::Result<()> {
        let seconds = took.as_secs_f64();
        if self.options.json {
            return print(&format!("{}\n", self.json(seconds)));
        }
        let Self { options, samples, labels, .. } = self;
        let mut text = format!(
            "{}, {}, {}, {seconds:.3} s\n",
            count(*samples, "sample"),
            count(labels.len(), "column"),
            count(options.workers, "worker")
        );
        for &(i, j, r) in &self.strongest {
            text += &format!("{r:>7.3}  {} ~ {}\n", labels[i], labels[j]);
        }
        if !self.undefined.is_empty() {
            let some: Vec<_> = self.undefined.iter().take(5).map(|&i| &*labels[i]).collect();
            let more = if self.undefined.len() > some.len() { ", ..." } else { "" };
            text += &format!(
                "{} undefined (all values equal, or not finite): {}{more}\n",
                count(self.undefined.len(), "column"),
                some.join(", "),
            );
        }
        for file in [&options.out, &options.png].into_iter().flatten() {
            text += &format!("written: {}\n", file.display());
        }
        print(&text)
    }

    fn json(&self, seconds: f64) -> serde_json::Value {
        let Self { options, samples, labels, .. } = self;
        let pair = |&(i, j, r): &(usize, usize, f64)| json!([labels[i], labels[j], r]);
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        json!({
            "file": path(&options.file), "samples": samples, "columns": labels.len(),
            "workers": options.workers, "seconds": seconds,
            "out": options.out.as_ref().map(path), "png": options.png.as_ref().map(path),
            "strongest": self.strongest.iter().map(pair).collect::<Vec<_>>(),
            "undefined": self.undefined.iter().map(|&i| &labels[i]).collect::<Vec<_>>(),
        })
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The names of the columns, or their numbers.
fn labels(options: &Options, columns: usize) -> ndshm::Result<Vec<String>> {
    let path = options.labels.clone().unwrap_or_else(|| options.file.with_extension("txt"));
    let read = std::fs::read_to_string(&path);
    let names = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    match (read.map(names), &options.labels) {
        (Ok(names), _) if names.len() == columns => Ok(names),
        (Ok(names), Some(_)) => Err(ndshm::Error::other(format!(
            "{}: {} lines for {columns} columns; give the name of each column in a line of its own",
            path.display(),
            names.len()
        ))),
        (Err(e), Some(_)) => Err(ndshm::Error::other(format!(
            "{}: cannot be read: {e}; give a text file with the name of a column in each line",
            path.display()
        ))),
        (_, None) => Ok((0..columns).map(|i| i.to_string()).collect()),
    }
}
