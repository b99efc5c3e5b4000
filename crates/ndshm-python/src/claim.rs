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

/// A part of an array, claimed: by ``read``, ``write`` and ``claim`` of a SharedArray.
///
/// As a context it gives the elements as a NumPy array, and lets go of them at the end, however the block ends: an exception
/// leaves what was written so far, as a ``threading.Lock`` would. Only the *death* of the process poisons.
///
/// It is held from the call on; without ``with`` until ``release()``, or until nothing refers to it. After that the array that it gave is made
/// read-only. Slices of it that were made before, and ``flags.writeable = True``, get around that, and then nobody
/// else knows: use what a claim gave within its block.
#[pyclass(frozen, module = "ndshm")]
pub(crate) struct Claim {
    /// Locked as [`Array`](crate::array::Array) is: no code of Python runs meanwhile.
    now: Mutex<Now>,
    /// Whether it is declared whole at the regular end of a block.
    mends: bool,
}

struct Now {
    /// `None` once it was released.
    claim: Option<DynClaim>,
    /// The array that it gave.
    view: Option<Py<PyAny>>,
}

impl Claim {
    /// A claim of a part, without `timeout` for ever. `mend`: poisoned parts, too.
    pub(crate) fn new(
        py: Python<'_>,
        array: &DynArray,
        part: &[SliceInfoElem],
        mode: Mode,
        timeout: Option<Duration>,
        mend: bool,
        mends: bool,
    ) -> PyResult<Self> {
        let waits = timeout != Some(Duration::ZERO);
        let mut got = array.claim(part, mode);
        if waits && matches!(got, Err(ClaimError::Overlap { .. } | ClaimError::Busy { .. })) {
            let signals = Signals::default();
            got = waited(py, array, part, mode, timeout, &signals);
            // Also where it was got meanwhile: it is let go of again, and the signal is heard.
            signals.raised()?;
        }
        let claim = match got {
            Ok(claim) => claim,
            Err(ClaimError::Poisoned(poisoned)) if mend => poisoned.into_inner(),
            Err(e) => return Err(errors::claim(py, e, waits)),
        };
        Ok(Self { now: Mutex::new(Now { claim: Some(claim), view: None }), mends })
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the claim, if it is held.
    fn with<R>(&self, py: Python<'_>, of: impl FnOnce(&mut DynClaim) -> R) -> PyResult<R> {
        let done = self.lock().claim.as_mut().map(of);
        done.ok_or_else(|| errors::plain(py, "Closed", "the claim was released"))
    }

    /// The elements as memory.
    fn span(&self, py: Python<'_>) -> PyResult<Span> {
        self.with(py, |claim| {
            let read_only = claim.mode() != Mode::Exclusive;
            let strides = claim.strides().iter().copied();
            Span::new(claim.array(), claim.as_ptr(), claim.shape(), strides, read_only)
        })?
    }
}

impl Drop for Claim {
    /// Here, rather than in Python, where a handler of a signal could raise in the middle of it.
    fn drop(&mut self) {
        Python::attach(|py| self.release(py));
    }
}

#[pymethods]
impl Claim {
    /// The elements: the shared memory itself, read-only where the claim is shared.
    #[getter]
    fn array(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let span = self.span(py)?;
        let made = self.lock().view.as_ref().map(|view| view.clone_ref(py));
        if let Some(view) = made {
            return Ok(view);
        }
        let view = py.import("numpy")?.call_method1("asarray", (span,))?.unbind();
        self.lock().view = Some(view.clone_ref(py));
        Ok(view)
    }

    /// Whether it has not been released.
    #[getter]
    fn held(&self) -> bool {
        self.lock().claim.is_some()
    }

    /// Which part it is, in words.
    #[getter]
    fn part(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |claim| claim.part().to_string())
    }

    /// Declares the part whole again, after it was mended; ``False`` where poison is left that reaches beyond it.
    fn clear_poison(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, DynClaim::clear_poison)?.map_err(|e| errors::claim(py, e, false))
    }

    /// Lets go of the part. To do so again does nothing.
    fn release(&self, py: Python<'_>) {
        let (claim, view) = {
            let mut now = self.lock();
            (now.claim.take(), now.view.take())
        };
        if let Some(view) = view {
            // NumPy's own flags: no code of Python. One that refuses stays as it is.
            let flags = view.bind(py).getattr("flags");
            let _ = flags.and_then(|flags| flags.setattr("writeable", false));
        }
        drop(claim);
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.array(py)
    }

    #[pyo3(signature = (kind=None, _value=None, _traceback=None))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let cleared = if self.mends && kind.is_none() { self.clear_poison(py) } else { Ok(true) };
        self.release(py);
        cleared.map(drop)
    }

    fn __repr__(&self) -> String {
        let part = self.lock().claim.as_ref().map(|claim| claim.part().to_string());
        part.map_or("<ndshm.Claim, released>".into(), |part| format!("<ndshm.Claim of {part}>"))
    }
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
