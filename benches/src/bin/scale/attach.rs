//! A named segment and an array, opened beside many who have them open.

use std::path::Path;

use ndshm_array::ndarray::Ix1;
use ndshm_array::{ArrayOptions, SharedArray1};
use ndshm_benches::busy;
use ndshm_buffer::{BufferOptions, SharedBuffer};

use crate::crew::{Crew, Work};
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit, since};

const SIZES: &[usize] = &[1, 8, 32, 125, 250, 500, 1000];

fn buffers(dir: &Path) -> BufferOptions {
    SharedBuffer::options().dir(dir)
}

fn arrays(dir: &Path) -> ArrayOptions<f64, Ix1> {
    SharedArray1::<f64>::options().dir(dir)
}

fn open_buffer(dir: &Path) -> SharedBuffer {
    buffers(dir).open("buffer").expect("it is there")
}

fn open_array(dir: &Path) -> SharedArray1<f64> {
    // SAFETY: of a directory that this program alone uses, and nobody uses its elements.
    unsafe { arrays(dir).open("array") }.expect("it is there")
}

pub(crate) fn run(plan: &Plan, out: &mut Out) {
    let dir = plan.dir();
    // Kept: the names are there until the supervisor removes the directory. Not open in this process, or
    // opening would find the mapping that there is.
    drop(buffers(dir).persist(true).create("buffer", 4096).expect("memory"));
    drop(arrays(dir).name("array").persist(true).zeros(512).expect("memory"));
    let prepare = |_| -> Work {
        let (buffer, array) = (open_buffer(dir), open_array(dir));
        Box::new(move |_| unreachable!("{} {}", buffer.len(), array.len()))
    };
    let mut crew = Crew::new(&prepare);
    let of = "others that have it open";
    let table = |what| Series::new("Attaching", of, what, Unit::Nanoseconds);
    let names = ["buffer, open", "buffer, drop", "array, open", "array, drop"];
    let mut series = names.map(table);
    for n in plan.sizes(SIZES) {
        out.at(format!("{n} processes"));
        crew.grow_to(n);
        let buffer = times(plan, || open_buffer(dir));
        let array = times(plan, || open_array(dir));
        for (series, figures) in series.iter_mut().zip([buffer.0, buffer.1, array.0, array.1]) {
            series.points.push(Point::of(n, figures));
        }
    }
    let worst = series[2].worst("array, open, slowest of all");
    out.series(series.into_iter().chain([worst]));
}

/// What opening takes, and dropping.
fn times<T>(plan: &Plan, open: impl Fn() -> T) -> (Vec<f64>, Vec<f64>) {
    let round = |_| {
        let start = busy();
        let opened = open();
        let middle = busy();
        drop(opened);
        (since(start, middle), since(middle, busy()))
    };
    (0..plan.rounds(151)).map(round).unzip()
}
