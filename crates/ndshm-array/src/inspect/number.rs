//! One element, whatever its type.

use half::f16;
use num_complex::Complex;

use crate::bool8::Bool8;
use crate::npy::Dtype;

/// One element of an array of any type, exactly.
///
/// ```
/// use ndshm_array::inspect::Number;
///
/// assert_eq!(Number::Unsigned(u64::MAX).to_f64(), 2_f64.powi(64)); // rounded
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// A `bool`.
    Bool(bool),
    /// Of a signed integer type.
    Signed(i64),
    /// Of an unsigned integer type.
    Unsigned(u64),
    /// A `float16`: prints fewer digits than its value as a `float32` would.
    Half(f16),
    /// A `float32`: prints fewer digits than its value as a `float64` would.
    Single(f32),
    /// A `float64`.
    Double(f64),
    /// A `complex64`.
    ComplexSingle(Complex<f32>),
    /// A `complex128`.
    ComplexDouble(Complex<f64>),
}

impl Number {
    /// As a real number, for pictures: rounded beyond 2^53; of a complex number the modulus.
    ///
    /// ```
    /// use ndshm_array::inspect::Number;
    ///
    /// let z = num_complex::Complex::new(3.0, -4.0);
    /// assert_eq!(Number::ComplexDouble(z).to_f64(), 5.0);
    /// ```
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "as documented")]
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Bool(b) => u8::from(b).into(),
            Self::Signed(n) => n as f64,
            Self::Unsigned(n) => n as f64,
            Self::Half(x) => x.into(),
            Self::Single(x) => x.into(),
            Self::Double(x) => x,
            Self::ComplexSingle(z) => Complex::<f64>::new(z.re.into(), z.im.into()).norm(),
            Self::ComplexDouble(z) => z.norm(),
        }
    }

    /// The number that lies in `bytes`, which are as many as one takes; `dtype` is a plain one.
    #[inline]
    pub(super) fn decode(dtype: &Dtype, bytes: &[u8]) -> Self {
        use bytemuck::pod_read_unaligned as read;
        match dtype {
            Dtype::Bool => Self::Bool(read::<Bool8>(bytes).get()),
            Dtype::I8 => Self::Signed(read::<i8>(bytes).into()),
            Dtype::I16 => Self::Signed(read::<i16>(bytes).into()),
            Dtype::I32 => Self::Signed(read::<i32>(bytes).into()),
            Dtype::I64 => Self::Signed(read(bytes)),
            Dtype::U8 => Self::Unsigned(read::<u8>(bytes).into()),
            Dtype::U16 => Self::Unsigned(read::<u16>(bytes).into()),
            Dtype::U32 => Self::Unsigned(read::<u32>(bytes).into()),
            Dtype::U64 => Self::Unsigned(read(bytes)),
            Dtype::F16 => Self::Half(read(bytes)),
            Dtype::F32 => Self::Single(read(bytes)),
            Dtype::F64 => Self::Double(read(bytes)),
            Dtype::C64 => Self::ComplexSingle(read(bytes)),
            Dtype::C128 => Self::ComplexDouble(read(bytes)),
            Dtype::Array(_) | Dtype::Struct(_) => unreachable!("a plane is of a plain type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_read_as_what_it_is() {
        for dtype in Dtype::ALL {
            let ones = vec![0xff; dtype.size()];
            let expected_nan = dtype.name().starts_with(['f', 'c']);
            assert_eq!(Number::decode(&dtype, &ones).to_f64().is_nan(), expected_nan, "{dtype}");
        }
        assert_eq!(Number::decode(&Dtype::Bool, &[2]), Number::Bool(true));
        assert_eq!(Number::decode(&Dtype::I16, &[0xff; 2]), Number::Signed(-1));
        assert_eq!(Number::decode(&Dtype::U64, &[0xff; 8]), Number::Unsigned(u64::MAX));
        assert_eq!(Number::decode(&Dtype::F32, &1.5_f32.to_le_bytes()), Number::Single(1.5));
    }
}
