use std::sync::Arc;

use crate::id::SegmentId;
use crate::lifecycle::{self, Victim};
use crate::name::Place;
use crate::portable;
use crate::sys;

/// What distinguishes the buffer that created a named segment, and its clones: dropping the last removes the name.
#[derive(Debug)]
pub(crate) struct Creator {
    created: Created,
    /// A forked child has a copy of this value, but created nothing.
    process: u32,
}

#[derive(Debug)]
enum Created {
    Native { place: Arc<Place>, id: SegmentId },
    Portable(portable::Created),
}

impl Creator {
    /// For the process that is about to publish the segment.
    pub(crate) fn new(place: Arc<Place>, id: SegmentId) -> Self {
        Self { created: Created::Native { place, id }, process: sys::process_id() }
    }
}

impl From<portable::Created> for Creator {
    fn from(created: portable::Created) -> Self {
        Self { created: Created::Portable(created), process: sys::process_id() }
    }
}

impl Drop for Creator {
    fn drop(&mut self) {
        if sys::process_id() != self.process {
            return;
        }
        // A drop cannot report. What stays behind of the native kind is told from a live segment by its PRESENCE byte.
        match &self.created {
            Created::Native { place, id } => {
                let _ = lifecycle::remove_only(place, Victim::Unkept(*id));
            }
            Created::Portable(created) => created.remove_unkept(),
        }
    }
}
