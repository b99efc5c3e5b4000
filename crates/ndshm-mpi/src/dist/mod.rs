//! One array over all nodes, a block on each.

mod claims;
mod copy;
mod file;
mod halo;
mod options;
mod place;
mod whole;

use std::fmt;
use std::ops::Range;

use ndarray::{Dimension, IntoDimension};
use ndshm_array::{Element, SharedArray};

use crate::error::{Error, Result};
use crate::grid::{Grid, split};
use crate::nodes::Nodes;
pub use halo::HaloRequest;
pub use options::DistArrayOptions;

/// An N-dimensional array that is divided among nodes: by a *grid* of blocks along its first axes, of which each node has
/// one in shared memory, with margins (*halos*) for copies of what its neighbours have. The ranks of a node divide the rows of its block: each has a *band*.
///
/// Indices are *global*, of the whole array, unless a name says `local`: those of the block's memory, margins included.
///
/// Collective, over all ranks: making one, [`exchange`](Self::exchange), reductions, [`gather`](Self::gather) and [`scatter`](Self::scatter),
/// [`save`](Self::save), [`assign`](Self::assign), [`copy_to_nodes`](Self::copy_to_nodes). Claims are not: they are what claims of
/// [`SharedArray`] are, checked across the ranks of a node. No rank may hold one in a collective operation that needs the part.
///
/// ```no_run
/// use ndarray::Ix2;
/// use ndshm_mpi::{DistArray, Nodes};
///
/// let universe = ndshm_mpi::init()?;
/// let nodes = Nodes::new(&universe.world())?;
/// let a = DistArray::<f64, Ix2>::options(&nodes).halo([1, 1]).zeros((1000, 1000))?;
/// a.fill_with_index(|(i, j)| (i + j) as f64)?; // each rank its band
/// a.exchange()?; // margins are what the neighbours have
/// let around = a.claim_stencil()?; // this rank's band, and one row and column around it
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
pub struct DistArray<T, D> {
    nodes: Nodes,
    grid: Grid,
    shape: D,
    /// Of this node.
    block: Vec<Range<usize>>,
    /// Of this rank.
    band: Vec<Range<usize>>,
    array: SharedArray<T, D>,
    /// What the leader exchanges; of others only how many there are is of interest.
    legs: Vec<halo::Leg>,
}

impl<T: Element, D: Dimension> DistArray<T, D> {
    /// Zeros, without halos, on a grid of the first two axes that suits the shape. Collective.
    ///
    /// Costs what making a [`NodeArray`](crate::NodeArray) does, of the size of a block.
    ///
    /// # Errors
    ///
    /// As [`DistArrayOptions::zeros`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// println!("rows {:?} are mine", a.band()[0]);
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn zeros(nodes: &Nodes, shape: impl IntoDimension<Dim = D>) -> Result<Self> {
        Self::options(nodes).zeros(shape)
    }

