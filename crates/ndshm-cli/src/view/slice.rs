//! Slices as NumPy writes them.

use std::str::FromStr;

use ndshm_array::inspect::Pick;

/// What was asked for; nothing is the whole, or the first plane of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice(Vec<Pick>);

impl FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_start_matches('[').trim_end_matches(']');
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(pick).collect::<Result<_, _>>().map(Self)
    }
}

fn pick(text: &str) -> Result<Pick, String> {
    let bad = || format!("'{}' is no index and no range; use 5, 2:8, ::2 or :", text.trim());
    let number = |part: &str| match part.trim() {
        "" => Ok(None),
        part => part.parse::<i64>().map(Some).map_err(|_| bad()),
    };
    let parts: Vec<_> = text.split(':').collect();
    match parts[..] {
        [index] => number(index)?.map(Pick::At).ok_or_else(bad),
        [start, end] => Ok(Pick::Range { start: number(start)?, end: number(end)?, step: 1 }),
        [start, end, step] => {
            let step = number(step)?.unwrap_or(1);
            let step = usize::try_from(step).ok().filter(|&step| step > 0);
            let step = step.ok_or("a step must be at least 1")?;
            Ok(Pick::Range { start: number(start)?, end: number(end)?, step })
        }
        _ => Err(bad()),
    }
}

impl Slice {
    /// The picks; without any, the first plane of an array of so many dimensions.
    pub(crate) fn or_first_plane(&self, ndim: usize) -> Vec<Pick> {
        if self.0.is_empty() { vec![Pick::At(0); ndim.saturating_sub(2)] } else { self.0.clone() }
    }
}

/// `[0, :, :]`, of an array of so many dimensions.
pub(crate) fn text(picks: &[Pick], ndim: usize) -> String {
    let number = |n: Option<i64>| n.map_or(String::new(), |n| n.to_string());
    let missing = std::iter::repeat_n(&Pick::ALL, ndim.saturating_sub(picks.len()));
    let parts = picks.iter().chain(missing).map(|pick| match *pick {
        Pick::At(index) => index.to_string(),
        Pick::Range { start, end, step: 1 } => format!("{}:{}", number(start), number(end)),
        Pick::Range { start, end, step } => format!("{}:{}:{step}", number(start), number(end)),
    });
    format!("[{}]", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_numpy_writes_is_understood() {
        let round =
            |given: &str, ndim| given.parse::<Slice>().map(|s| text(&s.or_first_plane(ndim), ndim));
        for (given, ndim, read) in [
            ("", 2, "[:, :]"),
            ("", 4, "[0, 0, :, :]"),
            ("5", 2, "[5, :]"),
            ("[-1, 2:]", 2, "[-1, 2:]"),
            ("::2, :-3 ,1:9:4", 3, "[::2, :-3, 1:9:4]"),
        ] {
            assert_eq!(round(given, ndim).as_deref(), Ok(read), "{given}");
        }
        for bad in ["x", "1:2:3:4", "1,,2", "::0", "::-1", "1.5"] {
            assert!(bad.parse::<Slice>().is_err(), "{bad}");
        }
    }
}
