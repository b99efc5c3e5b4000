//! One `.npy` file, by all ranks: each writes and reads what it has, where that is in the file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ndarray::{ArrayRef, Axis, Dimension};
use ndshm_array::Element;
use ndshm_array::npy::{HEADER_LEN, NpyError, NpyFile, NpyHeader, Order};
use serde::{Deserialize, Serialize};

use super::{DistArray, DistArrayOptions};
use crate::error::{Error, Result};

/// Where the elements of a file are.
#[derive(Serialize, Deserialize)]
struct Extent {
    offset: usize,
    fortran: bool,
    shape: Vec<usize>,
}

impl<T: Element, D: Dimension> DistArray<T, D> {
    /// Saves the whole array as an `.npy` file that NumPy loads, on a file system that all nodes share. Collective: rank 0
    /// writes the header, and every rank its band, at its place in the file, straight from shared memory where a row is in one piece.
    ///
    /// It is written beside `path` first, and takes the name when all of it has reached the disk; where that fails what stood there stays.
    ///
    /// # Errors
    ///
    /// [`Error::File`] at a rank that cannot write its part, [`Error::Rank`] then at all others; [`Error::Npy`]; [`Error::Claim`];
    /// [`Error::Lost`], [`Error::TimedOut`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// a.save("a.npy")?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (path, nodes) = (path.as_ref(), &self.nodes);
        nodes.same("the path of the file", path.display())?;
        let temporary = temporary(path);
        let saved = self.save_to(&temporary, path);
        if nodes.rank() == 0 && saved.is_err() {
            // Nothing more can be done about a file that cannot even be removed.
            let _ = fs::remove_file(&temporary);
        }
        saved
    }

    fn save_to(&self, temporary: &Path, path: &Path) -> Result<()> {
        let nodes = &self.nodes;
        let first = nodes.rank() == 0;
        let created = if first { self.create(temporary, path) } else { Ok(()) };
        nodes.settle(created)?;
        let written = self.write_part(temporary);
        nodes.settle(written)?;
        let renamed = if first { rename(temporary, path) } else { Ok(()) };
        nodes.settle(renamed)
    }

    /// The file with its header, as long as it will be.
    fn create(&self, temporary: &Path, path: &Path) -> Result<()> {
        if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Err(NpyError::NotAFile { path: path.to_owned() }.into());
        }
        let (dtype, shape) = (T::DTYPE.clone(), self.shape().to_vec());
        let header = NpyHeader { dtype, order: Order::C, shape };
        let bytes = header.encode();
        let bytes = bytes.map_err(|source| NpyError::Encode { path: path.to_owned(), source })?;
        let make = || {
            let file =
                OpenOptions::new().write(true).create(true).truncate(true).open(temporary)?;
            if let Ok(meta) = fs::metadata(path) {
                file.set_permissions(meta.permissions())?;
            }
            file.write_all_at(&bytes, 0)?;
            file.set_len((HEADER_LEN + self.len() * size_of::<T>()) as u64)
        };
        make().map_err(failed(temporary, "made"))
    }

    fn write_part(&self, temporary: &Path) -> Result<()> {
        let band = self.read_band(self.nodes.patience())?;
        let write = || {
            let file = OpenOptions::new().write(true).open(temporary)?;
            let extent =
                Extent { offset: HEADER_LEN, fortran: false, shape: self.shape().to_vec() };
            let mut row = Vec::new();
            for_rows(&band, &self.band, &extent, |at, lane| {
                let elements = lane.as_slice().unwrap_or_else(|| {
                    row.clear();
                    row.extend(lane.iter().copied());
                    &row
                });
                file.write_all_at(bytemuck::cast_slice(elements), at)
            })?;
            file.sync_data()
        };
        write().map_err(failed(temporary, "written"))
    }

    /// Loads an `.npy` file of this shape, in C or Fortran order, on a file system that all nodes share. Collective: every rank reads its band. Margins
    /// are left as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Npy`], [`Error::Elements`] or [`Error::Shape`] at rank 0, which reads the header; [`Error::File`] at a rank that cannot read its
    /// part; [`Error::Rank`] then at all others; [`Error::Claim`]; [`Error::Lost`], [`Error::TimedOut`]. The elements may be half
    /// loaded then.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// a.load("a.npy")?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        let (path, nodes) = (path.as_ref(), &self.nodes);
        nodes.same("the path of the file", path.display())?;
        let extent = match nodes.rank() {
            0 => extent::<T>(path).and_then(|extent| match extent.shape == self.shape() {
                true => Ok(Some(extent)),
                false => Err(Error::Shape {
                    what: "the file to be loaded",
                    found: extent.shape,
                    expected: self.shape().to_vec(),
                }),
            }),
            _ => Ok(None),
        };
        let extent = share(self, extent)?;
        let read = self.read_part(path, &extent);
        nodes.settle(read)
    }

    fn read_part(&self, path: &Path, extent: &Extent) -> Result<()> {
        let mut band = self.write_band(self.nodes.patience())?;
        let mut read = || {
            let file = File::open(path)?;
            let mut row = Vec::new();
            for_rows_mut(&mut band, &self.band, extent, |at, mut lane| match lane.as_slice_mut() {
                Some(lane) => file.read_exact_at(bytemuck::cast_slice_mut(lane), at),
                None => {
                    row.resize(lane.len(), bytemuck::Zeroable::zeroed());
                    file.read_exact_at(bytemuck::cast_slice_mut(&mut row), at)?;
                    lane.iter_mut().zip(&row).for_each(|(to, from)| *to = *from);
                    Ok(())
                }
            })
        };
        read().map_err(failed(path, "read"))
    }
}

