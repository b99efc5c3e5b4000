//! The start of an MPI program.

use mpi::Threading;
use mpi::environment::Universe;

use crate::error::{Error, Result};

/// Initialises MPI for programs whose main thread alone calls it (`MPI_THREAD_FUNNELED`), other threads being free to
/// compute. MPI ends when the result is dropped: keep it to the end of `main`, and make arrays after it.
///
/// A program that initialises MPI itself, for more or for fewer threads, may go on doing so: [`Nodes`](crate::Nodes) checks that it is made in
/// a thread that may call MPI.
///
/// # Errors
///
/// [`Error::Initialised`]; [`Error::Thread`] where the library cannot do that.
///
/// ```no_run
/// use mpi::traits::Communicator;
///
/// let universe = ndshm_mpi::init()?;
/// println!("{} ranks", universe.world().size());
/// # Ok::<(), ndshm_mpi::Error>(())
/// ```
pub fn init() -> Result<Universe> {
    let initialised = mpi::initialize_with_threading(Threading::Funneled);
    let (universe, level) = initialised.ok_or(Error::Initialised)?;
    if level < Threading::Funneled {
        return Err(Error::Thread { level });
    }
    Ok(universe)
}
