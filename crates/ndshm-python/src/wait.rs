//! Waits that obey signals.

use std::cell::RefCell;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// For how long a wait sleeps without a look at the interpreter.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// A time-out as Python says it: `None` is for ever, seconds otherwise.
pub(crate) fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(s) if s.is_nan() => {
            Err(PyValueError::new_err("a time-out is a number of seconds, or None"))
        }
        // One too long to count is for ever.
        Some(s) => Ok(Duration::try_from_secs_f64(s.max(0.0)).ok()),
    }
}

/// What a wait asks whether to go on: whether a handler of a signal has raised. It remembers what.
#[derive(Default)]
pub(crate) struct Signals(RefCell<Option<PyErr>>);

impl Signals {
    /// To be called with the interpreter's lock released.
    pub(crate) fn goes_on(&self) -> bool {
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => true,
            Err(e) => {
                self.0.replace(Some(e));
                false
            }
        }
    }

    /// What the handler raised.
    pub(crate) fn raised(self) -> PyResult<()> {
        self.0.into_inner().map_or(Ok(()), Err)
    }
}
