//! Segments that hold more than bytes.
//!
//! A layer above keeps locks and typed values in a segment, and lends references to them. Were the same segment open as
//! a raw buffer, safe code could change what lies behind such a reference. So a segment that belongs to a layer says so
//! at its end, and safe code cannot open it raw.

use crate::buffer::SharedBuffer;

/// The first eight of the last 64 bytes of a segment that belongs to a layer above: written by it before the segment is
/// published. [`open`](crate::BufferOptions::open) refuses such a segment, and
/// [`open_typed`](crate::BufferOptions::open_typed) does not.
///
/// ```
/// # let name = format!("doc-typed-{}", std::process::id());
/// use ndshm_buffer::{OpenError, SharedBuffer, TYPED_MAGIC};
///
/// let mine = SharedBuffer::options().create_with(&name, 128, |bytes| {
///     bytes[64..72].copy_from_slice(&TYPED_MAGIC);
/// })?;
/// assert!(matches!(SharedBuffer::options().open(&name), Err(OpenError::Typed { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const TYPED_MAGIC: [u8; 8] = *b"\x7fNDSHM\r\n";

/// From the end of the segment to the magic.
pub(crate) const FROM_END: usize = 64;

pub(crate) fn is_typed(buffer: &SharedBuffer) -> bool {
    if let Some(typed) = buffer.mapping().typed() {
        return typed;
    }
    // What can grow says so where a layer would put its mark, and its end moves.
    if buffer.mapping().growth().is_some() {
        return false;
    }
    let mut magic = [0; TYPED_MAGIC.len()];
    let offset = buffer.len().checked_sub(FROM_END);
    // What cannot be read, being truncated just now, might be one.
    offset.is_some_and(|offset| buffer.read_at(offset, &mut magic).is_err() || magic == TYPED_MAGIC)
}
