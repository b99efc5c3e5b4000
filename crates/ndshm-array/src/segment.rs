//! A segment as this process has it: the mapping, the membership, and where things are.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ndshm_buffer::{BufferOptions, PerProcess, SegmentId, SharedBuffer};
use ndshm_sync::{JoinError, Members, Region};

use crate::append::AppendArea;
use crate::claim::{self, ClaimTable};
use crate::error::{CreateError, OpenError};
use crate::format::{CLAIMS_OFFSET, FOOTER_LEN, Footer, FormatError, Kind, Places, append_offset};
use crate::npy::NpyHeader;

/// A segment that this process has mapped and joined: once, however many arrays refer to it.
#[derive(Debug)]
pub(crate) struct Segment {
    /// `None` where the mapping is read-only: a member writes itself into the table.
    ///
    /// # Invariants
    ///
    /// 1. Refers to bytes of `buffer`, and is dropped before it (declared first).
    members: Option<Members<'static>>,
    /// # Invariants
    ///
    /// 1. The mapping holds the `places`, as checked; it is not unmapped before this value drops.
    buffer: SharedBuffer,
    places: Places,
    instance: [u8; 16],
}

/// What ends the making of a segment: the caller's own error, or that of the buffer made into it.
struct Init<E>(E);

impl<E: From<CreateError>> From<ndshm_buffer::CreateError> for Init<E> {
    fn from(e: ndshm_buffer::CreateError) -> Self {
        Self(CreateError::from(e).into())
    }
}

/// Why a file could not be taken as a segment.
#[derive(Debug)]
pub(crate) enum AttachError {
    Format(FormatError),
    Join(JoinError),
}

impl AttachError {
    /// The same about the segment of that label.
    pub(crate) fn of(self, segment: String) -> OpenError {
        match self {
            Self::Format(source) => OpenError::Format { segment, source },
            Self::Join(source) => OpenError::Join { segment, source },
        }
    }
}

impl From<AttachError> for CreateError {
    fn from(e: AttachError) -> Self {
        match e {
            AttachError::Format(e) => Self::Format(e),
            AttachError::Join(e) => Self::Join(e),
        }
    }
}

/// The segment in `buffer` as errors name it.
pub(crate) fn label(buffer: &SharedBuffer) -> String {
    match buffer.path() {
        Some(path) => path.display().to_string(),
        None => "the anonymous segment".to_owned(),
    }
}

/// The segments of this process. One membership a segment: a claim is a matter between members,
/// and between the threads of one.
static SEGMENTS: PerProcess<Mutex<Segments>> = PerProcess::new();

/// By inode, and whether mapped read-only.
type Segments = HashMap<(SegmentId, bool), Weak<Segment>>;

impl Segment {
    /// Makes a segment whole, in a buffer that `init` fills before anybody else can see it, and
    /// attaches to it.
    pub(crate) fn create<E: From<CreateError>>(
        name: Option<&str>,
        options: &BufferOptions,
        kind: Kind,
        (payload, axes): (usize, usize),
        init: impl FnOnce(&mut [u8], &Places) -> Result<(), E>,
    ) -> Result<Arc<Self>, E> {
        let places = kind.places(payload, axes).ok_or(CreateError::TooLarge { bytes: payload })?;
        let mut instance = [0; 16];
        crate::instance::fill(&mut instance).map_err(CreateError::from)?;
        let footer = Footer::new(kind, &places, instance);
        let write = |file: &mut [u8]| {
            let end = file.len() - FOOTER_LEN;
            file[end..].copy_from_slice(bytemuck::bytes_of(&footer));
            init(file, &places).map_err(Init)
        };
        let buffer = match name {
            Some(name) => options.try_create_with(name, places.file_len, write),
            None => options.try_anonymous_with(places.file_len, write),
        };
        let buffer = buffer.map_err(|Init(e)| e)?;
        Ok(Self::attach(buffer, kind).map_err(CreateError::from)?)
    }

    /// Makes one for an array: `size` bytes of elements, and a header that says what they are; `init` fills the rest before
    /// anybody else can see it.
    pub(crate) fn of_array<E: From<CreateError>>(
        name: Option<&str>,
        options: &BufferOptions,
        header: &NpyHeader,
        size: usize,
        init: impl FnOnce(&mut [u8], &Places) -> Result<(), E>,
    ) -> Result<Arc<Self>, E> {
        let bytes = header.encode().map_err(CreateError::from)?;
        let extent = (size, header.shape.len());
        Self::create(name, options, Kind::Array, extent, |file, at| {
            file[..bytes.len()].copy_from_slice(&bytes);
            init(file, at)
        })
    }

