//! Arrays and claims.

use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ndarray::{IxDyn, SliceInfoElem};
use ndshm_array::dynamic::{DynArray, DynClaim, DynHandle, DynOptions};
use ndshm_array::npy::{Dtype, Order};
use ndshm_array::{AtomicElement, Bool8, ClaimError, CreateError, Mode, Prefault, half};
use num_complex::Complex;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyComplex};

use crate::errors;
use crate::index;
use crate::span::Span;
use crate::wait::{SLICE, Signals, timeout};

/// An array, as far as this process has it open.
#[pyclass(frozen, subclass, module = "ndshm._ndshm")]
pub(crate) struct Array {
    /// `None` once it was closed. Locked only while the interpreter's lock is held, and never over anything that lets go of
    /// that, so no fork finds it locked.
    now: Mutex<Option<DynArray>>,
}

impl Array {
    fn new(array: DynArray) -> Self {
        Self { now: Mutex::new(Some(array)) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<DynArray>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The array, opened anew where this process was forked since.
    fn get(&self, py: Python<'_>) -> PyResult<DynArray> {
        let mut now = self.lock();
        let array =
            now.as_ref().ok_or_else(|| errors::plain(py, "Closed", "the array was closed"))?;
        if array.is_mine() {
            return Ok(array.clone());
        }
        // SAFETY: as for `open`: who uses the package trusts those whose arrays it opens.
        let anew = unsafe { array.handle().open() }.map_err(|e| errors::open(py, e))?;
        // The old one keeps what views of before the fork show.
        std::mem::forget(now.replace(anew.clone()));
        Ok(anew)
    }
}

#[pymethods]
impl Array {
    /// Another handle to the same array: how the package makes its own class of one.
    #[new]
    fn of(py: Python<'_>, of: &Bound<'_, Array>) -> PyResult<Self> {
        of.get().get(py).map(Self::new)
    }

    /// # Safety
    ///
    /// Called by the interpreter, with a `view` to fill.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let py = slf.py();
        let span = Bound::new(py, slf.get()._span(py, true)?)?;
        // SAFETY: `view` is the interpreter's to be filled; the span fills it, and is kept by it.
        match unsafe { ffi::PyObject_GetBuffer(span.as_ptr(), view, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(py)),
        }
    }

    #[getter]
    fn shape(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        Ok(self.get(py)?.shape().to_vec())
    }

    #[getter]
    fn strides(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        Ok(self.get(py)?.strides())
    }

    #[getter]
    fn descr(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.get(py)?.dtype().descr().into_owned())
    }

