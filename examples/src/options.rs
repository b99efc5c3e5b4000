//! Options that examples share.

use std::process::exit;

use clap::Parser;
use ndshm::sync::Members;

use crate::output::complain;

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
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err("must be a whole number that this machine can count to".to_owned()),
    }
}

/// A number of workers that can be members of one group, beside their parent.
pub(crate) fn workers(text: &str) -> Result<usize, String> {
    let most = Members::MOST - 1;
    match at_least_one(text)? {
        p if p > most => Err(format!("must be at most {most}")),
        p => Ok(p),
    }
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
