//! A program under `mpirun`: this one again, as a rule.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Whether this process is a rank: some launcher has started it.
#[must_use]
pub fn is_rank() -> bool {
    ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"].iter().any(|name| env::var_os(name).is_some())
}

/// `mpirun` for that many ranks of the program on this machine, of the MPI that this was built for.
///
/// Ranks are not pinned, may be more than there are processors, and may be root's: what a small machine takes.
#[must_use]
pub fn mpirun(ranks: usize, program: impl AsRef<OsStr>) -> Command {
    let mpich = is_mpich();
    let mut command = Command::new(launcher(mpich));
    if mpich {
        command.args(["-bind-to", "none"]);
    } else {
        command.args(["--bind-to", "none", "--oversubscribe"]);
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
    command.arg("-np").arg(ranks.to_string()).arg(program);
    command
}

/// Whether this was built for MPICH, rather than for OpenMPI.
#[must_use]
pub fn is_mpich() -> bool {
    mpi::environment::library_version().is_ok_and(|version| version.contains("MPICH"))
}

/// Debian has several beside each other, and calls one of them `mpirun`.
fn launcher(mpich: bool) -> &'static str {
    let special = if mpich { "mpirun.mpich" } else { "mpirun.openmpi" };
    let path = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&path).any(|folder| folder.join(Path::new(special)).exists());
    if there { special } else { "mpirun" }
}
