//! Made, and dropped.

use std::ffi::CString;
use std::sync::LazyLock;

use ndshm_array::SharedArray1;
use ndshm_benches::{Contender, Contest, Target, timed};
use ndshm_buffer::SharedBuffer;
use shared_memory::ShmemConf;

use crate::{bare, name, python};

const LITTLE: usize = 4096;

const MEMFD: &str = "memfd + fallocate + mmap";
const SHM: &str = "shm_open + fallocate + mmap";

pub(super) fn contests() -> Vec<Contest<'static>> {
    static NAME: LazyLock<String> = LazyLock::new(|| name("create"));
    let posix = CString::new(format!("/{}", *NAME)).expect("no zero in it");
    let mut named: Vec<Contender<'static>> = vec![
        ("ndshm SharedBuffer", timed(|| drop(SharedBuffer::options().create(&NAME, LITTLE)))),
        ("ndshm SharedArray", timed(|| drop(array_options().zeros(LITTLE / 8)))),
        (SHM, timed(move || bare::shm(&posix, LITTLE))),
        ("shared_memory 0.12", timed(|| drop(ShmemConf::new().size(LITTLE).create()))),
    ];
    named.extend(python::create(LITTLE));
    let without_name = |size: &str, len| {
        Contest::new(format!("segments, made without a name, {size}"), MEMFD, anonymous(len))
            .promising([Target::AtMost(1.15, &[MEMFD]).because(
                "sealing it and closing it to others takes three system calls that the bare ones do not make",
            )])
    };
    let contests = [
        without_name("4 KiB", LITTLE),
        without_name("1 MiB", 1 << 20),
        Contest::new("segments, made with a name, 4 KiB", SHM, named)
            .promising([Target::AtLeast(2.0, &[python::NAME])
                .because("published whole: a file without a name, locks, a link, a name taken back; Python's can be seen half made")]),
    ];
    contests.map(|c| c.setting("made and dropped, one processor")).into()
}

fn array_options() -> ndshm_array::ArrayOptions<f64, ndshm_array::ndarray::Ix1> {
    static NAME: LazyLock<String> = LazyLock::new(|| name("create-array"));
    SharedArray1::<f64>::options().name(&*NAME)
}

fn anonymous(len: usize) -> Vec<Contender<'static>> {
    vec![
        ("ndshm SharedBuffer", timed(move || drop(SharedBuffer::anonymous(len)))),
        ("ndshm SharedArray", timed(move || drop(SharedArray1::<f64>::zeros(len / 8)))),
        (MEMFD, timed(move || bare::memfd(len))),
    ]
}
