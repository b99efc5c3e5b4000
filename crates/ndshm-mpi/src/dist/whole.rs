//! The array as a whole: to and from one rank, to another division, to every node, to one number.

use std::ops::Range;

use ndarray::{Array, Dimension};
use ndshm_array::{Element, SharedArray};

use super::DistArray;
use super::claims::{read, write};
use super::copy::{Holders, Memory, Messages};
use crate::error::{Error, Result};
use crate::node_array::NodeArray;
use crate::op::{Number, Op};

impl<T: Element, D: Dimension> DistArray<T, D> {
    /// The whole array, at the rank `root`; `None` at others. Collective.
    ///
    /// Each leader sends its block once, straight from its memory to its place in the result.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRank`]; [`Error::Claim`] where a block is claimed by somebody and not let go of in time; [`Error::TooLong`];
    /// [`Error::Memory`] where the root has no room; [`Error::Lost`], [`Error::TimedOut`], [`Error::Mpi`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// if let Some(whole) = a.gather(0)? {
    ///     println!("{whole}");
    /// }
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn gather(&self, root: usize) -> Result<Option<Array<T, D>>> {
        let nodes = &self.nodes;
        nodes.settle(nodes.node_of(root).map(drop))?;
        let (is_root, size) = (nodes.rank() == root, size_of::<T>());
        let prepare = || {
            let claimed = nodes.is_leader().then(|| self.read_block()).transpose()?;
            let mut whole = is_root.then(|| zeros::<T, D>(&self.shape)).transpose()?;
            let from = claimed.as_ref().map(|_| self.memory());
            let to = whole.as_mut().map(|whole| self.memory_of(whole.as_mut_ptr()));
            let (has, wants) = (self.holders(), vec![(root, self.all())]);
            let messages = Messages::new(size, (&has, from.as_ref()), (&wants, to.as_ref()))?;
            Ok((messages, (claimed, self.array.clone(), whole)))
        };
        let (messages, keep) = nodes.settle(prepare())?;
        let tag = nodes.next_tag();
        // SAFETY: the block under a shared claim, in a mapping that is kept, too; an array on the heap.
        let moved = unsafe { messages.exchange(nodes.world(), tag, keep, nodes.timeout()) };
        let (_, _, whole) = nodes.settle_after(self.steps(), moved)?;
        Ok(whole)
    }

