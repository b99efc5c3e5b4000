//! What can go wrong with a plot.

use std::io;
use std::path::PathBuf;

/// Why a heat map was not drawn. No file was written or changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlotError {
    /// The matrix has no elements.
    Empty,
    /// The matrix has not as many rows as columns.
    NotSquare {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// There are labels, but not one for each column.
    Labels {
        /// Labels given.
        given: usize,
        /// Columns to label.
        needed: usize,
    },
    /// The path leads to a directory, a pipe or a device.
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file could not be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The drawing library reports an error.
    Draw(String),
}

impl std::fmt::Display for PlotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(f, "a heat map needs at least one row and column"),
            Self::NotSquare { rows, columns } => {
                write!(
                    f,
                    "a heat map of correlations needs a square matrix, this one is {rows} x {columns}"
                )
            }
            Self::Labels { given, needed } => {
                write!(f, "{given} labels for {needed} columns; give one for each, or none")
            }
            Self::NotAFile { path } => {
                write!(
                    f,
                    "{}: not a regular file; give the path of a file to write",
                    path.display()
                )
            }
            Self::Write { path, source } => write!(
                f,
                "{}: cannot be written: {source}; check the folder, its permissions and free space",
                path.display()
            ),
            Self::Draw(reason) => write!(f, "the heat map could not be drawn: {reason}"),
        }
    }
}

impl std::error::Error for PlotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
