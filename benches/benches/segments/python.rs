//! Python's `multiprocessing.shared_memory`, timed by Python itself, where there is a `python3`.

use std::process::Command;
use std::time::Duration;

use ndshm_benches::{Contender, absent};

pub(super) const NAME: &str = "Python shared_memory";

const CREATE: &str = "
def operation():
    s = SharedMemory(create=True, size=LEN)
    s.close()
    s.unlink()
";

const OPEN: &str = "
made = SharedMemory(create=True, size=LEN)
def operation():
    SharedMemory(name=made.name).close()
";

const REST: &str = "
start = time.perf_counter_ns()
for _ in range(N):
    operation()
print(time.perf_counter_ns() - start)
if 'made' in globals():
    made.close()
    made.unlink()
";

pub(super) fn create(len: usize) -> Option<Contender<'static>> {
    contender(CREATE, len)
}

pub(super) fn open(len: usize) -> Option<Contender<'static>> {
    contender(OPEN, len)
}

fn contender(operation: &'static str, len: usize) -> Option<Contender<'static>> {
    if run(operation, len, 1).is_none() {
        absent(NAME, "no python3 that has it");
        return None;
    }
    Some((NAME, Box::new(move |n| run(operation, len, n).expect("it ran before"))))
}

fn run(operation: &str, len: usize, n: u64) -> Option<Duration> {
    let head = format!(
        "import time\nfrom multiprocessing.shared_memory import SharedMemory\nLEN, N = {len}, {n}"
    );
    let output =
        Command::new("python3").arg("-c").arg(format!("{head}{operation}{REST}")).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok().map(Duration::from_nanos)
}
