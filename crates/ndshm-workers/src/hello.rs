//! What a launcher hands to its workers: one anonymous file, inherited by all of them.
//!
//! `MAGIC`, then the length of the head (`u64`, little-endian), the head, the arguments. Every
//! worker reads it by position, since all of them share one file offset.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::sys::{self, ExecutableId};

const MAGIC: &[u8; 8] = b"NDSHMw\x00\x01";
const HEAD_AT: u64 = 16;

/// Everything but the arguments.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The executable in which `trampoline` and `function` are positions.
    pub(crate) executable: ExecutableId,
    /// Number of workers.
    pub(crate) size: u64,
    /// Position of the entry for this function's types.
    pub(crate) trampoline: u64,
    /// Position of the user's function.
    pub(crate) function: u64,
    /// The inherited descriptors of the segments, in the order in which they were collected.
    pub(crate) segments: Vec<i32>,
    /// The group's segment, serialised.
    pub(crate) group: Vec<u8>,
}

/// Writes the file.
pub(crate) fn write(head: &Head, args: &[u8]) -> io::Result<File> {
    let encoded = codec::encode(head).map_err(io::Error::other)?;
    let mut file = sys::anonymous_file("ndshm-hello")?;
    file.write_all(MAGIC)?;
    file.write_all(&(encoded.len() as u64).to_le_bytes())?;
    file.write_all(&encoded)?;
    file.write_all(args)?;
    Ok(file)
}

/// Reads the file: the head and the arguments.
pub(crate) fn read(file: &File) -> io::Result<(Head, Vec<u8>)> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let len = file.metadata()?.len();
    let mut start = [0; HEAD_AT as usize];
    file.read_exact_at(&mut start, 0)?;
    let (magic, head_len) = start.split_at(MAGIC.len());
    let head_len = u64::from_le_bytes(head_len.try_into().map_err(|_| malformed())?);
    let args_at = HEAD_AT.checked_add(head_len).ok_or_else(malformed)?;
    if magic != MAGIC || args_at > len {
        return Err(malformed());
    }
    let part = |at: u64, end: u64| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(end - at).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    };
    let head = codec::decode(&part(HEAD_AT, args_at)?).map_err(io::Error::other)?;
    Ok((head, part(args_at, len)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            executable: ExecutableId::current().unwrap(),
            size: 4,
            trampoline: 0x1234,
            function: 0x5678,
            segments: vec![7, 9],
            group: vec![1, 2, 3],
        }
    }

    #[test]
    fn what_is_written_is_read_whatever_the_offset() {
        let file = write(&head(), b"arguments").unwrap();
        for _ in 0..2 {
            assert_eq!(read(&file).unwrap(), (head(), b"arguments".to_vec()));
        }
        let none = write(&head(), b"").unwrap();
        assert_eq!(read(&none).unwrap().1, b"");
    }

    #[test]
    fn anything_else_is_an_error() {
        let mut garbage = sys::anonymous_file("garbage").unwrap();
        assert!(read(&garbage).is_err());
        garbage.write_all(&[0xFF; 64]).unwrap();
        assert!(read(&garbage).is_err());
        let mut cut = sys::anonymous_file("cut").unwrap();
        cut.write_all(MAGIC).unwrap();
        cut.write_all(&u64::MAX.to_le_bytes()).unwrap();
        assert!(read(&cut).is_err());
    }
}
