//! The bytes of a segment: where things lie. `docs/format.md` says the same in prose, and is
//! tested against these constants.
//!
//! ```text
//! array:  | NPY header | data ... | (to a page) | control area        | footer |
//!         0            4096                     control_offset          len-64  len
//! value:                                        | control area        | footer |
//!                                               0
//! ```
//! The control area is found from the footer, the footer from the end; neither ever moves.

use bytemuck::{Pod, Zeroable};
use ndshm_buffer::{SharedBuffer, TYPED_MAGIC};
use ndshm_sync::Members;

use crate::append::AppendArea;
use crate::claim;
use crate::npy::HEADER_LEN;

#[cfg(target_endian = "big")]
compile_error!("ndshm-array writes little-endian segments and NPY files, on such machines only");

/// The version of the format of segments: its own, not that of the package. A segment of another
/// version is refused.
///
/// ```
/// assert_eq!(ndshm_array::FORMAT_VERSION, 1);
/// ```
pub const FORMAT_VERSION: u32 = 1;

/// The first bytes of the footer: they also keep safe code from opening the segment as raw bytes.
pub(crate) const MAGIC: [u8; 8] = TYPED_MAGIC;

/// Length of the footer, which ends the file.
pub(crate) const FOOTER_LEN: usize = size_of::<Footer>();

/// What areas are aligned to.
pub(crate) const PAGE: usize = 4096;

/// In an array's control area: where the table of claims begins, after the table of members.
pub(crate) const CLAIMS_OFFSET: usize = Members::SIZE;

/// In an array's control area: where that which appenders need begins, after the table of claims.
pub(crate) const fn append_offset(axes: usize) -> usize {
    CLAIMS_OFFSET + claim::table_len(axes)
}

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An array: NPY header, data, control area with members and claims.
    Array = 1,
    /// A value under a mutex: control area with members and the mutex.
    Mutex = 2,
}

/// The last 64 bytes of a segment.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Footer {
    magic: [u8; 8],
    version: u32,
    kind: u32,
    data_offset: u64,
    data_len: u64,
    control_offset: u64,
    file_len: u64,
    /// Random, made with the segment: tells it from another in the same place.
    pub(crate) instance: [u8; 16],
}

const _: () = assert!(size_of::<Footer>() == 64);

/// Where the parts of a segment are: checked, in private memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) data_offset: usize,
    pub(crate) data_len: usize,
    pub(crate) control_offset: usize,
    pub(crate) file_len: usize,
}

/// What is wrong with a file that should be a segment.
///
/// ```
/// use ndshm_array::{FormatError, OpenError, SharedArray1};
///
/// # let name = format!("doc.FormatError.{}", std::process::id());
/// # let _other = ndshm_buffer::SharedBuffer::options().create(&name, 4096)?;
/// // SAFETY: nobody writes to what is there, a segment of another program.
/// let error = unsafe { SharedArray1::<f64>::open(&name) }.unwrap_err();
/// assert!(matches!(error, OpenError::Format { source: FormatError::NotASegment, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It does not end in a footer.
    #[error("it is not an ndshm segment (its last {FOOTER_LEN} bytes are no footer)")]
    NotASegment,
    /// It is of a version that this build does not know.
    #[error(
        "it has format version {found}, this build knows {known}; use the same version of ndshm \
         on both sides, or make it anew"
    )]
    Version {
        /// What the footer says.
        found: u32,
        /// [`FORMAT_VERSION`].
        known: u32,
    },
    /// It holds something else than was asked for.
    #[error("it holds {found}, not {expected}")]
    Kind {
        /// What it holds.
        found: &'static str,
        /// What was asked for.
        expected: &'static str,
    },
    /// Its footer contradicts itself or the length of the file.
    #[error("it is damaged: {0}; remove it and make it anew")]
    Damaged(&'static str),
}

impl Kind {
    /// With a payload of that many bytes, or for an array of that many axes.
    pub(crate) const fn control_len(self, payload: usize, axes: usize) -> usize {
        match self {
            Self::Array => append_offset(axes) + size_of::<AppendArea>(),
            Self::Mutex => Members::SIZE + payload,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Array => "an array",
            Self::Mutex => "a value under a mutex",
        }
    }

    /// The places of a new segment for `payload` bytes of data, or of the mutex and its value; `None` where a length
    /// overflows.
    pub(crate) fn places(self, payload: usize, axes: usize) -> Option<Places> {
        let (data_offset, data_len) = match self {
            Self::Array => (HEADER_LEN, payload),
            Self::Mutex => (0, 0),
        };
        let end = data_offset.checked_add(data_len)?;
        let control_offset = end.checked_next_multiple_of(PAGE)?;
        let control = self.control_len(payload, axes).checked_add(FOOTER_LEN)?;
        let file_len = control_offset.checked_add(control)?.checked_next_multiple_of(PAGE)?;
        isize::try_from(file_len).ok()?;
        Some(Places { data_offset, data_len, control_offset, file_len })
    }
}

impl Footer {
    pub(crate) fn new(kind: Kind, places: &Places, instance: [u8; 16]) -> Self {
        Self {
            magic: MAGIC,
            version: FORMAT_VERSION,
            kind: kind as u32,
            data_offset: places.data_offset as u64,
            data_len: places.data_len as u64,
            control_offset: places.control_offset as u64,
            file_len: places.file_len as u64,
            instance,
        }
    }