impl<T: Element, D: Dimension> DistArrayOptions<'_, T, D> {
    /// An array with the shape and the elements of an `.npy` file: as [`DistArray::load`]. Collective.
    ///
    /// # Errors
    ///
    /// As [`DistArray::load`] and [`zeros`](Self::zeros).
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let a = ndshm_mpi::DistArray::<f64, ndarray::Ix2>::options(&nodes).load("a.npy")?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn load(&self, path: impl AsRef<Path>) -> Result<DistArray<T, D>> {
        let (path, nodes) = (path.as_ref(), self.nodes());
        let shape = match nodes.rank() {
            0 => extent::<T>(path).and_then(|extent| {
                let shape = extent.shape;
                match D::NDIM {
                    Some(axes) if axes != shape.len() => {
                        Err(Error::Axes { what: "axes in the file", given: shape.len(), axes })
                    }
                    _ => Ok(shape),
                }
            }),
            _ => Ok(Vec::new()),
        };
        let shape = nodes.settle(shape)?;
        let shape = nodes.share_shape(0, &shape)?;
        let mut dim = D::zeros(shape.len());
        dim.slice_mut().copy_from_slice(&shape);
        let array = self.zeros(dim)?;
        array.load(path)?;
        Ok(array)
    }
}

/// What rank 0 has found, at all ranks.
fn share<T: Element, D: Dimension>(
    array: &DistArray<T, D>,
    extent: Result<Option<Extent>>,
) -> Result<Extent> {
    let nodes = &array.nodes;
    let extent = nodes.settle(extent)?;
    let bytes = extent.as_ref().map(postcard::to_stdvec).transpose();
    let bytes = bytes.map_err(|e| Error::Meeting(e.into()))?.unwrap_or_default();
    let bytes = nodes.world().share(0, bytes, nodes.timeout())?;
    postcard::from_bytes(&bytes).map_err(|e| Error::Meeting(e.into()))
}

