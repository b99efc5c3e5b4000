//! A named segment and an array, opened beside many who have them open.

use std::path::Path;
use std::time::Instant;

use ndshm_array::ndarray::Ix1;
use ndshm_array::{ArrayOptions, SharedArray1};
use ndshm_buffer::{BufferOptions, SharedBuffer};

use crate::crew::{Crew, Work};
use crate::plan::Plan;
use crate::series::{Out, Point, Series, Unit};

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
        let (mut opened, mut dropped) = times(plan, || open_buffer(dir));
        series[0].points.push(Point::of(n, std::mem::take(&mut opened)));
        series[1].points.push(Point::of(n, std::mem::take(&mut dropped)));
        let (opened, dropped) = times(plan, || open_array(dir));
        series[2].points.push(Point::of(n, opened));
        series[3].points.push(Point::of(n, dropped));
    }
    let worst = series[2].worst("array, open, slowest of all");
    out.series(series.into_iter().chain([worst]));
}

/// What opening takes, and dropping.
fn times<T>(plan: &Plan, open: impl Fn() -> T) -> (Vec<f64>, Vec<f64>) {
    let round = |_| {
        let start = Instant::now();
        let opened = open();
        let middle = Instant::now();
        drop(opened);
        let nanos = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e9;
        (nanos(start, middle), nanos(middle, Instant::now()))
    };
    (0..plan.rounds(151)).map(round).unzip()
}
