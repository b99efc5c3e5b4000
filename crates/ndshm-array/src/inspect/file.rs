//! A file, opened to be looked at.

use std::fs::{self, File, OpenOptions};
use std::io::BufReader;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytemuck::Zeroable;
use rustix::fs::OFlags;

use super::error::InspectError;
use crate::format::{FOOTER_LEN, Footer, FormatError, Kind, Places};
use crate::npy::{Dtype, HeaderError, NpyHeader, Order};

/// A segment, or an `.npy` file on disk, opened for reading to be looked at: what it is was checked
/// once, and is in private memory.
///
/// ```
/// use ndshm_array::{SharedArray2, inspect::{Contents, SegmentFile}};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("m.npy");
/// # SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
/// let file = SegmentFile::open(&path)?; // numpy.save wrote it
/// assert!(matches!(file.contents(), Contents::Array(a) if !a.is_live && a.shape == [2, 3]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SegmentFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
    len: u64,
    contents: Contents,
    /// Of a segment that ends in a footer.
    pub(super) segment: Option<(Kind, Places)>,
    instance: Option<[u8; 16]>,
}

/// What a file holds.
///
/// ```
/// use ndshm_array::inspect::{Contents, SegmentFile};
///
/// # let dir = tempfile::tempdir()?;
/// let options = ndshm_buffer::SharedBuffer::options().dir(dir.path());
/// let buffer = options.create("frames", 1000)?;
/// let file = SegmentFile::open(buffer.path().unwrap())?;
/// assert_eq!(file.contents(), &Contents::Raw);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// An array: a live one, or an `.npy` file.
    Array(ArrayContents),
    /// A value under a mutex.
    Value,
    /// Bytes that no layer here has put its mark on.
    Raw,
}

/// What is fixed of an array.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// use ndshm_array::{SharedArray2, inspect::{Contents, SegmentFile}};
///
/// let a = SharedArray2::<u8>::options().dir(dir.path()).name("a").zeros((2, 3))?;
/// let file = SegmentFile::open(a.path().unwrap())?;
/// let Contents::Array(array) = file.contents() else { unreachable!() };
/// assert_eq!((array.data_offset, array.data_len, array.is_live), (4096, 6, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArrayContents {
    /// The element type.
    pub dtype: Dtype,
    /// Row- or column-major.
    pub order: Order,
    /// Lengths along the axes.
    pub shape: Vec<usize>,
    /// Where in the file the elements begin.
    pub data_offset: u64,
    /// How many bytes they take.
    pub data_len: u64,
    /// Whether it has a control area with members and claims; without, it is an `.npy` file.
    pub is_live: bool,
}

impl Contents {
    /// In words: `an array`, `a value under a mutex`, `raw bytes`.
    ///
    /// ```
    /// assert_eq!(ndshm_array::inspect::Contents::Raw.name(), "raw bytes");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Array(ArrayContents { is_live: true, .. }) => "an array",
            Self::Array(_) => "an .npy file",
            Self::Value => "a value under a mutex",
            Self::Raw => "raw bytes",
        }
    }
}

impl SegmentFile {
    /// Opens `path` for reading and finds out what it holds; links are followed.
    ///
    /// # Errors
    ///
    /// [`InspectError`]: it cannot be opened, is no regular file, is of another format version, or
    /// damaged.
    ///
    /// ```
    /// use ndshm_array::inspect::{InspectError, SegmentFile};
    ///
    /// assert!(matches!(SegmentFile::open("/dev/shm"), Err(InspectError::NotAFile { .. })));
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, InspectError> {
        Self::open_with(path.as_ref(), OFlags::empty())
    }

