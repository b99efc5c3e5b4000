//! One copy per node.

use std::fmt;
use std::ops::Deref;

use ndarray::{ArrayRef, Dimension, IntoDimension};
use ndshm_array::{ArrayOptions, Element, SharedArray};

use crate::error::{Error, Result, claim};
use crate::make::Making;
use crate::nodes::Nodes;
use crate::sys::PIECE;

/// An array of which each node has one copy, which its ranks share: a look-up table, a model.
///
/// Dereferences to the [`SharedArray`] of this node, so `read()`, `claim()` and all else is there; what is written there is
/// written on this node, until [`broadcast`](Self::broadcast) brings it to the others.
///
/// ```no_run
/// use ndshm_mpi::{NodeArray, Nodes};
///
/// let universe = ndshm_mpi::init()?;
/// let nodes = Nodes::new(&universe.world())?;
/// let table = NodeArray::<f64, _>::zeros(&nodes, 1_000_000)?; // 8 MB a node, however many ranks
/// if nodes.rank() == 0 {
///     table.write().map_err(|e| e.without_guard())?.fill(0.5);
/// }
/// table.broadcast(0)?; // once a node
/// let sum = table.read().map_err(|e| e.without_guard())?.sum();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NodeArray<T, D> {
    nodes: Nodes,
    array: SharedArray<T, D>,
}

/// How to make a [`NodeArray`] otherwise: from [`NodeArray::options`].
///
/// ```no_run
/// use ndshm_mpi::{NodeArray, Nodes};
///
/// # let universe = ndshm_mpi::init()?;
/// # let nodes = Nodes::new(&universe.world())?;
/// // Other programs on these machines see it: `np.load("/dev/shm/ndshm.table", mmap_mode="r")`.
/// let table = NodeArray::<f32, _>::options(&nodes).name("table").zeros((1000, 16))?;
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NodeArrayOptions<'n, T, D> {
    nodes: &'n Nodes,
    making: Making<T, D>,
}

impl<T: Element, D: Dimension> NodeArrayOptions<'_, T, D> {
    /// Gives each node's copy that name, so that programs outside of MPI find it, too. Where
    /// [nodes are parts](Nodes::is_partial) of a machine, the number of the node is added: `table.0`.
    ///
    /// Without one nothing is left of it when its ranks are gone, however they end. A name goes with the array; that of a
    /// killed leader stays until `ndshm gc`, or until the name is made again.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.making.name = Some(name.into());
        self
    }

    /// What else there is to say of the memory: directory, mode, prefault, persistence. A name in there is not looked at.
    #[must_use]
    pub fn memory(mut self, options: ArrayOptions<T, D>) -> Self {
        self.making.options = options;
        self
    }

    /// As [`NodeArray::zeros`].
    ///
    /// # Errors
    ///
    /// As [`NodeArray::zeros`].
    pub fn zeros(&self, shape: impl IntoDimension<Dim = D>) -> Result<NodeArray<T, D>> {
        let shape = shape.into_dimension();
        self.making.agree(self.nodes, shape.slice(), "")?;
        let array = self.making.make(self.nodes, shape)?;
        Ok(NodeArray { nodes: self.nodes.clone(), array })
    }

    /// As [`NodeArray::from_root`].
    ///
    /// # Errors
    ///
    /// As [`NodeArray::from_root`].
    #[allow(clippy::wrong_self_convention, reason = "ndarray's name")]
    pub fn from_root(
        &self,
        root: usize,
        array: Option<&ArrayRef<T, D>>,
    ) -> Result<NodeArray<T, D>> {
        let nodes = self.nodes;
        let is_root = nodes.rank() == root;
        let given = if is_root == array.is_some() { Ok(()) } else { Err(Error::Root { root }) };
        let known = nodes.node_of(root).map(drop);
        nodes.settle(known.and(given))?;
        // Only the root knows the shape.
        let shape = array.map_or(&[][..], |array| array.shape());
        let shape = nodes.share_shape(root, shape)?;
        let mut dim = D::zeros(shape.len());
        dim.slice_mut().copy_from_slice(&shape);
        let made = self.zeros(dim)?;
        let filled = match array {
            Some(array) => made.array.write().map_err(claim).map(|mut to| to.assign(array)),
            None => Ok(()),
        };
        nodes.settle(filled)?;
        made.broadcast(root)?;
        Ok(made)
    }
}

impl<T: Element, D: Dimension> NodeArray<T, D> {
    /// An array of zeros on each node, in C order. Collective; made by the leader of each node, attached to by its others.
    ///
    /// # Errors
    ///
    /// [`Error::Differs`] where ranks ask for other shapes, elements or names; [`Error::Create`] at the leader that has no room,
    /// [`Error::Rank`] then at all others; [`Error::Open`]; [`Error::Lost`], [`Error::TimedOut`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let a = ndshm_mpi::NodeArray::<f64, _>::zeros(&nodes, (100, 50))?;
    /// assert_eq!(a.shape(), [100, 50]);
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn zeros(nodes: &Nodes, shape: impl IntoDimension<Dim = D>) -> Result<Self> {
        Self::options(nodes).zeros(shape)
    }

