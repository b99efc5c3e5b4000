//! The other side of `tests/test_rust.py`: what a program in Rust does with arrays and locks that Python made.

use std::error::Error;
use std::os::fd::AsFd;
use std::time::Duration;

use half::f16;
use ndarray::{Ix1, Ix2};
use ndshm_array::{Bool8, Element, SharedArray, SharedArray1, SharedArray2};
use ndshm_buffer::SharedBuffer;
use ndshm_sync::{Members, Region};
use ndshm_workers::Worker;
use num_complex::Complex;

/// What `test_a_structure_is_one_on_both_sides` makes.
#[derive(Clone, Copy, Debug, PartialEq, Element)]
#[repr(C)]
struct Particle {
    position: [f64; 3],
    id: i32,
    alive: Bool8,
    colour: [u8; 3],
}

type Done<T> = Result<T, Box<dyn Error>>;

/// What `ndshm.Mutex(name=...)` and its like lie in.
fn members(name: &str) -> Done<&'static Members<'static>> {
    // SAFETY: it is used as members and the words of a lock alone.
    let buffer: &'static SharedBuffer =
        Box::leak(Box::new(unsafe { SharedBuffer::options().open_typed(name) }?));
    // SAFETY: mapped for ever; used by Python in the same way, but for the last 64 bytes.
    let region = unsafe { Region::new(buffer.base(), buffer.len() - 64, buffer.as_fd()) };
    Ok(Box::leak(Box::new(Members::join(region)?)))
}

fn open<T: Element, D: ndarray::Dimension>(name: &str) -> Done<SharedArray<T, D>> {
    // SAFETY: the test and this program write to it through ndshm.
    Ok(unsafe { SharedArray::open(name) }?)
}

/// Elements that Python wrote as 0, 1, 2: checked, and written backwards.
fn reverse<T: Element + PartialEq>(name: &str, values: [T; 3]) -> Done<()> {
    let a = open::<T, Ix1>(name)?;
    let mut rows = a.write()?;
    if rows.iter().zip(values).any(|(found, wanted)| *found != wanted) {
        return Err(format!("{name} has other elements").into());
    }
    rows.as_slice_mut().ok_or("it lies in one piece")?.reverse();
    Ok(())
}

/// A structure that Python made, changed in place.
fn particles(name: &str) -> Done<()> {
    let a: SharedArray1<Particle> = open(name)?;
    for particle in &mut a.write()? {
        particle.position = particle.position.map(|x| -x);
        particle.id += 1;
        particle.alive = Bool8::from(!particle.alive.get());
    }
    Ok(())
}

fn dtypes(prefix: &str) -> Done<()> {
    let name = |dtype: &str| format!("{prefix}.{dtype}");
    macro_rules! numbers {
        ($($t:ident $name:literal),+) => {$(reverse::<$t>(&name($name), [0 as $t, 1 as $t, 2 as $t])?;)+};
    }
    numbers!(i8 "int8", i16 "int16", i32 "int32", i64 "int64", u8 "uint8", u16 "uint16", u32 "uint32", u64 "uint64", f32 "float32", f64 "float64");
    reverse(&name("float16"), [0.0, 1.0, 2.0].map(f16::from_f32))?;
    reverse(&name("complex64"), [0.0, 1.0, 2.0].map(|x| Complex::new(x, x as f32)))?;
    reverse(&name("complex128"), [0.0, 1.0, 2.0].map(|x| Complex::new(x, x as f64)))?;
    reverse(&name("bool"), [false, true, true].map(Bool8::from))
}

fn increment(array: &str, lock: &str, times: usize) -> Done<()> {
    let (a, members) = (open::<i64, Ix1>(array)?, members(lock)?);
    let lock = members.layout().mutex(0_u64)?;
    for _ in 0..times {
        let _locked = lock.lock()?;
        // SAFETY: whoever writes has the lock.
        unsafe { *a.raw_view().as_mut_ptr() += 1 };
    }
    Ok(())
}

/// Claims the upper half, meets Python at the barrier, and looks at what that wrote.
fn bands(array: &str, barrier: &str) -> Done<()> {
    let a: SharedArray2<f64> = open::<f64, Ix2>(array)?;
    let barrier = members(barrier)?.layout().barrier(2)?;
    let mut party = barrier.join(1)?;
    let half = a.nrows() / 2;
    {
        let mut rows = a.claim_mut_timeout(half.., Duration::from_secs(60))?;
        party.wait_timeout(Duration::from_secs(60))?; // both have claimed
        rows.fill(2.0);
        party.wait_timeout(Duration::from_secs(60))?; // Python has seen that these are taken
    }
    party.wait_timeout(Duration::from_secs(60))?; // both have written
    println!("{}", a.read()?.sum());
    party.depart();
    Ok(())
}

/// Holds rows and a lock until it is killed.
fn hold(array: &str, lock: &str) -> Done<()> {
    let (a, members): (SharedArray1<f64>, _) = (open(array)?, members(lock)?);
    let lock = members.layout().mutex(0_u64)?;
    let (_rows, _locked) = (a.claim_mut(1..3)?, lock.lock()?);
    println!("held");
    std::thread::sleep(Duration::from_secs(100));
    Ok(())
}

/// What Python holds and is killed with.
fn mend(array: &str) -> Done<()> {
    let a: SharedArray1<f64> = open(array)?;
    let Err(e) = a.write() else { return Err("nobody died".into()) };
    println!("{e}");
    let mut all = e.into_guard().ok_or("not poisoned")?;
    all.fill(3.0);
    all.clear_poison()?;
    Ok(())
}

/// One of a group with Python under `ndshm run`.
fn group(array: &str) -> Done<()> {
    let worker = Worker::from_env()?;
    let a: SharedArray1<f64> = open(array)?;
    a.claim_mut(worker.band(a.len()))?.fill(10.0 + worker.rank() as f64);
    worker.barrier_timeout(Duration::from_secs(60))?;
    Ok(())
}

fn main() -> Done<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["dtypes", prefix] => dtypes(prefix),
        ["particles", array] => particles(array),
        ["increment", array, lock, times] => increment(array, lock, times.parse()?),
        ["bands", array, barrier] => bands(array, barrier),
        ["hold", array, lock] => hold(array, lock),
        ["mend", array] => mend(array),
        ["group", array] => group(array),
        _ => Err("see the source".into()),
    }
}
