//! What ranks tell each other of what went wrong.

use std::time::Duration;

use ndshm_sync::{Absence, BarrierError, Lost};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Bytes of it that are kept.
pub(super) const MOST: usize = 480;

/// Bytes of an error's text that are kept, and ranks that are named: both fit.
const TEXT: usize = 440;
const NAMED: usize = 16;

/// An error, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Told {
    /// A rank has failed, and all are in step.
    Failed { rank: usize, message: String },
    /// A rank has failed in a way after which they may not be.
    Broke { rank: usize, message: String },
    /// Nothing came for so long.
    TimedOut { after: Duration },
    /// Ranks of a node are lost: of each its number within the node, why, and its number in the job.
    Lost { node: usize, late: bool, ranks: Vec<(usize, u8, Option<usize>)> },
}

impl Told {
    /// The error that `rank` has.
    pub(super) fn of(rank: usize, e: &Error) -> Self {
        match e {
            Error::Rank { rank, message } => Self::Failed { rank: *rank, message: cut(message) },
            Error::TimedOut { after } => Self::TimedOut { after: *after },
            Error::Lost { node, source, ranks } => {
                let (late, local) = match source {
                    BarrierError::TimedOut { missing } => {
                        (true, missing.iter().map(|i| (*i, 3)).collect())
                    }
                    BarrierError::Broken { lost } => {
                        (false, lost.iter().map(|lost| (lost.rank, number(lost.why))).collect())
                    }
                    _ => (false, Vec::new()),
                };
                let of_job = ranks.iter().copied().map(Some).chain(std::iter::repeat(None));
                let named = local.into_iter().zip(of_job).take(NAMED);
                let ranks = named.map(|((local, why), of_job)| (local, why, of_job)).collect();
                Self::Lost { node: *node, late, ranks }
            }
            e if e.is_final() => Self::Broke { rank, message: cut(&e.to_string()) },
            _ => Self::Failed { rank, message: cut(&e.to_string()) },
        }
    }

    /// The same at a rank that was told.
    pub(super) fn error(self) -> Error {
        match self {
            Self::Failed { rank, message } | Self::Broke { rank, message } => {
                Error::Rank { rank, message }
            }
            Self::TimedOut { after } => Error::TimedOut { after },
            Self::Lost { node, late, ranks } => {
                let source = match late {
                    true => BarrierError::TimedOut { missing: ranks.iter().map(|r| r.0).collect() },
                    false => {
                        let lost =
                            |&(rank, why, _): &_| Lost { rank, why: why_of(why), member: None };
                        BarrierError::Broken { lost: ranks.iter().map(lost).collect() }
                    }
                };
                Error::Lost { node, source, ranks: ranks.iter().filter_map(|r| r.2).collect() }
            }
        }
    }

    /// Whether nothing can follow.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }

    /// At most [`MOST`] bytes.
    pub(super) fn encoded(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default()
    }

    pub(super) fn decoded(bytes: &[u8]) -> Self {
        let unknown = |e: postcard::Error| Self::Broke { rank: 0, message: e.to_string() };
        postcard::from_bytes(bytes).unwrap_or_else(unknown)
    }
}

/// The outcome at this rank: its own error where it has one, else what it was told.
pub(super) fn outcome<T>(mine: Result<T>, told: Result<Option<Told>>) -> Result<T> {
    match (mine, told) {
        (Err(own), Ok(_) | Err(Error::Broken { .. })) => Err(own),
        (_, Err(e)) => Err(e),
        (Ok(_), Ok(Some(told))) => Err(told.error()),
        (Ok(mine), Ok(None)) => Ok(mine),
    }
}

/// As much of a text as is kept.
fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn number(why: Absence) -> u8 {
    match why {
        Absence::Left => 2,
        Absence::TimedOut => 3,
        Absence::Failed => 4,
        _ => 1,
    }
}

fn why_of(number: u8) -> Absence {
    match number {
        2 => Absence::Left,
        3 => Absence::TimedOut,
        4 => Absence::Failed,
        _ => Absence::Died,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_arrives_and_fits() {
        let missing = Error::Lost {
            node: 7,
            source: BarrierError::TimedOut { missing: vec![1, usize::MAX] },
            ranks: vec![3, usize::MAX],
        };
        let lost = Error::Lost {
            node: 0,
            source: BarrierError::Broken {
                lost: (0..99).map(|rank| Lost { rank, why: Absence::Died, member: None }).collect(),
            },
            ranks: (1 << 40..(1 << 40) + 99).collect(),
        };
        let late = Error::TimedOut { after: Duration::from_secs(60) };
        for (error, says) in [(missing, "node 7: timed out"), (lost, "rank 15 died"), (late, "60s")]
        {
            let told = Told::of(1, &error);
            assert!(told.is_final() && error.is_final());
            let bytes = told.encoded();
            assert!(bytes.len() <= MOST, "{}", bytes.len());
            let again = Told::decoded(&bytes);
            assert_eq!(again, told);
            assert!(again.error().to_string().contains(says), "{says}");
        }
        let long = Error::Rank { rank: usize::MAX, message: "ä".repeat(1000) };
        let told = Told::of(1, &long);
        assert!(!told.is_final() && told.encoded().len() <= MOST);
        assert!(matches!(Told::decoded(&[99]), Told::Broke { .. }));
    }
}
