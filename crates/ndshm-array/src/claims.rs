//! Getting at the elements of an array by claims.

use std::sync::Arc;
use std::time::Duration;

use ndarray::Dimension;

use crate::array::SharedArray;
use crate::atomic::{AtomicElement, AtomicGuard};
use crate::claim::{
    Claim, ClaimError, Mode, Outside, Patience, Poison, PoisonedClaim, PoisonedPart, ReadGuard,
    Select, Selection, Want, WriteGuard,
};
use crate::element::Element;
use crate::segment::Segment;

/// What a claim gives: the guard, or why not.
///
/// ```
/// use ndarray::Ix1;
/// use ndshm_array::{ClaimResult, SharedArray1, WriteGuard};
///
/// fn zeroed(a: &SharedArray1<f64>) -> ClaimResult<WriteGuard<'_, f64, Ix1>> {
///     let mut guard = a.write()?;
///     guard.fill(0.0);
///     Ok(guard)
/// }
/// let a = SharedArray1::from_elem(4, 0.5)?;
/// assert_eq!(zeroed(&a)?.sum(), 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type ClaimResult<G> = Result<G, ClaimError<G>>;

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// Claims the whole array to read, and waits for writers as long as they live. Any number of
    /// readers at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the guard inside, `Own`, `Deadlock`, `Full`, `ReadOnly`, `Forked`.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::from_elem((2, 3), 0.5)?;
    /// let read = a.read()?;
    /// assert_eq!((read.sum(), read.row(1).len()), (3.0, 3)); // all that ndarray reads with
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(.., Patience::Until(None))
    }

    /// As [`read`](Self::read), for at most `timeout` on the monotonic clock; a zero one looks once.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and `Overlap` or `Busy` when the time is up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// let _writer = a.claim_mut(..5)?;
    /// std::thread::scope(|s| {
    ///     let other = s.spawn(|| match a.read_timeout(Duration::from_millis(5)) {
    ///         Err(ClaimError::Overlap { held, .. }) => held,
    ///         _ => unreachable!("rows are being written"),
    ///     });
    ///     assert_eq!(other.join().unwrap().row_range(), 0..5);
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_timeout(&self, timeout: Duration) -> ClaimResult<ReadGuard<'_, T, D>> {
        self.shared(.., Patience::timeout(timeout))
    }

    /// Claims the whole array to write, and waits for all others as long as they live.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the guard inside, `Own`, `Deadlock`, `Full`, `ReadOnly`, `Forked`.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((2, 3))?;
    /// let mut write = a.write()?;
    /// write.fill(1.0);
    /// write[[0, 2]] = 5.0;
    /// drop(write); // others may go on
    /// assert_eq!(a.read()?.sum(), 10.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(.., Patience::Until(None))
    }

    /// As [`write`](Self::write), for at most `timeout` on the monotonic clock; a zero one looks once.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and `Overlap` or `Busy` when the time is up.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// a.write_timeout(Duration::from_secs(1))?.fill(0.5); // nobody is in the way
    /// assert_eq!(a.read()?.sum(), 5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_timeout(&self, timeout: Duration) -> ClaimResult<WriteGuard<'_, T, D>> {
        self.exclusive(.., Patience::timeout(timeout))
    }

    /// Claims a part to read, rows or a [slice](Select): refused where somebody else writes any of it. Does not wait for
    /// whoever has it. Index 0 of the guard is the first one claimed.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::from_array(&ndarray::arr2(&[[1, 2], [3, 4], [5, 6]]))?;
    /// let rows = a.claim(1..)?;
    /// assert_eq!((rows.nrows(), rows[[0, 0]]), (2, 3));
    /// let same = a.claim(..2)?; // any number of readers
    /// # drop(same);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim<S: Select<D>>(&self, part: S) -> ClaimResult<ReadGuard<'_, T, S::Dim, D>> {
        self.shared(part, Patience::Refuse)
    }

    /// As [`claim`](Self::claim), but waits for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::{ClaimError, SharedArray1};
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// let mut mine = a.claim_mut(..5)?;
    /// // The rows of this very thread are not waited for:
    /// let refused = a.claim_timeout(4..6, Duration::from_secs(9));
    /// assert!(matches!(refused, Err(ClaimError::Own { held, .. }) if held.row_range() == (0..5)));
    /// mine.fill(1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_timeout<S: Select<D>>(
        &self,
        part: S,
        timeout: Duration,
    ) -> ClaimResult<ReadGuard<'_, T, S::Dim, D>> {
        self.shared(part, Patience::timeout(timeout))
    }

    /// Claims a part to write, rows or a [slice](Select): refused where somebody else, in whatever process or thread, has
    /// any of it, or waits for it. Does not wait. Several claims may be held at once.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// let a = SharedArray2::<f64>::zeros((10, 3))?;
    /// std::thread::scope(|s| {
    ///     for band in [0..5, 5..10] {
    ///         let a = &a; // another process would have a handle of its own
    ///         s.spawn(move || a.claim_mut(band).unwrap().fill(1.0));
    ///     }
    /// });
    /// assert_eq!(a.read()?.sum(), 30.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_mut<S: Select<D>>(&self, part: S) -> ClaimResult<WriteGuard<'_, T, S::Dim, D>> {
        self.exclusive(part, Patience::Refuse)
    }

    /// As [`claim_mut`](Self::claim_mut), but waits for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// std::thread::scope(|s| {
    ///     for step in [1.0, 2.0] {
    ///         let a = &a;
    ///         // Both want the same rows; one waits for the other.
    ///         s.spawn(move || {
    ///             let rows = a.claim_mut_timeout(3..5, Duration::from_secs(10));
    ///             *rows.expect("had in time") += step;
    ///         });
    ///     }
    /// });
    /// assert_eq!(a.read()?.sum(), 6.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_mut_timeout<S: Select<D>>(
        &self,
        part: S,
        timeout: Duration,
    ) -> ClaimResult<WriteGuard<'_, T, S::Dim, D>> {
        self.exclusive(part, Patience::timeout(timeout))
    }

    /// Claims several parts to write, all at once or none: who takes one and then waits for another can
    /// meet one that does so the other way round. Waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them; `Own` also where two of the parts overlap.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_array(&ndarray::arr1(&[1.0, 2.0, 3.0, 4.0]))?;
    /// let [mut first, mut last] = a.claim_many_mut([0..1, 3..4], Duration::from_secs(1))?;
    /// std::mem::swap(&mut first[0], &mut last[0]);
    /// drop([first, last]);
    /// assert_eq!(a.read()?, ndarray::arr1(&[4.0, 2.0, 3.0, 1.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_many_mut<S: Select<D>, const N: usize>(
        &self,
        parts: [S; N],
        timeout: Duration,
    ) -> ClaimResult<[WriteGuard<'_, T, S::Dim, D>; N]> {
        self.guarded(parts, Mode::Exclusive, Patience::timeout(timeout), |part, claim| {
            self.write_guard(part, claim)
        })
    }

    /// As [`claim_many_mut`](Self::claim_many_mut), to read.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::from_elem(10, 0.5)?;
    /// let [left, right] = a.claim_many([0..2, 7..10], Duration::from_secs(1))?;
    /// assert_eq!((left.sum(), right.sum()), (1.0, 1.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_many<S: Select<D>, const N: usize>(
        &self,
        parts: [S; N],
        timeout: Duration,
    ) -> ClaimResult<[ReadGuard<'_, T, S::Dim, D>; N]> {
        self.guarded(parts, Mode::Shared, Patience::timeout(timeout), |part, claim| {
            self.read_guard(part, claim)
        })
    }

    /// Claims a part for atomic operations, by any number of processes and threads at once: refused where
    /// anybody has a view of any of it. Does not wait.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let counts = SharedArray1::<u32>::zeros(10)?;
    /// let (one, other) = (counts.claim_atomic(..)?, counts.claim_atomic(5..)?);
    /// one.fetch_add(7, 1);
    /// assert_eq!(other.load(2), 1);
    /// assert!(counts.read().is_err()); // a view, while others write
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_atomic<S: Select<D>>(&self, part: S) -> ClaimResult<AtomicGuard<'_, T, S::Dim>>
    where
        T: AtomicElement,
    {
        self.atomic(part, Patience::Refuse)
    }

    /// As [`claim_atomic`](Self::claim_atomic), but waits for at most `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray1;
    ///
    /// let counts = SharedArray1::<u32>::zeros(10)?;
    /// counts.claim_atomic_timeout(.., Duration::from_secs(1))?.fetch_add(7, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_atomic_timeout<S: Select<D>>(
        &self,
        part: S,
        timeout: Duration,
    ) -> ClaimResult<AtomicGuard<'_, T, S::Dim>>
    where
        T: AtomicElement,
    {
        self.atomic(part, Patience::timeout(timeout))
    }

    /// As [`claim`](Self::claim), for a guard that keeps the array itself and so may be kept anywhere
    /// in this thread.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndarray::Ix1;
    /// use ndshm_array::{ReadGuard, SharedArray1};
    ///
    /// struct Window {
    ///     rows: ReadGuard<'static, f64, Ix1>,
    /// }
    /// let a = SharedArray1::from_elem(10, 0.5)?;
    /// let window = Window { rows: a.claim_owned(3..7)? };
    /// drop(a);
    /// assert_eq!(window.rows.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_owned<S: Select<D>>(
        &self,
        part: S,
    ) -> ClaimResult<ReadGuard<'static, T, S::Dim, D>>
    where
        D: 'static,
    {
        self.kept(|array| array.claim(part), ReadGuard::keeping)
    }

    /// As [`claim_mut`](Self::claim_mut), for a guard that keeps the array itself and so may be kept
    /// anywhere in this thread.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], any of them.
    ///
    /// ```
    /// use ndshm_array::SharedArray1;
    ///
    /// let a = SharedArray1::<f64>::zeros(10)?;
    /// let mut mine = a.claim_mut_owned(3..7)?;
    /// mine.fill(0.5);
    /// assert!(a.claim(..5).is_err());
    /// drop(mine);
    /// assert_eq!(a.read()?.sum(), 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_mut_owned<S: Select<D>>(
        &self,
        part: S,
    ) -> ClaimResult<WriteGuard<'static, T, S::Dim, D>>
    where
        D: 'static,
    {
        self.kept(|array| array.claim_mut(part), WriteGuard::keeping)
    }

    /// Claims by way of a clone, which `keep` then puts into the guard.
    fn kept<G>(
        &self,
        claim: impl FnOnce(&'static Self) -> ClaimResult<G>,
        keep: impl FnOnce(G, Arc<Self>) -> G,
    ) -> ClaimResult<G>
    where
        D: 'static,
    {
        let kept = Arc::new(self.clone());
        // SAFETY: `kept` is on the heap, shared, and in the guard, which drops it after all that refers
        // to it; the guard lends nothing for longer than it is borrowed itself.
        let array: &'static Self = unsafe { &*Arc::as_ptr(&kept) };
        match claim(array) {
            Ok(guard) => Ok(keep(guard, kept)),
            Err(e) => Err(e.map(|guard| keep(guard, kept))),
        }
    }

    fn shared<S: Select<D>>(
        &self,
        part: S,
        patience: Patience<'_>,
    ) -> ClaimResult<ReadGuard<'_, T, S::Dim, D>> {
        let (claim, poison) = self.one(&part, Mode::Shared, patience)?;
        self.segment().told(self.read_guard(part, claim), poison)
    }

    fn exclusive<S: Select<D>>(
        &self,
        part: S,
        patience: Patience<'_>,
    ) -> ClaimResult<WriteGuard<'_, T, S::Dim, D>> {
        let (claim, poison) = self.one(&part, Mode::Exclusive, patience)?;
        self.segment().told(self.write_guard(part, claim), poison)
    }

    fn atomic<S: Select<D>>(
        &self,
        part: S,
        patience: Patience<'_>,
    ) -> ClaimResult<AtomicGuard<'_, T, S::Dim>>
    where
        T: AtomicElement,
    {
        let (claim, poison) = self.one(&part, Mode::Atomic, patience)?;
        // Mapped read-write, since there is a claim.
        self.segment().told(AtomicGuard::new(part.view(self.raw_view()), claim), poison)
    }

    /// `claim` is a shared one of `part`.
    #[inline(always)]
    fn read_guard<'a, S: Select<D>>(
        &'a self,
        part: S,
        claim: Claim<'a>,
    ) -> ReadGuard<'a, T, S::Dim, D> {
        // SAFETY: shared claims on the part exclude writers as long as the guard lives, and the view
        // shows just the part.
        let view = unsafe { part.view(self.raw_view()).deref_into_view() };
        ReadGuard::new(view, claim)
    }

    /// `claim` is an exclusive one of `part`.
    #[inline(always)]
    fn write_guard<'a, S: Select<D>>(
        &'a self,
        part: S,
        claim: Claim<'a>,
    ) -> WriteGuard<'a, T, S::Dim, D> {
        // SAFETY: the raw view shows just the part, mapped read-write (only then is there a claim),
        // and an exclusive claim on it excludes all others as long as the guard lives.
        let view = unsafe { part.view(self.raw_view()).deref_into_view_mut() };
        WriteGuard::new(view, claim, self)
    }

    /// Claims a single part. Apart from several: moving what several take from one array to the next costs a third of
    /// the time of a claim.
    #[inline(always)]
    fn one<G, S: Select<D>>(
        &self,
        part: &S,
        mode: Mode,
        patience: Patience<'_>,
    ) -> Result<(Claim<'_>, Vec<Poison>), ClaimError<G>> {
        let wants = [(part.part(self.shape()).map_err(outside)?, mode)];
        let mut at = [0];
        let poison = self.segment().granted(self.shape(), &wants, &mut at, patience)?;
        Ok((Claim::new(self.segment(), self.shape(), at[0], mode), poison))
    }

    fn guarded<'a, S: Select<D>, G, const N: usize>(
        &'a self,
        parts: [S; N],
        mode: Mode,
        patience: Patience<'_>,
        guard: impl Fn(S, Claim<'a>) -> G,
    ) -> ClaimResult<[G; N]> {
        let mut wants: [Want; N] = [(Selection::NOTHING, mode); N];
        for ((want, _), part) in wants.iter_mut().zip(&parts) {
            *want = part.part(self.shape()).map_err(outside)?;
        }
        let mut at = [0; N];
        let poison = self.segment().granted(self.shape(), &wants, &mut at, patience)?;
        // All of them before any view, so that each is let go of whatever happens.
        let claims = at.map(|index| Claim::new(self.segment(), self.shape(), index, mode));
        let mut claims = claims.into_iter();
        let guards = parts.map(|part| guard(part, claims.next().expect("as many as parts")));
        self.segment().told(guards, poison)
    }
}