    #[getter]
    fn dtype_name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.get(py)?.dtype().to_string())
    }

    #[getter]
    fn itemsize(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.get(py)?.dtype().size())
    }

    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.get(py)?.nbytes())
    }

    #[getter]
    fn order(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(if self.get(py)?.order() == Order::C { "C" } else { "F" })
    }

    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.get(py)?.name().map(str::to_owned))
    }

    #[getter]
    fn path(&self, py: Python<'_>) -> PyResult<Option<PathBuf>> {
        Ok(self.get(py)?.path().map(ToOwned::to_owned))
    }

    #[getter]
    fn read_only(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.get(py)?.is_read_only())
    }

    #[getter]
    fn closed(&self) -> bool {
        self.lock().is_none()
    }

    fn close(&self) {
        let array = self.lock().take();
        drop(array);
    }

    fn persist(&self, py: Python<'_>) -> PyResult<()> {
        self.get(py)?.persist().map_err(|e| errors::plain(py, "Error", e))
    }

    fn unlink(&self, py: Python<'_>) -> PyResult<bool> {
        self.get(py)?.unlink().map_err(|e| errors::remove(py, e))
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let array = self.get(py)?;
        py.detach(|| array.save(path)).map_err(|e| errors::save(py, e))
    }

    fn _handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = postcard::to_stdvec(&self.get(py)?.handle());
        let bytes = bytes.map_err(|e| PyValueError::new_err(e.to_string()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Has the page tables of these rows filled: bytes in huge pages, in small ones.
    fn _prefault(
        &self,
        py: Python<'_>,
        how: &str,
        threads: usize,
        rows: Option<(usize, usize)>,
    ) -> PyResult<(u64, u64)> {
        let array = self.get(py)?;
        let how = prefault(how, threads)?;
        let got = py.detach(|| match rows {
            None => array.prefault(.., &how),
            Some((from, to)) => array.prefault(from..to, &how),
        });
        let got = got.map_err(|e| errors::plain(py, "Error", e))?;
        Ok((got.huge, got.small))
    }

    fn _prefaulted(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let got = self.get(py)?.prefaulted();
        Ok((got.huge, got.small))
    }

    /// All elements, without a claim.
    fn _span(&self, py: Python<'_>, read_only: bool) -> PyResult<Span> {
        let array = self.get(py)?;
        let strides = array.strides();
        let strides = strides.iter().map(|n| n.cast_signed());
        Span::new(&array, array.as_ptr(), array.shape(), strides, read_only)
    }

    /// Claims a part: 'r' shared, 'w' exclusive. `seconds` 0: at once or not at all; `None`: for ever. `mend`: poisoned parts, too.
    fn _claim(
        &self,
        py: Python<'_>,
        index: &Bound<'_, PyAny>,
        mode: &str,
        seconds: Option<f64>,
        mend: bool,
    ) -> PyResult<Held> {
        let array = self.get(py)?;
        let part = index::parse(index, array.shape())?;
        let mode = if mode == "r" { Mode::Shared } else { Mode::Exclusive };
        let patience = timeout(seconds)?;
        let waits = patience != Some(Duration::ZERO);
        let mut got = array.claim(&part, mode);
        if waits && matches!(got, Err(ClaimError::Overlap { .. } | ClaimError::Busy { .. })) {
            let signals = Signals::default();
            got = waited(py, &array, &part, mode, patience, &signals);
            if got.is_err() {
                signals.raised()?;
            }
        }
        let claim = match got {
            Ok(claim) => claim,
            Err(ClaimError::Poisoned(poisoned)) if mend => poisoned.into_inner(),
            Err(e) => return Err(errors::claim(py, e, waits)),
        };
        Ok(Held { claim: Mutex::new(Some(claim)) })
    }

    /// The bytes of all elements, of one moment between two writers.
    fn _snapshot<'py>(
        &self,
        py: Python<'py>,
        seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let array = self.get(py)?;
        let deadline = timeout(seconds)?.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()));
            match py.detach(|| array.snapshot(left.min(SLICE))) {
                Ok(bytes) => return Ok(PyBytes::new(py, &bytes)),
                Err(ClaimError::Overlap { .. } | ClaimError::Busy { .. }) if left >= SLICE => {
                    py.check_signals()?;
                }
                Err(e) => return Err(errors::claim(py, e, true)),
            }
        }
    }

    /// Adds to one element, atomically; what it was.
    fn _add_at<'py>(
        &self,
        py: Python<'py>,
        index: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let array = self.get(py)?;
        let part = index::element(index, array.shape())?;
        let add = Addition { py, array: &array, part: &part, timeout: timeout(seconds)? };
        macro_rules! by_type {
            ($($dtype:ident => $t:ty, $from:expr, $to:expr;)+) => {
                match array.dtype() {
                    $(Dtype::$dtype => {
                        let old: $t = add.done($from(value)?)?;
                        Ok($to(old).into_pyobject(py)?.into_any().to_owned())
                    })+
                    other => Err(PyTypeError::new_err(format!(
                        "elements of {other} have no atomic addition: claim the element"
                    ))),
                }
            };
        }
        fn same<T>(value: T) -> T {
            value
        }
        fn extract<'py, T>(value: &Bound<'py, PyAny>) -> PyResult<T>
        where
            T: for<'a> FromPyObject<'a, 'py>,
        {
            value.extract::<T>().map_err(Into::into)
        }
        let float = |value: &Bound<'py, PyAny>| value.extract::<f64>();
        let complex = |value: &Bound<'py, PyAny>| {
            let part = |name| value.getattr(name)?.extract::<f64>();
            Ok::<_, PyErr>(Complex::new(part("real")? as f32, part("imag")? as f32))
        };
        let plain_complex = |z: Complex<f32>| PyComplex::from_doubles(py, z.re.into(), z.im.into());
        by_type! {
            I8 => i8, extract::<i8>, same; I16 => i16, extract::<i16>, same;
            I32 => i32, extract::<i32>, same; I64 => i64, extract::<i64>, same;
            U8 => u8, extract::<u8>, same; U16 => u16, extract::<u16>, same;
            U32 => u32, extract::<u32>, same; U64 => u64, extract::<u64>, same;
            F16 => half::f16, |v| float(v).map(half::f16::from_f64), half::f16::to_f64;
            F32 => f32, |v| float(v).map(|x| x as f32), f64::from;
            F64 => f64, float, same;
            C64 => Complex<f32>, complex, plain_complex;
            Bool => Bool8, |v: &Bound<'py, PyAny>| v.is_truthy().map(Bool8::from), |b: Bool8| u8::from(b.get());
        }
    }
}

/// One atomic addition.
struct Addition<'a, 'py> {
    py: Python<'py>,
    array: &'a DynArray,
    part: &'a [SliceInfoElem],
    timeout: Option<Duration>,
}

