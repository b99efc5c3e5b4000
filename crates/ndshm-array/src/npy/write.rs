//! Files written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{NpyError, NpyHeader};

/// Writes an `.npy` file whole or not at all: into a temporary file in the same folder, which takes the name `path` only
/// when everything has reached the disk.
///
/// `data` are the elements in the header's order, as they lie in memory. A file that was at `path` is replaced and its
/// permissions are kept; behind a symbolic link the file it leads to is replaced. When anything fails, what stood at `path`
/// stays and the temporary file is removed.
///
/// ```
/// use ndshm_array::npy::{Dtype, NpyHeader, Order, write_npy};
///
/// # let dir = std::env::temp_dir().join(format!("ndshm-doc-write-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let elements = [1.5f64, 2.5];
/// let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![2] };
/// write_npy(dir.join("two.npy"), &header, bytemuck::cast_slice(&elements))?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`NpyError::Encode`] and [`NpyError::DataLength`] for what cannot be an `.npy` file, [`NpyError::NotAFile`] when `path`
/// is a folder, a pipe or a device, otherwise [`NpyError::Write`].
pub fn write_npy(path: impl AsRef<Path>, header: &NpyHeader, data: &[u8]) -> Result<(), NpyError> {
    let path = path.as_ref();
    let needed = header.data_bytes();
    if header.encode().is_ok() && needed != Some(data.len()) {
        return Err(NpyError::DataLength { path: path.to_path_buf(), needed, given: data.len() });
    }
    write_npy_with(path, header, |file| file.write_all(data))
}

/// As [`write_npy`], of elements that `write` appends piece by piece: as many as the header announces.
pub(crate) fn write_npy_with(
    path: &Path,
    header: &NpyHeader,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), NpyError> {
    let encoded = match header.encode() {
        Ok(encoded) => encoded,
        Err(source) => return Err(NpyError::Encode { path: path.to_path_buf(), source }),
    };
    let write_error = |source| NpyError::Write { path: path.to_path_buf(), source };
    let (target, permissions) = match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err(NpyError::NotAFile { path: path.to_path_buf() }),
        Ok(meta) => (fs::canonicalize(path).map_err(write_error)?, Some(meta.permissions())),
        Err(error) if error.kind() == ErrorKind::NotFound => (path.to_path_buf(), None),
        Err(error) => return Err(write_error(error)),
    };
    let mut temporary = Temporary::beside(&target).map_err(write_error)?;
    let write = || {
        temporary.file.write_all(&encoded)?;
        write(&mut temporary.file)?;
        if let Some(permissions) = permissions {
            temporary.file.set_permissions(permissions)?;
        }
        temporary.file.sync_all()?;
        fs::rename(&temporary.path, &target)
    };
    write().map_err(write_error)?;
    temporary.renamed = true;
    Ok(())
}

/// A file that is removed when dropped, unless it was renamed.
struct Temporary {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// A new file in the folder of `target`, under a name that nothing else has.
    fn beside(target: &Path) -> io::Result<Self> {
        let folder = match target.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        loop {
            // The keys of a RandomState are random, which makes a name without a source of random numbers.
            let random = RandomState::new().build_hasher().finish();
            let path = folder.join(format!(".ndshm-{}-{random:016x}.tmp", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path, renamed: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // Nothing more can be done about a file that cannot even be removed.
            let _ = fs::remove_file(&self.path);
        }
    }
}
