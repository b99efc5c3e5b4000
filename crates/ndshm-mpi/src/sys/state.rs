//! What the communicators of the same nodes have in common.

use std::cell::{Cell, RefCell};

use super::is_finalised;
use crate::error::Error;

/// Whether messages can still be trusted, and how many are under way.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What broke them: ranks may be in different operations since, so that nothing is posted any more.
    broken: RefCell<Option<String>>,
    /// Requests that MPI still has, also those that nobody waits for any more. (OpenMPI faults where a
    /// communicator is freed that has one.)
    active: Cell<usize>,
}

impl State {
    /// Whether MPI may be asked for anything.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if is_finalised() {
            return Err(Error::Finalised);
        }
        match &*self.broken.borrow() {
            Some(by) => Err(Error::Broken { by: by.clone() }),
            None => Ok(()),
        }
    }

    /// Takes note of an error after which ranks may be out of step; the first one stays.
    pub(super) fn note(&self, e: &Error) {
        if e.is_final() {
            self.note_final(e);
        }
    }

    /// The same of any.
    pub(crate) fn note_final(&self, e: &Error) {
        self.broken.borrow_mut().get_or_insert_with(|| e.to_string());
    }

    pub(super) fn add(&self) {
        self.active.set(self.active.get() + 1);
    }

    pub(super) fn landed(&self, n: usize) {
        self.active.set(self.active.get().saturating_sub(n));
    }

    pub(super) fn has_active(&self) -> bool {
        self.active.get() > 0
    }
}