    /// As [`open`](Self::open), and refuses a symbolic link: for what a name leads to.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// ```
    /// use ndshm_array::inspect::SegmentFile;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let link = dir.path().join("ndshm.link");
    /// std::os::unix::fs::symlink("/etc/hostname", &link)?;
    /// assert!(SegmentFile::open_no_follow(&link).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open_no_follow(path: impl AsRef<Path>) -> Result<Self, InspectError> {
        Self::open_with(path.as_ref(), OFlags::NOFOLLOW)
    }

    fn open_with(path: &Path, flags: OFlags) -> Result<Self, InspectError> {
        let path = path.to_path_buf();
        let open_error = |source| InspectError::Open { path: path.clone(), source };
        // Before opening: to open a device can have an effect.
        if !fs::metadata(&path).map_err(open_error)?.is_file() {
            return Err(InspectError::NotAFile { path });
        }
        let flags = (flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.cast_signed());
        let file = options.open(&path).map_err(open_error)?;
        let facts = file.metadata().map_err(open_error)?;
        if !facts.is_file() {
            return Err(InspectError::NotAFile { path });
        }
        let mut opened = Self {
            file,
            path,
            len: facts.len(),
            contents: Contents::Raw,
            segment: None,
            instance: None,
        };
        opened.recognise()?;
        Ok(opened)
    }

    /// Finds out what it holds.
    fn recognise(&mut self) -> Result<(), InspectError> {
        let footer = self.footer()?;
        if let Some(footer) = footer.filter(Footer::is_marked) {
            let kind = footer.kind().unwrap_or(Kind::Array);
            let places = usize::try_from(self.len).map_err(|_| FormatError::NotASegment);
            let places = places.and_then(|len| footer.check(kind, len));
            let places = places.map_err(|e| self.format_error(e))?;
            self.segment = Some((kind, places));
            self.instance = Some(footer.instance);
            self.contents = match kind {
                Kind::Array => Contents::Array(self.array(Some(&places))?),
                Kind::Mutex => Contents::Value,
            };
        } else if self.begins_as_npy()? {
            self.contents = Contents::Array(self.array(None)?);
        }
        Ok(())
    }

    fn footer(&self) -> Result<Option<Footer>, InspectError> {
        let Some(at) = self.len.checked_sub(FOOTER_LEN as u64) else { return Ok(None) };
        let mut footer = Footer::zeroed();
        self.read_at(bytemuck::bytes_of_mut(&mut footer), at)?;
        Ok(Some(footer))
    }

    fn begins_as_npy(&self) -> Result<bool, InspectError> {
        const MAGIC: &[u8; 6] = b"\x93NUMPY";
        let mut start = [0; MAGIC.len()];
        if self.len < start.len() as u64 {
            return Ok(false);
        }
        self.read_at(&mut start, 0)?;
        Ok(start == *MAGIC)
    }

    /// What the NPY header says, checked against what there is.
    fn array(&self, places: Option<&Places>) -> Result<ArrayContents, InspectError> {
        let bad = |source| InspectError::Header { path: self.path.clone(), source };
        let decoded = NpyHeader::decode(BufReader::new(&self.file));
        let (header, data_offset) = decoded.map_err(|e| match e {
            HeaderError::Io(source) => self.read_error(source),
            other => bad(other),
        })?;
        let overflow = || bad(HeaderError::Overflow(header.shape.clone()));
        let data_len = header.data_bytes().ok_or_else(overflow)?;
        if let Some(places) = places {
            if data_offset != places.data_offset || data_len > places.data_len {
                let text = "its NPY header speaks of more data than there is";
                return Err(self.format_error(FormatError::Damaged(text)));
            }
        } else if self.len < data_offset as u64 + data_len as u64 {
            let needed = data_offset as u64 + data_len as u64;
            return Err(InspectError::Truncated {
                path: self.path.clone(),
                needed,
                found: self.len,
            });
        }
        Ok(ArrayContents {
            dtype: header.dtype,
            order: header.order,
            shape: header.shape,
            data_offset: data_offset as u64,
            data_len: data_len as u64,
            is_live: places.is_some(),
        })
    }

    /// What it holds.
    ///
    /// ```
    /// use ndshm_array::{SharedArray1, inspect::SegmentFile};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
    /// assert_eq!(SegmentFile::open(a.path().unwrap())?.contents().name(), "an array");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The path that was opened.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// # SharedArray1::<f64>::zeros(3)?.save(&path)?;
    /// assert_eq!(SegmentFile::open(&path)?.path(), path);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the whole file, when it was opened.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// # SharedArray1::<f64>::zeros(3)?.save(&path)?;
    /// assert_eq!(SegmentFile::open(&path)?.len(), 4096 + 3 * 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// # SharedArray1::<f64>::zeros(3)?.save(&path)?;
    /// assert!(!SegmentFile::open(&path)?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The version of its format; `None` where it has no footer, as `.npy` files and raw bytes.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// let a = SharedArray1::<f64>::options().dir(dir.path()).name("a").zeros(10)?;
    /// let file = SegmentFile::open(a.path().unwrap())?;
    /// assert_eq!(file.format_version(), Some(ndshm_array::FORMAT_VERSION));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn format_version(&self) -> Option<u32> {
        // Another is refused.
        self.segment.map(|_| crate::format::FORMAT_VERSION)
    }

    /// The random number that tells it from another in the same place, where it has a footer.
    ///
    /// ```
    /// # use ndshm_array::{SharedArray1, inspect::SegmentFile};
    /// # let dir = tempfile::tempdir()?;
    /// let options = SharedArray1::<f64>::options().dir(dir.path());
    /// let (a, b) = (options.clone().name("a").zeros(10)?, options.name("b").zeros(10)?);
    /// let instance = |of: &SharedArray1<f64>| {
    ///     SegmentFile::open(of.path().unwrap()).map(|file| file.instance())
    /// };
    /// assert_ne!(instance(&a)?, instance(&b)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn instance(&self) -> Option<[u8; 16]> {
        self.instance
    }

    pub(super) fn read_at(&self, bytes: &mut [u8], at: u64) -> Result<(), InspectError> {
        self.file.read_exact_at(bytes, at).map_err(|source| self.read_error(source))
    }

    pub(super) fn read_error(&self, source: std::io::Error) -> InspectError {
        InspectError::Read { path: self.path.clone(), source }
    }

    fn format_error(&self, source: FormatError) -> InspectError {
        InspectError::Format { path: self.path.clone(), source }
    }
}
