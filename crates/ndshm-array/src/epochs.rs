//! Two arrays in turns: one is read, the other written, and they swap.

use ndarray::{ArrayRef, Dimension};
use serde::{Deserialize, Serialize};

use crate::aliases::SharedArray1;
use crate::array::SharedArray;
use crate::claim::ClaimError;
use crate::element::Element;
use crate::error::CreateError;

/// A pair of arrays for computations in steps: all read what is [now](Step::now), each writes its part of what is
/// [next](Step::next), and behind a barrier the two swap.
///
/// A worker that dies on the way leaves [`now`](Self::now) as the last whole step left it, since the barrier breaks before
/// the swap; [`restore`](Self::restore) then makes the other one fit to be written again.
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
///                 let step = pair.step().unwrap();
///                 step.next().claim_mut(band.clone()).unwrap().fill(step.now().read().unwrap().sum());
///                 barrier.wait(); // all have written
///                 step.complete().unwrap();
///             }
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
    /// let step = pair.step()?;
    /// assert_eq!(*step.next().read()?, *step.now().read()?);
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

    /// The step that comes now, as one party of it has it. Between [completing](Step::complete) one and this call no barrier
    /// is needed.
    ///
    /// # Errors
    ///
    /// As [`epoch`](Self::epoch).
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// let step = pair.step()?;
    /// step.next().write()?[0] = 1.5;
    /// assert_eq!(step.now().read()?[0], 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn step(&self) -> Result<Step<'_, T, D>, ClaimError<()>> {
        Ok(Step { epochs: self, epoch: self.epoch()? })
    }

    fn of(&self, epoch: u64) -> &SharedArray<T, D> {
        &self.pair[(epoch % 2) as usize]
    }

    /// After a step that failed: makes the array to be written next a copy of the last whole one again, and clears what
    /// the dead left in it. Waits for whoever still has a part of it.
    ///
    /// For one party, the parent between two runs say, before anybody begins the step anew: what others have written of it
    /// already is undone.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` where the last whole one was damaged, which no step writes; `Own`, and as
    /// [`epoch`](Self::epoch).
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5, 0.5]))?;
    /// ndshm_testkit::panic_holding(|| pair.step().unwrap().next().claim_mut(..1));
    /// pair.restore()?;
    /// assert_eq!(pair.step()?.next().read()?.sum(), 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore(&self) -> Result<(), ClaimError<()>> {
        let step = self.step()?;
        let now = step.now().read().map_err(ClaimError::without_guard)?;
        let mut next = match step.next().write() {
            Ok(next) => next,
            Err(ClaimError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(e) => return Err(e.without_guard()),
        };
        next.assign(&now);
        next.clear_poison()?;
        Ok(())
    }
}

/// One step of [`Epochs`], in the hands of one party.
///
/// ```
/// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[1.0_f64, 2.0]))?;
/// let step = pair.step()?;
/// step.next().write()?.assign(&(10.0 * &step.now().read()?));
/// step.complete()?; // the only party: no barrier
/// assert_eq!(pair.now()?.read()?, ndarray::arr1(&[10.0, 20.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Step<'a, T: Element, D: Dimension> {
    epochs: &'a Epochs<T, D>,
    epoch: u64,
}

impl<'a, T: Element, D: Dimension> Step<'a, T, D> {
    /// What the last step wrote.
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// assert_eq!(pair.step()?.now().read()?[0], 0.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> &'a SharedArray<T, D> {
        self.epochs.of(self.epoch)
    }

    /// What this step writes: until then it is what the last but one wrote.
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// pair.step()?.next().write()?[0] = 1.5;
    /// assert_eq!(pair.now()?.read()?[0], 0.5); // until the step is complete
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn next(&self) -> &'a SharedArray<T, D> {
        self.epochs.of(self.epoch + 1)
    }

    /// Swaps the two, for this party; for others once they do it themselves, or one of them has. To be called when all have
    /// written, and hold no claim on either array any more: behind a barrier. Gives the number of complete steps.
    ///
    /// # Errors
    ///
    /// As [`Epochs::epoch`].
    ///
    /// ```
    /// let pair = ndshm_array::Epochs::from_array(&ndarray::arr1(&[0.5]))?;
    /// assert_eq!((pair.step()?.complete()?, pair.step()?.complete()?), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn complete(self) -> Result<u64, ClaimError<()>> {
        let done = self.epoch + 1;
        // The first counts it, and goes on; the rest find it counted. None of them can be later than that one's next
        // barrier, which waits for them.
        let epoch = self.epochs.epoch.claim_atomic(..).map_err(ClaimError::without_guard)?;
        epoch.fetch_max(0, done);
        Ok(done)
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
