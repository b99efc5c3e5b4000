//! Combining what ranks have: in shared memory first, then once a node.

use std::fmt;
use std::ops::Range;

use ndarray::{Dimension, IntoDimension, Zip};
use ndshm_array::{ArrayOptions, ReadGuard, SharedArray, Tile, WriteGuard};

use crate::error::{Result, claim};
use crate::grid::split;
use crate::make::Making;
use crate::nodes::Nodes;
use crate::op::{Number, Op};
use crate::sys::{Comm, PIECE};

/// Elements that are combined while they are in the nearest cache.
const BLOCK: usize = 2048;

impl Nodes {
    /// The values of all ranks combined, at every rank. Collective: two meetings of each node in shared memory, and one element a node
    /// between the leaders.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`](crate::Error::Lost), [`Error::TimedOut`](crate::Error::TimedOut), [`Error::Mpi`](crate::Error::Mpi).
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let mine = 0.5_f64;
    /// let worst = nodes.allreduce(mine, ndshm_mpi::Max)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn allreduce<T: Number, O: Op<T>>(&self, value: T, op: O) -> Result<T> {
        self.combined(Ok(value), op, None)
    }

    /// As [`allreduce`](Self::allreduce), for the rank `root` alone; `None` at others.
    ///
    /// # Errors
    ///
    /// As [`allreduce`](Self::allreduce), and [`Error::NoSuchRank`](crate::Error::NoSuchRank).
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// if let Some(total) = nodes.reduce(0, 1_u64, ndshm_mpi::Sum)? {
    ///     println!("{total} ranks");
    /// }
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn reduce<T: Number, O: Op<T>>(&self, root: usize, value: T, op: O) -> Result<Option<T>> {
        let all = self.combined(self.node_of(root).map(|_| value), op, Some(root))?;
        Ok((self.rank() == root).then_some(all))
    }

    /// Combines what all have, if all have; where there is a root it is of its node alone that the result is right.
    pub(crate) fn combined<T: Number, O: Op<T>>(
        &self,
        mine: Result<T>,
        op: O,
        root: Option<usize>,
    ) -> Result<T> {
        let (size, result) = (self.local_size(), self.local_size());
        let put = |cell: usize, value: T| {
            let mut words = [0_u64; 2];
            bytemuck::bytes_of_mut(&mut words)[..size_of::<T>()]
                .copy_from_slice(bytemuck::bytes_of(&value));
            self.put(cell, words)
        };
        let get = |cell: usize| {
            let words = self.get(cell)?;
            Ok(bytemuck::pod_read_unaligned::<T>(&bytemuck::bytes_of(&words)[..size_of::<T>()]))
        };
        // One that has nothing is told of before anybody sends; where all have, one meeting less does.
        let mine = mine.and_then(|value| put(self.local_rank(), value));
        if self.len() > 1 {
            self.settle(mine)?
        } else {
            self.meet(mine)?
        }
        let sent = self.leaders().map_or(Ok(()), |leaders| {
            let mut of_node = get(0)?;
            for cell in 1..size {
                of_node = op.combine(of_node, get(cell)?);
            }
            let root = root.map(|root| self.node_of(root)).transpose()?;
            put(result, between(leaders, of_node, op, root, self)?)
        });
        self.meet_after(2, sent)?;
        get(result)
    }
}

/// One element of each leader combined.
fn between<T: Number, O: Op<T>>(
    leaders: &Comm,
    mine: T,
    op: O,
    root: Option<usize>,
    nodes: &Nodes,
) -> Result<T> {
    if leaders.size() == 1 {
        return Ok(mine);
    }
    let mut flight = leaders.flight((vec![mine], vec![T::zeroed()]), nodes.timeout());
    let places = flight.lent(|(mine, all)| (mine.as_ptr().cast(), all.as_mut_ptr().cast()));
    // SAFETY: one element each, on the heap, which the flight keeps; the operation is one for its type.
    flight.add(unsafe { leaders.reduce(places, 1, (T::raw(), op.raw()), root) });
    Ok(flight.land()?.0.1[0])
}

/// Arrays of all ranks that are combined into one: each rank writes its [`contribution`](Self::contribution) in shared
/// memory, and reads the [`result`](Self::result) there, of which there is one per node. Used any number of times.
///
/// The memory of a node is one array for each of its ranks, and one for the result; one more where there are several nodes.
///
/// ```no_run
/// use ndshm_mpi::{Nodes, Reduction, Sum};
///
/// let universe = ndshm_mpi::init()?;
/// let nodes = Nodes::new(&universe.world())?;
/// let gradient = Reduction::<f32, _>::zeros(&nodes, 1_000_000)?;
/// gradient.contribution()?.fill(0.5); // computed in place
/// gradient.allreduce(Sum)?;
/// assert_eq!(gradient.result()?[0], 0.5 * nodes.size() as f32);
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
pub struct Reduction<T, D> {
    nodes: Nodes,
    contributions: Vec<SharedArray<T, D>>,
    /// What a node has combined, where there are others.
    of_node: Option<SharedArray<T, D>>,
    result: SharedArray<T, D>,
    /// What of them this rank combines.
    share: Vec<Range<usize>>,
}

