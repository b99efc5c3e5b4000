//! Getting at the elements that this node has.

use std::ops::Range;
use std::time::Duration;

use ndarray::{Dimension, IntoDimension};
use ndshm_array::{Element, ReadGuard, SharedArray, Tile, WriteGuard};

use super::DistArray;
use crate::error::{Error, Result, claim};

/// To read, within the time-out.
pub(crate) fn read<'a, T: Element, D: Dimension>(
    array: &'a SharedArray<T, D>,
    ranges: &[Range<usize>],
    timeout: Duration,
) -> Result<ReadGuard<'a, T, D>> {
    array.claim_timeout(Tile::new(ranges), timeout).map_err(claim)
}

/// To write, within the time-out.
pub(crate) fn write<'a, T: Element, D: Dimension>(
    array: &'a SharedArray<T, D>,
    ranges: &[Range<usize>],
    timeout: Duration,
) -> Result<WriteGuard<'a, T, D>> {
    array.claim_mut_timeout(Tile::new(ranges), timeout).map_err(claim)
}

impl<T: Element, D: Dimension> DistArray<T, D> {
    /// This rank's band to write, in the memory of this node: index 0 of the guard is the first index of [`band`](Self::band).
    /// Waits for others that have claimed some of it, within the time-out. Not collective.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// a.claim_band_mut()?.fill(1.0);
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn claim_band_mut(&self) -> Result<WriteGuard<'_, T, D>> {
        self.write_band(self.nodes.timeout())
    }

    /// The same to read.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`].
    pub fn claim_band(&self) -> Result<ReadGuard<'_, T, D>> {
        self.read_band(self.nodes.timeout())
    }

    /// The same, for so long.
    pub(super) fn read_band(&self, timeout: Duration) -> Result<ReadGuard<'_, T, D>> {
        read(&self.array, &self.grid.local(&self.block, &self.band), timeout)
    }

    /// As [`claim_band_mut`](Self::claim_band_mut), for so long.
    pub(super) fn write_band(&self, timeout: Duration) -> Result<WriteGuard<'_, T, D>> {
        write(&self.array, &self.grid.local(&self.block, &self.band), timeout)
    }

    /// This rank's band and the width of a halo around it, to read: what a stencil takes to compute the band anew. Index `halo` of the guard is the
    /// first index of [`band`](Self::band); what lies around it belongs to ranks of this node, or is a margin.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let options = ndshm_mpi::DistArray::<f64, ndarray::Ix1>::options(&nodes).halo([1]);
    /// # let (now, next) = (options.zeros(1000)?, options.zeros(1000)?);
    /// let (now, mut next) = (now.claim_stencil()?, next.claim_band_mut()?);
    /// next.iter_mut().zip(now.windows(3)).for_each(|(x, around)| *x = around.sum() / 3.0);
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn claim_stencil(&self) -> Result<ReadGuard<'_, T, D>> {
        let band = self.grid.local(&self.block, &self.band).into_iter().zip(self.halo());
        let around: Vec<_> =
            band.map(|(range, halo)| range.start - halo..range.end + halo).collect();
        read(&self.array, &around, self.nodes.timeout())
    }

    /// Any part of this node's block to write, in global indices.
    ///
    /// # Errors
    ///
    /// [`Error::Outside`] where not all of it is in this node's block; [`Error::Claim`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// let band = a.band().to_vec();
    /// a.claim_mut(&band)?.fill(1.0);
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn claim_mut(&self, ranges: &[Range<usize>]) -> Result<WriteGuard<'_, T, D>> {
        write(&self.array, &self.within(ranges)?, self.nodes.timeout())
    }

    /// Any part of this node's block to read, in global indices.
    ///
    /// # Errors
    ///
    /// As [`claim_mut`](Self::claim_mut).
    pub fn claim(&self, ranges: &[Range<usize>]) -> Result<ReadGuard<'_, T, D>> {
        read(&self.array, &self.within(ranges)?, self.nodes.timeout())
    }

    /// Sets each element of this rank's band to what `f` makes of its index in the whole array. If all ranks call it the whole array is set.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// a.fill_with_index(|(i, j)| (i + j) as f64)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn fill_with_index(&self, mut f: impl FnMut(D::Pattern) -> T) -> Result<()> {
        let starts: Vec<_> = self.block.iter().map(|range| range.start).collect();
        let halo = self.halo();
        let mut band = self.claim_band_mut()?;
        let mut index = self.shape.clone();
        band.fill_with_index(|local| {
            let local = local.into_dimension();
            for (axis, i) in index.slice_mut().iter_mut().enumerate() {
                *i = local[axis] - halo[axis] + starts[axis];
            }
            f(index.clone().into_pattern())
        });
        Ok(())
    }

    /// A part of this node's block in local indices.
    fn within(&self, ranges: &[Range<usize>]) -> Result<Vec<Range<usize>>> {
        let axes = self.shape.ndim();
        if ranges.len() != axes {
            return Err(Error::Axes { what: "ranges", given: ranges.len(), axes });
        }
        let inside = ranges.iter().zip(&self.block).all(|(part, block)| {
            part.start <= part.end && block.start <= part.start && part.end <= block.end
        });
        if !inside {
            let asked = ranges.iter().flat_map(|range| [range.start, range.end]).collect();
            return Err(Error::Outside { asked, shape: self.shape().to_vec() });
        }
        Ok(self.grid.local(&self.block, ranges))
    }
}
