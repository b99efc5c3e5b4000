//! The `main` of a test binary that has `harness = false`.

use std::env;
use std::panic;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{Watchdog, default_signals, role};

/// A test, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// Its name.
    pub name: &'static str,
    /// After that many seconds it counts as hanging.
    pub limit: u64,
    /// Panics on failure.
    pub run: fn(),
}

/// A role that children are started in, and what they do.
pub type RoleEntry = (&'static str, fn());

/// Makes the `main` of a test binary with `harness = false`.
///
/// Tests run one after another, in the main thread, each under a watchdog. What `cargo test` and
/// `cargo nextest` pass is understood: filters, `--exact`, `--skip`, `--list`.
///
/// ```no_run
/// use ndshm_testkit::Role;
///
/// fn greeter() {
///     println!("hello, {}", ndshm_testkit::arguments()[0]);
/// }
///
/// fn a_child_greets() {
///     let mut child = Role::new("greeter").arg("parent").piped().spawn();
///     assert_eq!(child.line(), "hello, parent");
/// }
///
/// ndshm_testkit::suite! {
///     roles: [greeter],
///     tests: [10 => a_child_greets],
/// }
/// ```
#[macro_export]
macro_rules! suite {
    (roles: [$($role:path),* $(,)?], tests: [$($limit:literal => $test:path),* $(,)?] $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run_suite(
                &[$((stringify!($role), $role as fn())),*],
                &[$($crate::Test { name: stringify!($test), limit: $limit, run: $test }),*],
            )
        }
    };
}

/// What [`suite!`](crate::suite) expands to.
#[must_use]
pub fn run_suite(roles: &[RoleEntry], tests: &[Test]) -> ExitCode {
    default_signals();
    if let Some(wanted) = role() {
        crate::die_with_parent();
        let Some((_, play)) = roles.iter().find(|(name, _)| *name == wanted) else {
            eprintln!("this test binary has no role {wanted}");
            return ExitCode::from(2);
        };
        play();
        return ExitCode::SUCCESS;
    }
    let options = Options::from_arguments();
    let chosen = tests.iter().filter(|t| options.wants(t.name));
    if options.list {
        chosen.for_each(|t| println!("{}: test", t.name));
        return ExitCode::SUCCESS;
    }
    let failed: Vec<&str> = chosen.filter(|t| !passes(t)).map(|t| t.name).collect();
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("FAILED: {}", failed.join(", "));
    ExitCode::from(101)
}

fn passes(test: &Test) -> bool {
    println!("test {} ...", test.name);
    let watchdog = Watchdog::start(test.name, Duration::from_secs(test.limit));
    let start = Instant::now();
    let outcome = panic::catch_unwind(test.run);
    drop(watchdog);
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("test {} ... {verdict} ({:.1?})", test.name, start.elapsed());
    outcome.is_ok()
}

#[derive(Default)]
struct Options {
    list: bool,
    exact: bool,
    ignored_only: bool,
    filters: Vec<String>,
    skipped: Vec<String>,
}

impl Options {
    fn from_arguments() -> Self {
        let mut options = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--ignored" => options.ignored_only = true,
                "--skip" => options.skipped.extend(arguments.next()),
                // Options of the standard harness that take a value; the others take none.
                "--test-threads" | "--color" | "--format" | "--logfile" | "-Z" => {
                    arguments.next();
                }
                other if other.starts_with('-') => {}
                filter => options.filters.push(filter.to_owned()),
            }
        }
        options
    }

    fn wants(&self, name: &str) -> bool {
        let fits = |f: &String| if self.exact { name == f } else { name.contains(f.as_str()) };
        !self.ignored_only
            && (self.filters.is_empty() || self.filters.iter().any(fits))
            && !self.skipped.iter().any(fits)
    }
}