impl<T: Number, D: Dimension> Reduction<T, D> {
    /// For arrays of that shape, all zero at first. Collective.
    ///
    /// # Errors
    ///
    /// As [`NodeArray::zeros`](crate::NodeArray::zeros).
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let counts = ndshm_mpi::Reduction::<u64, _>::zeros(&nodes, (256, 256))?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn zeros(nodes: &Nodes, shape: impl IntoDimension<Dim = D>) -> Result<Self> {
        Self::zeros_in(nodes, SharedArray::options(), shape)
    }

    /// The same, and what else there is to say of the memory: prefault, for big ones.
    ///
    /// # Errors
    ///
    /// As [`zeros`](Self::zeros).
    pub fn zeros_in(
        nodes: &Nodes,
        memory: ArrayOptions<T, D>,
        shape: impl IntoDimension<Dim = D>,
    ) -> Result<Self> {
        let shape = shape.into_dimension();
        let making = Making { name: None, options: memory };
        making.agree(nodes, shape.slice(), ", to be combined")?;
        // As many times at every node: making one is collective.
        let most = nodes.sizes().into_iter().max().unwrap_or(1);
        let mut contributions = Vec::new();
        for local in 0..most {
            let of =
                if local < nodes.local_size() { shape.clone() } else { D::zeros(shape.ndim()) };
            contributions.push(making.make(nodes, of)?);
        }
        contributions.truncate(nodes.local_size());
        let of_node = (nodes.len() > 1).then(|| making.make(nodes, shape.clone())).transpose()?;
        let result = making.make(nodes, shape.clone())?;
        let share = share(shape.slice(), nodes.local_size(), nodes.local_rank());
        Ok(Self { nodes: nodes.clone(), contributions, of_node, result, share })
    }

