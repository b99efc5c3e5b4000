//! Which processors a worker runs on.

use std::io;

use crate::band::band;
use crate::{StartError, sys};

/// Where workers are kept: [`Workers::pin`](crate::Workers::pin).
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Pin, Workers};
///
/// fn main() {
///     ndshm_workers::init();
///     let cpus = Workers::new(2).pin(Pin::Spread).run(
///         |_, ()| std::thread::available_parallelism().map(std::num::NonZero::get),
///         &(),
///     );
///     let here = std::thread::available_parallelism().unwrap().get();
///     assert!(cpus.unwrap().iter().all(|&each| each <= here.div_ceil(2)));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pin {
    /// The processors that this process may use are dealt out in order, as evenly as possible: each
    /// worker has some of its own. Where there are more workers than processors, they share them in turn.
    Spread,
    /// Worker `r` on the `r`-th of these, and again from the first where there are more workers.
    Cpus(Vec<usize>),
}

impl Pin {
    /// The processors of each rank.
    pub(crate) fn places(&self, size: usize) -> Result<Vec<Vec<usize>>, StartError> {
        let allowed = sys::allowed_cpus()
            .and_then(
                |cpus| if cpus.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(cpus) },
            )
            .map_err(StartError::system("learn which processors there are"))?;
        let wanted = match self {
            Self::Spread if size <= allowed.len() => {
                let places =
                    (0..size).map(|rank| allowed[band(allowed.len(), rank, size)].to_vec());
                return Ok(places.collect());
            }
            Self::Spread => &allowed,
            Self::Cpus(cpus) => cpus,
        };
        // An empty list pins nobody.
        Ok((0..size)
            .map(|rank| wanted.iter().cycle().skip(rank).take(1).copied().collect())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_dealt_out_whole() {
        let allowed = sys::allowed_cpus().unwrap();
        for size in 1..=2 * allowed.len() + 1 {
            let places = Pin::Spread.places(size).unwrap();
            assert_eq!(places.len(), size);
            assert!(places.iter().flatten().all(|cpu| allowed.contains(cpu)));
            if size <= allowed.len() {
                assert_eq!(places.concat(), allowed);
            } else {
                assert!(places.iter().all(|place| place.len() == 1));
            }
        }
        let last = *allowed.last().unwrap();
        assert_eq!(Pin::Cpus(vec![last]).places(2).unwrap(), [[last], [last]]);
        assert_eq!(Pin::Cpus(Vec::new()).places(1).unwrap(), [[0; 0]]);
    }
}