impl Addition<'_, '_> {
    fn done<T: AtomicElement>(&self, value: T) -> PyResult<T> {
        let Self { py, array, part, timeout } = *self;
        let array = array.typed::<T, IxDyn>().map_err(|e| errors::open(py, e))?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut slice = Duration::ZERO;
        loop {
            // The claim is let go by the thread that took it, within this.
            let added = || {
                let guard = match slice {
                    Duration::ZERO => array.claim_atomic(part),
                    slice => array.claim_atomic_timeout(part, slice),
                };
                guard
                    .map(|guard| guard.fetch_add(IxDyn(&[]), value))
                    .map_err(ClaimError::without_guard)
            };
            let result = if slice.is_zero() { added() } else { py.detach(added) };
            let left = deadline.map_or(SLICE, |at| at.saturating_duration_since(Instant::now()));
            match result {
                Ok(old) => return Ok(old),
                Err(ClaimError::Overlap { .. } | ClaimError::Busy { .. }) if !left.is_zero() => {
                    slice = left.min(SLICE);
                    py.check_signals()?;
                }
                Err(e) => return Err(errors::claim(py, e, true)),
            }
        }
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

/// A claim that is held.
#[pyclass(frozen, module = "ndshm._ndshm")]
pub(crate) struct Held {
    /// `None` once it was released.
    claim: Mutex<Option<DynClaim>>,
}

impl Held {
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

fn prefault(how: &str, threads: usize) -> PyResult<Prefault> {
    let prefault = match how {
        "none" => Prefault::none(),
        "pages" => Prefault::pages(),
        "huge" => Prefault::huge(),
        other => {
            let text = format!("prefault is None, 'pages' or 'huge', not {other:?}");
            return Err(PyValueError::new_err(text));
        }
    };
    Ok(prefault.threads(threads.max(1)))
}

fn order(order: &str) -> PyResult<Order> {
    match order {
        "C" => Ok(Order::C),
        "F" => Ok(Order::F),
        other => Err(PyValueError::new_err(format!("order is 'C' or 'F', not {other:?}"))),
    }
}

fn options(dir: Option<PathBuf>, name: Option<String>) -> DynOptions {
    let mut options = DynArray::options();
    if let Some(dir) = dir {
        options = options.dir(dir);
    }
    if let Some(name) = name {
        options = options.name(name);
    }
    options
}

/// Why nothing was made: an error of the crates, or of Python.
enum Unmade {
    Create(CreateError),
    Python(PyErr),
}

impl From<CreateError> for Unmade {
    fn from(e: CreateError) -> Self {
        Self::Create(e)
    }
}

/// Makes an array: of zeros, of one element's bytes again and again, or of all bytes in its order.
#[pyfunction]
#[pyo3(signature = (shape, descr, order_, name, dir, persist, prefault_, threads, pattern=None, data=None))]
#[allow(clippy::too_many_arguments, reason = "called by the package alone")]
pub(crate) fn create(
    py: Python<'_>,
    shape: Vec<usize>,
    descr: &str,
    order_: &str,
    name: Option<String>,
    dir: Option<PathBuf>,
    persist: bool,
    prefault_: &str,
    threads: usize,
    pattern: Option<Vec<u8>>,
    data: Option<PyBuffer<u8>>,
) -> PyResult<Array> {
    let dtype = crate::dtype::parse(descr)?;
    let options = options(dir, name).persist(persist).prefault(prefault(prefault_, threads)?);
    let order = order(order_)?;
    let made = match data {
        Some(data) => options.make(dtype, &shape, order, |bytes| {
            if data.item_count() != bytes.len() {
                return Err(Unmade::Python(PyValueError::new_err(
                    "as many bytes as the array has",
                )));
            }
            data.copy_to_slice(py, bytes).map_err(Unmade::Python)
        }),
        None => py.detach(|| {
            options.make(dtype, &shape, order, |bytes| {
                if let Some(pattern) = &pattern {
                    bytes
                        .chunks_exact_mut(pattern.len().max(1))
                        .for_each(|e| e.copy_from_slice(pattern));
                }
                Ok::<(), Unmade>(())
            })
        }),
    };
    made.map(Array::new).map_err(|e| match e {
        Unmade::Create(e) => errors::create(py, e),
        Unmade::Python(e) => e,
    })
}

/// Opens the array of that name.
#[pyfunction]
pub(crate) fn open(
    py: Python<'_>,
    name: &str,
    dir: Option<PathBuf>,
    read_only: bool,
) -> PyResult<Array> {
    let options = options(dir, None).read_only(read_only);
    // SAFETY: that all who write to it do so through ndshm is what the documentation of `ndshm.open` asks for; Python has
    // no other place for the promise.
    let opened = unsafe { options.open(name) };
    opened.map(Array::new).map_err(|e| errors::open(py, e))
}

/// Opens what another process described.
#[pyfunction]
pub(crate) fn open_handle(py: Python<'_>, handle: &[u8]) -> PyResult<Array> {
    let handle: DynHandle = postcard::from_bytes(handle)
        .map_err(|e| PyValueError::new_err(format!("this is no description of an array: {e}")))?;
    // SAFETY: as for `open`: who unpickles trusts what is unpickled.
    unsafe { handle.open() }.map(Array::new).map_err(|e| errors::open(py, e))
}

/// Makes an array of an `.npy` file.
#[pyfunction]
pub(crate) fn load(
    py: Python<'_>,
    path: PathBuf,
    name: Option<String>,
    dir: Option<PathBuf>,
    persist: bool,
) -> PyResult<Array> {
    let options = options(dir, name).persist(persist);
    py.detach(|| options.load(path)).map(Array::new).map_err(|e| errors::load(py, e))
}

/// Removes a name.
#[pyfunction]
pub(crate) fn remove(py: Python<'_>, name: &str, dir: Option<PathBuf>) -> PyResult<()> {
    options(dir, None).remove(name).map_err(|e| errors::remove(py, e))
}
