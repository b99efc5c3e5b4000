//! How many threads the libraries in a worker start.

use std::env;
use std::ffi::OsString;

/// Set by the launcher: the worker's share of the processors. What it sets the others to, it also tells
/// from what the user has set by this.
const SHARE: &str = "NDSHM_THREADS";

/// What rayon and the usual libraries of linear algebra read.
const POOLS: [&str; 7] = [
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
];

/// How many threads this process should have: what its launcher says, where one started it, else the
/// processors that it may use.
pub(crate) fn share() -> usize {
    let there = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let said = env::var(SHARE).ok().and_then(|text| text.parse().ok());
    said.filter(|&said| said > 0).unwrap_or_else(there)
}

/// The variables of each of `size` workers.
pub(crate) fn variables(size: usize, asked: Option<usize>) -> Vec<(&'static str, String)> {
    let each = asked.unwrap_or_else(|| (share() / size).max(1)).to_string();
    settings(&each, asked.is_some(), |name| env::var_os(name))
}

fn settings(
    each: &str,
    asked: bool,
    get: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, String)> {
    let launchers = get(SHARE);
    // What the user has set stays, unless the program asked; what a launcher above has set does not.
    let free = |name: &&str| {
        let now = get(name);
        asked || now.is_none() || now == launchers
    };
    POOLS.into_iter().filter(free).chain([SHARE]).map(|name| (name, each.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_has_set_stays() {
        let user = |name: &str| (name == "OMP_NUM_THREADS").then(|| OsString::from("5"));
        let set = settings("2", false, user);
        assert_eq!(set.len(), POOLS.len());
        assert!(set.iter().all(|(name, value)| *name != "OMP_NUM_THREADS" && value == "2"));
        assert!(set.contains(&(SHARE, "2".to_owned())));
        assert_eq!(settings("2", true, user).len(), POOLS.len() + 1);
    }

    #[test]
    fn what_a_launcher_has_set_is_divided_again() {
        let nested = |name: &str| match name {
            "MKL_NUM_THREADS" => Some(OsString::from("3")),
            _ => Some(OsString::from("4")),
        };
        let set = settings("1", false, nested);
        assert!(set.iter().all(|(name, value)| *name != "MKL_NUM_THREADS" && value == "1"));
        assert_eq!(set.len(), POOLS.len());
    }
}
