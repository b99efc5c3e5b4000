//! Exchange of halos: from mapping to mapping, by the leaders.

use std::ops::Range;

use ndarray::Dimension;
use ndshm_array::{Element, ReadGuard, SharedArray, WriteGuard};

use super::DistArray;
use super::claims::{read, write};
use super::place::Place;
use crate::error::{Error, Result};
use crate::grid::{self, Grid, volume};
use crate::nodes::Nodes;
use crate::sys::{Flight, Lent};

/// What is exchanged with one neighbour.
#[derive(Debug)]
pub(super) struct Leg {
    plan: grid::Leg,
    send: Place,
    receive: Place,
    /// What is received where it is not wanted: into memory of its own.
    unwanted: Place,
}

/// What this node exchanges in each round.
pub(super) fn legs<T: Element, D: Dimension>(
    nodes: &Nodes,
    grid: &Grid,
    corners: bool,
    array: &SharedArray<T, D>,
) -> Result<Vec<Leg>> {
    let plans = grid.legs(nodes.node(), corners).into_iter();
    let place = |slab: &[Range<usize>]| Place::of(size_of::<T>(), array.shape(), slab);
    let unwanted = |slab: &[Range<usize>]| {
        let shape: Vec<_> = slab.iter().map(ExactSizeIterator::len).collect();
        let all: Vec<_> = shape.iter().map(|n| 0..*n).collect();
        Place::of(size_of::<T>(), &shape, &all)
    };
    plans
        .map(|plan| {
            let (send, receive) = (place(&plan.send)?, place(&plan.receive)?);
            Ok(Leg { send, receive, unwanted: unwanted(&plan.receive)?, plan })
        })
        .collect()
}

/// What MPI has been lent, in the order in which it is let go of.
struct Kept<'a, T: Element, D: Dimension> {
    _sent: Vec<ReadGuard<'a, T, D>>,
    _received: Vec<WriteGuard<'a, T, D>>,
    /// Keeps the mapping, also where the guards are leaked.
    _array: SharedArray<T, D>,
    /// What comes from neighbours where nothing can be claimed.
    scratch: Vec<Vec<u8>>,
}

/// An exchange of halos under way: from [`DistArray::start_exchange`].
///
/// Until it is complete the margins are claimed to write, and the edges of the block that are sent are claimed to read, by
/// the leader of each node: elsewhere in the block ranks may compute. Forgetting it leaves the claims for good, and the
/// memory mapped.
#[must_use = "margins have what the neighbours sent once it was waited for; dropping it waits, too, and loses the error"]
pub struct HaloRequest<'a, T: Element, D: Dimension> {
    array: &'a DistArray<T, D>,
    flight: Option<Flight<Kept<'a, T, D>>>,
    refused: Option<Error>,
    waited: bool,
}

