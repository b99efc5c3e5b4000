//! Which threads may call MPI.

use mpi::{Threading, ffi};

/// The level of threads that MPI was initialised for, and whether this thread may call it. (At `Serialized` any may, but one
/// at a time, which nothing here sees to: so it is the main thread's.)
pub(crate) fn may_call_here() -> (Threading, bool) {
    let level = mpi::environment::threading_support();
    let mut main = 0;
    // SAFETY: MPI is initialised (invariant 1 of the module).
    let told = unsafe { ffi::MPI_Is_thread_main(&raw mut main) };
    (level, level >= Threading::Multiple || (told == 0 && main != 0))
}

/// The rank of this process among all that MPI was started with, whatever communicators there are besides.
pub(crate) fn rank_of_process() -> u32 {
    let mut rank = 0;
    // SAFETY: reading a constant of the library.
    let world = unsafe { ffi::RSMPI_COMM_WORLD };
    // SAFETY: MPI is initialised (invariant 1 of the module); a place for a number.
    let told = unsafe { ffi::MPI_Comm_rank(world, &raw mut rank) };
    if told == 0 { u32::try_from(rank).unwrap_or(0) } else { 0 }
}
