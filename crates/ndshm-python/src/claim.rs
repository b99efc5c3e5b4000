//! Claims.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndarray::SliceInfoElem;
use ndshm_array::dynamic::{DynArray, DynClaim};
use ndshm_array::{ClaimError, Mode};
use pyo3::prelude::*;

use crate::errors;
use crate::span::Span;
use crate::wait::Signals;

/// A claim that is held.
#[pyclass(frozen, module = "ndshm._ndshm")]
pub(crate) struct Held {
    /// `None` once it was released.
    claim: Mutex<Option<DynClaim>>,
}

impl Held {
    /// A claim of a part, without `timeout` for ever. `mend`: poisoned parts, too.
    pub(crate) fn claim(
        py: Python<'_>,
        array: &DynArray,
        part: &[SliceInfoElem],
        mode: Mode,
        timeout: Option<Duration>,
        mend: bool,
    ) -> PyResult<Self> {
        let waits = timeout != Some(Duration::ZERO);
        let mut got = array.claim(part, mode);
        if waits && matches!(got, Err(ClaimError::Overlap { .. } | ClaimError::Busy { .. })) {
            let signals = Signals::default();
            got = waited(py, array, part, mode, timeout, &signals);
            if got.is_err() {
                signals.raised()?;
            }
        }
        let claim = match got {
            Ok(claim) => claim,
            Err(ClaimError::Poisoned(poisoned)) if mend => poisoned.into_inner(),
            Err(e) => return Err(errors::claim(py, e, waits)),
        };
        Ok(Self { claim: Mutex::new(Some(claim)) })
    }

    fn lock(&self) -> MutexGuard<'_, Option<DynClaim>> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Held {
    /// The claimed part, as memory.
    fn span(&self, py: Python<'_>) -> PyResult<Span> {
        let claim = self.lock();
        let claim = claim.as_ref().ok_or_else(|| released(py))?;
        let read_only = claim.mode() != Mode::Exclusive;
        let strides = claim.strides().iter().copied();
        Span::new(claim.array(), claim.as_ptr(), claim.shape(), strides, read_only)
    }

    /// Which part it is.
    fn part(&self, py: Python<'_>) -> PyResult<String> {
        let claim = self.lock();
        claim.as_ref().map(|claim| claim.part().to_string()).ok_or_else(|| released(py))
    }

    /// Declares the part whole again; `False` where something poisoned is left that reaches beyond it.
    fn clear_poison(&self, py: Python<'_>) -> PyResult<bool> {
        let mut claim = self.lock();
        let claim = claim.as_mut().ok_or_else(|| released(py))?;
        claim.clear_poison().map_err(|e| errors::claim(py, e, false))
    }

    #[getter]
    fn held(&self) -> bool {
        self.lock().is_some()
    }

    /// Lets go of it; once.
    fn release(&self) {
        let claim = self.lock().take();
        drop(claim);
    }
}

fn released(py: Python<'_>) -> PyErr {
    errors::plain(py, "Closed", "the claim was released")
}

fn waited(
    py: Python<'_>,
    array: &DynArray,
    part: &[SliceInfoElem],
    mode: Mode,
    timeout: Option<Duration>,
    signals: &Signals,
) -> Result<DynClaim, ClaimError<DynClaim>> {
    // The claim counts as this thread's, so it has to be taken by it: detached, not elsewhere.
    let signals = Detached(signals);
    py.detach(move || {
        let signals = signals;
        array.claim_while(part, mode, timeout, &|| signals.0.goes_on())
    })
}

/// What goes along where this very thread lets go of the interpreter's lock, and is used by no other.
struct Detached<'a>(&'a Signals);

// SAFETY: `Python::detach` runs its closure in the calling thread; nothing is sent.
unsafe impl Send for Detached<'_> {}
