//! How an array comes to another process, and what is in the way.

use std::fs;
use std::time::Duration;

use ndarray::{Ix1, Ix2, Ix3, ShapeBuilder, array};
use ndshm_array::npy::Order;
use ndshm_array::{ArrayHandle, ClaimError, OpenError, SharedArray, SharedArray2, SharedArrayD};
use ndshm_buffer::OpenError as BufferError;
use ndshm_testkit::{Role, arguments, skip};
use num_complex::Complex;

use crate::common::{Name, one_line};

const LIMIT: Duration = Duration::from_secs(30);

type C = Complex<f64>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn handle<T, D>(text: &str) -> ArrayHandle<T, D> {
    let byte = |i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex");
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
    postcard::from_bytes(&bytes).expect("a handle")
}

/// Gets the array that it is told of, checks it, and writes to it.
pub(crate) fn opener() {
    let [how, what] = &arguments()[..] else { panic!("how and what") };
    let a: SharedArray2<C> = if how == "name" {
        // SAFETY: all who have the name are these tests, which use claims.
        unsafe { SharedArray2::open(what) }.expect("it is there")
    } else {
        let handle = handle::<C, Ix2>(what);
        assert_eq!(handle.shape(), [3, 4]);
        // SAFETY: all who have it are these tests, which use claims.
        unsafe { handle.open() }.expect("it is there")
    };
    assert_eq!((a.shape(), a.order()), (&[3, 4][..], Order::F));
    assert_eq!(a.read().expect("nobody writes")[[2, 1]], C::new(1.0, -2.0));
    a.claim_mut(1..2).expect("nobody else").fill_with_index(|(i, j)| C::new(i as f64, j as f64));
    // Its shape as data, where the dimension is not known beforehand.
    if how == "name" {
        // SAFETY: as above.
        let d = unsafe { SharedArrayD::<C>::open(what) }.expect("it is there");
        assert_eq!((d.shape(), d.order()), (&[3, 4][..], Order::F));
        assert_eq!(d.read().expect("nobody writes")[[1, 3]], C::new(1.0, 3.0));
        // SAFETY: as above.
        let r = unsafe { SharedArray2::<C>::options().read_only(true).open(what) };
        let r = r.expect("it is there");
        // SAFETY: nobody writes.
        assert_eq!(unsafe { r.view() }[[1, 2]], C::new(1.0, 2.0));
        // A handle of what is mapped read-only opens read-only.
        // SAFETY: as above.
        let again = unsafe { r.handle().open() }.expect("it is there");
        assert!(again.is_read_only() && matches!(again.read(), Err(ClaimError::ReadOnly)));
    }
}

pub(crate) fn by_name_and_by_handle() {
    let name = Name::new("attach");
    let options = SharedArray2::<C>::options();
    for (options, ways) in
        [(options.clone().name(&*name), &["name", "handle"][..]), (options, &["handle"])]
    {
        for how in ways {
            let a = options.from_elem((3, 4).f(), C::new(1.0, -2.0)).expect("room");
            let handle = hex(&postcard::to_stdvec(&a.handle()).expect("bytes"));
            let what = if *how == "name" { &*name } else { &handle };
            Role::new("attach::opener").arg(how).arg(what).spawn().succeed(LIMIT);
            let read = a.read().expect("it let go");
            assert_eq!(read.row(1), array![0, 1, 2, 3].mapv(|j| C::new(1.0, f64::from(j))));
            assert_eq!(read.row(2), array![1, 1, 1, 1].mapv(|_| C::new(1.0, -2.0)));
        }
    }
    // What is serialised as an array is its handle.
    let a = SharedArray::from_array(&array![1_u8, 2]).expect("room");
    assert_eq!(postcard::to_stdvec(&a).ok(), postcard::to_stdvec(&a.handle()).ok());
}

/// Tries to open what its handle was made of, and says what it is told.
pub(crate) fn visitor() {
    let handle = handle::<f64, Ix1>(&arguments()[0]);
    // SAFETY: all who have it are these tests, which use claims.
    match unsafe { handle.open() } {
        Ok(a) => println!("{}", a.read().expect("nobody writes").sum()),
        Err(e) => println!("{}: {e}", kind(&e)),
    }
}

fn kind(e: &OpenError) -> &'static str {
    match e {
        OpenError::Buffer(BufferError::Gone { .. }) => "gone",
        OpenError::Buffer(BufferError::NotFound { .. }) => "not found",
        OpenError::Buffer(BufferError::Replaced { .. }) => "mismatch",
        OpenError::Replaced { .. } => "replaced",
        _ => "other",
    }
}

