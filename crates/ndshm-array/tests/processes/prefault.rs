//! Big arrays: memory got beforehand, by the maker and by each for its rows.

use std::time::Duration;

use ndarray::ShapeBuilder;
use ndshm_array::{Prefault, PrefaultError, SharedArray, SharedArray2};
use ndshm_testkit::{Name, Role, arguments, skip};

use crate::common::one_line;

const LIMIT: Duration = Duration::from_secs(60);
const COLUMNS: usize = 1024;
const ROWS: usize = 2048;

pub(crate) fn each_has_its_rows() {
    let name = Name::new("bands");
    for prefault in [Prefault::none(), Prefault::pages(), Prefault::huge().threads(2)] {
        let options = SharedArray2::<f64>::options().name(&*name).prefault(prefault);
        let a = options.from_elem((ROWS, COLUMNS), 1.0).expect("room");
        let made = a.prefaulted();
        println!("  made with {made}");
        let spawn =
            |rows: &str| Role::new("prefault::worker").arg(&*name).arg(rows).arg(made.huge).spawn();
        for mut worker in [spawn("0"), spawn("1")] {
            worker.succeed(LIMIT);
        }
        assert_eq!(a.read().expect("nobody else").sum(), (ROWS * COLUMNS * 2) as f64);
    }
}

pub(crate) fn worker() {
    let [name, half, huge] = &arguments()[..] else { panic!("a name, a half and a size") };
    // SAFETY: all who write to it do so through ndshm.
    let a = unsafe { SharedArray2::<f64>::open(name) }.expect("it is there");
    let from = if half == "0" { 0 } else { ROWS / 2 };
    let band = from..from + ROWS / 2;
    let got = a.prefault(band.clone(), &Prefault::huge().threads(2)).expect("nobody truncates it");
    let bytes = (ROWS / 2 * COLUMNS * 8) as u64;
    assert_eq!((got.huge + got.small, got.reserved), (bytes, 0));
    match huge.parse::<usize>().expect("a number") {
        0 => assert_eq!(got.huge, 0, "nobody has asked for huge pages"),
        all if all >= ROWS * COLUMNS * 8 => {
            if got.huge != bytes {
                skip("huge pages of attachers", "this kernel does not tell of them");
            }
        }
        some => println!("  {some} bytes were huge, {} of this band", got.huge),
    }
    *a.claim_mut(band).expect("my rows") += 1.0;
}

pub(crate) fn of_every_shape() {
    let pages = Prefault::pages();
    let c = SharedArray2::<f64>::zeros((10, 1000)).expect("room");
    assert_eq!(c.prefault(2..=3, &pages).expect("rows").small, 16_000);
    assert_eq!(c.prefault(10.., &pages).expect("rows").small, 0);
    let error = c.prefault(5..11, &pages).unwrap_err();
    assert!(matches!(&error, PrefaultError::OutOfBounds { rows, nrows: 10 } if *rows == (5..11)));
    one_line(&error, &["5..11", "10"]);
    // Scattered rows.
    let f = SharedArray2::<f64>::zeros((10, 1000).f()).expect("room");
    assert_eq!(f.prefault(2..4, &pages).expect("rows").small, 80_000);
    assert_eq!(f.prefault(4..4, &pages).expect("rows").small, 0);
    let line = SharedArray::<u8, _>::zeros(100.f()).expect("room");
    assert_eq!(line.prefault(2..4, &pages).expect("rows").small, 2);
    let empty = SharedArray2::<f64>::zeros((0, 5)).expect("room");
    assert_eq!(empty.prefault(.., &pages).expect("rows").small, 0);
    let flat = SharedArray2::<f64>::zeros((5, 0)).expect("room");
    assert_eq!(flat.prefault(1..3, &pages).expect("rows").small, 0);
    let number = SharedArray::<f64, _>::zeros(()).expect("room");
    assert_eq!(number.prefault(.., &pages).expect("rows").small, 8);
}