impl<T: Element, D: Dimension> DistArray<T, D> {
    /// Fills the margins with what the neighbours have. Collective, and to be called by all ranks when they have written what
    /// is to be sent and hold no claim of that, or of margins.
    ///
    /// The leaders send, straight from the memory of one node's block into that of another, with all neighbours at once; other ranks sleep.
    /// Nothing but messages between neighbours: a node waits for its neighbours, not for all. On one node without periodic axes it is a meeting at the barrier.
    ///
    /// # Errors
    ///
    /// [`Error::Claim`] at the leader where a margin or an edge is claimed by somebody and not let go of in time, [`Error::Rank`] then at the other
    /// ranks of its node, and [`Error::Neighbour`] at those of its neighbours; [`Error::Lost`], [`Error::TimedOut`],
    /// [`Error::Mpi`].
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// let options = ndshm_mpi::DistArray::<f64, ndarray::Ix1>::options(&nodes);
    /// let a = options.halo([2]).periodic([true]).zeros(1000)?;
    /// a.fill_with_index(|i| i as f64)?;
    /// a.exchange()?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn exchange(&self) -> Result<()> {
        self.start_exchange()?.wait()
    }

    /// Begins what [`exchange`](Self::exchange) does, and lets the ranks compute meanwhile: what is not within a halo's width of
    /// the block's ends may be read and written, and the edges that are sent may be read. Collective, as is to wait for it.
    ///
    /// MPI makes progress mainly while it is called: what is sent while others compute depends on the library.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`]; all else is told by [`wait`](HaloRequest::wait).
    ///
    /// ```no_run
    /// # let universe = ndshm_mpi::init()?;
    /// # let nodes = ndshm_mpi::Nodes::new(&universe.world())?;
    /// # let options = ndshm_mpi::DistArray::<f64, ndarray::Ix1>::options(&nodes);
    /// # let a = options.halo([2]).periodic([true]).zeros(1000)?;
    /// let request = a.start_exchange()?;
    /// // ... compute what takes no margins ...
    /// request.wait()?;
    /// # Ok::<(), ndshm_mpi::Error>(())
    /// ```
    pub fn start_exchange(&self) -> Result<HaloRequest<'_, T, D>> {
        self.nodes.meet(Ok(()))?;
        let mut request = HaloRequest { array: self, flight: None, refused: None, waited: false };
        if self.nodes.is_leader() && !self.legs.is_empty() {
            match self.lend() {
                Ok(kept) => request.flight = self.post(kept),
                Err(e) => {
                    request.refused = Some(e);
                    request.flight = self.refuse();
                }
            }
        }
        Ok(request)
    }

    /// For how many time-outs others of the node wait for its leader, whom each message may take one.
    fn messages(&self) -> u32 {
        u32::try_from(2 * self.legs.len() + 1).unwrap_or(u32::MAX)
    }

    /// Claims what is sent and what is received.
    fn lend(&self) -> Result<Kept<'_, T, D>> {
        let timeout = self.nodes.patience();
        let sent = self.legs.iter().map(|leg| read(&self.array, &leg.plan.send, timeout));
        let sent = sent.collect::<Result<_>>()?;
        let received = self.legs.iter().map(|leg| write(&self.array, &leg.plan.receive, timeout));
        let received = received.collect::<Result<_>>()?;
        let scratch = Vec::new();
        Ok(Kept { _sent: sent, _received: received, _array: self.array.clone(), scratch })
    }

    fn post<'a>(&'a self, kept: Kept<'a, T, D>) -> Option<Flight<Kept<'a, T, D>>> {
        let base = self.array.raw_view().as_mut_ptr().cast::<u8>();
        let leaders = self.nodes.leaders()?;
        let mut flight = leaders.flight(kept, self.nodes.timeout());
        for Leg { plan, receive, .. } in &self.legs {
            let into = receive.lent_mut(base);
            // SAFETY: a slab of the margins, within the array, under an exclusive claim that the flight keeps.
            flight.add(unsafe { leaders.receive(into, plan.neighbour, plan.receive_tag) });
        }
        for Leg { plan, send, .. } in &self.legs {
            let from = send.lent(base);
            // SAFETY: a slab of the block, within the array, under a shared claim that the flight keeps.
            flight.add(unsafe { leaders.send(from, plan.neighbour, plan.send_tag) });
        }
        Some(flight)
    }

    /// Tells the neighbours that there is nothing for them, by empty messages, and takes from them what they send.
    fn refuse<'a>(&'a self) -> Option<Flight<Kept<'a, T, D>>> {
        let leaders = self.nodes.leaders()?;
        let bytes = |leg: &Leg| volume(&leg.plan.receive) * size_of::<T>();
        let scratch: Vec<_> = self.legs.iter().map(|leg| vec![0_u8; bytes(leg)]).collect();
        let array = self.array.clone();
        let (sent, received) = (Vec::new(), Vec::new());
        let kept = Kept { _sent: sent, _received: received, _array: array, scratch };
        let mut flight = leaders.flight(kept, self.nodes.timeout());
        let places = flight.lent(|kept| {
            let places = kept.scratch.iter_mut().map(Vec::as_mut_ptr);
            places.collect::<Vec<_>>()
        });
        for (Leg { plan, unwanted, .. }, base) in self.legs.iter().zip(places) {
            let into = unwanted.lent_mut(base);
            // SAFETY: as many bytes on the heap, which the flight keeps.
            flight.add(unsafe { leaders.receive(into, plan.neighbour, plan.receive_tag) });
            // SAFETY: nothing is read.
            flight.add(unsafe { leaders.send(Lent::nothing(), plan.neighbour, plan.send_tag) });
        }
        Some(flight)
    }
}

impl<T: Element, D: Dimension> HaloRequest<'_, T, D> {
    /// Waits until the margins of this node have what its neighbours sent, and tells all of its ranks. Collective.
    ///
    /// # Errors
    ///
    /// As [`DistArray::exchange`].
    pub fn wait(mut self) -> Result<()> {
        self.waited = true;
        let landed = self.land();
        self.array.nodes.meet_after(self.array.messages(), landed)
    }

    fn land(&mut self) -> Result<()> {
        let Some(flight) = self.flight.take() else { return Ok(()) };
        let landed = flight.land();
        if let Some(e) = self.refused.take() {
            return Err(e);
        }
        let (_, statuses) = landed?;
        let legs = &self.array.legs;
        let silent = legs.iter().zip(&statuses).find(|(_, status)| status.is_empty());
        silent.map_or(Ok(()), |(leg, _)| Err(Error::Neighbour { node: leg.plan.neighbour }))
    }
}

impl<T: Element, D: Dimension> Drop for HaloRequest<'_, T, D> {
    fn drop(&mut self) {
        if self.waited {
            return;
        }
        let landed = self.land();
        // Where it unwinds the others may never come: they are told by the end of this process.
        if !std::thread::panicking() {
            // Who wants the error waits for it.
            let _ = self.array.nodes.meet_after(self.array.messages(), landed);
        }
    }
}

impl<T: Element, D: Dimension> std::fmt::Debug for HaloRequest<'_, T, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HaloRequest").field("array", &self.array).finish_non_exhaustive()
    }
}
