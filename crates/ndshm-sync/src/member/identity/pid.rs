//! Which process a membership belongs to: the process id, asked for at each use, where no page can be
//! wiped by a fork. A descendant that has got the id of its dead ancestor would be taken for it.

use std::io;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::member::fork::ForkLock;

/// Which process a membership belongs to, told apart from a forked copy of itself.
#[derive(Clone, Copy, Debug)]
pub(in crate::member) struct Identity {
    pid: u32,
}

/// Who joined last, in this memory. Written under the [`ForkLock`].
static LAST: AtomicU32 = AtomicU32::new(0);

impl Identity {
    /// The identity of the running process. The lock shows that no fork comes between.
    pub(in crate::member) fn of_this_process(list: &mut ForkLock) -> io::Result<Self> {
        let pid = process::id();
        let last = LAST.load(Ordering::Relaxed);
        if last == 0 {
            list.watch_forks()?;
        } else if last != pid {
            // A child forked without handlers still has what its parent listed.
            list.close_inherited();
        }
        LAST.store(pid, Ordering::Relaxed);
        Ok(Self { pid })
    }

    #[inline]
    pub(in crate::member) fn is_current(&self) -> bool {
        process::id() == self.pid
    }
}
