//! Files on disk, opened and checked, read in file order.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use half::f16;

use super::{Dtype, HeaderError, NpyError, NpyHeader};
use crate::bool8::Bool8;

/// Elements converted at a time by [`NpyFile::read_as_f64`].
const CHUNK: usize = 8192;

/// Bytes between two reports of progress.
const PIECE: usize = 4 << 20;

/// An `.npy` file, opened and checked: its header is valid and the file is long enough for all elements.
///
/// Bytes after the elements are ignored, so the file of a live array can be read too. The reading goes through `read`,
/// not through a mapping: a file that somebody truncates meanwhile is an error, never a signal.
///
/// ```
/// use ndshm_array::npy::{Dtype, NpyFile, NpyHeader, Order, write_npy};
///
/// # let dir = std::env::temp_dir().join(format!("ndshm-doc-npyfile-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let path = dir.join("ages.npy");
/// let header = NpyHeader { dtype: Dtype::I16, order: Order::C, shape: vec![3] };
/// write_npy(&path, &header, &[31, 0, 42, 0, 1, 1])?;
///
/// let mut file = NpyFile::open(&path)?;
/// let mut ages = vec![0.0; file.len()];
/// file.read_as_f64(&mut ages)?;
/// assert_eq!(ages, [31.0, 42.0, 257.0]);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NpyFile {
    file: File,
    path: PathBuf,
    header: NpyHeader,
    elements: usize,
    data_offset: usize,
}

