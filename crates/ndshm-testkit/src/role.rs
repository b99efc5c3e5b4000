//! Child processes: this same binary, started again to play a role.

use std::env;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use crate::Child;

const ROLE: &str = "NDSHM_TEST_ROLE";

/// The role this process was started in; `None` in the test itself.
#[must_use]
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// What the parent gave with [`Role::arg`], in order.
#[must_use]
pub fn arguments() -> Vec<String> {
    env::var("NDSHM_TEST_ARGS")
        .ok()
        .filter(|all| !all.is_empty())
        .map(|all| all.split('\u{1f}').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// From now on this process is killed when its parent ends, however it ends: nothing a failed or
/// killed test has started outlives it.
///
/// # Panics
///
/// Never, on a kernel of this century.
pub fn die_with_parent() {
    // SAFETY: this option takes a signal number, and touches no memory of ours.
    let r = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    assert_eq!(r, 0, "prctl: {}", std::io::Error::last_os_error());
}

/// A child process to be.
#[derive(Debug)]
pub struct Role {
    name: String,
    wrapper: Vec<OsString>,
    harness: Vec<OsString>,
    arguments: Vec<String>,
    stdin: Stdio,
    stdout: Stdio,
}

impl Role {
    /// This binary, in the role of that name in its [`suite!`](crate::suite).
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            wrapper: Vec::new(),
            harness: Vec::new(),
            arguments: Vec::new(),
            stdin: Stdio::null(),
            stdout: Stdio::inherit(),
        }
    }

    /// Under the standard harness: the role is played by the test of that name (with its path,
    /// `module::test`), which asks for [`role`] first.
    #[must_use]
    pub fn in_test(mut self, test: &str) -> Self {
        self.harness = [test, "--exact", "--nocapture", "--test-threads=1"].map(Into::into).into();
        self
    }

    /// Started by way of another program: `["unshare", "-Ur"]`.
    #[must_use]
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(Into::into).collect();
        self
    }

    /// One more of the child's [`arguments`].
    #[must_use]
    pub fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Gives it that file (a memfd) as its standard input, so that nothing has to be said about
    /// numbers of descriptors, and no other child inherits it by accident.
    ///
    /// # Panics
    ///
    /// When the process has no descriptor left.
    #[must_use]
    pub fn shared(mut self, file: &impl AsFd) -> Self {
        self.stdin = file.as_fd().try_clone_to_owned().expect("cannot duplicate the memfd").into();
        self
    }

    /// What it prints is to be read with [`Child::line`].
    #[must_use]
    pub fn piped(mut self) -> Self {
        self.stdout = Stdio::piped();
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(self) -> Child {
        let this = env::current_exe().expect("cannot find this test binary");
        let mut words = self.wrapper.into_iter().chain([this.into()]).chain(self.harness);
        let program = words.next().expect("there is this binary at least");
        let mut command = Command::new(&program);
        command
            .args(words)
            .env(ROLE, &self.name)
            .env("NDSHM_TEST_ARGS", self.arguments.join("\u{1f}"))
            .stdin(self.stdin)
            .stdout(self.stdout);
        match command.spawn() {
            Ok(inner) => Child::new(inner, self.name),
            Err(e) => panic!("cannot start {program:?} as {}: {e}", self.name),
        }
    }
}
