//! Elements that several processes change at once, of every type that has atomic operations.

use half::f16;
use ndarray::{Array1, s};
use ndshm_array::{AtomicElement, Bool8, SharedArray2};
use ndshm_testkit::{Role, arguments};
use num_complex::Complex;

use crate::common::Name;

const PROCESSES: usize = 3;
/// So few that `f16` counts them exactly.
const STEPS: i64 = 600;

/// An element from a whole number; integers wrap.
trait Counted: AtomicElement + PartialEq + std::fmt::Debug {
    fn of(n: i64) -> Self;
}

/// Something that is done with an array of some element type, of that name.
trait Act {
    fn act<T: Counted>(&mut self, name: &str);
}

macro_rules! counted {
    ($($t:ty: $of:expr;)+) => {
        $(impl Counted for $t {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "wraps")]
            #[allow(clippy::cast_precision_loss, reason = "small")]
            fn of(n: i64) -> Self {
                let of: fn(i64) -> $t = $of;
                of(n)
            }
        })+

        /// The names are for the types in this order.
        fn each(names: &[String], mut act: impl Act) {
            let mut names = names.iter();
            $(act.act::<$t>(names.next().expect("a name for each type"));)+
        }

        const TYPES: usize = [$(stringify!($t)),+].len();
    };
}

counted! {
    i8: |n| n as i8;
    i16: |n| n as i16;
    i32: |n| n as i32;
    i64: |n| n;
    u8: |n| n as u8;
    u16: |n| n as u16;
    u32: |n| n as u32;
    u64: |n| n as u64;
    f16: |n| f16::from_f64(n as f64);
    f32: |n| n as f32;
    f64: |n| n as f64;
    Complex<f32>: |n| Complex::new(n as f32, -n as f32);
    Bool8: |n| (n != 0).into();
}

/// Counts in row 0 beside the others, and copies into a row of its own.
struct Share {
    rank: usize,
}

impl Act for Share {
    fn act<T: Counted>(&mut self, name: &str) {
        // SAFETY: all who have the name are these tests, which use claims.
        let a = unsafe { SharedArray2::<T>::open(name) }.expect("it is there");
        let counts = a.claim_atomic(..).expect("atomic claims go together");
        for _ in 0..STEPS {
            counts.fetch_add((0, 0), T::of(1));
            counts.fetch_update((0, 1), |x| if x == T::of(0) { T::of(1) } else { T::of(0) });
        }
        drop(counts);
        let row = a.claim_atomic(s![1 + self.rank, ..]).expect("atomic claims go together");
        row.copy_in(&Array1::from_elem(4, T::of(self.rank as i64)));
        row.store(1, T::of(9));
        assert_eq!(row.swap(2, T::of(5)), T::of(self.rank as i64));
        assert_eq!(row.copy_out()[2], T::of(5));
    }
}

pub(crate) fn adder() {
    let arguments = arguments();
    each(&arguments[1..], Share { rank: arguments[0].parse().expect("a rank") });
}

struct Make<'a>(&'a mut Vec<Box<dyn FnOnce()>>);

impl Act for Make<'_> {
    fn act<T: Counted>(&mut self, name: &str) {
        let options = SharedArray2::<T>::options().name(name);
        let a = options.zeros((1 + PROCESSES, 4)).expect("room");
        self.0.push(Box::new(move || {
            let read = a.read().expect("nobody died");
            let all = PROCESSES as i64 * STEPS;
            // An even number of steps to and fro.
            assert_eq!((read[[0, 0]], read[[0, 1]]), (T::of(all), T::of(0)), "{}", T::DTYPE);
            for rank in 0..PROCESSES as i64 {
                let expected = [T::of(rank), T::of(9), T::of(5), T::of(rank)];
                assert_eq!(read.row(1 + rank as usize).to_vec(), expected, "{}", T::DTYPE);
            }
        }));
    }
}

pub(crate) fn no_change_of_any_type_is_lost() {
    let kept: Vec<_> = (0..TYPES).map(|_| Name::new("atomic")).collect();
    let names: Vec<_> = kept.iter().map(|name| name.to_string()).collect();
    let mut checks = Vec::new();
    each(&names, Make(&mut checks));
    let children = (0..PROCESSES).map(|rank| {
        let role = Role::new("atomic::adder").arg(rank);
        names.iter().fold(role, |role, name| role.arg(name)).spawn()
    });
    for mut child in children.collect::<Vec<_>>() {
        child.succeed(std::time::Duration::from_secs(30));
    }
    checks.into_iter().for_each(|check| check());
}
