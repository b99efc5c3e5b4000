//! Numbered tasks that workers draw, and what came of each.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use crate::aliases::SharedArray1;
use crate::claim::ClaimError;
use crate::element::Element;
use crate::error::CreateError;

/// What stands before the marks of the tasks: the number to be drawn next.
const NEXT: usize = 0;
const MARKS: usize = 1;

/// Tasks `0..n` that any number of workers draw from, each when it has time, and one result of each.
///
/// The results stand in the order of the tasks, whoever did them and when: what is made of them, a sum of floats
/// say, is the same for any number of workers. A task counts as done once its result is there, so what a worker that
/// died had drawn is [`unfinished`](Self::unfinished), and can be drawn [again](Self::redraw).
///
/// Clones are the same tasks. Serialising brings them to a worker, as an array.
///
/// ```
/// use ndshm_array::{SharedArray2, Tasks, Tiling};
///
/// let a = SharedArray2::from_elem((300, 200), 0.1)?;
/// let tiling = Tiling::new(a.dim(), (64, 64));
/// let sums = Tasks::<f64>::new(tiling.len())?;
/// std::thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| sums.run(|n| Ok::<_, ndshm_array::ClaimError<()>>(
///             a.claim(tiling.tile(n)).map_err(|e| e.without_guard())?.sum(),
///         )));
///     }
/// });
/// let sum: f64 = sums.results()?.expect("all are done").sum();
/// assert!((sum - 6000.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Tasks<R: Element> {
    /// The next number, then a mark for each that is done.
    state: SharedArray1<u64>,
    results: SharedArray1<R>,
}

