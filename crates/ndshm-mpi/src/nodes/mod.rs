//! Which ranks share memory, and how they and the leaders of the nodes agree.

mod agreement;
mod meeting;
mod options;
mod told;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use mpi::traits::Communicator;

use crate::error::{Error, Result};
use crate::grid;
use crate::sys::{Comm, is_finalised, may_call_here, rank_of_process};
use meeting::Meeting;
use options::Grouping;
pub use options::NodesOptions;
use told::{Told, outcome};

/// What programs have to have in common to take part: this crate's version, its protocol, the format of segments.
const PROTOCOL: u32 = 2;

/// Tags of messages that move parts of arrays, one for each operation in turns. Those below are of halos.
const TAGS: std::ops::Range<usize> = grid::MOST_WAYS..32_768;

/// The ranks of a communicator, by the *nodes* on which they share memory.
///
/// The first rank of a node is its *leader*: it alone sends to other nodes, and makes what the others attach to. A handle:
/// [`Clone`] gives another to the same. All arrays of this crate are made over one. It stays in the thread that made
/// it, which is one that may call MPI.
///
/// Operations of nodes and of arrays over them are collective unless they say that they are not: all ranks call them, in the same order. Ranks of a
/// node meet at a barrier in shared memory, which names a rank that died and is never waited at for longer than the
/// [time-out](NodesOptions::timeout); leaders meet by messages.
///
/// ```no_run
/// use ndshm_mpi::Nodes;
///
/// let universe = ndshm_mpi::init()?;
/// let nodes = Nodes::new(&universe.world())?;
/// println!("rank {} of node {} of {}", nodes.local_rank(), nodes.node(), nodes.len());
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Nodes(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    /// All ranks; used by the leaders, and where arrays are made.
    world: Comm,
    /// The ranks of this node.
    local: Comm,
    /// The leaders, in the order of the nodes; at a leader.
    leaders: Option<Comm>,
    node: usize,
    local_rank: usize,
    /// The ranks of each node, which the leader begins.
    ranks: Vec<Vec<usize>>,
    /// Whether a node is all that shares memory, rather than a part of it.
    whole: bool,
    timeout: Duration,
    meeting: RefCell<Meeting>,
    /// Whether the ranks of this node have met for the last time: all were told that something broke.
    closed: Cell<bool>,
    /// How many operations have had a tag.
    tags: Cell<usize>,
}

