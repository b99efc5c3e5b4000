//! Which ranks share memory, and how they and the leaders of the nodes agree.

mod meeting;
mod options;
mod told;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use mpi::traits::Communicator;
use ndshm_sync::{Absence, BarrierError};

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

/// For how many time-outs more than those it waits for ranks wait for their leader: it waits for one more for those of other nodes, who
/// are first waited for on their own, and then for the messages that say what went wrong.
const FOR_LEADER: u32 = 3;

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

    /// Meets the ranks of this node: an error of any of them is one of all, this rank's own where it has one.
    pub(crate) fn meet<T>(&self, mine: Result<T>) -> Result<T> {
        self.meet_after(1, mine)
    }

    /// The same where some have waited for others meanwhile, for up to so many time-outs.
    pub(crate) fn meet_after<T>(&self, steps: u32, mine: Result<T>) -> Result<T> {
        let told = self.put_down(self.of_mine(mine.as_ref().err()), steps);
        let told = told.inspect_err(|e| self.close(e));
        outcome(mine, told)
    }

    /// Meets all ranks: an error of any of them is one of all, this rank's own where it has one.
    pub(crate) fn settle<T>(&self, mine: Result<T>) -> Result<T> {
        self.settle_after(1, mine)
    }

    /// The same where some have waited for others meanwhile, for up to so many time-outs.
    pub(crate) fn settle_after<T>(&self, steps: u32, mine: Result<T>) -> Result<T> {
        let told = self.told(mine.as_ref().err(), steps);
        outcome(mine, told)
    }

    /// Meets all ranks: what went wrong at any of them; the same at all of them.
    fn told(&self, mine: Option<&Error>, steps: u32) -> Result<Option<Told>> {
        let of_node = self.put_down(self.of_mine(mine), steps);
        let leaders = self.leaders();
        let long = self.timeout().saturating_mul(steps.saturating_add(1));
        let of_node = match of_node {
            // Who is missing here the others are told of, too: they may wait for this node meanwhile.
            Err(e @ Error::Lost { .. }) => {
                let told = Told::of(self.rank(), &e).encoded();
                if let Some(leaders) = leaders.filter(|leaders| leaders.state().check().is_ok()) {
                    // Their own errors are not those that matter here.
                    let _ = leaders.failure(Some(told), long);
                }
                self.close(&e);
                return Err(e);
            }
            Err(e) => return Err(e),
            // All of this node know that nothing follows.
            Ok(Some(told)) if told.is_final() => return Ok(Some(told)),
            Ok(of_node) => of_node,
        };
        let of_all = leaders
            .map_or(Ok(None), |leaders| leaders.failure(of_node.as_ref().map(Told::encoded), long));
        let of_all = of_all.map(|told| told.map(|told| Told::decoded(&told)));
        let (failed, own) = match of_all {
            Ok(failed) => (failed, None),
            Err(own) => (Some(Told::of(self.rank(), &own)), Some(own)),
        };
        let told = self
            .put_down(failed, steps.saturating_add(FOR_LEADER))
            .inspect_err(|e| self.close(e))?;
        // Where it is the leaders who could not meet, this one's own error.
        own.map_or(Ok(told), Err)
    }

    fn of_mine(&self, mine: Option<&Error>) -> Option<Told> {
        mine.map(|e| Told::of(self.rank(), e))
    }

    /// Meets the ranks of this node, with what one of them has put down for that.
    fn put_down(&self, mine: Option<Told>, steps: u32) -> Result<Option<Told>> {
        let (state, is_final) = (self.world().state(), mine.as_ref().is_some_and(Told::is_final));
        // What broke something is told once.
        if self.0.closed.get() || !is_final {
            state.check()?;
        }
        let meeting = &mut *self.0.meeting.borrow_mut();
        let noted = mine.as_ref().map_or(Ok(()), |told| meeting.note(told));
        let told = noted.and_then(|()| meeting.meet(steps)).map_err(|e| self.lost(meeting, e))?;
        if let Some(told) = told.as_ref().filter(|told| told.is_final()) {
            self.close(&told.clone().error());
        }
        Ok(told)
    }

    /// Nothing follows that.
    fn close(&self, e: &Error) {
        self.world().state().note_final(e);
        self.0.closed.set(true);
    }

    /// Puts down a value for others of this node to [get](Self::get) after they have met; each rank has a cell, and there is one more.
    pub(crate) fn put(&self, cell: usize, value: [u64; 2]) -> Result<()> {
        let meeting = self.0.meeting.borrow();
        meeting.put(cell, value).map_err(|e| self.lost(&meeting, e))
    }

    pub(crate) fn get(&self, cell: usize) -> Result<[u64; 2]> {
        let meeting = self.0.meeting.borrow();
        meeting.get(cell).map_err(|e| self.lost(&meeting, e))
    }

    fn lost(&self, meeting: &Meeting, source: BarrierError) -> Error {
        let of_job = self.ranks_of(self.node());
        let gave_up = |lost: &ndshm_sync::Lost| lost.why == Absence::TimedOut;
        let local: Vec<usize> = match &source {
            BarrierError::Broken { lost } => {
                // Not who gave up is to blame, or has left since, but for whom it had waited.
                let looks = if lost.iter().any(gave_up) { 50 } else { 1 };
                if let Some(told) = meeting.given_up(looks) {
                    return told.error();
                }
                lost.iter().map(|lost| lost.rank).collect()
            }
            BarrierError::TimedOut { missing } => missing.clone(),
            _ => Vec::new(),
        };
        let ranks = local.into_iter().filter_map(|rank| of_job.get(rank).copied()).collect();
        let e = Error::Lost { node: self.node(), source, ranks };
        if let Error::Lost { source: BarrierError::TimedOut { .. }, .. } = &e {
            meeting.give_up(&Told::of(self.rank(), &e));
        }
        e
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
