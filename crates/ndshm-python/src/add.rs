//! Atomic additions to elements of whatever type.

use std::time::{Duration, Instant};

use ndarray::{IxDyn, SliceInfoElem};
use ndshm_array::dynamic::DynArray;
use ndshm_array::npy::Dtype;
use ndshm_array::{AtomicElement, Bool8, ClaimError, half};
use num_complex::Complex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyComplex;

use crate::errors;
use crate::index;
use crate::wait::SLICE;

/// Adds to one element; what it was.
pub(crate) fn add_at<'py>(
    py: Python<'py>,
    array: &DynArray,
    index: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
    timeout: Option<Duration>,
) -> PyResult<Bound<'py, PyAny>> {
    let part = index::element(index, array.shape())?;
    let add = Addition { py, array, part: &part, timeout };
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
