//! Arrays and `.npy` files on disk.

use std::path::Path;

use ndarray::{Dimension, IxDyn};

use crate::array::SharedArray;
use crate::element::Element;
use crate::error::{LoadError, SaveError};
use crate::npy::{NpyError, NpyFile, NpyHeader, write_npy};
use crate::options::ArrayOptions;

impl<T: Element, D: Dimension> SharedArray<T, D> {
    /// Writes the array to an `.npy` file, whole or not at all, under a read claim: waits for writers,
    /// as [`read`](Self::read), and for the disk.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("a.npy");
    /// use ndshm_array::SharedArray2;
    ///
    /// SharedArray2::<f64>::from_elem((2, 3), 0.5)?.save(&path)?;
    /// let a = SharedArray2::<f64>::load(&path)?;
    /// assert_eq!(a.read()?.sum(), 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SaveError`]: the array cannot be read (poisoned, read-only), or the file not written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), SaveError> {
        let guard = self.read().map_err(|e| SaveError::Claim(e.without_guard()))?;
        let header = NpyHeader {
            dtype: T::DTYPE.clone(),
            order: self.order(),
            shape: self.shape().to_vec(),
        };
        // The whole array lies in one piece, in its own order.
        let data = guard.as_slice_memory_order().unwrap_or_default();
        write_npy(path, &header, bytemuck::cast_slice(data))?;
        Ok(())
    }
}

impl<T, D: Dimension> SharedArray<T, D> {
    /// An anonymous copy of an `.npy` file of the same element type and number of dimensions.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: the file cannot be read or holds something else, or there is no room.
    ///
    /// ```
    /// use ndshm_array::{LoadError, SharedArray2};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # SharedArray2::<f64>::from_elem((2, 3), 0.5)?.save(&path)?;
    /// let a = SharedArray2::<f64>::load(&path)?;
    /// assert_eq!(a.dim(), (2, 3));
    /// let wrong = SharedArray2::<i32>::load(&path);
    /// assert!(matches!(wrong, Err(LoadError::Dtype { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError>
    where
        T: Element,
    {
        Self::options().load(path)
    }
}

impl<D: Dimension> SharedArray<f64, D> {
    /// An anonymous copy of an `.npy` file of any real numbers, each made an `f64`; integers
    /// beyond 2^53 are rounded.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: the file cannot be read, holds complex numbers, arrays, structs or another
    /// number of dimensions, or there is no room.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # SharedArray2::<u8>::from_elem((2, 3), 7)?.save(&path)?;
    /// let a = SharedArray2::<f64>::load_as_f64(&path)?; // a file of uint8
    /// assert_eq!(a.read()?[[1, 2]], 7.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load_as_f64(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::options().load_as_f64(path)
    }
}

impl<T: Element, D: Dimension> ArrayOptions<T, D> {
    /// A copy of an `.npy` file of the same element type and number of dimensions, in the file's
    /// order.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: the file cannot be read or holds something else, or the array cannot be made.
    ///
    /// ```
    /// use ndshm_array::SharedArray2;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # SharedArray2::<f64>::from_elem((2, 3), 0.5)?.save(&path)?;
    /// # let name = format!("doc.options.load.{}", std::process::id());
    /// let a = SharedArray2::<f64>::options().name(&name).load(&path)?;
    /// assert_eq!((a.dim(), a.read()?.sum()), ((2, 3), 3.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(&self, path: impl AsRef<Path>) -> Result<SharedArray<T, D>, LoadError> {
        let mut file = NpyFile::open(path)?;
        let found = file.dtype();
        if found.descr() != T::DTYPE.descr() {
            let (path, found) = (file.path().to_owned(), found.clone());
            return Err(LoadError::Dtype { path, found, expected: T::DTYPE.clone() });
        }
        self.load_with(&mut file, |file, data| file.read_into(T::DTYPE, data))
    }

    fn load_with(
        &self,
        file: &mut NpyFile,
        read: impl FnOnce(&mut NpyFile, &mut [T]) -> Result<(), NpyError>,
    ) -> Result<SharedArray<T, D>, LoadError> {
        let shape = IxDyn(&file.header().shape);
        let dim = D::from_dimension(&shape).ok_or_else(|| LoadError::Dimensions {
            path: file.path().to_owned(),
            found: file.header().shape.clone(),
            expected: D::NDIM.unwrap_or_default(),
        })?;
        let order = file.header().order;
        self.make(dim, order, |data| Ok(read(file, data)?))
    }
}

impl<D: Dimension> ArrayOptions<f64, D> {
    /// A copy of an `.npy` file of any real numbers, each made an `f64`; integers beyond 2^53 are
    /// rounded.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), except that only complex numbers, arrays and structs are refused.
    ///
    /// ```
    /// use ndshm_array::{SharedArray1, SharedArray2};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("m.npy");
    /// # SharedArray2::<i32>::from_elem((2, 3), 7)?.save(&path)?;
    /// # let name = format!("doc.options.load_as_f64.{}", std::process::id());
    /// let options = SharedArray2::<f64>::options().name(&name);
    /// let a = options.load_as_f64(&path)?; // a file of int32
    /// assert_eq!(a.read()?.sum(), 42.0);
    /// assert!(SharedArray1::<f64>::load_as_f64(&path).is_err()); // of two dimensions
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load_as_f64(&self, path: impl AsRef<Path>) -> Result<SharedArray<f64, D>, LoadError> {
        self.load_with(&mut NpyFile::open(path)?, NpyFile::read_as_f64)
    }
}
