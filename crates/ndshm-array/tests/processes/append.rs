//! Rows that several processes append, while others read, and while appenders are killed.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndarray::{Array2, ArrayView1, ArrayView2};
use ndshm_array::{AppendArray2, AppendError};
use ndshm_testkit::{Child, Rng, Role, SharedMemory, arguments, ends_well, fork, takes, until};

use crate::common::{Name, numpy, python};

const LIMIT: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(60);
const COLUMNS: usize = 64;
/// Rows of one append of those that are killed.
const BATCH: u64 = 40;
/// Kills that must have hit a holder of the lock of appenders, and those beside a survivor.
const LOCKED: u32 = 100;
const BESIDE: u32 = 100;

/// Where the victim says how often it has called `append`, and how often that returned; and the survivor.
const CALLED: usize = 0;
const RETURNED: usize = 64;
const SURVIVOR: usize = 128;

/// The rows of an appender from that one on: each element says whose it is, of which row, in which column.
fn rows(id: u64, rows: Range<u64>) -> Array2<u64> {
    let shape = ((rows.end - rows.start) as usize, COLUMNS);
    Array2::from_shape_fn(shape, |(i, j)| id << 40 | (rows.start + i as u64) << 8 | j as u64)
}

/// Whose row it is, and which; it has to be whole.
fn check(row: ArrayView1<'_, u64>) -> (u64, u64) {
    let first = row[0];
    assert!(first > 0, "a row that nobody has written");
    assert!(row.iter().zip(first..).all(|(x, expected)| *x == expected), "half a row: {row}");
    (first >> 40, first >> 8 & 0xffff_ffff)
}

/// How many rows of each appender there are; each has to have its rows in order, none missing.
fn count(all: ArrayView2<'_, u64>, counts: &mut BTreeMap<u64, u64>) {
    for row in all.rows() {
        let (id, number) = check(row);
        let next = counts.entry(id).or_default();
        assert_eq!(number, *next, "of appender {id}");
        *next += 1;
    }
}

fn open(name: &str, read_only: bool) -> AppendArray2<u64> {
    let options = AppendArray2::<u64>::options().read_only(read_only);
    // SAFETY: all who have the name are these tests, which append.
    unsafe { options.open_append(name) }.expect("it is there")
}

fn number(argument: &str) -> u64 {
    argument.parse().expect("a number")
}

pub(crate) fn appender() {
    let [name, id, total] = &arguments()[..] else { panic!("three arguments") };
    let (log, id, total) = (open(name, false), number(id), number(total));
    let mut rng = Rng::new(id);
    let mut done = 0;
    while done < total {
        let more = (1 + rng.below(5)).min(total - done);
        let added = log.append(&rows(id, done..done + more)).expect("there is room");
        assert_eq!(added.len() as u64, more);
        done += more;
    }
}

pub(crate) fn watcher() {
    let [name, read_only, total] = &arguments()[..] else { panic!("three arguments") };
    let (log, total) = (open(name, read_only == "true"), number(total) as usize);
    let (mut seen, mut looks, mut counts) = (0, 0, BTreeMap::new());
    while seen < total {
        let there = log.wait_longer(seen, LIMIT).expect("undamaged").expect("they go on");
        let now = log.current().expect("undamaged");
        assert!(now.nrows() >= there && there > seen);
        if log.is_read_only() {
            let copy = now.snapshot(LIMIT).expect("nobody claims");
            count(copy.slice(ndarray::s![seen.., ..]), &mut counts);
        } else {
            count(now.claim(seen..).expect("nobody claims").view(), &mut counts);
        }
        seen = now.nrows();
        looks += 1;
    }
    println!("  {seen} rows seen in {looks} looks (read-only: {read_only})");
}

pub(crate) fn every_row_is_there_once_and_whole() {
    const APPENDERS: u64 = 3;
    const EACH: u64 = 3000;
    let name = Name::new("append");
    let total = (APPENDERS * EACH) as usize;
    let options = AppendArray2::<u64>::options().name(&*name);
    let log = options.with_capacity((total, COLUMNS)).expect("room");
    let watchers =
        [true, false].map(|ro| Role::new("append::watcher").arg(&*name).arg(ro).arg(total).spawn());
    let appenders = (1..=APPENDERS)
        .map(|id| Role::new("append::appender").arg(&*name).arg(id).arg(EACH).spawn());
    for mut child in appenders.collect::<Vec<_>>().into_iter().chain(watchers) {
        child.succeed(LIMIT);
    }
    let mut counts = BTreeMap::new();
    count(log.current().expect("undamaged").read().expect("nobody claims").view(), &mut counts);
    assert_eq!(counts, (1..=APPENDERS).map(|id| (id, EACH)).collect());
    match log.append(&rows(1, EACH..EACH + 1)) {
        Err(AppendError::Full { capacity, rows, asked: 1 }) => {
            assert_eq!((capacity, rows), (total, total));
        }
        other => panic!("{other:?}"),
    }
}

