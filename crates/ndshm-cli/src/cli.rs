//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::exit;
use crate::output::complain;
use crate::view::Slice;

/// Shared arrays in memory: what there is, who holds what, and what is in them.
///
/// A segment is named as the program named it that made it. Where a name is asked for, the path of an
/// .npy file can be given too: it is looked at alike.
#[derive(Debug, Parser)]
#[command(name = "ndshm", version, after_help = exit::HELP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The directory of the segments, instead of NDSHM_DIR or /dev/shm
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// JSON instead of text: one object on a line, with exact sizes
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the segments: what they are, whether they live, who has them
    ///
    /// STATE: live (a process has it), persisted (to be kept until `rm`), orphaned (nobody has it, and nobody
    /// wanted it kept: its creator was killed), unknown (this user may not look). KIND: array, value (under a
    /// mutex), raw (bytes), damaged, unreadable. ATTACHED: the processes that have it mapped. HOLDS: claims
    /// of rows, locks, and what the dead left.
    #[command(visible_alias = "list")]
    Ls,
    /// All that is known of one segment or .npy file
    Info {
        /// The segment, or the path of a file
        name: String,
    },
    /// Show the elements: numbers, and a picture
    ///
    /// They are read as they are at this moment, without a claim: rows that are being written may be seen
    /// half-changed.
    View(View),
    /// Watch the segments; q ends it
    ///
    /// CHANGE says what is new since the last look. In a pipe the looks follow one another, with --json
    /// one object a line.
    Top(Top),
    /// Remove names; whoever has such a segment keeps it
    Rm(Rm),
    /// Remove what killed programs left: segments that nobody has and nobody wanted kept
    Gc {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Write a segment to an .npy file, as a consistent copy
    ///
    /// Joins the array and claims all of it to read for as long as it is copied, and waits for who writes.
    /// What cannot be had whole is not written, unless --anyway is given.
    Save(Save),
    /// Make a segment from an .npy file; it stays until it is removed
    Load(Load),
    /// Run a program in several processes; when one fails all are ended, and its status is returned
    ///
    /// Each finds NDSHM_RANK (from 0), NDSHM_SIZE and NDSHM_GROUP in its environment; a program written with
    /// ndshm gets its rank and a barrier with the others by Worker::from_env(). Standard input is empty.
    /// Output comes line by line with the rank before it. Ctrl-C goes to all. With --json, each line
    /// and each event is one object.
    #[command(after_help = "\
Exit status:
  0          all have ended with status 0
  STATUS     that of the first that failed: its exit status, or 128 and the signal that ended it
  127, 126   there is no such program, or it cannot be run
  2          wrong usage")]
    Run(Run),
    /// Examine this machine: room, huge pages, limits, what was left behind
    Doctor,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct View {
    /// The segment, or the path of a file
    pub(crate) name: String,

    /// Which elements, as in NumPy: `5`, `:100`, `::2,-1`, `0,:,:`. Of more than two dimensions the
    /// first plane is shown
    #[arg(long, short, value_name = "SLICE", default_value = "", allow_hyphen_values = true)]
    pub(crate) slice: Slice,

    /// Of elements that are structs or arrays, which number of each: `time`, `position.0`
    #[arg(long, short, value_name = "FIELD", default_value = "", hide_default_value = true)]
    pub(crate) field: String,

    /// Write the picture to this file, instead of showing it here
    #[arg(long, value_name = "FILE")]
    pub(crate) png: Option<PathBuf>,

    /// Digits after the point
    #[arg(long, short, default_value_t = 4, value_parser = clap::value_parser!(u8).range(0..=17))]
    pub(crate) precision: u8,

    /// All numbers, and not only those at the edges
    #[arg(long)]
    pub(crate) all: bool,

    /// Numbers only
    #[arg(long, conflicts_with_all = ["png", "no_numbers"])]
    pub(crate) no_picture: bool,

    /// The picture only
    #[arg(long)]
    pub(crate) no_numbers: bool,

    /// Columns of text to fill; default: the width of the terminal, or 80
    #[arg(long, value_name = "COLUMNS", value_parser = width)]
    pub(crate) width: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Seconds between two looks
    #[arg(long, short, default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,

    /// Look once, print, and end
    #[arg(long)]
    pub(crate) once: bool,

    /// End after so many looks
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "once",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) frames: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The segments
    #[arg(required = true)]
    pub(crate) names: Vec<String>,

    /// Also what is in use: those who have it keep it, and nobody else finds it any more
    #[arg(long, short)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The segment
    pub(crate) name: String,

    /// The .npy file to write; one that is there is replaced when the new one is complete
    pub(crate) file: PathBuf,

    /// Seconds to wait for those who write
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Write it also where it cannot be had whole: in use by writers for all that time, poisoned, or not
    /// to be joined. Says so, and ends with status 1
    #[arg(long)]
    pub(crate) anyway: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The .npy file
    pub(crate) file: PathBuf,

    /// The name to give it
    pub(crate) name: String,

    /// Replace a segment of that name, unless somebody has it
    #[arg(long, short)]
    pub(crate) force: bool,

    /// Keep it in huge pages where the kernel has them: faster to use for all that attach; the last one is
    /// taken whole
    #[arg(long)]
    pub(crate) huge: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// How many processes; default: one for each processor
    #[arg(long, short = 'n', value_name = "P", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) processes: Option<u16>,

    /// Keep each process on processors of its own
    #[arg(long)]
    pub(crate) pin: bool,

    /// Threads that rayon and the libraries of linear algebra start in each; default: the processors
    /// divided by the processes, where the environment does not say
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,

    /// Output as it comes, with no rank before it
    #[arg(long, conflicts_with = "json")]
    pub(crate) no_prefix: bool,

    /// Seconds that the others may take to end when they are asked to
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) grace: Duration,

    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What the command line says; the status to end with where there is nothing to do.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|e| {
        if e.use_stderr() {
            complain(one_line(&e.render().to_string()));
            return ExitCode::from(2);
        }
        // Help or version; a reader that has gone needs none.
        let _ = e.print();
        ExitCode::SUCCESS
    })
}

/// What clap says before it shows the usage.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let said = lines.take_while(|line| !line.starts_with("Usage:"));
    let said = said.filter(|line| !line.is_empty() && !line.starts_with("For more"));
    let said = said.collect::<Vec<_>>().join(" ");
    // Without a subcommand clap shows its help instead.
    match said.strip_prefix("error: ") {
        Some(said) => format!("{said}; --help lists the options"),
        None => {
            "say what to do: ls, info, view, top, rm, gc, save, load, run, doctor; --help explains"
                .to_owned()
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| *d <= Duration::from_secs(1 << 32))
        .ok_or_else(|| "must be a number of seconds from 0".to_owned())
}

fn width(text: &str) -> Result<usize, String> {
    let width = text.parse().ok().filter(|w| (20..=1000).contains(w));
    width.ok_or_else(|| "must be from 20 to 1000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_clap_says_fits_one_line() {
        for (arguments, said) in [
            (&["ndshm"][..], "say what to do: ls, "),
            (&["ndshm", "lss"], "unrecognized subcommand 'lss' tip: "),
            (&["ndshm", "info"], "the following required arguments were not provided: <NAME>; "),
            (
                &["ndshm", "top", "-i", "x"],
                "invalid value 'x' for '--interval <INTERVAL>': must be a",
            ),
        ] {
            let e = Cli::try_parse_from(arguments).unwrap_err();
            let line = one_line(&e.render().to_string());
            assert!(line.starts_with(said) && !line.contains('\n'), "{line}");
        }
    }
}