    /// Sets all of it to what the rank `root` gives; others give `None`. Collective. Margins are left as they are.
    ///
    /// # Errors
    ///
    /// As [`gather`](Self::gather), and [`Error::Root`]; [`Error::Shape`] where the array given has another shape.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// let whole = (nodes.rank() == 0).then(|| ndarray::Array::ones((1000, 500)));
    /// a.scatter(0, whole)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn scatter(&self, root: usize, whole: Option<Array<T, D>>) -> Result<()> {
        let nodes = &self.nodes;
        let is_root = nodes.rank() == root;
        let fits = match &whole {
            whole if whole.is_some() != is_root => Err(Error::Root { root }),
            Some(whole) if whole.shape() != self.shape() => Err(Error::Shape {
                what: "the array to be scattered",
                found: whole.shape().to_vec(),
                expected: self.shape().to_vec(),
            }),
            _ => nodes.node_of(root).map(drop),
        };
        nodes.settle(fits)?;
        let in_order = |a: Array<T, D>| {
            if a.is_standard_layout() { a } else { a.as_standard_layout().into_owned() }
        };
        let size = size_of::<T>();
        let prepare = || {
            let claimed = nodes.is_leader().then(|| self.write_block()).transpose()?;
            let mut whole = whole.map(in_order);
            let from = whole.as_mut().map(|whole| self.memory_of(whole.as_mut_ptr()));
            let to = claimed.as_ref().map(|_| self.memory());
            let (has, wants) = (vec![(root, self.all())], self.holders());
            let messages = Messages::new(size, (&has, from.as_ref()), (&wants, to.as_ref()))?;
            Ok((messages, (claimed, self.array.clone(), whole)))
        };
        let (messages, keep) = nodes.settle(prepare())?;
        let tag = nodes.next_tag();
        // SAFETY: an array on the heap; the block under an exclusive claim, in a mapping that is kept, too.
        let moved = unsafe { messages.exchange(nodes.world(), tag, keep, nodes.timeout()) };
        nodes.settle_after(self.steps(), moved.map(drop))
    }

    /// Sets all of it to what `source` has, which may be divided otherwise: on another grid, with other halos, among other nodes of the same ranks.
    /// Collective. Margins are left as they are.
    ///
    /// Each leader sends to each other one what of its block is in the other's, in one message, from mapping to mapping.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`]; [`Error::Strangers`]; [`Error::Claim`]; [`Error::Lost`], [`Error::TimedOut`], [`Error::Mpi`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let by_rows = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// use ndshm_mpi::DistArray;
    ///
    /// let by_columns = DistArray::options(&nodes).grid([1, nodes.len()]).zeros((1000, 500))?;
    /// by_columns.assign(&by_rows)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn assign(&self, source: &Self) -> Result<()> {
        let nodes = &self.nodes;
        let same = nodes.world().is_congruent(source.nodes.world());
        let fits = same.and_then(|same| match self.shape == source.shape {
            _ if !same => Err(Error::Strangers),
            true => Ok(()),
            false => Err(Error::Shape {
                what: "the array to be assigned",
                found: source.shape().to_vec(),
                expected: self.shape().to_vec(),
            }),
        });
        nodes.settle(fits)?;
        let size = size_of::<T>();
        let prepare = || {
            let read = source.nodes.is_leader().then(|| source.read_block()).transpose()?;
            let written = nodes.is_leader().then(|| self.write_block()).transpose()?;
            let from = read.as_ref().map(|_| source.memory());
            let to = written.as_ref().map(|_| self.memory());
            let (has, wants) = (source.holders(), self.holders());
            let messages = Messages::new(size, (&has, from.as_ref()), (&wants, to.as_ref()))?;
            Ok((messages, (read, written, self.array.clone(), source.array.clone())))
        };
        let (messages, keep) = nodes.settle(prepare())?;
        let tag = nodes.next_tag();
        // SAFETY: the one block under a shared claim, the other under an exclusive one, in mappings that are kept, too.
        let moved = unsafe { messages.exchange(nodes.world(), tag, keep, nodes.timeout()) };
        nodes.settle_after(self.steps().max(source.steps()), moved.map(drop))
    }

    /// Copies any part of it to each node: into the first indices of `into` along each axis. Collective. The nodes may ask for different parts; what the
    /// leader of a node asks for is what counts.
    ///
    /// Those who have something of a part send it to who asked, once a node.
    ///
    /// # Errors
    ///
    /// [`Error::Axes`], [`Error::Outside`] where it has no such part; [`Error::Shape`] where `into` is too small for it;
    /// [`Error::Strangers`]; [`Error::Claim`]; [`Error::Lost`], [`Error::TimedOut`], [`Error::Mpi`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// let first_rows = ndshm_mpi::NodeArray::zeros(&nodes, (10, 500))?;
    /// a.copy_to_nodes(&[0..10, 0..500], &first_rows)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn copy_to_nodes(&self, part: &[Range<usize>], into: &NodeArray<T, D>) -> Result<()> {
        let nodes = &self.nodes;
        nodes.settle(self.fits(part, into))?;
        // What all ask for, before anything that one of them may not get.
        let ends = part.iter().flat_map(|range| [range.start as u64, range.end as u64]);
        let ends: Vec<_> = ends.collect();
        let asked = nodes.leaders().map(|leaders| leaders.gather(&ends, nodes.timeout()));
        let prepared = asked.transpose().and_then(|asked| {
            asked.map(|asked| self.prepare_copies(part, into, &asked)).transpose()
        });
        let prepared = nodes.settle_after(2, prepared)?;
        let tag = nodes.next_tag();
        let moved = match (nodes.leaders(), prepared) {
            (Some(leaders), Some((messages, keep))) => {
                // SAFETY: the block under a shared claim, its copy's place under an exclusive one, in mappings that are
                // kept, too.
                let moved = unsafe { messages.exchange(leaders, tag, keep, nodes.timeout()) };
                moved.map(drop)
            }
            _ => Ok(()),
        };
        nodes.settle_after(self.steps(), moved)
    }

    /// The messages of a leader, by the ends of the parts that they all ask for; and what is lent to MPI.
    fn prepare_copies<'a>(
        &'a self,
        part: &[Range<usize>],
        into: &'a NodeArray<T, D>,
        asked: &[u64],
    ) -> Result<(Messages, impl Sized + use<'a, T, D>)> {
        let (nodes, array) = (&self.nodes, into.array());
        let corner: Vec<_> = part.iter().map(|range| 0..range.len()).collect();
        let claims = (self.read_block()?, write(array, &corner, nodes.patience())?);
        let parts = |node: usize| {
            let ends = &asked[node * 2 * part.len()..][..2 * part.len()];
            ends.chunks(2).map(|ends| ends[0] as usize..ends[1] as usize).collect()
        };
        let wants = (0..nodes.len()).map(|node| (node, parts(node))).collect();
        let has = (0..nodes.len()).map(|node| (node, self.grid.block(node))).collect();
        let to = Memory {
            base: array.raw_view().as_mut_ptr().cast(),
            shape: array.shape().to_vec(),
            part: part.to_vec(),
            margin: vec![0; part.len()],
        };
        let (from, size) = (self.memory(), size_of::<T>());
        let messages = Messages::new(size, (&has, Some(&from)), (&wants, Some(&to)))?;
        Ok((messages, (claims, self.array.clone(), array.clone())))
    }

    /// For how many time-outs others wait for those who move parts: each message may take one.
    fn steps(&self) -> u32 {
        u32::try_from(2 * self.nodes.len() + 1).unwrap_or(u32::MAX)
    }

    fn fits(&self, part: &[Range<usize>], into: &NodeArray<T, D>) -> Result<()> {
        let axes = self.shape.ndim();
        if part.len() != axes {
            return Err(Error::Axes { what: "ranges", given: part.len(), axes });
        }
        let inside =
            |(range, n): (&Range<usize>, &usize)| range.start <= range.end && range.end <= *n;
        if !part.iter().zip(self.shape()).all(inside) {
            let asked = part.iter().flat_map(|range| [range.start, range.end]).collect();
            return Err(Error::Outside { asked, shape: self.shape().to_vec() });
        }
        if !part.iter().zip(into.shape()).all(|(range, n)| range.len() <= *n) {
            return Err(Error::Shape {
                what: "the copy for each node",
                found: into.shape().to_vec(),
                expected: part.iter().map(ExactSizeIterator::len).collect(),
            });
        }
        match into.nodes().is_same(&self.nodes) {
            true => Ok(()),
            false => Err(Error::Strangers),
        }
    }

    /// All elements combined, at every rank. Collective: each rank combines its band, each node the ranks' results in shared memory, and each
    /// leader sends one element.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`] where this rank's band is claimed by somebody and not let go of in time, [`Error::Rank`] then at
    /// others; [`Error::Lost`], [`Error::TimedOut`], [`Error::Mpi`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let a = ndshm_mpi::DistArray::<f64, _>::zeros(&nodes, (1000, 500))?;
    /// let hottest = a.allreduce(ndshm_mpi::Max)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn allreduce<O: Op<T>>(&self, op: O) -> Result<T>
    where
        T: Number,
    {
        let mine = self.read_band(self.nodes.patience());
        let mine = mine.map(|band| band.iter().fold(op.nothing(), |a, b| op.combine(a, *b)));
        self.nodes.combined(mine, op, None)
    }

    /// As [`allreduce`](Self::allreduce), for the rank `root` alone; `None` at others. Collective.
    ///
    /// # Errors
    ///
    /// As [`allreduce`](Self::allreduce), and [`Error::NoSuchRank`].
    pub fn reduce<O: Op<T>>(&self, root: usize, op: O) -> Result<Option<T>>
    where
        T: Number,
    {
        let mine = self.nodes.node_of(root).and_then(|_| self.read_band(self.nodes.patience()));
        let mine = mine.map(|band| band.iter().fold(op.nothing(), |a, b| op.combine(a, *b)));
        let all = self.nodes.combined(mine, op, Some(root))?;
        Ok((self.nodes.rank() == root).then_some(all))
    }

    fn read_block(&self) -> Result<ndshm_array::ReadGuard<'_, T, D>> {
        read(&self.array, &self.interior(), self.nodes.patience())
    }

    fn write_block(&self) -> Result<ndshm_array::WriteGuard<'_, T, D>> {
        write(&self.array, &self.interior(), self.nodes.patience())
    }

    /// The leaders have the blocks.
    fn holders(&self) -> Holders {
        let leader = |node: usize| self.nodes.ranks_of(node)[0];
        (0..self.nodes.len()).map(|node| (leader(node), self.grid.block(node))).collect()
    }

    /// This node's block.
    fn memory(&self) -> Memory {
        let array: &SharedArray<T, D> = &self.array;
        Memory {
            base: array.raw_view().as_mut_ptr().cast(),
            shape: array.shape().to_vec(),
            part: self.block.clone(),
            margin: self.grid.halo.clone(),
        }
    }

    /// The whole array, in C order, from there on.
    fn memory_of(&self, base: *mut T) -> Memory {
        let (shape, margin) = (self.shape().to_vec(), vec![0; self.shape.ndim()]);
        Memory { base: base.cast(), shape, part: self.all(), margin }
    }

    fn all(&self) -> Vec<Range<usize>> {
        self.shape().iter().map(|n| 0..*n).collect()
    }
}

/// Zeros of any kind of elements, if there is room.
fn zeros<T: Element, D: Dimension>(shape: &D) -> Result<Array<T, D>> {
    let (n, size) = (shape.size(), size_of::<T>());
    let elements = bytemuck::try_zeroed_vec(n).map_err(|()| Error::Memory { n, size })?;
    Ok(Array::from_shape_vec(shape.clone(), elements).expect("as many as it has"))
}
