//! Two arrays in turns: one is read, the other written, and they swap.

use ndarray::{ArrayRef, Dimension};
use serde::{Deserialize, Serialize};

use crate::aliases::SharedArray1;
use crate::array::SharedArray;
use crate::claim::ClaimError;
use crate::element::Element;
use crate::error::CreateError;

/// A pair of arrays for computations in steps: all read [`now`](Self::now), each writes its part of
/// [`next`](Self::next), and at a barrier the two swap.
///
/// A worker that dies on the way leaves `now` as the last whole step left it, since the barrier breaks before the swap;
/// [`restore`](Self::restore) then makes `next` fit to be written again.
///
/// ```
/// use ndshm_array::{ClaimError, Epochs};
/// use std::sync::Barrier;
///
/// let pair = Epochs::from_array(&ndarray::Array1::<f64>::ones(8))?;
/// let barrier = Barrier::new(2); // of processes: that of a `Worker`
/// std::thread::scope(|s| {
///     for band in [0..4, 4..8] {
///         let (pair, barrier) = (&pair, &barrier);
///         s.spawn(move || {
///             for _ in 0..3 {
///                 {
///                     let now = pair.now()?.claim(..).map_err(ClaimError::without_guard)?;
///                     let mut next =
///                         pair.next()?.claim_mut(band.clone()).map_err(ClaimError::without_guard)?;
///                     next.fill(now.sum());
///                 }
///                 pair.advance(|| Ok::<_, ClaimError<()>>(barrier.wait()))?;
///             }
///             Ok::<_, ClaimError<()>>(())
///         });
///     }
/// });
/// assert_eq!((pair.epoch()?, pair.now()?.read()?[0]), (3, 512.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Epochs<T: Element, D: Dimension> {
    pair: [SharedArray<T, D>; 2],
    epoch: SharedArray1<u64>,
}

impl<T: Element, D: Dimension> Epochs<T, D> {
    /// Epoch 0 is that array; the other one begins as its copy, so that what no step writes (a boundary, say) is there.
    ///
    /// # Errors
    ///
    /// [`CreateError`], as of an array.
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr2(&[[1, 2], [3, 4]]))?;
    /// assert_eq!(pair.next()?.read()?, pair.now()?.read()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_array(array: &ArrayRef<T, D>) -> Result<Self, CreateError> {
        let pair = [SharedArray::from_array(array)?, SharedArray::from_array(array)?];
        Ok(Self { pair, epoch: SharedArray1::zeros(1)? })
    }

    /// The number of steps that were completed.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Full`, `Busy`, `ReadOnly`, `Forked`.
    ///
    /// ```
    /// assert_eq!(ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.0]))?.epoch()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn epoch(&self) -> Result<u64, ClaimError<()>> {
        Ok(self.epoch.claim_atomic(..).map_err(ClaimError::without_guard)?.load(0))
    }

    /// What the last completed step wrote.
    ///
    /// # Errors
    ///
    /// As [`epoch`](Self::epoch).
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// assert_eq!(pair.now()?.read()?[0], 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn now(&self) -> Result<&SharedArray<T, D>, ClaimError<()>> {
        Ok(self.of(self.epoch()?))
    }

    /// What this step writes: until then what the last step but one wrote.
    ///
    /// # Errors
    ///
    /// As [`epoch`](Self::epoch).
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// pair.next()?.write()?[0] = 1.5;
    /// assert_eq!(pair.now()?.read()?[0], 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next(&self) -> Result<&SharedArray<T, D>, ClaimError<()>> {
        Ok(self.of(self.epoch()? + 1))
    }

    fn of(&self, epoch: u64) -> &SharedArray<T, D> {
        &self.pair[(epoch % 2) as usize]
    }

    /// Ends the step: waits by `barrier` until all have written, then swaps. All parties call it, with no claim on either
    /// array left. Gives the number of steps that are complete now.
    ///
    /// # Errors
    ///
    /// What `barrier` returned, with nothing swapped; and as [`epoch`](Self::epoch).
    ///
    /// ```
    /// use ndshm_array::{ClaimError, Epochs};
    ///
    /// let pair = Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// pair.next()?.write()?[0] = 1.5;
    /// assert_eq!(pair.advance(|| Ok::<_, ClaimError<()>>(()))?, 1); // the only party
    /// assert_eq!(pair.now()?.read()?[0], 1.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance<B, E: From<ClaimError<()>>>(
        &self,
        barrier: impl FnOnce() -> Result<B, E>,
    ) -> Result<u64, E> {
        // Before this one arrives nobody passes, so nobody can have counted the step yet.
        let done = self.epoch()? + 1;
        barrier()?;
        // Whoever comes first counts it, and goes on; the others find it counted, and none of them later than that one's
        // next step, which waits for them.
        self.epoch.claim_atomic(..).map_err(ClaimError::without_guard)?.fetch_max(0, done);
        Ok(done)
    }

    /// After a step that failed: makes the array to be written next a copy of the last whole one again, and clears what
    /// the dead left in it. Waits for whoever still has a part of it.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` where the last whole one was damaged, which no step writes; `Own`, and as
    /// [`epoch`](Self::epoch).
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5, 0.5]))?;
    /// ndshm_testkit::panic_holding(|| pair.next().unwrap().claim_mut(..1));
    /// pair.restore()?;
    /// assert_eq!(pair.next()?.read()?.sum(), 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(&self) -> Result<(), ClaimError<()>> {
        let now = self.now()?.read().map_err(ClaimError::without_guard)?;
        let mut next = match self.next()?.write() {
            Ok(next) => next,
            Err(ClaimError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(e) => return Err(e.without_guard()),
        };
        next.assign(&now);
        next.clear_poison()?;
        Ok(())
    }
}

impl<T: Element, D: Dimension> Clone for Epochs<T, D> {
    fn clone(&self) -> Self {
        Self { pair: self.pair.clone(), epoch: self.epoch.clone() }
    }
}

impl<T: Element, D: Dimension> std::fmt::Debug for Epochs<T, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epochs").field("pair", &self.pair).finish_non_exhaustive()
    }
}
