//! Which threads may call MPI.

use mpi::{Threading, ffi};

/// The level of threads that MPI was initialised for, and whether this thread may call it.
pub(crate) fn may_call_here() -> (Threading, bool) {
    let level = mpi::environment::threading_support();
    let mut main = 0;
    // SAFETY: MPI is initialised (invariant 1 of the module).
    let told = unsafe { ffi::MPI_Is_thread_main(&raw mut main) };
    (level, level >= Threading::Serialized || (told == 0 && main != 0))
}
