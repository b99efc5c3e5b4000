//! What a launcher has put around a rank: variables, and the processors that it may use.

use std::ffi::OsString;
use std::fs;

/// How MPI launchers begin the names of what they tell a rank.
const PREFIXES: [&str; 7] = ["OMPI_", "PMIX_", "PMI_", "PMI2_", "HYDI_", "HYDRA_", "MPIR_"];

/// The variables of this process by which an MPI library knows that it is this rank. A process started by a rank has to be without
/// them: it would be taken for the rank if it initialised MPI itself. With [workers](https://docs.rs/ndshm-workers):
///
/// ```no_run
/// use ndshm_workers::Workers;
///
/// let workers = ndshm_mpi::rank_variables().fold(Workers::new(4), Workers::env_remove);
/// ```
pub fn rank_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The processors that this process may use, and those that there are.
///
/// OpenMPI keeps each rank on one of them unless it is told not to, and what a rank starts inherits that: threads and workers then share
/// that one. So who has several under a rank asks.
///
/// ```
/// let processors = ndshm_mpi::Processors::of_this_rank();
/// if let Some(advice) = processors.advice(4) {
///     eprintln!("{advice}");
/// }
/// assert!(processors.advice(1).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processors {
    /// How many this process may use.
    pub allowed: usize,
    /// How many the machine has.
    pub online: usize,
}

impl Processors {
    /// Asks the system. Where that does not tell, they are as many as the standard library takes for available.
    #[must_use]
    pub fn of_this_rank() -> Self {
        let available = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let online = fs::read_to_string("/sys/devices/system/cpu/online");
        let allowed = allowed.and_then(count).unwrap_or_else(available);
        let online = online.ok().and_then(|list| count(&list)).unwrap_or_else(available);
        Self { allowed, online: online.max(allowed) }
    }

    /// What to do where so many threads or processes under this rank are pinned to fewer processors, though the machine has more. One line.
    #[must_use]
    pub fn advice(&self, needed: usize) -> Option<String> {
        let Self { allowed, online } = self;
        (*allowed < needed && allowed < online).then(|| {
            format!(
                "this rank is pinned to {allowed} of {online} processors, and is to use {needed}: \
                 start it with --bind-to none, or --map-by ppr:1:node:PE={}",
                needed.min(*online)
            )
        })
    }
}

/// How many numbers there are in a list like `0-3,8`.
fn count(list: &str) -> Option<usize> {
    let ranges = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    });
    ranges.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted() {
        assert_eq!(count("0-3,8\n"), Some(5));
        assert_eq!(count("\t7"), Some(1));
        assert_eq!((count(""), count("3-1"), count("a")), (None, None, None));
    }

    #[test]
    fn advice_is_given_where_it_helps() {
        let one = Processors { allowed: 1, online: 8 };
        assert!(one.advice(4).unwrap().contains("--bind-to none, or --map-by ppr:1:node:PE=4"));
        assert_eq!(one.advice(1), None);
        assert_eq!(Processors { allowed: 8, online: 8 }.advice(64), None);
        let here = Processors::of_this_rank();
        assert!(here.allowed >= 1 && here.online >= here.allowed);
    }
}
