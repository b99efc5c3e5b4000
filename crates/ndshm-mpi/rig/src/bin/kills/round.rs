//! One job, and the end of one of its processes.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ndshm_mpi_rig::launch::mpirun;
use rustix::process::{Pid, Signal, kill_process};

use crate::diary::{self, Diary};
use crate::options::Options;
use crate::plan::Plan;
use crate::processes::{MARK, of_job, runs};

/// What came of a kill.
pub(crate) struct Outcome {
    /// From the kill to the end of the job.
    pub(crate) took: Duration,
    pub(crate) status: String,
    /// Segments that the job left, and that `gc` took away.
    pub(crate) collected: usize,
    /// What must not be.
    pub(crate) violations: Vec<String>,
}

/// A job has so long to come to where it is killed.
const UNTIL_THERE: Duration = Duration::from_secs(60);

/// Processes that are ended by another's death have so long to go after the job.
const UNTIL_GONE: Duration = Duration::from_secs(5);

/// A rank whose worker was killed for nothing goes on within that time.
const UNTIL_MISSED: Duration = Duration::from_secs(1);

/// What of the output of a job is shown where something is wrong.
const SHOWN: usize = 2_000;

/// Starts the job, kills, and looks at what is left; `folder` is for its segments, `scratch` for its files.
///
/// # Errors
///
/// Where it could not be tried.
pub(crate) fn play(
    plan: &Plan,
    options: &Options,
    mark: &str,
    folder: &Path,
    scratch: &Path,
) -> io::Result<Outcome> {
    let program = std::env::current_exe()?;
    let diary = Diary::create(&scratch.join("diary"))?;
    let output = fs::File::create(scratch.join("output"))?;
    let mut job = start(plan, &program, mark, folder, scratch, &output)?;
    let killed = wait_and_kill(plan, &diary, &mut job);
    let mut violations = Vec::new();
    let (status, took) = match killed {
        Ok(since) => (ended(&mut job, options.limit())?, since.elapsed()),
        Err(e) => {
            violations.push(e.to_string());
            (None, Duration::ZERO)
        }
    };
    match status {
        None => violations.push(format!("the job was still there {took:.1?} after the kill")),
        // `mpirun` has been told that others may go on, and takes that for a success.
        Some(_) if plan.alone => violations.extend(unaware(plan, &diary)?),
        Some(status) if status.success() => {
            violations.push("the job ended as if nothing were".to_owned())
        }
        Some(_) => {}
    }

    let everybody = diary.everybody()?;
    let left = || {
        let noted = everybody.iter().filter(|entry| runs(entry.pid, &program)).count();
        of_job(mark).len().max(noted)
    };
    let gone = Instant::now();
    while left() > 0 && gone.elapsed() < UNTIL_GONE {
        sleep(Duration::from_millis(20));
    }
    if left() > 0 {
        violations.push(format!("{} processes were left", left()));
        end(mark);
        job.wait()?;
    }

    let before = segments(folder)?;
    gc(options, folder)?;
    let after = segments(folder)?;
    if !after.is_empty() {
        violations.push(format!("left after gc: {}", after.join(", ")));
    }
    if !violations.is_empty() {
        let bytes = fs::read(scratch.join("output")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(SHOWN)..]);
        violations.push(format!("the job's output ends with:\n{text}"));
    }
    let status = status.map_or("none".to_owned(), |status| status.to_string());
    Ok(Outcome { took, status, collected: before.len() - after.len(), violations })
}

/// Whether no rank has ended with an error of its own. One that has ends the job, so that others may not get to see it.
fn unaware(plan: &Plan, diary: &Diary) -> io::Result<Option<String>> {
    for rank in 0..plan.ranks {
        if diary.read(rank)?.is_some_and(|entry| entry.failed) {
            return Ok(None);
        }
    }
    Ok(Some("no rank was told of the death".to_owned()))
}

fn start(
    plan: &Plan,
    program: &Path,
    mark: &str,
    folder: &Path,
    scratch: &Path,
    output: &fs::File,
) -> io::Result<Child> {
    let mut command = mpirun(plan.ranks, program);
    command.arg("job").arg("--node").arg(plan.node.to_string()).arg("--scratch").arg(scratch);
    if plan.named {
        command.args(["--name", mark]);
    }
    if plan.alone {
        command.env("OMPI_MCA_orte_enable_recovery", "1");
    }
    command
        .env(MARK, mark)
        .env(diary::PATH, scratch.join("diary"))
        .env("NDSHM_DIR", folder)
        .env("TMPDIR", scratch);
    // What OpenMPI itself leaves of the killed goes with the other files.
    command.env("OMPI_MCA_btl_vader_backing_directory", scratch);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?).spawn()
}

/// Waits until the victim is where it is to be killed; when that was.
fn wait_and_kill(plan: &Plan, diary: &Diary, job: &mut Child) -> io::Result<Instant> {
    let (start, mut pause) = (Instant::now(), plan.pause);
    loop {
        let there = diary.read(plan.victim)?;
        let there = there.filter(|entry| entry.at == Some(plan.during) && entry.begun > plan.begun);
        if let Some(entry) = there {
            if let Some(killed) = kill(entry.pid, pause)?
                && !goes_on(plan, diary, job)?
            {
                return Ok(killed);
            }
            // A worker is done in some milliseconds: sooner then.
            pause /= 2;
        }
        if let Some(status) = job.try_wait()? {
            return Err(io::Error::other(format!("the job ended by itself, with {status}")));
        }
        if start.elapsed() > UNTIL_THERE {
            return Err(io::Error::other("the job did not get to where it is to be killed"));
        }
        sleep(Duration::from_micros(50));
    }
}

/// Kills that process after a pause, unless it has ended by then.
fn kill(pid: u32, pause: Duration) -> io::Result<Option<Instant>> {
    sleep(pause);
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("no process id in the diary"))?;
    match kill_process(pid, Signal::KILL) {
        Err(rustix::io::Errno::SRCH) => Ok(None),
        killed => Ok(killed.map(|()| Some(Instant::now()))?),
    }
}

/// Whether nobody has noticed: a worker that is killed when it has sent its result is not missed.
fn goes_on(plan: &Plan, diary: &Diary, job: &mut Child) -> io::Result<bool> {
    let Some(rank) = diary::rank_of(plan.victim) else { return Ok(false) };
    let begun = || Ok::<_, io::Error>(diary.read(rank)?.map_or(0, |entry| entry.begun));
    let (then, start) = (begun()?, Instant::now());
    while start.elapsed() < UNTIL_MISSED && job.try_wait()?.is_none() {
        if begun()? > then {
            return Ok(true);
        }
        sleep(Duration::from_millis(1));
    }
    Ok(false)
}

fn ended(job: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        match job.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if start.elapsed() > limit => return Ok(None),
            None => sleep(Duration::from_millis(2)),
        }
    }
}

/// Ends all of a job that hangs.
fn end(mark: &str) {
    for pid in of_job(mark).into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL); // it may have ended by itself
    }
}

fn segments(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn gc(options: &Options, folder: &Path) -> io::Result<()> {
    let Some(command) = &options.ndshm else {
        let gc = ndshm_buffer::SharedBuffer::options().dir(folder).gc();
        return gc.map(drop).map_err(io::Error::other);
    };
    let output = Command::new(command).arg("gc").env("NDSHM_DIR", folder).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ndshm gc: {}", String::from_utf8_lossy(&output.stderr))))
}
