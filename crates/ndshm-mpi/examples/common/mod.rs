//! What the examples share: options, and how they end.

use std::process::{ExitCode, exit};

use clap::Parser;
use ndshm_examples::complain;
use ndshm_mpi::{Error, Nodes};

/// The options of the command line; where they are bad the first rank says why, and all end with status 2.
pub(crate) fn options<T: Parser>() -> T {
    let rank =
        ["OMPI_COMM_WORLD_RANK", "PMI_RANK"].into_iter().find_map(|name| std::env::var(name).ok());
    match rank.as_deref() {
        None | Some("0") => ndshm_examples::parse(),
        Some(_) => T::try_parse().unwrap_or_else(|e| exit(if e.use_stderr() { 2 } else { 0 })),
    }
}

/// Nodes of so many ranks, or of all that share memory.
#[allow(dead_code, reason = "one example has nodes of one rank each")]
pub(crate) fn nodes(
    world: &impl mpi::traits::Communicator,
    size: Option<usize>,
) -> ndshm_mpi::Result<Nodes> {
    let options = match size {
        Some(size) => Nodes::options().of_size(size),
        None => Nodes::options(),
    };
    options.application(concat!("example ", env!("CARGO_PKG_VERSION"))).create(world)
}

/// As [`exit_code`]; where not all ranks may have come to this end it ends the others, whom MPI would wait for.
pub(crate) fn end(
    world: &impl mpi::traits::Communicator,
    outcome: Result<bool, Box<dyn std::error::Error>>,
) -> ExitCode {
    if let Err(e) = &outcome
        && let Some(
            Error::TimedOut { .. } | Error::Lost { .. } | Error::Mpi { .. } | Error::Broken { .. },
        ) = e.downcast_ref()
    {
        complain(e);
        world.abort(1);
    }
    exit_code(outcome)
}

/// 0 when all is right, 1 when it is not or an operation failed, 2 when the input was bad. Who failed says why.
pub(crate) fn exit_code(outcome: Result<bool, Box<dyn std::error::Error>>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            let error = e.downcast_ref::<Error>();
            if !matches!(error, Some(Error::Rank { .. })) {
                complain(&e);
            }
            let bad = matches!(
                error,
                Some(Error::Grid { .. } | Error::Halo { .. } | Error::NodeSize { .. })
            );
            ExitCode::from(if bad { 2 } else { 1 })
        }
    }
}
