//! Shapes: how many bytes one takes, in which order it lies, what a segment's header says.

use ndarray::{Array, Dimension, IxDyn, ShapeBuilder};

use crate::element::Element;
use crate::error::{CreateError, OpenError};
use crate::format::FormatError;
use crate::npy::{Dtype, HEADER_LEN, HeaderError, NpyHeader, Order};
use crate::segment::Segment;

/// Bytes of an array of that shape, of elements of that size.
pub(crate) fn bytes_of(element: usize, shape: &[usize]) -> Result<usize, CreateError> {
    let overflow = || CreateError::Shape { shape: shape.to_vec() };
    // As ndarray demands: not even the axes that are not empty may overflow together.
    let solid = shape.iter().filter(|&&n| n != 0);
    let solid = solid.copied().try_fold(element, usize::checked_mul);
    let solid = solid.filter(|&n| isize::try_from(n).is_ok()).ok_or_else(overflow)?;
    Ok(if shape.contains(&0) { 0 } else { solid })
}

/// The dimension and the order that an ndarray shape stands for.
pub(crate) fn split<T, D: Dimension>(
    shape: impl ShapeBuilder<Dim = D>,
) -> Result<(D, Order), CreateError> {
    let shape = shape.into_shape_with_order();
    let dim = shape.raw_dim().clone();
    bytes_of(size_of::<T>(), dim.slice())?;
    // An array of nothings is the one public way to ask a `Shape` for its order.
    let probe = Array::from_shape_vec(shape, bytemuck::zeroed_vec::<()>(dim.size()));
    let c = probe.is_ok_and(|array| array.is_standard_layout());
    Ok((dim, if c { Order::C } else { Order::F }))
}

/// Checks the header of an array's segment, once; nothing of it is read again.
pub(crate) fn of_segment<T: Element, D: Dimension>(
    segment: &Segment,
    label: &str,
) -> Result<(D, Order), OpenError> {
    typed::<T, D>(header_of(segment, label, Some(T::DTYPE))?, label)
}

/// The dimension and the order that a header says, if they and the elements are of these types.
pub(crate) fn typed<T: Element, D: Dimension>(
    header: NpyHeader,
    label: &str,
) -> Result<(D, Order), OpenError> {
    let label = || label.to_owned();
    if header.dtype.descr() != T::DTYPE.descr() {
        let (found, expected) = (header.dtype, T::DTYPE.clone());
        return Err(OpenError::Dtype { segment: label(), found, expected });
    }
    let dim = D::from_dimension(&IxDyn(&header.shape)).ok_or_else(|| OpenError::Dimensions {
        segment: label(),
        found: header.shape.clone(),
        expected: D::NDIM.unwrap_or_default(),
    })?;
    Ok((dim, header.order))
}

/// The header of an array's segment, checked against what the segment has room for.
pub(crate) fn header_of(
    segment: &Segment,
    label: &str,
    expected: Option<&Dtype>,
) -> Result<NpyHeader, OpenError> {
    let label = || label.to_owned();
    let bad = |source| OpenError::Header { segment: label(), source };
    let mut bytes = [0; HEADER_LEN];
    let read = segment.buffer().read_at(0, &mut bytes);
    read.map_err(|_| bad(HeaderError::Truncated))?;
    let (header, data_offset) = NpyHeader::decode_expecting(&bytes[..], expected).map_err(bad)?;
    let places = segment.places();
    if data_offset != places.data_offset || header.data_bytes().is_none_or(|n| n > places.data_len)
    {
        let source = FormatError::Damaged("its NPY header speaks of more data than there is");
        return Err(OpenError::Format { segment: label(), source });
    }
    if segment.claim_table(&header.shape).is_none() {
        let source =
            FormatError::Damaged("its NPY header speaks of more axes than it has room for");
        return Err(OpenError::Format { segment: label(), source });
    }
    Ok(header)
}
