//! What it was measured on.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::cpu::cpus;

/// What it was measured on, as far as the machine says.
#[derive(Debug, Deserialize, Serialize)]
pub struct Machine {
    /// The day.
    date: String,
    processor: String,
    processors: usize,
    virtual_machine: bool,
    kernel: String,
    rust: String,
    /// With NumPy, where it is there.
    python: Option<String>,
    /// Load averages of a minute, before and after.
    load: (f64, Option<f64>),
}

impl Machine {
    /// As it is before anything is measured.
    #[must_use]
    pub fn now() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(": ")?.1.to_owned())
        };
        let python = "import sys, numpy; print(sys.version.split()[0], 'NumPy', numpy.__version__)";
        Self {
            date: said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default(),
            processor: field("model name").unwrap_or_else(|| "unknown".to_owned()),
            processors: cpus().len(),
            virtual_machine: field("flags").is_some_and(|flags| flags.contains("hypervisor")),
            kernel: said("uname", &["-sr"]).unwrap_or_default(),
            rust: said("rustc", &["--version"]).unwrap_or_default(),
            python: said("python3", &["-c", python]),
            load: (load(), None),
        }
    }

    /// Notes what it is like when all is measured.
    pub fn note_end(&mut self) {
        self.load.1 = Some(load());
    }

    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { date, processor, processors, kernel, rust, load, .. } = self;
        let virtual_machine = if self.virtual_machine { " of a virtual machine" } else { "" };
        let rust = rust.split(" (").next().unwrap_or(rust);
        let python = self
            .python
            .as_ref()
            .map_or("no Python with NumPy".to_owned(), |python| format!("Python {python}"));
        let (before, after) = *load;
        let after = after.map_or_else(String::new, |after| format!(", {after:.1} after"));
        let cores = format!("{processors} processors{virtual_machine}, {processor}");
        format!("{date}: {cores}; {kernel}; {rust}; {python}; load {before:.1} before{after}")
    }
}

/// The load average of a minute.
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