    /// What this rank contributes, to write. Waits for others that have claimed it, within the time-out. Not collective.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`](crate::Error::Claim).
    pub fn contribution(&self) -> Result<WriteGuard<'_, T, D>> {
        let mine = &self.contributions[self.nodes.local_rank()];
        mine.write_timeout(self.nodes.timeout()).map_err(claim)
    }

    /// The result, to read. Not collective.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`](crate::Error::Claim).
    pub fn result(&self) -> Result<ReadGuard<'_, T, D>> {
        self.result.read_timeout(self.nodes.timeout()).map_err(claim)
    }

    /// The memory of this node's result, as a shared array.
    #[must_use]
    pub fn result_array(&self) -> &SharedArray<T, D> {
        &self.result
    }

    /// Combines the contributions of all ranks; every node has the result. Collective; no rank may hold a guard of it.
    ///
    /// Each rank combines its share of the indices for all of its node, in parallel; then the leaders combine what the nodes have. Within one node
    /// every contribution is read once, and the result written once.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`](crate::Error::Claim) where a contribution or the result is claimed by somebody and not let go of in time, [`Error::Rank`](crate::Error::Rank) then
    /// at others; [`Error::Lost`](crate::Error::Lost), [`Error::TimedOut`](crate::Error::TimedOut), [`Error::Mpi`](crate::Error::Mpi).
    pub fn allreduce<O: Op<T>>(&self, op: O) -> Result<()> {
        self.combine(op, None)
    }

    /// As [`allreduce`](Self::allreduce), but only the node of the rank `root` has the result; what others have in its place is not
    /// said.
    ///
    /// # Errors
    ///
    /// As [`allreduce`](Self::allreduce), and [`Error::NoSuchRank`](crate::Error::NoSuchRank). That ranks give different roots is not detected.
    pub fn reduce<O: Op<T>>(&self, root: usize, op: O) -> Result<()> {
        self.combine(op, Some(root))
    }

    fn combine<O: Op<T>>(&self, op: O, root: Option<usize>) -> Result<()> {
        let nodes = &self.nodes;
        let root = root.map(|root| nodes.node_of(root)).transpose();
        // All have written.
        let root = nodes.meet(root);
        let Some(of_node) = &self.of_node else {
            return root.and_then(|_| nodes.meet(self.combine_share(&self.result, op)));
        };
        // What a node cannot do it says before others wait for what it would send.
        let combined = root.and_then(|root| {
            nodes.meet(self.combine_share(of_node, op))?;
            Ok((root, self.lend(of_node)?))
        });
        let (root, mut lent) = nodes.settle(combined)?;
        let (len, piece) = (self.result.len(), PIECE / size_of::<T>());
        let mut sent = Ok(());
        for at in (0..len).step_by(piece) {
            let part = at..len.min(at + piece);
            let of_leader = nodes.leaders().zip(lent.take());
            let of_leader =
                of_leader.map(|(leaders, lent)| self.send(leaders, lent, part, op, root));
            // Others of the node wait for a piece, not for all of them.
            sent = nodes.meet_after(2, of_leader.transpose()).map(|back| lent = back);
            if sent.is_err() {
                break;
            }
        }
        nodes.settle(sent)
    }

    fn combine_share<O: Op<T>>(&self, into: &SharedArray<T, D>, op: O) -> Result<()> {
        // One element, and no axis to divide: it is the leader's.
        if self.share.is_empty() && !self.nodes.is_leader() {
            return Ok(());
        }
        let timeout = self.nodes.patience();
        let mine = || Tile::new(&self.share[..]);
        let parts = self.contributions.iter().map(|from| from.claim_timeout(mine(), timeout));
        let parts = parts.collect::<std::result::Result<Vec<_>, _>>().map_err(claim)?;
        let mut into = into.claim_mut_timeout(mine(), timeout).map_err(claim)?;
        let slices: Option<Vec<&[T]>> = parts.iter().map(|part| part.as_slice()).collect();
        match (into.as_slice_mut(), slices) {
            (Some(into), Some(parts)) => combine_slices(into, &parts, op),
            _ => {
                into.assign(&parts[0]);
                for part in &parts[1..] {
                    Zip::from(&mut *into).and(&**part).for_each(|a, &b| *a = op.combine(*a, b));
                }
            }
        }
        Ok(())
    }

    /// What the leader lends to MPI.
    fn lend<'a>(&'a self, of_node: &'a SharedArray<T, D>) -> Result<Option<Claims<'a, T, D>>> {
        if !self.nodes.is_leader() {
            return Ok(None);
        }
        let timeout = self.nodes.patience();
        let of_node = (of_node.read_timeout(timeout).map_err(claim)?, of_node.clone());
        let result = (self.result.write_timeout(timeout).map_err(claim)?, self.result.clone());
        Ok(Some(Claims { of_node, result }))
    }

    /// Combines that piece of what the nodes have, from mapping to mapping.
    fn send<'a, O: Op<T>>(
        &self,
        leaders: &Comm,
        claims: Claims<'a, T, D>,
        part: Range<usize>,
        op: O,
        root: Option<usize>,
    ) -> Result<Claims<'a, T, D>> {
        let from = claims.of_node.1.raw_view().as_ptr().wrapping_add(part.start);
        let into = claims.result.1.raw_view().as_mut_ptr().wrapping_add(part.start);
        let (places, kind) = ((from.cast(), into.cast()), (T::raw(), op.raw()));
        let mut flight = leaders.flight(claims, self.nodes.timeout());
        // SAFETY: as many elements of two arrays, the one under a shared claim, the other under an exclusive one, which
        // the flight keeps; the operation is one for their type.
        flight.add(unsafe { leaders.reduce(places, part.len(), kind, root) });
        Ok(flight.land()?.0)
    }
}

/// Claims, and what keeps the mappings where these are leaked.
struct Claims<'a, T: Number, D: Dimension> {
    of_node: (ReadGuard<'a, T, D>, SharedArray<T, D>),
    result: (WriteGuard<'a, T, D>, SharedArray<T, D>),
}

/// What of an array of that shape the `i`th of `parts` combines: along the first axis that is long enough, or the longest.
fn share(shape: &[usize], parts: usize, i: usize) -> Vec<Range<usize>> {
    let mut share: Vec<_> = shape.iter().map(|n| 0..*n).collect();
    let long = shape.iter().position(|n| *n >= parts);
    let longest = || (0..shape.len()).rev().max_by_key(|axis| shape[*axis]);
    if let Some(axis) = long.or_else(longest) {
        share[axis] = split(shape[axis], parts, i);
    }
    share
}

/// Block by block, so that what was combined is still in the cache when the next part comes.
fn combine_slices<T: Number, O: Op<T>>(into: &mut [T], parts: &[&[T]], op: O) {
    for (i, into) in into.chunks_mut(BLOCK).enumerate() {
        into.copy_from_slice(&parts[0][i * BLOCK..][..into.len()]);
        for part in &parts[1..] {
            let part = &part[i * BLOCK..][..into.len()];
            into.iter_mut().zip(part).for_each(|(a, &b)| *a = op.combine(*a, b));
        }
    }
}

impl<T: Number, D: Dimension> fmt::Debug for Reduction<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reduction").field("result", &self.result).finish_non_exhaustive()
    }
}
