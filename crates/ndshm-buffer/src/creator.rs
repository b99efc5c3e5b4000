use std::sync::Arc;

use crate::id::SegmentId;
use crate::lifecycle::{self, Victim};
use crate::name::Place;
use crate::sys;

/// What distinguishes the buffer that created a named segment, and its clones: dropping the last removes the name.
#[derive(Debug)]
pub(crate) struct Creator {
    place: Arc<Place>,
    id: SegmentId,
    /// A forked child has a copy of this value, but created nothing.
    process: u32,
}

impl Creator {
    /// For the process that is about to publish the segment.
    pub(crate) fn new(place: Arc<Place>, id: SegmentId) -> Self {
        Self { place, id, process: sys::process_id() }
    }
}

impl Drop for Creator {
    fn drop(&mut self) {
        if sys::process_id() == self.process {
            // A drop cannot report. What stays behind is told from a live segment by its PRESENCE byte.
            let _ = lifecycle::remove_only(&self.place, Victim::Unkept(self.id));
        }
    }
}