    /// What this process has of the segment in `buffer`, joined with `rank` if it is not yet.
    ///
    /// That its other users follow the protocol is for the caller to know (`ArrayHandle::open`).
    pub(crate) fn attach(buffer: SharedBuffer, kind: Kind) -> Result<Arc<Self>, AttachError> {
        let key = (buffer.id(), buffer.is_read_only());
        let mut segments = SEGMENTS.get().lock().unwrap_or_else(PoisonError::into_inner);
        let footer = Footer::read(&buffer).map_err(AttachError::Format)?;
        let places = footer.check(kind, buffer.len()).map_err(AttachError::Format)?;
        if let Some(segment) = segments.get(&key).and_then(Weak::upgrade) {
            return Ok(segment);
        }
        let members = if buffer.is_read_only() {
            None
        } else {
            Some(Self::join(&buffer, &places).map_err(AttachError::Join)?)
        };
        let segment = Arc::new(Self { members, buffer, places, instance: footer.instance });
        segments.retain(|_, segment| segment.strong_count() > 0);
        segments.insert(key, Arc::downgrade(&segment));
        Ok(segment)
    }

    fn join(buffer: &SharedBuffer, places: &Places) -> Result<Members<'static>, JoinError> {
        // SAFETY: `places` was checked against the length of the mapping.
        let base = unsafe { buffer.base().add(places.control_offset) };
        let len = places.file_len - FOOTER_LEN - places.control_offset;
        // SAFETY: mapped shared and read-write for as long as `buffer` lives, which the segment
        // keeps for longer than its members (members invariant 1), so `'static` is never relied on
        // beyond that; the bytes were zero when the segment was made, and all who attach use
        // them through this type (`ArrayHandle::open` and the worker start-up vouch for others).
        let region = unsafe { Region::new(base, len, buffer.as_fd()) };
        // SAFETY: only the lifetime changes: the descriptor and the mapping live as long as
        // `buffer`, which outlives the membership (members invariant 1).
        let region = unsafe { std::mem::transmute::<Region<'_>, Region<'static>>(region) };
        match crate::rank::current() {
            Some(rank) => Members::join_as(region, rank),
            None => Members::join(region),
        }
    }

    pub(crate) const fn members(&self) -> Option<&Members<'static>> {
        self.members.as_ref()
    }

    /// The table of claims of an array of that shape, and this process's membership; `None` where the
    /// mapping is read-only. For segments of kind [`Kind::Array`].
    #[inline]
    pub(crate) fn claims<'a>(
        &'a self,
        shape: &'a [usize],
    ) -> Option<(ClaimTable<'a>, &'a Members<'static>)> {
        Some((self.claim_table(shape)?, self.members.as_ref()?))
    }

    /// The table alone, to look at. `None` where there is no room for it, which
    /// `geometry::of_segment` refuses.
    #[inline]
    pub(crate) fn claim_table<'a>(&'a self, shape: &'a [usize]) -> Option<ClaimTable<'a>> {
        let places = &self.places;
        let offset = places.control_offset + CLAIMS_OFFSET;
        if offset + claim::table_len(shape.len()) > places.file_len - FOOTER_LEN {
            return None;
        }
        // SAFETY: within the mapping (buffer invariant 1; and the table ends there, see above).
        let head = unsafe { self.buffer.base().add(offset) }.cast::<claim::Head>();
        // SAFETY: the entries begin behind the head, and end there too.
        let words = unsafe { head.add(1) }.cast::<AtomicU64>();
        // SAFETY: in bounds and aligned to a page plus a multiple of 64 (checked places), mapped as long
        // as `self`, made of atomics, valid for any bytes.
        let head = unsafe { head.as_ref() };
        // SAFETY: the same; `table_words` of them end where the table does.
        let words =
            unsafe { std::slice::from_raw_parts(words.as_ptr(), claim::table_words(shape.len())) };
        Some(ClaimTable::new(head, words, shape))
    }

    /// What appenders need, of an array of so many axes; `None` where there is no room for it. Says of itself whether the
    /// array is one to append to.
    pub(crate) fn append_area(&self, axes: usize) -> Option<&AppendArea> {
        let offset = self.places.control_offset.checked_add(append_offset(axes))?;
        if offset.checked_add(size_of::<AppendArea>())? > self.places.file_len - FOOTER_LEN {
            return None;
        }
        // SAFETY: within the mapping (buffer invariant 1).
        let area = unsafe { self.buffer.base().add(offset) }.cast::<AppendArea>();
        // SAFETY: in bounds and aligned to a page plus a multiple of 64 (checked places), mapped as long as `self`, made of
        // atomics and of padding that nobody writes, valid for any bytes.
        Some(unsafe { area.as_ref() })
    }

    /// Where the value and its mutex are, if there is room for a `C`. For segments of kind
    /// [`Kind::Mutex`].
    pub(crate) fn cell<C>(&self) -> Option<NonNull<C>> {
        let offset = self.places.control_offset + Members::SIZE;
        let end = offset.checked_add(size_of::<C>())?;
        if end > self.places.file_len - FOOTER_LEN {
            return None;
        }
        // SAFETY: within the mapping (buffer invariant 1).
        let cell = unsafe { self.buffer.base().add(offset) }.cast::<C>();
        cell.is_aligned().then_some(cell)
    }

    /// Where the data begins.
    pub(crate) fn data(&self) -> NonNull<u8> {
        // SAFETY: within the mapping (buffer invariant 1).
        unsafe { self.buffer.base().add(self.places.data_offset) }
    }

    pub(crate) const fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) const fn buffer(&self) -> &SharedBuffer {
        &self.buffer
    }

    pub(crate) const fn instance(&self) -> [u8; 16] {
        self.instance
    }
}
