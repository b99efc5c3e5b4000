//! How much is to be measured, and where files may lie.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ndshm_testkit::arguments;

/// What a part is told.
#[derive(Debug)]
pub(crate) struct Plan {
    quick: bool,
    dir: PathBuf,
}

impl Plan {
    /// What the supervisor gave to this process.
    pub(crate) fn inherited() -> Self {
        let [dir, quick] = arguments().try_into().expect("a directory, and whether to be quick");
        Self { quick: quick == "true", dir: dir.into() }
    }

    /// For segments with names; removed with all that is in it.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Of so many rounds.
    pub(crate) fn rounds(&self, all: usize) -> usize {
        if self.quick { all.div_ceil(3) } else { all }
    }

    /// For how long to count operations.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_millis(if self.quick { 60 } else { 400 })
    }

    /// Of these sizes, ascending.
    pub(crate) fn sizes(&self, all: &[usize]) -> Vec<usize> {
        let keep = |&(i, _): &(usize, &usize)| !self.quick || (all.len() - 1 - i).is_multiple_of(2);
        all.iter().enumerate().filter(keep).map(|(_, &size)| size).collect()
    }
}