pub(crate) fn what_is_gone_or_another() {
    let name = Name::new("gone");
    let options = SharedArray::<f64, Ix1>::options();
    let named = options.clone().name(&*name);
    let visit = |handle: &ArrayHandle<f64, Ix1>| {
        let handle = hex(&postcard::to_stdvec(handle).expect("bytes"));
        let mut child = Role::new("attach::visitor").arg(handle).piped().spawn();
        // Under this suite nothing else is printed there.
        let line = child.line();
        child.succeed(LIMIT);
        line
    };
    let file = name.file().display().to_string();

    let a = named.from_elem(5, 2.0).expect("room");
    let handle = a.handle();
    assert_eq!(visit(&handle), "10");
    drop(a);
    one_line(&visit(&handle), &["not found: ", &file, "no such segment", "create it first"]);
    // Another array of the same shape, under the same name.
    let b = named.from_elem(5, 3.0).expect("room");
    let other = visit(&handle);
    assert!(other.starts_with("mismatch: ") || other.starts_with("replaced: "), "{other}");
    one_line(&other, &[&file, "another"]);
    assert_eq!(visit(&b.handle()), "15");
    // Here, too, where the new one is mapped.
    // SAFETY: nothing will be opened.
    let refused = unsafe { handle.open() }.expect_err("another array");
    assert!(matches!(kind(&refused), "mismatch" | "replaced"), "{refused}");

    let anonymous = options.from_elem(5, 4.0).expect("room");
    let handle = anonymous.handle();
    assert_eq!(visit(&handle), "20");
    drop(anonymous);
    let gone = visit(&handle);
    assert!(gone.starts_with("gone: ") || gone.starts_with("mismatch: "), "{gone}");
    one_line(&gone, &["/proc/"]);
    // SAFETY: nothing will be opened.
    let refused = unsafe { handle.open() }.expect_err("it is gone");
    one_line(&refused, &[]);

    // Another type, another number of dimensions: by handle as by name.
    let bytes = postcard::to_stdvec(&b.handle()).expect("bytes");
    let as_i64: ArrayHandle<i64, Ix1> = postcard::from_bytes(&bytes).expect("a handle");
    // SAFETY: nothing will be opened.
    let e = unsafe { as_i64.open() }.expect_err("it holds floats");
    assert!(matches!(e, OpenError::Dtype { .. }));
    one_line(&e, &[&file, "float64", "int64"]);
    let as_cube: ArrayHandle<f64, Ix3> = postcard::from_bytes(&bytes).expect("a handle");
    // SAFETY: nothing will be opened.
    let e = unsafe { as_cube.open() }.expect_err("it has one axis");
    assert!(matches!(e, OpenError::Dimensions { expected: 3, .. }));
    one_line(&e, &[&file, "[5]", "3-dimensional", "SharedArrayD"]);

    // A file that somebody made, where a segment should be.
    drop(b);
    fs::write(name.file(), vec![7; 5000]).expect("room");
    // SAFETY: nothing will be opened.
    let e = unsafe { SharedArray::<f64, Ix1>::open(&name) }.expect_err("no segment");
    assert!(matches!(e, OpenError::Format { .. }));
    one_line(&e, &[&file, "not an ndshm segment"]);
}

const STRANGER: u32 = 65_534;

/// Another user, who takes part where that was meant, and ends with rows claimed.
pub(crate) fn stranger() {
    let [shared, own] = &arguments()[..] else { panic!("two names") };
    // SAFETY: changes the user of this process, and touches no memory.
    assert_eq!(unsafe { libc::setresuid(STRANGER, STRANGER, STRANGER) }, 0);
    let options = SharedArray2::<f64>::options();
    // SAFETY: all who have the names are these tests, which use claims.
    let open = |options: ndshm_array::ArrayOptions<f64, Ix2>, name| unsafe { options.open(name) };
    let refused = open(options.clone(), shared).expect_err("not asked for");
    assert!(
        matches!(refused, OpenError::Buffer(BufferError::ForeignOwner { owner: 0, .. })),
        "{refused}"
    );
    let options = options.foreign_owner(true);
    let refused = open(options.clone(), own).expect_err("made for its owner alone");
    one_line(&refused, &[own]);
    let a = open(options, shared).expect("made for all");
    a.claim_mut(..2).expect("nobody else").fill(2.0);
    std::mem::forget(a.claim_mut(2..3).expect("nobody else"));
}

pub(crate) fn users_share_what_was_made_for_it() {
    // SAFETY: takes nothing and touches nothing.
    if unsafe { libc::geteuid() } != 0 {
        return skip("another user", "only root can become one");
    }
    let (shared, own) = (Name::new("shared"), Name::new("own"));
    // SAFETY: a number of this process, which makes files in one thread here.
    let before = unsafe { libc::umask(0) };
    let a = SharedArray2::<f64>::options().name(&*shared).mode(0o666).zeros((4, 4));
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    let (a, _b) = (a.unwrap(), SharedArray2::<f64>::options().name(&*own).zeros((4, 4)).unwrap());
    let mut child = Role::new("attach::stranger").arg(&*shared).arg(&*own).spawn();
    let pid = child.pid();
    child.succeed(LIMIT);
    assert_eq!(a.claim(..2).unwrap().sum(), 16.0);
    let Err(ClaimError::Poisoned(poisoned)) = a.write() else { panic!("it ended with a row") };
    assert_eq!(poisoned.parts()[0].row_range(), 2..3);
    assert_eq!(poisoned.parts()[0].member.pid, Some(pid));
}
