//! Communicators of our own.

use std::ffi::{c_int, c_void};
use std::rc::Rc;
use std::time::Duration;

use mpi::ffi::{self, MPI_Comm, MPI_Datatype, MPI_Op, MPI_Request};

use super::{Flight, Lent, LentMut, Posted, State, check, int, is_finalised, kinds};
use crate::error::Error;

/// A communicator that nobody else uses, which returns its errors.
#[derive(Debug)]
pub(crate) struct Comm {
    raw: MPI_Comm,
    rank: usize,
    size: usize,
    /// The same for all that were split from one.
    state: Rc<State>,
}

/// The number that no real error has: all is well.
const NOBODY: u64 = u64::MAX;

impl Comm {
    /// A duplicate of any communicator. Collective; who does not come is waited for no longer than that.
    pub(crate) fn duplicate(of: MPI_Comm, timeout: Duration) -> Result<Self, Error> {
        let state = Rc::new(State::default());
        let call = "MPI_Comm_idup";
        // SAFETY: reading a constant of the library.
        let null = unsafe { ffi::RSMPI_COMM_NULL };
        let mut flight = Flight::new(vec![null], timeout, state.clone());
        let made = flight.lent(|made| made.as_mut_ptr());
        flight.add(posted(&state, call, |request| {
            // SAFETY: `of` is a living communicator, `made` a place for one on the heap, which the flight keeps.
            unsafe { ffi::MPI_Comm_idup(of, made, request) }
        }));
        let (made, _) = flight.land()?;
        let none = || Error::Mpi { call, code: 0, message: "no communicator".to_owned() };
        Self::of(made[0], state)?.ok_or_else(none)
    }

    /// Those of the same colour, in the order of their ranks here; nothing without a colour. Collective.
    pub(crate) fn split(&self, colour: Option<usize>) -> Result<Option<Self>, Error> {
        // SAFETY: reading a constant of the library.
        let none = || Ok(unsafe { ffi::RSMPI_UNDEFINED });
        let colour = colour.map_or_else(none, |colour| int("colours", colour))?;
        let key = int("ranks", self.rank)?;
        self.made("MPI_Comm_split", |made| {
            // SAFETY: a living communicator, a place for another.
            unsafe { ffi::MPI_Comm_split(self.raw, colour, key, made) }
        })
    }

    /// Those that share memory with this rank, in the order of their ranks here. Collective.
    pub(crate) fn split_shared(&self) -> Result<Option<Self>, Error> {
        let key = int("ranks", self.rank)?;
        // SAFETY: reading constants of the library.
        let kind = unsafe { ffi::RSMPI_COMM_TYPE_SHARED };
        // SAFETY: as above.
        let info = unsafe { ffi::RSMPI_INFO_NULL };
        self.made("MPI_Comm_split_type", |made| {
            // SAFETY: a living communicator, a place for another.
            unsafe { ffi::MPI_Comm_split_type(self.raw, kind, key, info, made) }
        })
    }

    fn made(
        &self,
        call: &'static str,
        make: impl FnOnce(*mut MPI_Comm) -> c_int,
    ) -> Result<Option<Self>, Error> {
        self.state.check()?;
        // SAFETY: reading a constant of the library.
        let mut raw = unsafe { ffi::RSMPI_COMM_NULL };
        check(call, make(&raw mut raw))?;
        Self::of(raw, self.state.clone())
    }

    fn of(raw: MPI_Comm, state: Rc<State>) -> Result<Option<Self>, Error> {
        // SAFETY: reading a constant of the library.
        if raw == unsafe { ffi::RSMPI_COMM_NULL } {
            return Ok(None);
        }
        let mut made = Self { raw, rank: 0, size: 0, state };
        // SAFETY: reading a constant of the library.
        let handler = unsafe { ffi::RSMPI_ERRORS_RETURN };
        // SAFETY: a communicator that was just made.
        let set = unsafe { ffi::MPI_Comm_set_errhandler(raw, handler) };
        check("MPI_Comm_set_errhandler", set)?;
        let (mut rank, mut size) = (0, 0);
        // SAFETY: a living communicator, a place for a number.
        check("MPI_Comm_rank", unsafe { ffi::MPI_Comm_rank(raw, &raw mut rank) })?;
        // SAFETY: as above.
        check("MPI_Comm_size", unsafe { ffi::MPI_Comm_size(raw, &raw mut size) })?;
        (made.rank, made.size) = (rank as usize, size as usize);
        Ok(Some(made))
    }

