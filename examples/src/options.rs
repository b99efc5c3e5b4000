//! Options that examples share.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::str::FromStr;

use clap::Parser;
use ndshm::sync::Members;

use crate::output::complain;
use crate::png::Output;

/// So many workers can be members of one group, beside their parent.
pub const MOST_WORKERS: usize = Members::MOST - 1;

/// The options that the program was given. Prints the help and ends the process where that is
/// asked for; ends it with status 2 and one line on standard error where they cannot be used.
#[must_use]
pub fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|e| {
        if !e.use_stderr() {
            e.exit();
        }
        complain(one_line(&e.render().to_string()));
        exit(2)
    })
}

/// What clap says before it shows the usage.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let said: Vec<_> = lines.take_while(|line| !line.starts_with("Usage:")).collect();
    let said = said.into_iter().filter(|line| !line.is_empty() && !line.starts_with("For more"));
    let said = said.collect::<Vec<_>>().join(" ");
    format!("{}; --help lists the options", said.strip_prefix("error: ").unwrap_or(&said))
}

/// A whole number from 1.
///
/// # Errors
///
/// What to give instead.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    between(1, usize::MAX)(text)
}

/// A number of workers that can be members of one group.
///
/// # Errors
///
/// What to give instead.
pub fn workers(text: &str) -> Result<usize, String> {
    between(1, MOST_WORKERS)(text)
}

/// A whole number from `least` to `most`. In an attribute of clap its type has to be said, as that of the field:
/// `value_parser = between::<usize>(1, 10)`.
///
/// ```
/// use ndshm_examples::options::between;
///
/// assert_eq!(between(2, 10)("7"), Ok(7));
/// assert_eq!(between(2, 10)("11"), Err("must be at most 10".to_owned()));
/// ```
pub fn between<T: FromStr + PartialOrd + Display + Copy>(
    least: T,
    most: T,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| match text.parse() {
        Ok(n) if n < least => Err(format!("must be at least {least}")),
        Ok(n) if n > most => Err(format!("must be at most {most}")),
        Ok(n) => Ok(n),
        Err(_) => Err("must be a whole number that this machine can count to".to_owned()),
    }
}

/// A path where a picture can be written: asked before the work, not after it.
///
/// # Errors
///
/// Why none can.
pub fn picture_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    Output::beside(path).map_err(|e| e.to_string())?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[arg(long, value_parser = at_least_one)]
        size: usize,
        #[arg(long, conflicts_with = "size")]
        other: bool,
    }

    #[test]
    fn numbers_have_limits() {
        let below = |text| between(2_u8, 9)(text).unwrap_err();
        assert_eq!((between(2, 9)("2"), between(2, 9)("9")), (Ok(2), Ok(9)));
        assert_eq!(
            (below("1"), below("10")),
            ("must be at least 2".into(), "must be at most 9".into())
        );
        for text in ["", "-1", "256", "two", "2.0"] {
            assert!(below(text).starts_with("must be a whole number"));
        }
        assert_eq!(workers("1019"), Ok(1019));
        assert_eq!(workers("1020"), Err("must be at most 1019".to_owned()));
    }

    #[test]
    fn a_picture_needs_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        assert_eq!(picture_path(path.to_str().unwrap()), Ok(path.clone()));
        assert!(!path.exists());
        let folder = picture_path(dir.path().to_str().unwrap()).unwrap_err();
        assert!(folder.ends_with("not a regular file; give the path of a file to write"));
        assert!(picture_path("").unwrap_err().contains("not a regular file"));
        assert!(picture_path(&format!("{}/new/", dir.path().display())).is_err());
        assert!(picture_path("/no/such/a.png").unwrap_err().contains("cannot be written"));
    }

    #[test]
    fn what_clap_says_fits_one_line() {
        for (arguments, said) in [
            (
                &["p", "--size", "0"][..],
                "invalid value '0' for '--size <SIZE>': must be at least 1; ",
            ),
            (
                &["p", "--sise", "0"],
                "unexpected argument '--sise' found tip: a similar argument exists: '--size'; ",
            ),
            (&["p"], "the following required arguments were not provided: --size <SIZE>; "),
            (
                &["p", "--size", "1", "--other"],
                "the argument '--size <SIZE>' cannot be used with '--other'; ",
            ),
        ] {
            let e = Options::try_parse_from(arguments).unwrap_err();
            assert_eq!(
                one_line(&e.render().to_string()),
                format!("{said}--help lists the options")
            );
        }
    }
}
