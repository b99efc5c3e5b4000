//! Opened by a process that has it not mapped yet, and dropped.

use std::ffi::CString;

use ndshm_array::SharedArray1;
use ndshm_benches::{Contest, Target, timed};
use ndshm_buffer::SharedBuffer;
use shared_memory::ShmemConf;

use crate::{bare, name, python};

const LEN: usize = 1 << 20;

const SHM: &str = "shm_open + mmap";

const AT_LEAST_TWICE_PYTHON: Target = Target::AtLeast(2.0, &[python::NAME]);
const OPENED: &str = "opened safely: the lifecycle lock, the mark of being in use, a look at the file, at the name behind it and at its trailer: twelve system calls against four";
const ATTACHED: &str = "the opening of a buffer, and a membership: a description, a lock and a slot of its own, and three pages that are touched for the first time";

/// A name that is there until the run ends.
struct Kept(String);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = SharedBuffer::options().remove(&self.0);
    }
}

impl Kept {
    fn buffer() -> Self {
        let kept = Self(name("open"));
        SharedBuffer::options().persist(true).create(&kept.0, LEN).expect("a segment");
        kept
    }

    fn array() -> Self {
        let kept = Self(name("open-array"));
        let options = SharedArray1::<f64>::options().name(&*kept.0).persist(true);
        options.zeros(LEN / 8).expect("an array");
        kept
    }
}

/// The same of POSIX, which the crate `shared_memory` opens too.
struct Posix(CString);

impl Drop for Posix {
    fn drop(&mut self) {
        bare::shm_unlink(&self.0);
    }
}

impl Posix {
    fn new(of: &str) -> Self {
        let posix = Self(CString::new(format!("/{}", name(of))).expect("no zero in it"));
        bare::shm_create(&posix.0, LEN);
        posix
    }
}

pub(super) fn contests() -> Vec<Contest<'static>> {
    let (buffer, array, posix, crate_s) =
        (Kept::buffer(), Kept::array(), Posix::new("open-posix"), Posix::new("open-crate"));
    let buffers: [ndshm_benches::Contender<'static>; 3] = [
        (
            "ndshm SharedBuffer",
            timed(move || drop(SharedBuffer::options().open(&buffer.0).expect("it is there"))),
        ),
        (SHM, timed(move || bare::shm_open(&posix.0, LEN))),
        (
            "shared_memory 0.12",
            timed(move || {
                let name = crate_s.0.to_str().expect("ASCII");
                drop(ShmemConf::new().os_id(name).open().expect("it is there"));
            }),
        ),
    ];
    let posix = Posix::new("open-posix-array");
    let arrays: [ndshm_benches::Contender<'static>; 2] = [
        (
            "ndshm SharedArray",
            timed(move || {
                // SAFETY: this program alone has the name.
                drop(unsafe { SharedArray1::<f64>::open(&array.0) }.expect("it is there"));
            }),
        ),
        (SHM, timed(move || bare::shm_open(&posix.0, LEN))),
    ];
    let contests = [
        Contest::new(
            "segments, a buffer opened, 1 MiB",
            SHM,
            buffers.into_iter().chain(python::open(LEN)).collect(),
        )
        .promising([Target::AtMost(1.5, &[SHM]).because(OPENED), AT_LEAST_TWICE_PYTHON.into()]),
        Contest::new(
            "segments, an array attached, 1 MiB",
            SHM,
            arrays.into_iter().chain(python::open(LEN)).collect(),
        )
        .promising([
            Target::AtMost(3.0, &[SHM]).because(ATTACHED),
            AT_LEAST_TWICE_PYTHON.because(ATTACHED),
        ]),
    ];
    contests
        .map(|c| c.setting("opened where it is not mapped yet and dropped, one processor"))
        .into()
}
