//! One mapping per segment and access in a process.
//!
//! Two mappings of one segment would show the same bytes at two addresses, and a lock taken through one could not be
//! told from a lock taken through the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::PerProcess;
use crate::mapping::{Key, Mapping, Parts};

type Mappings = BTreeMap<Key, Weak<Mapping>>;

/// The mappings that live. An entry whose mapping is being dropped is dead and may be replaced.
static MAPPINGS: PerProcess<Mutex<Mappings>> = PerProcess::new();

/// A panic between two changes leaves the map whole.
fn mappings() -> MutexGuard<'static, Mappings> {
    MAPPINGS.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// The mapping of this segment, where there is one.
pub(crate) fn find(key: Key) -> Option<Arc<Mapping>> {
    mappings().get(&key)?.upgrade()
}

/// The mapping of this segment; `make` supplies its parts where there is none yet.
///
/// `make` runs under the registry's lock, so that two threads that open one segment at once map it once.
pub(crate) fn find_or_map<E>(
    key: Key,
    make: impl FnOnce() -> Result<Parts, E>,
) -> Result<Arc<Mapping>, E> {
    let mut mappings = mappings();
    if let Some(mapping) = mappings.get(&key).and_then(Weak::upgrade) {
        return Ok(mapping);
    }
    // A `Mapping` dropped here would wait for the lock that this thread holds: there is none until nothing can fail.
    let mapping = Arc::new(Mapping::new(make()?, key));
    mappings.insert(key, Arc::downgrade(&mapping));
    Ok(mapping)
}

/// Takes a mapping that is being dropped off the list, unless a new one stands in its place already.
pub(crate) fn forget(key: Key) {
    let mut mappings = mappings();
    if mappings.get(&key).is_some_and(|entry| entry.strong_count() == 0) {
        mappings.remove(&key);
    }
}
