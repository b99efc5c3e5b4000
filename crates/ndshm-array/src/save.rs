//! Arrays and `.npy` files on disk.

use std::path::Path;

use ndarray::Dimension;

use crate::array::SharedArray;
use crate::element::Element;
use crate::error::{LoadError, SaveError};
use crate::npy::{NpyHeader, write_npy};

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
