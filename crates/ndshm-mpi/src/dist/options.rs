//! How a distributed array is made.

use ndarray::{Dimension, IntoDimension};
use ndshm_array::{ArrayOptions, Element};

use super::{DistArray, halo};
use crate::error::Result;
use crate::grid::{Grid, split};
use crate::make::Making;
use crate::nodes::Nodes;

/// How to make a [`DistArray`]: from [`DistArray::options`].
///
/// ```no_run
/// use ndarray::Ix3;
/// use ndshm_mpi::{DistArray, Nodes};
///
/// # let universe = ndshm_mpi::init()?;
/// # let nodes = Nodes::new(&universe.world())?;
/// let options = DistArray::<f32, Ix3>::options(&nodes).halo([2, 2, 0]).periodic([true, true, false]);
/// let (now, next) = (options.zeros((512, 512, 64))?, options.zeros((512, 512, 64))?);
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DistArrayOptions<'n, T, D> {
    nodes: &'n Nodes,
    making: Making<T, D>,
    grid: Option<Vec<usize>>,
    halo: Option<Vec<usize>>,
    periodic: Option<Vec<bool>>,
    corners: bool,
}

impl<'n, T: Element, D: Dimension> DistArrayOptions<'n, T, D> {
    pub(super) fn new(nodes: &'n Nodes) -> Self {
        let (making, corners) = (Making::new(), true);
        Self { nodes, making, grid: None, halo: None, periodic: None, corners }
    }

    pub(super) fn nodes(&self) -> &'n Nodes {
        self.nodes
    }

    /// So many blocks along each of the first axes, and one along the others; their product is the number of nodes. Without this, of
    /// the first two axes, such that the surfaces of blocks are small.
    #[must_use]
    pub fn grid(mut self, grid: impl Into<Vec<usize>>) -> Self {
        self.grid = Some(grid.into());
        self
    }

    /// Margins of that width at both ends of each axis: copies of what neighbours have, after [`exchange`](DistArray::exchange). At the ends
    /// of an axis that is not periodic they are the program's own, and zero at first. Without this there are none.
    #[must_use]
    pub fn halo(mut self, widths: impl Into<Vec<usize>>) -> Self {
        self.halo = Some(widths.into());
        self
    }

    /// Along which axes the two ends are neighbours. Without this along none.
    #[must_use]
    pub fn periodic(mut self, periodic: impl Into<Vec<bool>>) -> Self {
        self.periodic = Some(periodic.into());
        self
    }

    /// Whether halos are exchanged with neighbours across edges and corners, too: yes, without this. Stencils that look along
    /// the axes only do without, for fewer messages.
    #[must_use]
    pub fn corners(mut self, corners: bool) -> Self {
        self.corners = corners;
        self
    }

    /// Gives each node's block that name: as [`NodeArrayOptions::name`](crate::NodeArrayOptions::name).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.making.name = Some(name.into());
        self
    }

    /// What else there is to say of the memory: as [`NodeArrayOptions::memory`](crate::NodeArrayOptions::memory).
    #[must_use]
    pub fn memory(mut self, options: ArrayOptions<T, D>) -> Self {
        self.making.options = options;
        self
    }

    /// An array of zeros of that shape. Collective.
    ///
    /// # Errors
    ///
    /// [`Error::Differs`](crate::Error::Differs) where ranks ask for another shape, kind of elements, name, grid or halo;
    /// [`Error::Grid`](crate::Error::Grid), [`Error::Axes`](crate::Error::Axes), [`Error::Halo`](crate::Error::Halo) where these do not fit;
    /// and those of [`NodeArray::zeros`](crate::NodeArray::zeros).
    pub fn zeros(&self, shape: impl IntoDimension<Dim = D>) -> Result<DistArray<T, D>> {
        let (shape, nodes) = (shape.into_dimension(), self.nodes);
        let axes = shape.ndim();
        let halo = self.halo.clone().unwrap_or_else(|| vec![0; axes]);
        let periodic = self.periodic.clone().unwrap_or_else(|| vec![false; axes]);
        let (grid, corners) = (self.grid.as_deref(), self.corners);
        // First what all have to say alike: then all of them refuse it, or none.
        let more =
            format!(", grid {grid:?}, halo {halo:?}, periodic {periodic:?}, corners {corners}");
        self.making.agree(nodes, shape.slice(), &more)?;
        let grid = Grid::new(shape.slice(), nodes.len(), grid, halo, periodic)?;
        let block = grid.block(nodes.node());
        let mut local = shape.clone();
        local.slice_mut().copy_from_slice(&grid.local_shape(&block));
        let array = self.making.make(nodes, local)?;
        let mut band = block.clone();
        if let Some(rows) = band.first_mut() {
            let mine = split(rows.len(), nodes.local_size(), nodes.local_rank());
            *rows = rows.start + mine.start..rows.start + mine.end;
        }
        let legs = halo::legs(nodes, &grid, corners, &array);
        let legs = nodes.settle(legs)?;
        let nodes = nodes.clone();
        Ok(DistArray { nodes, grid, shape, block, band, array, legs })
    }
}
