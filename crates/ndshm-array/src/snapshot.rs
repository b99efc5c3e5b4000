//! A consistent copy, also for one that cannot write a claim.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use ndarray::{Array, Dimension, ShapeBuilder};
use ndshm_sync::{Member, Roster};

use crate::array::SharedArray;
use crate::claim::{ClaimError, Mode, PoisonedClaim, PoisonedPart, Selection, State};
use crate::claims::ClaimResult;
use crate::element::Element;
use crate::npy::Order;
use crate::segment::Segment;

/// How long one that cannot wait in the table sleeps before it looks again.
const PAUSE: Duration = Duration::from_micros(100);

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// A copy of all of it in private memory, as it was at one moment between two writers: waits for
    /// them, at most `timeout`. In the array's order.
    ///
    /// Under a shared claim, at the speed of `memcpy`. Of an array that was opened read-only, where no claim can be
    /// written, it is copied without one, at about half that speed, and copied anew where somebody began to write
    /// meanwhile; writers that follow each other closely can hold it up until the time is up.
    ///
    /// # Errors
    ///
    /// [`ClaimError`]: `Poisoned` with the copy inside, `Overlap` or `Busy` when the time is up, `Deadlock`, `Own`, `Full`, `Forked`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndshm_array::SharedArray2;
    ///
    /// # let name = format!("doc.snapshot.{}", std::process::id());
    /// let a = SharedArray2::<f64>::options().name(&name).from_elem((2, 3), 0.5)?;
    /// // SAFETY: all who write to it do so through ndshm.
    /// let reader = unsafe { SharedArray2::<f64>::options().read_only(true).open(&name)? };
    /// let soon = Duration::from_secs(1);
    /// assert_eq!(a.snapshot(soon)?, reader.snapshot(soon)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self, timeout: Duration) -> ClaimResult<Array<T, D>> {
        if !self.is_read_only() {
            return match self.read_timeout(timeout) {
                Ok(guard) => Ok(guard.to_owned()),
                Err(e) => Err(e.map(|guard| guard.to_owned())),
            };
        }
        let all = Selection::whole(self.shape());
        self.segment().undisturbed(self.shape(), &all, timeout, || self.copy())
    }

    /// All elements, each as it stood there at some moment.
    fn copy(&self) -> Array<T, D> {
        let mut elements = vec![T::zeroed(); self.len()];
        let bytes = bytemuck::cast_slice_mut(&mut elements);
        let offset = self.segment().places().data_offset;
        self.segment().buffer().read_at(offset, bytes).expect("the data fit (dim invariant 1)");
        let shape = self.raw_dim().set_f(self.order() == Order::F);
        Array::from_shape_vec(shape, elements).expect("as many as the shape says")
    }
}

impl Segment {
    /// What `copy` makes of a part of an array of that shape, taken while nobody writes to it; for one that cannot
    /// write a claim.
    pub(crate) fn undisturbed<C>(
        &self,
        shape: &[usize],
        of: &Selection,
        timeout: Duration,
        copy: impl Fn() -> C,
    ) -> ClaimResult<C> {
        let deadline = Instant::now().checked_add(timeout);
        let table = self.claim_table(shape).ok_or(ClaimError::ReadOnly)?;
        let file = self.buffer().as_fd().try_clone_to_owned().ok().map(File::from);
        let control = self.places().control_offset as u64;
        // Rows that were appended since this handle was made are none of its own.
        let written = || table.written().filter(|(part, ..)| part.overlaps(of));
        let late = || deadline.is_some_and(|at| Instant::now() >= at);
        loop {
            let before = table.granted();
            let seen: Vec<_> = written().collect();
            // `None` for want of descriptors, say.
            let roster = file.as_ref().and_then(|file| Roster::read(file, control).ok());
            let (mut poison, mut writer) = (Vec::new(), None);
            for &(part, state, by) in &seen {
                let holder = roster.as_ref().and_then(|roster| roster.holder(by).ok());
                let panicked = match (state, &holder) {
                    (State::Poisoned { panicked }, _) => panicked,
                    // Of whom nothing can be learnt lives, as far as is known.
                    (_, None) => {
                        writer = Some((part, Member { id: by, pid: None, rank: None }));
                        break;
                    }
                    (_, Some(holder)) if holder.alive => {
                        writer = Some((part, holder.member));
                        break;
                    }
                    // Each step of an atomic claimant is whole.
                    (State::Held(Mode::Atomic), _) => continue,
                    _ => false,
                };
                let member = holder.map_or(Member { id: by, pid: None, rank: None }, |h| h.member);
                poison.push(PoisonedPart { part: part.into(), member, panicked });
            }
            if let Some((held, by)) = writer {
                if late() {
                    let (part, held) = ((*of).into(), held.into());
                    return Err(ClaimError::Overlap { part, held, by, waits: false });
                }
                std::thread::sleep(PAUSE);
                continue;
            }
            // One that is dead now may have let go before, and after the look.
            let stands = poison.is_empty() || written().eq(seen.iter().copied());
            if stands {
                let copy = copy();
                // Was an element of a later writer among them, then that one's fence in `ClaimTable::grant`,
                // which precedes it, synchronises with this one, and its count is seen below.
                fence(Ordering::Acquire);
                if table.granted() == before {
                    if poison.is_empty() {
                        return Ok(copy);
                    }
                    return Err(ClaimError::Poisoned(PoisonedClaim::new(copy, poison)));
                }
            }
            if late() {
                return Err(ClaimError::Busy { part: (*of).into(), by: None });
            }
        }
    }
}