impl Segment {
    /// Claims all of `wants` of an array of that shape, or none. What is poisoned among them comes with it.
    #[inline(always)]
    pub(crate) fn granted<G>(
        &self,
        shape: &[usize],
        wants: &[Want],
        at: &mut [usize],
        patience: Patience<'_>,
    ) -> Result<Vec<Poison>, ClaimError<G>> {
        let (table, members) = self.claims(shape).ok_or(ClaimError::ReadOnly)?;
        let granted = table.claim(members, wants, at, patience);
        granted.map_err(|refused| refused.explain(wants, members))
    }

    /// The guard, with what was poisoned of it.
    #[inline(always)]
    pub(crate) fn told<G>(&self, guard: G, poison: Vec<Poison>) -> ClaimResult<G> {
        if poison.is_empty() {
            return Ok(guard);
        }
        Err(ClaimError::Poisoned(PoisonedClaim::new(guard, self.explained(&poison))))
    }

    #[cold]
    fn explained(&self, poison: &[Poison]) -> Vec<PoisonedPart> {
        let members = self.members();
        members.map_or_else(Vec::new, |m| poison.iter().map(|poison| poison.explain(m)).collect())
    }
}

#[cold]
pub(crate) fn outside<G>(Outside { axis, asked, len }: Outside) -> ClaimError<G> {
    ClaimError::OutOfBounds { axis, asked, len }
}
