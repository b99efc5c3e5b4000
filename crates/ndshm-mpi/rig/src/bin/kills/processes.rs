//! Which processes of a job there are.

use std::fs;
use std::path::Path;

/// Told to all processes of a job, which pass it on to those that they start.
pub(crate) const MARK: &str = "NDSHM_KILLS_JOB";

/// All that carry the mark of that job, `mpirun` and whatever it has started included; the dead that nobody has waited for yet do not count.
pub(crate) fn of_job(mark: &str) -> Vec<i32> {
    let wanted = format!("{MARK}={mark}");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| carries(*pid, wanted.as_bytes()) && !is_dead(*pid)).collect()
}

fn carries(pid: i32, wanted: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|b| *b == 0).any(|variable| variable == wanted)
}

/// A zombie, or none at all.
fn is_dead(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

/// Whether a process that a job has noted still runs its program.
pub(crate) fn runs(pid: u32, program: &Path) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    let same = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    same && !is_dead(pid)
}
