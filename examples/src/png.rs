//! A PNG written whole or not at all.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use plotters::backend::BitMapBackend;
use plotters::prelude::DrawingBackend;

use crate::plot_error::PlotError;

/// A temporary file in the folder of the target; removed when dropped before it got the target's name.
pub(crate) struct Output {
    path: PathBuf,
    target: PathBuf,
    temporary: PathBuf,
}

impl Output {
    /// Makes sure that `path` can be written before anything is drawn.
    pub(crate) fn beside(path: &Path) -> Result<Self, PlotError> {
        let write_error = |source| PlotError::Write { path: path.to_path_buf(), source };
        let target = match fs::metadata(path) {
            Ok(meta) if !meta.is_file() => {
                return Err(PlotError::NotAFile { path: path.to_path_buf() });
            }
            Ok(_) => fs::canonicalize(path).map_err(write_error)?,
            // An empty path, and one that ends as that of a folder does, can be given to no file.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && (path.file_name().is_none()
                        || path.as_os_str().as_encoded_bytes().ends_with(b"/")) =>
            {
                return Err(PlotError::NotAFile { path: path.to_path_buf() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_path_buf(),
            Err(error) => return Err(write_error(error)),
        };
        let folder = match target.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        loop {
            // The keys of a RandomState are random, which makes a name without a source of random numbers. The ending tells
            // plotters the format.
            let random = RandomState::new().build_hasher().finish();
            let temporary =
                folder.join(format!(".ndshm-{}-{random:016x}.tmp.png", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(_) => return Ok(Self { path: path.to_path_buf(), target, temporary }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(write_error(error)),
            }
        }
    }

    /// Writes the picture, RGB row by row, and gives it its name.
    pub(crate) fn write(
        self,
        (width, height): (usize, usize),
        rgb: &[u8],
    ) -> Result<(), PlotError> {
        let write_error = |source| PlotError::Write { path: self.path.clone(), source };
        let size = (width as u32, height as u32);
        let mut png = BitMapBackend::new(&self.temporary, size);
        png.blit_bitmap((0, 0), size, rgb).map_err(|error| PlotError::Draw(error.to_string()))?;
        png.present().map_err(|error| write_error(io::Error::other(error.to_string())))?;
        fs::rename(&self.temporary, &self.target).map_err(write_error)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After a successful rename there is nothing under this name.
        let _ = fs::remove_file(&self.temporary);
    }
}
