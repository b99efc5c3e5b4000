//! A segment from an `.npy` file of whatever type.

use ndshm_buffer::BufferOptions;

use crate::error::{CreateError, LoadError};
use crate::format::Kind;
use crate::npy::NpyFile;
use crate::segment::Segment;

/// Makes an array of that name from an `.npy` file, whatever its element type and number of dimensions, and
/// tells how many bytes of it are read. Nobody sees it before it is complete.
///
/// Directory and keeping are those of `options`; without [`persist`](BufferOptions::persist) the name is
/// gone when this returns.
///
/// # Errors
///
/// [`LoadError`]: the file cannot be read, the name is taken, or there is no room.
///
/// ```
/// use ndshm_array::{SharedArray1, inspect, npy::NpyFile};
/// use ndshm_buffer::SharedBuffer;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("ages.npy");
/// # SharedArray1::<i16>::from_elem(3, 42)?.save(&path)?;
/// let options = SharedBuffer::options().dir(dir.path()).persist(true);
/// inspect::load(&mut NpyFile::open(&path)?, "ages", &options, |_done| ())?;
/// // SAFETY: nobody else has it.
/// let ages = unsafe { SharedArray1::<i16>::options().dir(dir.path()).open("ages")? };
/// assert_eq!(ages.read()?.sum(), 126);
/// # ages.unlink()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load(
    file: &mut NpyFile,
    name: &str,
    options: &BufferOptions,
    progress: impl FnMut(u64),
) -> Result<(), LoadError> {
    let header = file.header().encode().map_err(CreateError::from)?;
    let size = file.len() * file.dtype().size();
    let payload = (size, file.header().shape.len());
    Segment::create::<LoadError>(Some(name), options, Kind::Array, payload, |bytes, at| {
        bytes[..header.len()].copy_from_slice(&header);
        Ok(file.read_bytes(&mut bytes[at.data_offset..][..at.data_len], progress)?)
    })?;
    Ok(())
}