impl<R: Element> Tasks<R> {
    /// That many tasks, none of them drawn.
    ///
    /// # Errors
    ///
    /// [`CreateError`], as of an array.
    ///
    /// ```
    /// assert_eq!(ndshm_array::Tasks::<u64>::new(5)?.len(), 5);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    pub fn new(tasks: usize) -> Result<Self, CreateError> {
        let words = tasks.checked_add(MARKS);
        let words = words.ok_or_else(|| CreateError::Shape { shape: vec![tasks] })?;
        Ok(Self { state: SharedArray1::zeros(words)?, results: SharedArray1::zeros(tasks)? })
    }

    /// How many there are.
    ///
    /// ```
    /// assert_eq!(ndshm_array::Tasks::<f32>::new(0)?.len(), 0);
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(ndshm_array::Tasks::<f32>::new(0)?.is_empty());
    /// # Ok::<(), ndshm_array::CreateError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws the next task that is not done; `None` when all were drawn. Never waits; an atomic claim and an addition.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Full`, `Busy`, `ReadOnly`, `Forked`.
    ///
    /// ```
    /// let tasks = ndshm_array::Tasks::<u8>::new(2)?;
    /// assert_eq!((tasks.draw()?, tasks.draw()?, tasks.draw()?), (Some(0), Some(1), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn draw(&self) -> Result<Option<usize>, ClaimError<()>> {
        let state = self.state.claim_atomic(..).map_err(ClaimError::without_guard)?;
        loop {
            // Looked at first, so that drawing from what is used up does not count on.
            let next = state.load(NEXT);
            if next >= self.len() as u64 {
                return Ok(None);
            }
            let drawn = state.fetch_add(NEXT, 1) as usize;
            if drawn < self.len() && state.load(MARKS + drawn) == 0 {
                return Ok(Some(drawn));
            }
        }
    }

    /// Says that a task is done, and what came of it.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `OutOfBounds` where there is no such task, `Overlap` where another process says so of the same
    /// one at this moment, and as [`draw`](Self::draw).
    ///
    /// ```
    /// let tasks = ndshm_array::Tasks::<u8>::new(2)?;
    /// tasks.finish(1, 7)?;
    /// assert_eq!(tasks.unfinished()?, [0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish(&self, task: usize, result: R) -> Result<(), ClaimError<()>> {
        match self.results.claim_mut(task..task.saturating_add(1)) {
            Ok(mut place) => place[0] = result,
            // Of one that died here it is written anew, all of it.
            Err(ClaimError::Poisoned(poisoned)) => {
                let mut place = poisoned.into_inner();
                place[0] = result;
                place.clear_poison()?;
            }
            Err(e) => return Err(e.without_guard()),
        }
        // After the result was let go of: who sees the mark can read it.
        let state = self.state.claim_atomic(..).map_err(ClaimError::without_guard)?;
        state.store(MARKS + task, 1);
        Ok(())
    }

    /// Draws and does tasks until all were drawn; how many this call did.
    ///
    /// # Errors
    ///
    /// The first error of `task`, whose number is then not done; and as [`draw`](Self::draw) and
    /// [`finish`](Self::finish).
    ///
    /// ```
    /// use ndshm_array::{ClaimError, Tasks};
    ///
    /// let squares = Tasks::<u64>::new(4)?;
    /// assert_eq!(squares.run(|n| Ok::<_, ClaimError<()>>((n * n) as u64))?, 4);
    /// assert_eq!(squares.results()?.unwrap(), ndarray::arr1(&[0, 1, 4, 9]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<E: From<ClaimError<()>>>(
        &self,
        mut task: impl FnMut(usize) -> Result<R, E>,
    ) -> Result<usize, E> {
        let mut done = 0;
        while let Some(number) = self.draw()? {
            self.finish(number, task(number)?)?;
            done += 1;
        }
        Ok(done)
    }

    /// Those that are not done: not drawn, being done, or drawn by one that failed or died.
    ///
    /// # Errors
    ///
    /// As [`draw`](Self::draw).
    ///
    /// ```
    /// let tasks = ndshm_array::Tasks::<f64>::new(3)?;
    /// let drawn = tasks.draw()?.unwrap(); // and not done
    /// tasks.run(|n| Ok::<_, ndshm_array::ClaimError<()>>(n as f64))?;
    /// assert_eq!(tasks.unfinished()?, [drawn]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unfinished(&self) -> Result<Vec<usize>, ClaimError<()>> {
        let state = self.state.claim_atomic(..).map_err(ClaimError::without_guard)?;
        Ok((0..self.len()).filter(|task| state.load(MARKS + task) == 0).collect())
    }

    /// Has drawing begin anew, with those that are not done. For when nobody works on them any more: else a task is done
    /// twice.
    ///
    /// # Errors
    ///
    /// As [`draw`](Self::draw).
    ///
    /// ```
    /// let tasks = ndshm_array::Tasks::<f64>::new(3)?;
    /// tasks.draw()?; // by one that dies
    /// tasks.run(|n| Ok::<_, ndshm_array::ClaimError<()>>(n as f64))?;
    /// tasks.redraw()?;
    /// assert_eq!((tasks.draw()?, tasks.draw()?), (Some(0), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redraw(&self) -> Result<(), ClaimError<()>> {
        let state = self.state.claim_atomic(..).map_err(ClaimError::without_guard)?;
        state.store(NEXT, 0);
        Ok(())
    }

    /// The results in the order of the tasks, copied; `None` as long as one is missing. Waits for whoever is just writing
    /// one.
    ///
    /// A result that somebody who did a task for the second time died on is missing again: it is
    /// [unfinished](Self::unfinished), to be [drawn](Self::redraw) once more.
    ///
    /// # Errors
    ///
    /// As [`draw`](Self::draw), and `Deadlock`.
    ///
    /// ```
    /// let tasks = ndshm_array::Tasks::<f64>::new(1)?;
    /// assert!(tasks.results()?.is_none());
    /// tasks.finish(0, 0.5)?;
    /// assert_eq!(tasks.results()?.unwrap(), ndarray::arr1(&[0.5]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn results(&self) -> Result<Option<Array1<R>>, ClaimError<()>> {
        if !self.unfinished()?.is_empty() {
            return Ok(None);
        }
        match self.results.read() {
            Ok(results) => Ok(Some(results.to_owned())),
            Err(ClaimError::Poisoned(poisoned)) => {
                drop(poisoned);
                self.forget_poisoned().map(|()| None)
            }
            Err(e) => Err(e.without_guard()),
        }
    }

    /// Has those whose results are poisoned be done again.
    fn forget_poisoned(&self) -> Result<(), ClaimError<()>> {
        // All of them, since poison of neighbours may be one part, which a claim of one result does not cover.
        let poisoned = match self.results.write() {
            Ok(_) => return Ok(()),
            Err(ClaimError::Poisoned(poisoned)) => poisoned,
            Err(e) => return Err(e.without_guard()),
        };
        let lost: Vec<_> = poisoned.parts().iter().flat_map(|part| part.row_range()).collect();
        let state = self.state.claim_atomic(..).map_err(ClaimError::without_guard)?;
        lost.into_iter().for_each(|task| state.store(MARKS + task, 0));
        poisoned.into_inner().clear_poison()?;
        Ok(())
    }
}

impl<R: Element> Clone for Tasks<R> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), results: self.results.clone() }
    }
}

impl<R: Element> std::fmt::Debug for Tasks<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_somebody_died_on_is_missing_again() -> Result<(), Box<dyn std::error::Error>> {
        let tasks = Tasks::<f64>::new(4)?;
        let run = || tasks.run(|n| Ok::<_, ClaimError<()>>(n as f64));
        run()?;
        // Done for the second time, by one that does not live to the end of it.
        ndshm_testkit::panic_holding(|| tasks.results.claim_mut(1..3));
        assert!(tasks.results()?.is_none());
        assert_eq!(tasks.unfinished()?, [1, 2]);
        tasks.redraw()?;
        assert_eq!(run()?, 2);
        assert_eq!(tasks.results()?.unwrap(), ndarray::arr1(&[0.0, 1.0, 2.0, 3.0]));
        Ok(())
    }
}