    /// What is known of this communicator, and of all that were split from the same.
    pub(crate) fn state(&self) -> &Rc<State> {
        &self.state
    }

    /// Nothing under way on it yet, with what is to be lent.
    pub(crate) fn flight<K>(&self, keep: K, timeout: Duration) -> Flight<K> {
        Flight::new(keep, timeout, self.state.clone())
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether the ranks of both are the same processes in the same order.
    pub(crate) fn is_congruent(&self, other: &Self) -> Result<bool, Error> {
        self.state.check()?;
        let mut found = 0;
        // SAFETY: two living communicators, a place for a number.
        let code = unsafe { ffi::MPI_Comm_compare(self.raw, other.raw, &raw mut found) };
        check("MPI_Comm_compare", code)?;
        // SAFETY: reading constants of the library.
        let same = unsafe { [ffi::RSMPI_IDENT, ffi::RSMPI_CONGRUENT] };
        Ok(same.contains(&found))
    }

    fn posted(
        &self,
        call: &'static str,
        post: impl FnOnce(*mut MPI_Request) -> c_int,
    ) -> Result<Posted, Error> {
        posted(&self.state, call, post)
    }

    /// Sends to that rank.
    ///
    /// # Safety
    ///
    /// What `from` describes is readable, and nobody writes there, until the request is complete.
    pub(crate) unsafe fn send(
        &self,
        from: Lent<'_>,
        to: usize,
        tag: usize,
    ) -> Result<Posted, Error> {
        let (to, tag) = (int("ranks", to)?, int("tags", tag)?);
        let Lent { base, count, datatype, .. } = from;
        self.posted("MPI_Isend", |request| {
            // SAFETY: the caller's promise.
            unsafe { ffi::MPI_Isend(base.cast(), count, datatype, to, tag, self.raw, request) }
        })
    }

    /// Receives from that rank.
    ///
    /// # Safety
    ///
    /// What `into` describes is writable, and nobody else uses it, until the request is complete.
    pub(crate) unsafe fn receive(
        &self,
        into: LentMut<'_>,
        from: usize,
        tag: usize,
    ) -> Result<Posted, Error> {
        let (from, tag) = (int("ranks", from)?, int("tags", tag)?);
        let LentMut { base, count, datatype, .. } = into;
        self.posted("MPI_Irecv", |request| {
            // SAFETY: the caller's promise.
            unsafe { ffi::MPI_Irecv(base.cast(), count, datatype, from, tag, self.raw, request) }
        })
    }

    /// Broadcasts bytes from `root`. Collective.
    ///
    /// # Safety
    ///
    /// `base..base + n` is readable at the root, writable elsewhere, and nobody else uses it until the request is complete.
    pub(crate) unsafe fn broadcast(
        &self,
        base: *mut u8,
        n: usize,
        root: usize,
    ) -> Result<Posted, Error> {
        let into = LentMut::bytes(base, int("bytes of a message", n)?);
        let root = int("ranks", root)?;
        self.posted("MPI_Ibcast", |request| {
            // SAFETY: the caller's promise.
            unsafe {
                ffi::MPI_Ibcast(base.cast(), into.count, into.datatype, root, self.raw, request)
            }
        })
    }

    /// Combines `n` elements of all ranks, and gives the result to all, or to `root`. Collective.
    ///
    /// # Safety
    ///
    /// `from` and `into` are `n` elements of what `datatype` says, apart from each other; nobody writes to the one or uses
    /// the other until the request is complete. `op` is one for that type.
    pub(crate) unsafe fn reduce(
        &self,
        (from, into): (*const c_void, *mut c_void),
        n: usize,
        (datatype, op): (MPI_Datatype, MPI_Op),
        root: Option<usize>,
    ) -> Result<Posted, Error> {
        let n = int("elements of a message", n)?;
        let Some(root) = root else {
            return self.posted("MPI_Iallreduce", |request| {
                // SAFETY: the caller's promise.
                unsafe { ffi::MPI_Iallreduce(from, into, n, datatype, op, self.raw, request) }
            });
        };
        let root = int("ranks", root)?;
        self.posted("MPI_Ireduce", |request| {
            // SAFETY: the caller's promise.
            unsafe { ffi::MPI_Ireduce(from, into, n, datatype, op, root, self.raw, request) }
        })
    }

    /// The least of a number of each rank. Collective.
    fn least<const N: usize>(&self, mine: [u64; N], timeout: Duration) -> Result<[u64; N], Error> {
        if self.size == 1 {
            return Ok(mine);
        }
        let kind = (kinds::u64(), kinds::least());
        let mut flight = self.flight((mine.to_vec(), vec![0_u64; N]), timeout);
        let places = flight.lent(|(mine, all)| (mine.as_ptr().cast(), all.as_mut_ptr().cast()));
        // SAFETY: two lists of `N` on the heap, which the flight keeps.
        let posted = unsafe { self.reduce(places, N, kind, None) };
        flight.add(posted);
        let ((_, least), _) = flight.land()?;
        Ok(least.try_into().unwrap_or(mine))
    }

    /// What the root has, at all of them. Collective.
    pub(crate) fn share(
        &self,
        root: usize,
        bytes: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, Error> {
        if self.size == 1 {
            return Ok(bytes);
        }
        let mut len = self.flight(vec![bytes.len() as u64], timeout);
        let place = len.lent(|n| n.as_mut_ptr().cast::<u8>());
        // SAFETY: eight bytes on the heap, which the flight keeps.
        let posted = unsafe { self.broadcast(place, 8, root) };
        len.add(posted);
        let (len, _) = len.land()?;
        let len = usize::try_from(len[0]).unwrap_or(usize::MAX);
        let bytes = if self.rank == root { bytes } else { vec![0; len] };
        let mut flight = self.flight(bytes, timeout);
        let place = flight.lent(|bytes| bytes.as_mut_ptr());
        // SAFETY: as many bytes on the heap, which the flight keeps.
        let posted = unsafe { self.broadcast(place, len, root) };
        flight.add(posted);
        Ok(flight.land()?.0)
    }

    /// Numbers of all ranks, in their order. Collective; each gives as many.
    pub(crate) fn gather(&self, mine: &[u64], timeout: Duration) -> Result<Vec<u64>, Error> {
        let all = vec![0_u64; mine.len() * self.size];
        let n = int("numbers", mine.len())?;
        let mut flight = self.flight((mine.to_vec(), all), timeout);
        let (from, into) = flight.lent(|(mine, all)| (mine.as_ptr(), all.as_mut_ptr()));
        let kind = kinds::u64();
        flight.add(self.posted("MPI_Iallgather", |request| {
            // SAFETY: `n` numbers, and room for `n` of each rank, on the heap, which the flight keeps.
            unsafe {
                ffi::MPI_Iallgather(from.cast(), n, kind, into.cast(), n, kind, self.raw, request)
            }
        }));
        Ok(flight.land()?.0.1)
    }

    /// Texts of all ranks, in their order. Collective.
    fn texts(&self, mine: &str, timeout: Duration) -> Result<Vec<String>, Error> {
        let ranks = 0..self.size;
        let share = |root| {
            let bytes = if root == self.rank { mine.as_bytes().to_vec() } else { Vec::new() };
            self.share(root, bytes, timeout)
        };
        ranks.map(|root| Ok(String::from_utf8_lossy(&share(root)?).into_owned())).collect()
    }

    /// Makes sure that all ranks say the same. Collective: one message of 16 bytes where they do, one a rank where not.
    ///
    /// # Errors
    ///
    /// [`Error::Differs`], the same at all ranks.
    pub(crate) fn agree(
        &self,
        what: &'static str,
        mine: &str,
        timeout: Duration,
    ) -> Result<(), Error> {
        let hash = fnv(mine.as_bytes());
        let [least, most] = self.least([hash, !hash], timeout)?;
        if least == !most {
            return Ok(());
        }
        let said = self.texts(mine, timeout)?;
        let mut values: Vec<(usize, String)> = Vec::new();
        for (rank, said) in said.into_iter().enumerate() {
            if values.iter().all(|(_, other)| *other != said) {
                values.push((rank, said));
            }
        }
        Err(Error::Differs { what, values })
    }

    /// Whether all have done well: what the first of them that has not says. Collective: one message of 8
    /// bytes where they have.
    pub(crate) fn failure(
        &self,
        mine: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, Error> {
        let number = mine.as_ref().map_or(NOBODY, |_| self.rank as u64);
        let [speaker] = self.least([number], timeout)?;
        if speaker == NOBODY {
            return Ok(None);
        }
        let said = mine.unwrap_or_default();
        Ok(Some(self.share(speaker as usize, said, timeout)?))
    }
}

impl Drop for Comm {
    fn drop(&mut self) {
        if !is_finalised() && !self.state.has_active() {
            // SAFETY: made here, freed once.
            unsafe { ffi::MPI_Comm_free(&raw mut self.raw) };
        }
    }
}

/// Has MPI take on a request, where it may still be asked.
fn posted(
    state: &State,
    call: &'static str,
    post: impl FnOnce(*mut MPI_Request) -> c_int,
) -> Result<Posted, Error> {
    state.check()?;
    // SAFETY: reading a constant of the library.
    let mut request = unsafe { ffi::RSMPI_REQUEST_NULL };
    check(call, post(&raw mut request))?;
    Ok(Posted(request))
}

/// FNV-1a: the same in every program.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use mpi::traits::{AsRaw, Communicator};

    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    /// Without a launcher this process is the only rank of a job.
    #[test]
    fn errors_of_mpi_come_back_typed() {
        let universe = crate::init().unwrap();
        assert!(matches!(crate::init(), Err(Error::Initialised)));
        let world = universe.world();
        let comm = Comm::duplicate(world.as_raw(), Duration::from_secs(10)).unwrap();
        assert_eq!((comm.rank(), comm.size()), (world.rank() as usize, 1));

        // SAFETY: nothing is read.
        let refused = unsafe { comm.send(Lent::nothing(), 7, 0) }.unwrap_err();
        let Error::Mpi { call: "MPI_Isend", message, .. } = &refused else { panic!("{refused}") };
        assert!(message.contains("MPI_ERR_RANK"), "{message}");

        let timeout = Duration::from_secs(10);
        // What never comes: it is waited for no longer than asked, and what was lent is kept.
        struct Told(std::rc::Rc<std::cell::Cell<bool>>, Vec<u8>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let dropped = std::rc::Rc::new(std::cell::Cell::new(false));
        let lent = Told(dropped.clone(), vec![0; 4]);
        let mut flight = comm.flight(lent, Duration::from_millis(50));
        let into = flight.lent(|lent| lent.1.as_mut_ptr());
        // SAFETY: four bytes on the heap, which the flight keeps.
        flight.add(unsafe { comm.receive(LentMut::bytes(into, 4), 0, 1) });
        assert!(matches!(flight.land(), Err(Error::TimedOut { .. })));
        assert!(!dropped.get());
        // Nothing is posted there any more: it says why.
        // SAFETY: nothing is read.
        let refused = unsafe { comm.send(Lent::nothing(), 0, 2) }.unwrap_err();
        let Error::Broken { by } = &refused else { panic!("{refused}") };
        assert!(by.contains("nothing came"), "{by}");
        assert!(comm.state().has_active());
        // It comes late, into memory that is still there.
        let comm =
            Comm { state: Rc::default(), raw: comm.raw, ..*std::mem::ManuallyDrop::new(comm) };
        let sent = vec![9_u8; 4];
        let mut flight = comm.flight(sent, timeout);
        let from = flight.lent(|sent| sent.as_ptr());
        // SAFETY: four bytes on the heap, which the flight keeps.
        flight.add(unsafe { comm.send(Lent::bytes(from, 4), 0, 1) });
        flight.land().unwrap();
    }
}
