//! How workers are to be started and treated.

use std::ffi::OsString;
use std::time::Duration;

use crate::{Output, Pin, StartError, group};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) size: usize,
    pub(crate) threads: Option<usize>,
    pub(crate) pin: Option<Pin>,
    pub(crate) output: Output,
    /// Without a value where it is to be taken out of the environment.
    pub(crate) variables: Vec<(OsString, Option<OsString>)>,
    pub(crate) retries: usize,
    pub(crate) grace: Duration,
}

impl Settings {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            threads: None,
            pin: None,
            output: Output::Inherit,
            variables: Vec::new(),
            retries: 0,
            grace: Duration::from_secs(5),
        }
    }

    pub(crate) fn checked_size(&self) -> Result<usize, StartError> {
        let size = self.size;
        let fits = (1..=group::MOST).contains(&size);
        if fits { Ok(size) } else { Err(StartError::Size { size, most: group::MOST }) }
    }
}
