//! What a backend lacks, and what to do instead.

use crate::backend::Backend;
use crate::error::Unsupported;

/// What a backend cannot do.
pub(crate) struct Lacking {
    backend: Backend,
    what: &'static str,
    remedy: &'static str,
}

impl Lacking {
    pub(crate) const fn portable(what: &'static str, remedy: &'static str) -> Self {
        Self { backend: Backend::Portable, what, remedy }
    }

    /// As an error of that segment.
    pub(crate) fn of(&self, segment: &str) -> Unsupported {
        let Self { backend, what, remedy } = *self;
        Unsupported { segment: segment.to_owned(), backend, what, remedy }
    }
}

pub(crate) const NATIVE: Lacking = Lacking {
    backend: Backend::Native,
    what: "is for Linux, and no part of this build",
    remedy: "use `Backend::Portable`",
};
pub(crate) const ANONYMOUS: Lacking = Lacking::portable(
    "has no anonymous segments, since `shared_memory` finds them by name",
    "create a named one, and `unlink` it once the others have it open",
);
pub(crate) const LIST: Lacking = Lacking::portable(
    "cannot list segments, nor tell orphans: systems do not say what shared memory there is, nor who has it",
    "open or remove them by their names",
);
pub(crate) const INFO: Lacking =
    Lacking::portable("cannot tell of a segment without opening it", "open it");
pub(crate) const GROWTH: Lacking = Lacking::portable(
    "has no segments that grow: elsewhere shared memory gets its size once",
    "create it as long as it is to become",
);
pub(crate) const PREFAULT: Lacking = Lacking::portable(
    "gets no page tables filled and no huge pages; what it can reserve is reserved",
    "leave `prefault` out",
);
pub(crate) const PASSING: Lacking = Lacking::portable(
    "passes no descriptors on, since `shared_memory` maps by name alone",
    "pass the name or the `handle()`",
);