impl Nodes {
    /// All ranks that share memory are a node. Collective over `comm`, which is duplicated.
    ///
    /// # Errors
    ///
    /// As [`NodesOptions::create`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn new(comm: &impl Communicator) -> Result<Self> {
        Self::options().create(comm)
    }

    /// So many of the ranks that share memory are a node, the last one of them the rest: several nodes on one machine, to try a program out, or for
    /// domains of memory. Collective over `comm`.
    ///
    /// # Errors
    ///
    /// As [`NodesOptions::create`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// let nodes = ndshm_mpi::Nodes::of_size(&universe.world(), 2)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn of_size(comm: &impl Communicator, size: usize) -> Result<Self> {
        Self::options().of_size(size).create(comm)
    }

    /// How to make them otherwise.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # let universe = ndshm_mpi::init()?;
    /// let options = ndshm_mpi::Nodes::options().timeout(Duration::from_secs(600));
    /// let nodes = options.create(&universe.world())?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    #[must_use]
    pub fn options() -> NodesOptions {
        NodesOptions::new()
    }

    fn create(options: &NodesOptions, of: &impl Communicator) -> Result<Self> {
        if is_finalised() {
            return Err(Error::Finalised);
        }
        let (level, may) = may_call_here();
        if !may {
            return Err(Error::Thread { level });
        }
        let timeout = options.timeout;
        let world = Comm::duplicate(of.as_raw(), timeout)?;
        // Before anything that one rank could refuse and the others wait in.
        world.agree("versions, or how nodes are made", &options.said(), timeout)?;
        let grouping = settled(&world, options.checked_grouping(), timeout)?;
        let shared = world.split_shared()?;
        let colour = match grouping {
            Grouping::Memory => Some(0),
            Grouping::Of(size) => shared.as_ref().map(|shared| shared.rank() / size),
            Grouping::Colour(colour) => Some(colour),
        };
        let local = shared.as_ref().map(|shared| shared.split(colour)).transpose()?.flatten();
        let local = local.ok_or(Error::NodeSize { size: 0 })?;
        let whole = shared.is_some_and(|shared| shared.size() == local.size());
        let whole = world.gather(&[u64::from(whole)], timeout)?.iter().all(|whole| *whole == 1);

        // Leaders in the order of their ranks are the nodes.
        let mine = local.share(0, (world.rank() as u64).to_le_bytes().to_vec(), timeout)?;
        let mine = mine.try_into().map_or(0, u64::from_le_bytes);
        let of_all = world.gather(&[mine], timeout)?;
        let mut first = of_all.clone();
        first.sort_unstable();
        first.dedup();
        let node_of = |leader: &u64| first.binary_search(leader).unwrap_or(0);
        let mut ranks = vec![Vec::new(); first.len()];
        for (rank, leader) in of_all.iter().enumerate() {
            ranks[node_of(leader)].push(rank);
        }
        let is_leader = local.rank() == 0;
        let leaders = world.split(is_leader.then_some(0))?;

        let meeting = first_meeting(&world, &local, timeout)?;
        let (node, local_rank) = (node_of(&mine), local.rank());
        let meeting = RefCell::new(meeting);
        let nodes = Self(Rc::new(Inner {
            world,
            local,
            leaders,
            node,
            local_rank,
            ranks,
            whole,
            timeout,
            meeting,
            closed: Cell::new(false),
            tags: Cell::new(0),
        }));
        // There is one name for all claims of a process: that in the job, not in some part of it.
        ndshm_array::set_rank(rank_of_process());
        Ok(nodes)
    }

    /// How many nodes there are. Not collective, like all that only tell.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.0.ranks.len()
    }

    /// Which of them this rank belongs to, from 0: in the order of their leaders.
    #[must_use]
    pub fn node(&self) -> usize {
        self.0.node
    }

    /// This rank, of all.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.world.rank()
    }

    /// How many ranks there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.world.size()
    }

    /// This rank within its node: 0 is the leader.
    #[must_use]
    pub fn local_rank(&self) -> usize {
        self.0.local_rank
    }

    /// How many ranks this node has.
    #[must_use]
    pub fn local_size(&self) -> usize {
        self.0.ranks[self.0.node].len()
    }

    /// Whether this rank is the first of its node.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.local_rank() == 0
    }

    /// The ranks of a node, ascending; of none where there is no such node.
    #[must_use]
    pub fn ranks_of(&self, node: usize) -> &[usize] {
        self.0.ranks.get(node).map_or(&[], Vec::as_slice)
    }

    /// How many ranks each node has.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        self.0.ranks.iter().map(Vec::len).collect()
    }

    /// The node that a rank belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRank`].
    pub fn node_of(&self, rank: usize) -> Result<usize> {
        let node = self.0.ranks.iter().position(|ranks| ranks.binary_search(&rank).is_ok());
        node.ok_or(Error::NoSuchRank { rank, size: self.size() })
    }

    /// Whether each node is a part of what shares memory: then names of arrays get the number of the node.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.0.whole
    }

    /// How long anybody is waited for.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Waits until all ranks of this node have called it, within the time-out. Others of the node see what was written before; nothing is
    /// sent to other nodes. Some hundred nanoseconds to some microseconds; who waits for long sleeps.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`], which names who died or did not come; the barrier is broken for good then.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// nodes.local_barrier()?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn local_barrier(&self) -> Result<()> {
        self.meet(Ok(()))
    }

    /// Waits until all ranks of all nodes have called it.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`], [`Error::TimedOut`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// nodes.barrier()?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn barrier(&self) -> Result<()> {
        self.settle(Ok(()))
    }

    /// The outcome of all ranks of something that each has done by itself: this rank's where all did well, else an error at every rank.
    ///
    /// So a file that one rank cannot read, say, does not leave the others waiting in the next operation.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] with a rank that failed, and the text of its error: the same at all ranks, also where several failed; [`Error::Lost`],
    /// [`Error::TimedOut`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let text = nodes.agree(std::fs::read_to_string("input.toml"))?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn agree<T, E: std::fmt::Display>(&self, mine: std::result::Result<T, E>) -> Result<T> {
        let mine = mine.map_err(|e| Error::Rank { rank: self.rank(), message: e.to_string() });
        match self.told(mine.as_ref().err(), 1)? {
            Some(told) => Err(told.error()),
            None => mine,
        }
    }

    /// Makes sure that all ranks say the same of `what`.
    ///
    /// # Errors
    ///
    /// [`Error::Differs`] at every rank, with what was said and the first rank that said it.
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let steps = 10;
    /// nodes.same("the number of steps", steps)?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn same(&self, what: &'static str, said: impl std::fmt::Display) -> Result<()> {
        self.0.world.agree(what, &said.to_string(), self.timeout())
    }

    /// What the leader of this node has, at all of its ranks; short, and once they have met.
    pub(crate) fn leaders_bytes(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.0.local.share(0, bytes, self.timeout())
    }

    /// The shape that the rank `root` has, at all ranks.
    pub(crate) fn share_shape(&self, root: usize, shape: &[usize]) -> Result<Vec<usize>> {
        let bytes = bytemuck::cast_slice(shape).to_vec();
        let bytes = self.world().share(root, bytes, self.timeout())?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// How long a claim is waited for where others wait at a barrier meanwhile: they are to get its error, not a time-out.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout() / 4
    }

    /// Whether both are handles to the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn world(&self) -> &Comm {
        &self.0.world
    }

    /// The communicator of the leaders, at a leader.
    pub(crate) fn leaders(&self) -> Option<&Comm> {
        self.0.leaders.as_ref()
    }

    /// The tag of the next operation that moves parts of arrays: what one that failed has left is never taken for another's. All
    /// ranks ask for it in the same operations.
    pub(crate) fn next_tag(&self) -> usize {
        let n = self.0.tags.get();
        self.0.tags.set(n.wrapping_add(1));
        TAGS.start + n % TAGS.len()
    }
}

/// The outcome of all ranks, before they can meet otherwise.
fn settled<T>(world: &Comm, mine: Result<T>, timeout: Duration) -> Result<T> {
    let failed = mine.as_ref().err().map(|e| Told::of(world.rank(), e).encoded());
    let told = world.failure(failed, timeout)?;
    outcome(mine, Ok(told.map(|told| Told::decoded(&told))))
}

/// Has the ranks of each node meet for the first time.
fn first_meeting(world: &Comm, local: &Comm, timeout: Duration) -> Result<Meeting> {
    let size = local.size();
    let mut made = Ok(None);
    if local.rank() == 0 {
        made = meeting::create(size).map(Some);
    }
    // An empty handle: the leader has none, and says why below.
    let sent = match &made {
        Ok(Some(segment)) => meeting::handle(segment),
        _ => Ok(Vec::new()),
    };
    let handle = local.share(0, sent.unwrap_or_default(), timeout)?;
    let joined = made.and_then(|made| {
        let segment = made.map_or_else(|| meeting::open(&handle, size), Ok)?;
        Meeting::join(segment, size, (local.rank(), world.rank()), timeout)
    });
    // The leader's descriptor is what the others open: it stays until they have.
    settled(world, joined.map_err(Error::Meeting), timeout)
}