/// Appends until it is killed, or there is no room.
pub(crate) fn endless() {
    let [name, id, batch, at] = &arguments()[..] else { panic!("four arguments") };
    let (log, id, batch) = (open(name, false), number(id), number(batch));
    let stage = SharedMemory::inherited();
    let base = number(at) as usize;
    for n in 0.. {
        let next = rows(id, n * batch..(n + 1) * batch);
        stage.word(base + CALLED).store(n + 1, SeqCst);
        match log.append(&next) {
            Ok(added) => assert_eq!(added.len() as u64, batch),
            Err(AppendError::Full { .. }) => {
                stage.word(base + CALLED).store(n, SeqCst);
                loop {
                    std::thread::sleep(LIMIT);
                }
            }
            Err(e) => panic!("{e}"),
        }
        stage.word(base + RETURNED).store(n + 1, SeqCst);
        if batch == 1 {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

fn start(name: &Name, stage: &SharedMemory, id: u64, batch: u64, at: usize) -> Child {
    stage.word(at + CALLED).store(0, SeqCst);
    stage.word(at + RETURNED).store(0, SeqCst);
    let role = Role::new("append::endless").shared(stage.file()).arg(&**name);
    let child = role.arg(id).arg(batch).arg(at).spawn();
    until("it appends", LIMIT, || stage.word(at + CALLED).load(SeqCst) > 0);
    child
}

/// What the victim, dead, has appended: all that returned, perhaps what it was at, and no part of anything.
fn all_or_nothing(stage: &SharedMemory, found: u64) -> bool {
    let [called, returned] = [CALLED, RETURNED].map(|at| stage.word(at).load(SeqCst));
    assert!(found.is_multiple_of(BATCH), "a part of an append: {found} rows");
    let appended = found / BATCH;
    assert!((returned..=called).contains(&appended), "{returned} <= {appended} <= {called}");
    appended > returned
}

/// Whether the lock of appenders is held, as it lies in the file.
fn is_locked(file: &File) -> bool {
    let len = file.metadata().expect("it has a length").len();
    let mut word = [0; 8];
    file.read_exact_at(&mut word, len - 64 + 32).expect("there is a footer");
    let lock = u64::from_le_bytes(word) + 16384 + 81984 + 16;
    file.read_exact_at(&mut word, lock).expect("there is a lock");
    u64::from_le_bytes(word) >> 31 & 1 == 1
}

pub(crate) fn appenders_are_killed() {
    let (stage, mut rng) = (SharedMemory::create(4096), Rng::of_this_run());
    let (mut kills, mut locked, mut published) = (0, 0, 0);
    while locked < LOCKED {
        let name = Name::new("append-kill");
        let options = AppendArray2::<u64>::options().name(&*name);
        let log = options.with_capacity((4000, COLUMNS)).expect("room");
        let mut victim = start(&name, &stage, 7, BATCH, 0);
        rng.pause(Duration::from_micros(500));
        victim.kill();
        kills += 1;
        locked += u32::from(is_locked(&File::open(name.file()).expect("it is there")));
        let before = log.nrows().expect("one number or the other");
        published += u32::from(all_or_nothing(&stage, before as u64));
        // The next one goes on, behind what is there, and readers are told of nothing.
        match log.append_timeout(&rows(8, 0..2), LIMIT) {
            Ok(added) => assert_eq!(added, before..before + 2),
            Err(AppendError::Full { .. }) => assert!(before > 3998),
            Err(e) => panic!("{e}"),
        }
        let (now, mut counts) = (log.current().expect("undamaged"), BTreeMap::new());
        count(now.read().expect("nothing is poisoned").view(), &mut counts);
        assert_eq!(counts.get(&7).copied().unwrap_or_default(), before as u64);
    }
    println!("  {kills} kills, {locked} with the lock, {published} after the number was stored");
}

pub(crate) fn appenders_are_killed_beside_a_survivor() {
    let (stage, mut rng) = (SharedMemory::create(4096), Rng::of_this_run());
    let name = Name::new("append-beside");
    let options = AppendArray2::<u64>::options().name(&*name);
    let log = options.with_capacity((60_000, COLUMNS)).expect("room");
    let mut survivor = start(&name, &stage, 1, 1, SURVIVOR);
    let (mut seen, mut counts) = (0, BTreeMap::new());
    for id in 2..u64::from(BESIDE) + 2 {
        let mut victim = start(&name, &stage, id, BATCH, 0);
        rng.pause(Duration::from_micros(300));
        victim.kill();
        let before = stage.word(SURVIVOR + RETURNED).load(SeqCst);
        until("the survivor goes on", LIMIT, || {
            stage.word(SURVIVOR + RETURNED).load(SeqCst) > before + 1
        });
        assert!(survivor.is_running(), "a death elsewhere ended it");
        let now = log.current().expect("undamaged");
        count(now.claim(seen..).expect("nothing is poisoned").view(), &mut counts);
        seen = now.nrows();
        all_or_nothing(&stage, counts.get(&id).copied().unwrap_or_default());
    }
    println!("  {BESIDE} kills beside a survivor, {seen} rows");
}

pub(crate) fn a_stopped_appender_is_waited_for_no_longer_than_asked() {
    let (stage, mut rng) = (SharedMemory::create(4096), Rng::of_this_run());
    let name = Name::new("append-stop");
    let options = AppendArray2::<u64>::options().name(&*name);
    let log = options.with_capacity((200_000, COLUMNS)).expect("room");
    let mut stopped = start(&name, &stage, 7, BATCH, 0);
    let file = File::open(name.file()).expect("it is there");
    loop {
        stopped.stop();
        if is_locked(&file) {
            break;
        }
        stopped.resume();
        rng.pause(Duration::from_micros(300));
    }
    let there = log.nrows().expect("undamaged");
    match takes(SOON, || log.append_timeout(&rows(8, 0..1), SOON)) {
        Err(AppendError::Busy { by: Some(by) }) => assert_eq!(by.pid, Some(stopped.pid())),
        other => panic!("{other:?}"),
    }
    // Nobody else waits for it.
    let now = log.current().expect("undamaged");
    count(now.read().expect("nobody claims").view(), &mut BTreeMap::new());
    assert!(
        now.nrows() >= there && log.wait_longer(now.nrows(), SOON).expect("undamaged").is_none()
    );
    stopped.resume();
    assert_eq!(log.append_timeout(&rows(8, 0..1), LIMIT).expect("it goes on").len(), 1);
}

pub(crate) fn forker() {
    let log = AppendArray2::<u64>::with_capacity((10, COLUMNS)).expect("room");
    log.append(&rows(1, 0..2)).expect("room");
    ends_well(fork(true, || {
        assert!(matches!(log.append(&rows(2, 0..1)), Err(AppendError::Forked)));
        assert!(matches!(log.wait_longer(2, SOON), Err(AppendError::Forked)));
        assert_eq!(log.nrows(), Ok(2));
    }));
    assert_eq!(log.append(&rows(1, 2..3)).expect("the parent goes on"), 2..3);
}

pub(crate) fn a_forked_child_appends_nothing() {
    Role::new("append::forker").spawn().succeed(LIMIT);
}

pub(crate) fn numpy_loads_it_while_it_grows() {
    let Some(interpreter) = numpy() else { return };
    const LOADS: u32 = 2000;
    let name = Name::new("append-numpy");
    let options = AppendArray2::<u64>::options().name(&*name);
    let log = options.with_capacity((40_000, COLUMNS)).expect("room");
    let stage = SharedMemory::create(4096);
    let mut appender = start(&name, &stage, 1, 1, 0);
    let script = "
import sys, numpy as np
path, loads, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
seen = first = None
grown = 0
for n in range(loads):
    a = np.load(path, mmap_mode='r') if n % 8 else np.load(path)
    assert a.ndim == 2 and a.shape[1] == columns, a.shape
    seen = len(a) if seen is None else seen
    assert len(a) >= seen, (len(a), seen)
    grown += len(a) > seen
    new = np.asarray(a[max(seen - 1, 0):])
    assert (new == new[:, :1] + np.arange(columns, dtype=new.dtype)).all()
    assert (new[:, 0] > 0).all()
    seen = len(a)
print(grown, seen)
";
    let arguments = [name.file().display().to_string(), LOADS.to_string(), COLUMNS.to_string()];
    let said = python(interpreter, script, &arguments);
    assert!(appender.is_running());
    appender.kill();
    let (grown, seen) = said.split_once(' ').expect("two numbers");
    println!("  {LOADS} loads, {grown} of them longer than the last, {seen} rows at the end");
    assert!(number(grown) > 100, "it has to grow meanwhile: {said}");
    assert!(log.nrows().expect("undamaged") as u64 >= number(seen));
}
