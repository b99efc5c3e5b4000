//! What `shared_memory` does not have, of options for creating and opening.

use crate::error::Unsupported;
use crate::lacking::Lacking;
pub(super) use crate::lacking::{GROWTH, PREFAULT};
use crate::options::BufferOptions;

pub(super) const READ_ONLY: Lacking = Lacking::portable(
    "opens nothing read-only, since `shared_memory` maps for writing",
    "open it without `read_only(true)`",
);
const ACCESS: Lacking = Lacking::portable(
    "has segments of mode 0600 and of the process's group alone",
    "leave `mode` and `group` out",
);
const GUARD: Lacking = Lacking::portable(
    "does not guard copies, since `shared_memory` alone knows how it maps",
    "leave `guarded` out",
);
const DIRECTORY: Lacking = Lacking::portable(
    "has one space of names, which is the system's",
    "leave `dir` out, and tell segments apart by their names",
);
pub(super) const KEEP: Lacking = Lacking::portable(
    "cannot keep the name of what another program made",
    "have that program give it up (`Shmem::set_owner`)",
);

/// Refuses what options ask for in vain, of creating and opening alike.
pub(super) fn of_both(options: &BufferOptions, segment: &str) -> Result<(), Unsupported> {
    let asked = [(options.guarded, GUARD), (options.dir.is_some(), DIRECTORY)];
    refuse(&asked, segment)
}

/// Refuses what options ask for in vain, of creating.
pub(super) fn of_creation(options: &BufferOptions, segment: &str) -> Result<(), Unsupported> {
    let asked = [
        (options.capacity.is_some(), GROWTH),
        (options.mode != 0o600 || options.group.is_some(), ACCESS),
        (!options.prefault.is_plain(), PREFAULT),
    ];
    of_both(options, segment)?;
    refuse(&asked, segment)
}

fn refuse(asked: &[(bool, Lacking)], segment: &str) -> Result<(), Unsupported> {
    let lacking = asked.iter().find(|(asked, _)| *asked);
    lacking.map_or(Ok(()), |(_, lacking)| Err(lacking.of(segment)))
}