    /// How to make one otherwise: grid, halos, a name.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// use ndshm_mpi::DistArray;
    ///
    /// let plate = DistArray::<f64, ndarray::Ix2>::options(&nodes)
    ///     .grid([nodes.len()]) // bands of rows
    ///     .halo([1, 1])
    ///     .periodic([false, true])
    ///     .zeros((1000, 500))?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    #[must_use]
    pub fn options(nodes: &Nodes) -> DistArrayOptions<'_, T, D> {
        DistArrayOptions::new(nodes)
    }

    /// The nodes that it is divided among.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The shape of the whole array.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.shape.slice()
    }

    /// The same as a dimension.
    #[must_use]
    pub fn raw_dim(&self) -> D {
        self.shape.clone()
    }

    /// The number of elements of the whole array.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.size()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Blocks along each axis.
    #[must_use]
    pub fn grid(&self) -> &[usize] {
        &self.grid.blocks
    }

    /// The width of the margin along each axis.
    #[must_use]
    pub fn halo(&self) -> &[usize] {
        &self.grid.halo
    }

    /// The indices that this node has, along each axis.
    #[must_use]
    pub fn block(&self) -> &[Range<usize>] {
        &self.block
    }

    /// The indices that a node has; none where there is no such node.
    #[must_use]
    pub fn block_of(&self, node: usize) -> Vec<Range<usize>> {
        if node < self.nodes.len() { self.grid.block(node) } else { vec![0..0; self.shape.ndim()] }
    }

    /// The indices that this rank has: its share of the rows of its node's block. Empty where there are more ranks than rows.
    #[must_use]
    pub fn band(&self) -> &[Range<usize>] {
        &self.band
    }

    /// The memory of this node's block, margins included, in local indices.
    #[must_use]
    pub fn array(&self) -> &SharedArray<T, D> {
        &self.array
    }

    /// The node whose block has that index, and the rank whose band has it.
    ///
    /// # Errors
    ///
    /// [`Error::Outside`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// let (node, rank) = a.owner((999, 499))?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn owner(&self, index: impl IntoDimension<Dim = D>) -> Result<(usize, usize)> {
        let index = index.into_dimension();
        let inside = index.slice().iter().zip(self.shape()).all(|(i, n)| i < n);
        if !inside {
            let (asked, shape) = (index.slice().to_vec(), self.shape().to_vec());
            return Err(Error::Outside { asked, shape });
        }
        let node = self.grid.owner(index.slice());
        let ranks = self.nodes.ranks_of(node);
        let block = self.grid.block(node);
        let has = |local: &usize| match (block.first(), index.slice().first()) {
            (Some(rows), Some(row)) => {
                split(rows.len(), ranks.len(), *local).contains(&(row - rows.start))
            }
            _ => *local == 0,
        };
        let local = (0..ranks.len()).find(has).unwrap_or(0);
        Ok((node, ranks[local]))
    }

    /// Where in this node's memory that index is; `None` where it is in the block of another.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// let there = a.to_local((0, 0));
    /// assert_eq!(there.is_some(), a.owner((0, 0))?.0 == nodes.node());
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn to_local(&self, index: impl IntoDimension<Dim = D>) -> Option<D> {
        let mut index = index.into_dimension();
        let axes = index.slice_mut().iter_mut().zip(&self.block).zip(self.halo());
        for ((i, block), halo) in axes {
            *i = block.contains(i).then(|| *i - block.start + halo)?;
        }
        Some(index)
    }

    /// Which index of the whole array that place in this node's memory is, or is a copy of: the margins of periodic axes are
    /// those of the other end. `None` where it lies beyond the array or beyond this memory.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// assert_eq!(a.to_local((0, 0)).and_then(|there| a.to_global(there)).is_some(), nodes.node() == 0);
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn to_global(&self, local: impl IntoDimension<Dim = D>) -> Option<D> {
        let mut index = local.into_dimension();
        for (axis, i) in index.slice_mut().iter_mut().enumerate() {
            let (block, halo, n) = (&self.block[axis], self.grid.halo[axis], self.shape()[axis]);
            if *i >= block.len() + 2 * halo {
                return None;
            }
            // One length on, so that nothing is below zero.
            let at = (block.start + *i).checked_add(n)?.checked_sub(halo)?;
            *i = match self.grid.periodic[axis] {
                true => at.checked_rem(n)?,
                false => at.checked_sub(n).filter(|at| *at < n)?,
            };
        }
        Some(index)
    }

    /// This block in indices of its memory.
    fn interior(&self) -> Vec<Range<usize>> {
        self.grid.local(&self.block, &self.block)
    }
}

impl<T: Element, D: Dimension> fmt::Debug for DistArray<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistArray")
            .field("shape", &self.shape())
            .field("grid", &self.grid())
            .field("block", &self.block)
            .field("array", &self.array)
            .finish_non_exhaustive()
    }
}