    /// The footer of a segment, copied to private memory.
    pub(crate) fn read(buffer: &SharedBuffer) -> Result<Self, FormatError> {
        let mut footer = Self::zeroed();
        let offset = buffer.len().checked_sub(FOOTER_LEN).ok_or(FormatError::NotASegment)?;
        buffer
            .read_at(offset, bytemuck::bytes_of_mut(&mut footer))
            .map_err(|_| FormatError::NotASegment)?;
        Ok(footer)
    }

    /// What the footer says that the segment holds; `None` for what this build does not know.
    pub(crate) fn kind(&self) -> Option<Kind> {
        [Kind::Array, Kind::Mutex].into_iter().find(|kind| *kind as u32 == self.kind)
    }

    /// Whether these are the bytes of a footer at all.
    pub(crate) fn is_marked(&self) -> bool {
        self.magic == MAGIC
    }

    /// Checks all of it, once; nothing is taken from shared memory afterwards.
    pub(crate) fn check(&self, kind: Kind, len: usize) -> Result<Places, FormatError> {
        if !self.is_marked() {
            return Err(FormatError::NotASegment);
        }
        if self.version != FORMAT_VERSION {
            return Err(FormatError::Version { found: self.version, known: FORMAT_VERSION });
        }
        if self.kind != kind as u32 {
            let found = self.kind().map_or("something unknown", Kind::name);
            return Err(FormatError::Kind { found, expected: kind.name() });
        }
        let damaged = FormatError::Damaged;
        let to_usize = |n: u64| usize::try_from(n).map_err(|_| damaged("a length overflows"));
        let found = Places {
            data_offset: to_usize(self.data_offset)?,
            data_len: to_usize(self.data_len)?,
            control_offset: to_usize(self.control_offset)?,
            file_len: to_usize(self.file_len)?,
        };
        if found.file_len != len {
            return Err(damaged("its footer names another length than the file has"));
        }
        let end =
            found.data_offset.checked_add(found.data_len).ok_or(damaged("the data overflows"))?;
        if end > found.control_offset || !found.control_offset.is_multiple_of(PAGE) {
            return Err(damaged("by its footer the control area is not after the data, on a page"));
        }
        let control = found
            .control_offset
            .checked_add(kind.control_len(0, 0) + FOOTER_LEN)
            .ok_or(damaged("the control area overflows"))?;
        if control > len {
            return Err(damaged("the control area does not fit"));
        }
        if kind == Kind::Array && found.data_offset != HEADER_LEN {
            return Err(damaged("the data does not follow a header of 4096 bytes"));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_page_that_specifies_the_format_names_the_same_numbers() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md");
        let Ok(page) = std::fs::read_to_string(page) else {
            eprintln!("SKIPPED: the page is not part of the published crate");
            return;
        };
        let rows = [
            ("magic", offset_of!(Footer, magic)),
            ("format version", offset_of!(Footer, version)),
            ("kind", offset_of!(Footer, kind)),
            ("data offset", offset_of!(Footer, data_offset)),
            ("data length", offset_of!(Footer, data_len)),
            ("control offset", offset_of!(Footer, control_offset)),
            ("file length", offset_of!(Footer, file_len)),
            ("instance", offset_of!(Footer, instance)),
        ];
        for (name, offset) in rows {
            let row = format!("| {offset} | ");
            let found = page.lines().any(|l| l.starts_with(&row) && l.contains(name));
            assert!(found, "docs/format.md has no row for the footer's {name} at {offset}");
        }
        for text in [
            format!("the last {FOOTER_LEN} bytes"),
            format!("format version {FORMAT_VERSION}"),
            format!("header of {HEADER_LEN} bytes"),
            format!("table of members: {} bytes", Members::SIZE),
            format!("table of claims: {} bytes for two axes", claim::table_len(2)),
            format!("area of appenders; of two axes at {}", append_offset(2)),
        ] {
            assert!(page.contains(&text), "docs/format.md does not say: {text}");
        }
        for dtype in crate::npy::Dtype::ALL {
            assert!(page.contains(&*dtype.descr()), "docs/format.md does not name {dtype}");
        }
        // Each list of fields that it shows is one.
        let lists = page.split('`').filter(|text| text.starts_with("[('"));
        let lists: Vec<_> = lists.map(crate::npy::Dtype::from_descr).collect();
        assert!(lists.len() > 2 && lists.iter().all(Result::is_ok), "{lists:?}");
    }

    #[test]
    fn lengths_that_overflow_have_no_place() {
        assert!(Kind::Array.places(usize::MAX, 1).is_none());
        assert!(Kind::Array.places(isize::MAX.unsigned_abs(), 1).is_none());
        assert!(Kind::Array.places(0, 0).is_some());
    }

    #[test]
    fn a_footer_is_its_own_proof() {
        for kind in [Kind::Array, Kind::Mutex] {
            let places = kind.places(1000, 2).unwrap();
            let footer = Footer::new(kind, &places, [7; 16]);
            assert!(footer.check(kind, places.file_len).is_ok());
            assert!(footer.check(kind, places.file_len + 1).is_err());
        }
    }
}