impl NpyFile {
    /// Opens `path`, reads its header and checks that all elements are there. The elements are not
    /// read yet.
    ///
    /// # Errors
    ///
    /// [`NpyError`], whose message is one line: the path, what is wrong, what to do.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, NpyFile};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// let file = NpyFile::open(&path)?; // numpy.save("m.npy", ...) wrote it
    /// assert_eq!(file.dtype(), &Dtype::I32);
    /// assert_eq!(file.header().shape, [2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NpyError> {
        let path = path.as_ref().to_path_buf();
        let open_error = |source| NpyError::Open { path: path.clone(), source };
        // Before opening: to open a pipe would wait for its writer.
        if !fs::metadata(&path).map_err(open_error)?.is_file() {
            return Err(NpyError::NotAFile { path });
        }
        let file = File::open(&path).map_err(open_error)?;
        let header_error = |source| NpyError::Header { path: path.clone(), source };
        let (header, data_offset) = match NpyHeader::decode(BufReader::new(&file)) {
            Ok(decoded) => decoded,
            Err(HeaderError::Io(source)) => return Err(NpyError::Read { path, source }),
            Err(source) => return Err(header_error(source)),
        };
        let (Some(elements), Some(data_bytes)) = (header.elements(), header.data_bytes()) else {
            return Err(header_error(HeaderError::Overflow(header.shape)));
        };
        let needed = data_offset as u64 + data_bytes as u64;
        let found = file.metadata().map_err(open_error)?.len();
        if found < needed {
            return Err(NpyError::Truncated { path, needed, found });
        }
        Ok(Self { file, path, header, elements, data_offset })
    }

    /// The path that was opened.
    ///
    /// ```
    /// # use ndshm_array::npy::NpyFile;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// assert_eq!(NpyFile::open(&path)?.path(), path);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Element type, memory order and shape.
    ///
    /// ```
    /// # use ndshm_array::npy::{Dtype, NpyFile};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// let file = NpyFile::open(&path)?;
    /// assert_eq!((&file.header().dtype, &*file.header().shape), (&Dtype::I32, &[2, 3][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn header(&self) -> &NpyHeader {
        &self.header
    }

    /// The element type.
    ///
    /// ```
    /// # use ndshm_array::npy::NpyFile;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// assert_eq!(NpyFile::open(&path)?.dtype().name(), "int32");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dtype(&self) -> &Dtype {
        &self.header.dtype
    }

    /// How many elements there are.
    ///
    /// ```
    /// # use ndshm_array::npy::NpyFile;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// assert_eq!(NpyFile::open(&path)?.len(), 6); // 2 x 3
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements
    }

    /// Whether there are no elements at all, because an axis has length zero.
    ///
    /// ```
    /// # use ndshm_array::npy::NpyFile;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// assert!(!NpyFile::open(&path)?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements == 0
    }

    /// Where in the file the elements begin, in bytes.
    ///
    /// ```
    /// # use ndshm_array::npy::NpyFile;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// assert_eq!(NpyFile::open(&path)?.data_offset(), 4096); // 128 in most files of NumPy's
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn data_offset(&self) -> usize {
        self.data_offset
    }

    /// Reads all elements into `out`, in the order in which they lie in the file.
    ///
    /// `dtype` is the type that the file should have, and is checked against it. A `T` that is not what `dtype` says, but of
    /// the same size, gets the bytes of the file, which any [`Pod`] type can hold.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, NpyError, NpyFile, NpyHeader, Order, write_npy};
    ///
    /// # let dir = std::env::temp_dir().join(format!("ndshm-doc-readinto-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// let path = dir.join("bytes.npy");
    /// let header = NpyHeader { dtype: Dtype::U8, order: Order::F, shape: vec![2, 2] };
    /// write_npy(&path, &header, &[1, 2, 3, 4])?;
    ///
    /// let mut file = NpyFile::open(&path)?;
    /// let mut out = [0u8; 4];
    /// file.read_into(&Dtype::U8, &mut out)?;
    /// assert_eq!(out, [1, 2, 3, 4]);
    /// assert!(matches!(file.read_into(&Dtype::F64, &mut [0f64; 4]), Err(NpyError::Dtype { .. })));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NpyError::Dtype`], [`NpyError::Room`] when `out` has not exactly [`len`](Self::len) elements,
    /// [`NpyError::Changed`] when the file became shorter since it was opened, or [`NpyError::Read`].
    pub fn read_into<T: Pod>(&mut self, dtype: &Dtype, out: &mut [T]) -> Result<(), NpyError> {
        if dtype.descr() != self.dtype().descr() || size_of::<T>() != dtype.size() {
            return Err(NpyError::Dtype {
                path: self.path.clone(),
                found: self.dtype().clone(),
                wanted: dtype.clone(),
            });
        }
        self.check_room(out.len())?;
        self.rewind()?;
        self.fill(bytemuck::cast_slice_mut(out))
    }

    /// Reads all elements into `out` as `f64`, in the order in which they lie in the file.
    ///
    /// Any integer or float is converted as by `as f64`, booleans to 0 and 1: exact, except that 64-bit integers beyond 2^53 are rounded to the
    /// nearest.
    ///
    /// # Errors
    ///
    /// [`NpyError::NotReal`] for complex numbers, arrays and structs, otherwise those of [`read_into`](Self::read_into).
    ///
    /// ```
    /// # use ndshm_array::npy::NpyFile;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # ndshm_array::SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// let mut file = NpyFile::open(&path)?; // of int32
    /// let mut out = vec![0.0; file.len()];
    /// file.read_as_f64(&mut out)?;
    /// assert_eq!(out, [7.0; 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_as_f64(&mut self, out: &mut [f64]) -> Result<(), NpyError> {
        self.check_room(out.len())?;
        self.rewind()?;
        match self.dtype() {
            Dtype::Bool => self.convert(out, |x: Bool8| f64::from(u8::from(x.get()))),
            Dtype::I8 => self.convert(out, |x: i8| x.into()),
            Dtype::I16 => self.convert(out, |x: i16| x.into()),
            Dtype::I32 => self.convert(out, |x: i32| x.into()),
            Dtype::I64 => self.convert(out, |x: i64| x as f64),
            Dtype::U8 => self.convert(out, |x: u8| x.into()),
            Dtype::U16 => self.convert(out, |x: u16| x.into()),
            Dtype::U32 => self.convert(out, |x: u32| x.into()),
            Dtype::U64 => self.convert(out, |x: u64| x as f64),
            Dtype::F16 => self.convert(out, |x: f16| x.into()),
            Dtype::F32 => self.convert(out, |x: f32| x.into()),
            Dtype::F64 => self.fill(bytemuck::cast_slice_mut(out)),
            Dtype::C64 | Dtype::C128 | Dtype::Array(_) | Dtype::Struct(_) => {
                let found = self.dtype().clone();
                Err(NpyError::NotReal { path: self.path.clone(), found })
            }
        }
    }

    /// Reads all elements as bytes, whatever their type, and tells how many there are by now.
    pub(crate) fn read_bytes(
        &mut self,
        out: &mut [u8],
        mut progress: impl FnMut(u64),
    ) -> Result<(), NpyError> {
        self.check_room(out.len() / self.dtype().size())?;
        self.rewind()?;
        let mut done = 0;
        for part in out.chunks_mut(PIECE) {
            self.fill(part)?;
            done += part.len() as u64;
            progress(done);
        }
        Ok(())
    }

    fn convert<T: Pod>(
        &mut self,
        out: &mut [f64],
        to_f64: impl Fn(T) -> f64,
    ) -> Result<(), NpyError> {
        let mut chunk = vec![T::zeroed(); out.len().min(CHUNK)];
        for part in out.chunks_mut(CHUNK) {
            let read = &mut chunk[..part.len()];
            self.fill(bytemuck::cast_slice_mut(read))?;
            for (to, &from) in part.iter_mut().zip(read.iter()) {
                *to = to_f64(from);
            }
        }
        Ok(())
    }

    fn check_room(&self, given: usize) -> Result<(), NpyError> {
        match given == self.elements {
            true => Ok(()),
            false => {
                Err(NpyError::Room { path: self.path.clone(), elements: self.elements, given })
            }
        }
    }

    fn rewind(&mut self) -> Result<(), NpyError> {
        let sought = self.file.seek(SeekFrom::Start(self.data_offset as u64));
        sought.map(drop).map_err(|error| self.read_error(error))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NpyError> {
        self.file.read_exact(bytes).map_err(|error| self.read_error(error))
    }

    fn read_error(&self, source: io::Error) -> NpyError {
        let path = self.path.clone();
        match source.kind() {
            ErrorKind::UnexpectedEof => NpyError::Changed { path },
            _ => NpyError::Read { path, source },
        }
    }
}
