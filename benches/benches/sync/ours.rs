//! This process's handles on what is ours.

use std::sync::OnceLock;

use ndshm_sync::{Barrier, Members, Mutex, RwLock};

use crate::arena::Arena;
use crate::rwlock::Pair;

/// All that is ours and measured, in the arena's region.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) mutex: Mutex<'static, u64>,
    pub(crate) rwlock: RwLock<'static, Pair>,
    /// For 2, 4 and 8 parties.
    pub(crate) barriers: [Barrier<'static>; 3],
}

impl Ours {
    /// This process's own, from now to its end. To be asked for after it was forked.
    ///
    /// # Panics
    ///
    /// When it cannot join.
    #[must_use]
    pub(crate) fn here(arena: &'static Arena) -> &'static Self {
        static HERE: OnceLock<Ours> = OnceLock::new();
        HERE.get_or_init(|| {
            let members = Box::leak(Box::new(Members::join(arena.region()).expect("cannot join")));
            let mut layout = members.layout();
            Self {
                mutex: layout.mutex(0).expect("there is room"),
                rwlock: layout.rwlock(Pair::default()).expect("there is room"),
                barriers: [2, 4, 8].map(|n| layout.barrier(n).expect("there is room")),
            }
        })
    }
}
