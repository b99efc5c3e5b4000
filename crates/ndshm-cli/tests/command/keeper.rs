//! Processes that have arrays, until they are killed.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use ndshm_array::{SharedArray2, set_rank};
use ndshm_testkit::{Child, Role, arguments, panic_holding};

type Matrix = SharedArray2<f64>;

/// Rows and columns of what the maker makes: `[i, j]` is `i + j`.
pub(crate) const SHAPE: (usize, usize) = (20, 3);

/// Makes the array `name` in `dir`, and claims what it is told to.
pub(crate) fn maker() {
    let arguments = arguments();
    let made = Matrix::options().dir(&arguments[0]).name(&arguments[1]).zeros(SHAPE);
    let a = made.expect("room");
    a.write().expect("it is new").fill_with_index(|(i, j)| (i + j) as f64);
    keep(&a, &arguments[2..]);
}

/// Opens it as rank 7, and claims what it is told to.
pub(crate) fn opener() {
    let arguments = arguments();
    set_rank(7);
    // SAFETY: all who have it are these tests, which use claims.
    let opened = unsafe { Matrix::options().dir(&arguments[0]).open(&arguments[1]) };
    keep(&opened.expect("it is there"), &arguments[2..]);
}

/// `w3..7` to write, `r3..7` to read, `p3..7` to panic with; `persist`.
fn keep(a: &Matrix, wishes: &[String]) {
    let (mut writing, mut reading) = (Vec::new(), Vec::new());
    for wish in wishes {
        match wish.split_at(1) {
            ("w", rows) => writing.push(a.claim_mut(range(rows)).expect("free rows")),
            ("r", rows) => reading.push(a.claim(range(rows)).expect("rows that nobody writes")),
            ("p", rows) if rows != "ersist" => panic_holding(|| a.claim_mut(range(rows))),
            _ => a.persist().expect("it has a name"),
        }
    }
    println!("ready");
    // The parent reads, writes and kills: when it has ended, this process is killed.
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn range(text: &str) -> Range<usize> {
    let (start, end) = text.split_once("..").expect("a range");
    start.parse().expect("a row")..end.parse().expect("a row")
}

fn started(role: &str, dir: &Path, name: &str, wishes: &[&str]) -> Child {
    let role = Role::new(role).arg(dir.display()).arg(name).piped();
    let mut child = wishes.iter().fold(role, |role, wish| role.arg(wish)).spawn();
    assert_eq!(child.line(), "ready");
    child
}

/// A process that made the array, and has it.
pub(crate) fn made(dir: &Path, name: &str, wishes: &[&str]) -> Child {
    started("keeper::maker", dir, name, wishes)
}

/// A process that opened it, and has it.
pub(crate) fn opened(dir: &Path, name: &str, wishes: &[&str]) -> Child {
    started("keeper::opener", dir, name, wishes)
}

/// What a maker leaves that is killed.
pub(crate) fn orphaned(dir: &Path, name: &str, wishes: &[&str]) -> u32 {
    let mut child = made(dir, name, wishes);
    child.kill();
    child.pid()
}