    /// Copies of the array that the root gives, in C order; the others give `None`, and need not know its shape. Collective.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros), and [`Error::Root`], [`Error::NoSuchRank`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let table = (nodes.rank() == 0).then(|| ndarray::Array::linspace(0.0, 1.0, 1001));
    /// let table = ndshm_mpi::NodeArray::from_root(&nodes, 0, table.as_deref())?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn from_root(nodes: &Nodes, root: usize, array: Option<&ArrayRef<T, D>>) -> Result<Self> {
        Self::options(nodes).from_root(root, array)
    }

    /// Copies of what `f` makes of each index, which only `root` asks it. Collective.
    ///
    /// # Errors
    ///
    /// As [`from_root`](Self::from_root).
    ///
    /// # Panics
    ///
    /// Where `f` does, at the root; the others then get an error.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let sines = ndshm_mpi::NodeArray::from_shape_fn(&nodes, 0, 1000, |i| (i as f64).sin())?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn from_shape_fn(
        nodes: &Nodes,
        root: usize,
        shape: impl IntoDimension<Dim = D>,
        f: impl FnMut(D::Pattern) -> T,
    ) -> Result<Self> {
        nodes.settle(nodes.node_of(root).map(drop))?;
        let made = Self::zeros(nodes, shape)?;
        let filled = match nodes.rank() == root {
            true => made.array.write().map_err(claim).map(|mut all| all.fill_with_index(f)),
            false => Ok(()),
        };
        nodes.settle(filled)?;
        made.broadcast(root)?;
        Ok(made)
    }

    /// How to make one otherwise: with a name, or prefaulted.
    ///
    /// ```no_run
    /// use ndshm_array::{Prefault, SharedArray2};
    /// use ndshm_mpi::NodeArray;
    ///
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let memory = SharedArray2::<f64>::options().prefault(Prefault::huge());
    /// let a = NodeArray::options(&nodes).name("model").memory(memory).zeros((1000, 1000))?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    #[must_use]
    pub fn options(nodes: &Nodes) -> NodeArrayOptions<'_, T, D> {
        NodeArrayOptions { nodes, making: Making::new() }
    }

    /// Brings what the node of rank `root` has to all others: once a node, from mapping to mapping, by the leaders. Collective; what
    /// any rank of the root's node has written before is sent.
    ///
    /// Within one node this is two meetings at the barrier and no copy; between nodes the ranks of each meet once more for each 64 MiB. Claims of this node's copy are waited for: on the root's node those of
    /// writers, elsewhere all.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRank`]; [`Error::Claim`] where the copy is not let go of in time; [`Error::Lost`], [`Error::TimedOut`],
    /// [`Error::Mpi`]. Copies of other nodes may then be half-changed.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let a = ndshm_mpi::NodeArray::<f64, _>::zeros(&nodes, 1000)?;
    /// if nodes.rank() == 0 {
    ///     a.write().map_err(|e| e.without_guard())?.fill(1.0);
    /// }
    /// a.broadcast(0)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn broadcast(&self, root: usize) -> Result<()> {
        let nodes = &self.nodes;
        let from = nodes.settle(nodes.node_of(root))?;
        if nodes.len() == 1 {
            return Ok(());
        }
        let patience = nodes.patience();
        let claimed = match (nodes.is_leader(), nodes.node() == from) {
            (false, _) => Ok(None),
            (_, true) => {
                self.array.read_timeout(patience).map(|g| Some((Some(g), None))).map_err(claim)
            }
            (_, false) => {
                self.array.write_timeout(patience).map(|g| Some((None, Some(g)))).map_err(claim)
            }
        };
        // What a time-out leaves to MPI is kept with the flight: the guards, and the mapping.
        let mut lent = nodes.settle(claimed)?.map(|claims| (claims, self.array.clone()));
        let (len, mut at) = (self.array.len() * size_of::<T>(), 0);
        let base = self.array.raw_view().as_mut_ptr().cast::<u8>();
        let mut moved = Ok(());
        while at < len && moved.is_ok() {
            let n = PIECE.min(len - at);
            let sent = nodes.leaders().zip(lent.take()).map(|(leaders, kept)| {
                let mut flight = leaders.flight(kept, nodes.timeout());
                // SAFETY: `n` bytes of the array, under a shared claim at the root and an exclusive one elsewhere, which
                // the flight keeps.
                flight.add(unsafe { leaders.broadcast(base.wrapping_add(at), n, from) });
                Ok(flight.land()?.0)
            });
            // Others of the node wait for a piece, not for all of them.
            moved = nodes.meet_after(2, sent.transpose()).map(|kept| lent = kept);
            at += n;
        }
        nodes.settle(moved)
    }

    /// The nodes that have copies.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// This node's copy, as [`Deref`] gives it, too.
    #[must_use]
    pub fn array(&self) -> &SharedArray<T, D> {
        &self.array
    }
}

impl<T, D> Deref for NodeArray<T, D> {
    type Target = SharedArray<T, D>;

    fn deref(&self) -> &SharedArray<T, D> {
        &self.array
    }
}

impl<T: Element, D: Dimension> fmt::Debug for NodeArray<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeArray").field("array", &self.array).finish_non_exhaustive()
    }
}
