//! What the user means by a name: a segment, or a file.

use std::path::{Path, PathBuf};

use ndshm_buffer::{BufferOptions, SegmentInfo, SharedBuffer};

use crate::outcome::Failure;

/// What stands before a segment's name in its directory.
const PREFIX: &str = "ndshm.";

#[derive(Debug)]
pub(crate) enum Target {
    Segment(Box<SegmentInfo>),
    File(PathBuf),
}

/// The options that `--dir` stands for.
pub(crate) fn options(dir: Option<&Path>) -> BufferOptions {
    match dir {
        Some(dir) => SharedBuffer::options().dir(dir),
        None => SharedBuffer::options(),
    }
}

/// A segment's name; or the path of a file, which has a slash or ends in `.npy`. The path of a segment's
/// file stands for the segment.
pub(crate) fn find(text: &str, dir: Option<&Path>) -> Result<Target, Failure> {
    let path = Path::new(text);
    let is_path = text.contains('/') || text.ends_with(".npy") && path.exists();
    if !is_path {
        return Ok(Target::Segment(Box::new(options(dir).info(text)?)));
    }
    let file = path.file_name().and_then(|file| file.to_str());
    match (file.and_then(|file| file.strip_prefix(PREFIX)), path.parent()) {
        (Some(name), Some(parent)) => {
            Ok(Target::Segment(Box::new(options(Some(parent)).info(name)?)))
        }
        _ => Ok(Target::File(path.to_owned())),
    }
}