/// Where the elements of that file are, if they are of this type.
fn extent<T: Element>(path: &Path) -> Result<Extent> {
    let file = NpyFile::open(path)?;
    if file.dtype().descr() != T::DTYPE.descr() {
        let (found, expected) = (file.dtype().clone(), T::DTYPE.clone());
        return Err(Error::Elements { path: path.to_owned(), found, expected });
    }
    let NpyHeader { order, shape, .. } = file.header();
    let (fortran, shape) = (*order == Order::F, shape.clone());
    Ok(Extent { offset: file.data_offset(), fortran, shape })
}

/// Beside the file that it will be, and the same at all ranks.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".ndshm-{name}.tmp"))
}

fn rename(temporary: &Path, path: &Path) -> Result<()> {
    fs::rename(temporary, path).map_err(failed(path, "written"))
}

fn failed(path: &Path, done: &'static str) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, done, source }
}

/// Where in the file the run begins whose first element is at that place of a part of the whole.
fn offset<T>(part: &[Range<usize>], place: &[usize], extent: &Extent) -> u64 {
    let index = part.iter().zip(place).map(|(range, i)| range.start + i);
    let axes: Vec<(usize, usize)> = index.zip(extent.shape.iter().copied()).collect();
    let fold = |at, (i, n): (usize, usize)| at * n + i;
    let at = match extent.fortran {
        true => axes.into_iter().rev().fold(0, fold),
        false => axes.into_iter().fold(0, fold),
    };
    (extent.offset + at * size_of::<T>()) as u64
}

/// The place of the `i`th lane along `axis`, in the order in which ndarray has them.
fn lane_start(shape: &[usize], axis: usize, i: usize) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    let mut rest = i;
    for other in (0..shape.len()).rev().filter(|other| *other != axis) {
        (place[other], rest) = (rest % shape[other], rest / shape[other]);
    }
    place
}

/// The axis along which a file has elements one after the other.
fn fastest(axes: usize, extent: &Extent) -> Option<usize> {
    if extent.fortran { (axes > 0).then_some(0) } else { axes.checked_sub(1) }
}

/// Has `each` do what there is to do with each run of elements that follow each other in the file.
fn for_rows<T: Element, D: Dimension>(
    elements: &ArrayRef<T, D>,
    part: &[Range<usize>],
    extent: &Extent,
    mut each: impl FnMut(u64, ndarray::ArrayView1<'_, T>) -> io::Result<()>,
) -> io::Result<()> {
    let shape = elements.shape().to_vec();
    let start = vec![0; shape.len()];
    // All in one where rows are whole, and follow each other in memory as they do in the file.
    let whole = !extent.fortran && shape.iter().skip(1).eq(extent.shape.iter().skip(1));
    let all = elements.as_slice().filter(|_| whole || shape.len() < 2);
    match (fastest(shape.len(), extent), all) {
        (_, Some(all)) => each(offset::<T>(part, &start, extent), all.into()),
        (Some(axis), None) => {
            elements.lanes(Axis(axis)).into_iter().enumerate().try_for_each(|(i, lane)| {
                each(offset::<T>(part, &lane_start(&shape, axis, i), extent), lane)
            })
        }
        (None, None) => Ok(()),
    }
}

/// The same, to change them.
fn for_rows_mut<T: Element, D: Dimension>(
    elements: &mut ArrayRef<T, D>,
    part: &[Range<usize>],
    extent: &Extent,
    mut each: impl FnMut(u64, ndarray::ArrayViewMut1<'_, T>) -> io::Result<()>,
) -> io::Result<()> {
    let shape = elements.shape().to_vec();
    let start = vec![0; shape.len()];
    let whole = !extent.fortran && shape.iter().skip(1).eq(extent.shape.iter().skip(1));
    let axis = fastest(shape.len(), extent);
    if (whole || shape.len() < 2)
        && let Some(all) = elements.as_slice_mut()
    {
        return each(offset::<T>(part, &start, extent), all.into());
    }
    let Some(axis) = axis else { return Ok(()) };
    elements.lanes_mut(Axis(axis)).into_iter().enumerate().try_for_each(|(i, lane)| {
        each(offset::<T>(part, &lane_start(&shape, axis, i), extent), lane)
    })
}
