//! Running an example as a process, and looking at what it printed.

use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// More than any run takes on a busy machine, in a debug build.
const LIMIT: Duration = Duration::from_secs(120);

/// The executable of an example, beside that of this test.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = env::current_exe().expect("no path of the test");
    let profile = test.ancestors().nth(2).expect("a test is in PROFILE/deps");
    let path = profile.join("examples").join(name);
    // `cargo test` builds the examples too; `cargo test --test NAME` does not, and leaves old ones.
    BUILT.call_once(|| {
        if is_stale(&path) {
            let target = profile.parent().expect("PROFILE is in a folder");
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--package", "ndshm-examples", "--examples", "--target-dir"]);
            cargo.arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().expect("cannot run cargo").success(), "no example was built");
        }
    });
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// Whether it is missing, or older than the sources that cargo noted beside it.
fn is_stale(example: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    let (Some(built), Ok(sources)) =
        (changed(example), fs::read_to_string(example.with_extension("d")))
    else {
        return true;
    };
    let (_, sources) = sources.split_once(": ").unwrap_or_default();
    sources.replace("\\ ", "\0").split_whitespace().any(|source| {
        changed(Path::new(&source.replace('\0', " "))).is_none_or(|changed| changed > built)
    })
}

/// An example with arguments, an empty standard input, and `dir` for its names.
pub(crate) fn command(name: &str, arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(example(name));
    command.args(arguments).env("NDSHM_DIR", dir);
    command
}

/// A folder of this test's own for names of segments.
pub(crate) fn names() -> TempDir {
    tempfile::Builder::new().prefix("ndshm-examples-").tempdir_in("/dev/shm").expect("no folder")
}

/// Nothing is left in `dir`.
pub(crate) fn assert_empty(dir: &Path) {
    let left = dir.read_dir().expect("cannot list the folder");
    let left: Vec<_> = left.map(|entry| entry.expect("cannot list the folder").path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// A process whose output is collected; killed when dropped.
pub(crate) struct Running {
    child: Child,
    output: [Option<JoinHandle<String>>; 2],
    what: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{what}: {e}"));
        let output = [
            Some(collect(child.stdout.take().expect("standard output is piped"))),
            Some(collect(child.stderr.take().expect("standard error is piped"))),
        ];
        Self { child, output, what }
    }

    /// Waits for its end, and for the end of all that hold its output.
    pub(crate) fn end(mut self) -> Run {
        let status = self.wait();
        let [stdout, stderr] = self.output.each_mut().map(|output| {
            let output = output.take().expect("taken once");
            let start = Instant::now();
            while !output.is_finished() {
                assert!(start.elapsed() < LIMIT, "{}: somebody keeps its output", self.what);
                thread::sleep(Duration::from_millis(1));
            }
            output.join().expect("the output is text")
        });
        Run { status, stdout, stderr, what: std::mem::take(&mut self.what) }
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("cannot wait for a child") {
                return status;
            }
            assert!(start.elapsed() < LIMIT, "{} hangs", self.what);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::ops::Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).expect("the output is no text");
        text
    })
}

/// What came of a process.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    what: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        Running::start(command).end()
    }

    /// It ended with that status, without a panic, and printed plain text.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        let Self { stdout, stderr, what, .. } = &self;
        let said = format!("{what}: {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", self.status);
        assert_eq!(self.status.code(), Some(status), "{said}");
        for text in [stdout, stderr] {
            assert!(!text.contains("panicked"), "{said}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{said}");
        }
        self
    }

    /// It was refused in one line, which has all of `parts` in it.
    #[track_caller]
    pub(crate) fn refused(self, parts: &[&str]) {
        let run = self.exits(2);
        let (line, said) = (&run.stderr, format!("{}: {:?}", run.what, run.stderr));
        assert_eq!(run.stdout, "", "{said}");
        assert!(line.starts_with("error: ") && line.ends_with('\n'), "{said}");
        assert_eq!(line.lines().count(), 1, "{said}");
        for part in parts {
            assert!(line.contains(part), "no {part:?} in {said}");
        }
    }

    /// Its standard output is one line of JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "{:?}", self.stdout);
        assert!(self.stdout.ends_with('\n'));
        serde_json::from_str(&self.stdout).expect("not JSON")
    }
}

/// Whether there is a Python with NumPy; says aloud when there is not.
pub(crate) fn has_numpy(what: &str) -> bool {
    ndshm_testkit::numpy(what) == Some("python3")
}

/// Its help names every option that is in `options`, and is no error.
pub(crate) fn assert_help(name: &str, options: &[&str]) {
    let dir = names();
    let run = Run::of(&mut command(name, &["--help"], dir.path())).exits(0);
    assert_eq!(run.stderr, "");
    for option in options {
        assert!(run.stdout.contains(option), "no {option} in {}", run.stdout);
    }
    // And none that is not in the list: it would not be tested.
    let named = run.stdout.lines().map(str::trim).filter(|line| line.starts_with("--"));
    assert_eq!(named.count(), options.iter().filter(|o| o.starts_with("--")).count());
}

/// Its output goes to somebody who does not read it.
pub(crate) fn assert_quiet_without_a_reader(name: &str, arguments: &[&str]) {
    let dir = names();
    // `exec` in the subshell: its status is not asked for, its standard error is.
    let script = r#"{ "$@" || echo "status $?" >&2; } | true"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(example(name)).args(arguments);
    let run = Run::of(shell.env("NDSHM_DIR", dir.path())).exits(0);
    assert_eq!((&*run.stdout, &*run.stderr), ("", ""));
    // Nor to one who has closed all of it.
    let script = r#"{ "$@" 2>&1; } | true"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(example(name)).args(arguments);
    let run = Run::of(shell.env("NDSHM_DIR", dir.path())).exits(0);
    assert_eq!((&*run.stdout, &*run.stderr), ("", ""));
    // A disk that is full is an error, though.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("no /dev/full");
    let mut full_disk = command(name, arguments, dir.path());
    full_disk.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    let output = full_disk.output().expect("cannot run it");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_empty(dir.path());
}

/// What a command prints when its standard output and error are a terminal, or `None`, said aloud,
/// where there is no `script` to make one.
pub(crate) fn on_a_terminal(what: &str, line: &str, dir: &Path) -> Option<String> {
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", line, "/dev/null"]);
    script.env("NDSHM_DIR", dir).env("TERM", "xterm").env_remove("NO_COLOR");
    let mut probe = Command::new("script");
    if !probe.arg("--version").stdin(Stdio::null()).output().is_ok_and(|o| o.status.success()) {
        ndshm_testkit::skip(what, "no `script` of util-linux");
        return None;
    }
    let run = Run::of(&mut script);
    assert!(run.status.success(), "{}: {}{}", run.what, run.stdout, run.stderr);
    assert!(!run.stdout.contains("panicked"), "{}", run.stdout);
    Some(run.stdout)
}
