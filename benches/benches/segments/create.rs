//! Made, and dropped.

use std::ffi::CString;
use std::sync::LazyLock;

use ndshm_array::SharedArray1;
use ndshm_benches::{Contest, Target, timed};
use ndshm_buffer::SharedBuffer;
use shared_memory::ShmemConf;

use crate::{bare, name, python};

const LITTLE: usize = 4096;

pub(super) fn contests() -> Vec<Contest> {
    static NAME: LazyLock<String> = LazyLock::new(|| name("create"));
    let posix = CString::new(format!("/{}", *NAME)).expect("no zero in it");
    let mut named = Contest {
        group: "create + drop a name, 4 KiB",
        long: false,
        yardstick: "shm_open + fallocate + mmap",
        targets: vec![Target::AtLeast(2.0, &[python::NAME])],
        contenders: vec![
            ("ndshm SharedBuffer", timed(|| drop(SharedBuffer::options().create(&NAME, LITTLE)))),
            ("ndshm SharedArray", timed(|| drop(array_options().zeros(LITTLE / 8)))),
            ("shm_open + fallocate + mmap", timed(move || bare::shm(&posix, LITTLE))),
            ("shared_memory 0.12", timed(|| drop(ShmemConf::new().size(LITTLE).create()))),
        ],
    };
    named.contenders.extend(python::create(LITTLE));
    vec![
        Contest {
            group: "create + drop without a name, 4 KiB",
            long: false,
            yardstick: "memfd + fallocate + mmap",
            targets: vec![Target::AtMost(1.15, &["memfd + fallocate + mmap"])],
            contenders: anonymous(LITTLE),
        },
        Contest {
            group: "create + drop without a name, 1 MiB",
            long: false,
            yardstick: "memfd + fallocate + mmap",
            targets: vec![Target::AtMost(1.15, &["memfd + fallocate + mmap"])],
            contenders: anonymous(1 << 20),
        },
        named,
    ]
}

fn array_options() -> ndshm_array::ArrayOptions<f64, ndshm_array::ndarray::Ix1> {
    static NAME: LazyLock<String> = LazyLock::new(|| name("create-array"));
    SharedArray1::<f64>::options().name(&*NAME)
}

fn anonymous(len: usize) -> Vec<ndshm_benches::Contender<'static>> {
    vec![
        ("ndshm SharedBuffer", timed(move || drop(SharedBuffer::anonymous(len)))),
        ("ndshm SharedArray", timed(move || drop(SharedArray1::<f64>::zeros(len / 8)))),
        ("memfd + fallocate + mmap", timed(move || bare::memfd(len))),
    ]
}
