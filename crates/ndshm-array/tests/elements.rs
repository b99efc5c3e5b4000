//! Elements that are made of others: what they are called, and where they are refused.

mod common;

use std::error::Error;

use common::{Name, one_line};
use half::f16;
use ndarray::{ShapeBuilder, arr1};
use ndshm_array::inspect::{Contents, Number, SegmentFile};
use ndshm_array::npy::{Dtype, Field, StructDtype};
use ndshm_array::{Bool8, Element, LoadError, OpenError, SharedArray1, SharedArray2, SharedArrayD};
use num_complex::Complex;

type Test = Result<(), Box<dyn Error>>;

#[derive(Clone, Copy, Debug, PartialEq, Element)]
#[repr(C)]
struct Sample {
    time: f64,
    count: u32,
    flags: [Bool8; 4],
}

const SAMPLE: &str = "[('time', '<f8'), ('count', '<u4'), ('flags', '|b1', (4,))]";

/// The same bytes under other names, in another order, as other types, at other places.
macro_rules! other {
    ($name:ident: $($(#[$padding:meta])? $field:ident: $t:ty),+) => {
        #[derive(Clone, Copy, Element)]
        #[repr(C)]
        struct $name {
            $($(#[$padding])? $field: $t),+
        }
    };
}

other!(Renamed: time: f64, number: u32, flags: [Bool8; 4]);
other!(Reordered: count: u32, flags: [Bool8; 4], time: f64);
other!(Retyped: time: f64, count: i32, flags: [Bool8; 4]);
other!(Reshaped: time: f64, count: u32, flags: [[Bool8; 2]; 2]);
other!(Moved: time: f64, #[element(padding)] _a: [u8; 4], count: u32);
other!(Shorter: time: f64, count: u32, #[element(padding)] _a: [u8; 4]);
other!(Longer: time: f64, count: u32, flags: [Bool8; 4], more: u64);

#[test]
fn a_struct_is_opened_as_what_it_is_alone() -> Test {
    fn refused<T: Element>(name: &str, path: &std::path::Path) {
        // SAFETY: it is refused.
        let error = unsafe { SharedArray1::<T>::open(name) }.unwrap_err();
        assert!(matches!(&error, OpenError::Dtype { found, expected, .. }
            if found.to_string() == SAMPLE && expected == T::DTYPE));
        one_line(&error, &[SAMPLE, &T::DTYPE.to_string(), name]);
        let error = SharedArray1::<T>::load(path).unwrap_err();
        assert!(matches!(error, LoadError::Dtype { .. }));
        one_line(&error, &[SAMPLE, &T::DTYPE.to_string()]);
    }
    let name = Name::new("struct");
    let sample = Sample { time: 0.5, count: 7, flags: [true, false, true, false].map(Bool8::new) };
    let a = SharedArray1::options().name(&*name).from_elem(3, sample)?;
    // SAFETY: nobody else has the name.
    let same = unsafe { SharedArray1::<Sample>::open(&name) }?;
    assert_eq!(same.read()?.to_vec(), [sample; 3]);
    assert_eq!(Sample::DTYPE.to_string(), SAMPLE);
    assert!(format!("{a:?}").contains(SAMPLE));
    let path = a.path().unwrap();
    refused::<Renamed>(&name, path);
    refused::<Reordered>(&name, path);
    refused::<Retyped>(&name, path);
    refused::<Reshaped>(&name, path);
    refused::<Moved>(&name, path);
    refused::<Shorter>(&name, path);
    refused::<Longer>(&name, path);
    refused::<[u8; 16]>(&name, path);
    refused::<Complex<f64>>(&name, path);
    refused::<f64>(&name, path);
    // Nor is it taken for numbers.
    let error = SharedArray1::<f64>::load_as_f64(path).unwrap_err();
    one_line(&error, &["real numbers are needed", "one field"]);
    Ok(())
}

#[test]
fn structs_of_one_field_are_told_apart() -> Test {
    #[derive(Clone, Copy, Debug, PartialEq, Element)]
    #[repr(transparent)]
    struct Metres(f64);
    #[derive(Clone, Copy, Debug, PartialEq, Element)]
    #[repr(C)]
    struct Boxed(f64);
    #[derive(Clone, Copy, Debug, PartialEq, Element)]
    #[repr(C)]
    struct Triple([f32; 3]);
    #[derive(Clone, Copy, Debug, PartialEq, Element)]
    #[repr(C, packed)]
    struct Packed {
        a: u8,
        b: f64,
    }

    assert_eq!(Metres::DTYPE, &Dtype::F64);
    assert_eq!(Boxed::DTYPE.descr(), "[('f0', '<f8')]");
    assert_eq!(Packed::DTYPE.descr(), "[('a', '|u1'), ('b', '<f8')]");
    let name = Name::new("one");
    let a = SharedArray1::options().name(&*name).from_elem(4, Metres(1.5))?;
    // SAFETY: nobody else has the name.
    let plain = unsafe { SharedArray1::<f64>::open(&name) }?;
    assert_eq!(plain.read()?.sum(), 6.0);
    // SAFETY: as above.
    assert!(unsafe { SharedArray1::<Boxed>::open(&name) }.is_err());
    drop((a, plain));

    // An array in a file is a struct with this as its only field, in whichever way it was declared.
    let a = SharedArray2::options().name(&*name).from_elem((2, 2).f(), [1.0_f32, 2.0, 3.0])?;
    // SAFETY: as above.
    let same = unsafe { SharedArray2::<Triple>::open(&name) }?;
    same.write()?[[1, 0]].0[2] = 9.0;
    assert_eq!(a.read()?[[1, 0]], [1.0, 2.0, 9.0]);
    // SAFETY: as above.
    assert!(unsafe { SharedArrayD::<f32>::open(&name) }.is_err());
    let packed = SharedArray1::from_elem(3, Packed { a: 1, b: 0.5 })?;
    assert_eq!(packed.read()?.iter().map(|p| { p.b }).sum::<f64>(), 1.5);
    Ok(())
}

/// An element that nobody derived.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct ByHand {
    low: u32,
    high: u32,
}

const FIELDS: &[Field] = &[Field::new("low", 0, &Dtype::U32), Field::new("high", 4, &Dtype::U32)];

// SAFETY: two numbers, of which zeros are a value.
unsafe impl bytemuck::Zeroable for ByHand {}
// SAFETY: two numbers without padding.
unsafe impl bytemuck::Pod for ByHand {}
// SAFETY: the fields are those of the struct.
unsafe impl Element for ByHand {
    const DTYPE: &'static Dtype = &Dtype::Struct(StructDtype::new(FIELDS, size_of::<Self>()));
}

#[test]
fn an_element_can_be_declared_by_hand() -> Test {
    let a = SharedArray1::from_iter((0..5).map(|n| ByHand { low: n, high: 10 * n }))?;
    assert_eq!(a.read()?[3], ByHand { low: 3, high: 30 });
    assert_eq!(ByHand::DTYPE.descr(), "[('low', '<u4'), ('high', '<u4')]");
    assert_eq!(Dtype::from_descr(&ByHand::DTYPE.descr())?, *ByHand::DTYPE);
    Ok(())
}

#[test]
fn names_that_no_header_has_are_an_error() {
    const NAMELESS: &[Field] = &[Field::new("é", 0, &Dtype::U8)];
    #[derive(Clone, Copy)]
    #[repr(transparent)]
    struct Nameless(#[allow(dead_code, reason = "only made")] u8);
    // SAFETY: a byte.
    unsafe impl bytemuck::Zeroable for Nameless {}
    // SAFETY: a byte.
    unsafe impl bytemuck::Pod for Nameless {}
    // SAFETY: a byte is a byte.
    unsafe impl Element for Nameless {
        const DTYPE: &'static Dtype = &Dtype::Struct(StructDtype::new(NAMELESS, 1));
    }
    let error = SharedArray1::<Nameless>::zeros(3).unwrap_err();
    one_line(&error, &["field 'é'", "ASCII"]);
}

#[test]
fn a_file_of_structs_is_looked_at_by_field() -> Test {
    let dir = tempfile::tempdir()?;
    let options = SharedArray2::<Sample>::options().dir(dir.path()).name("a");
    let a = options.from_shape_fn((30, 40).f(), |(i, j)| Sample {
        time: (i * 40 + j) as f64,
        count: i as u32,
        flags: [i % 2 == 0, j % 2 == 0, false, true].map(Bool8::new),
    })?;
    let file = SegmentFile::open(a.path().unwrap())?;
    let Contents::Array(array) = file.contents() else { panic!("an array") };
    assert_eq!((&array.dtype, array.data_len), (Sample::DTYPE, 30 * 40 * 16));
    let times = file.plane_of_field("time", &[])?;
    assert_eq!(times.number(29, 39)?, Number::Double(1199.0));
    let (mut sum, mut seen) = (0.0, 0);
    times.for_each(|i, j, x| {
        assert_eq!(x, (i * 40 + j) as f64);
        (sum, seen) = (sum + x, seen + 1);
    })?;
    assert_eq!((sum, seen), (1199.0 * 600.0, 1200));
    let odd = file.plane_of_field("flags.1", &[])?;
    assert_eq!((odd.number(3, 4)?, odd.number(4, 3)?), (Number::Bool(true), Number::Bool(false)));
    for (field, says) in [
        ("", "pick a field: time, count, flags.0, flags.1, flags.2, flags.3"),
        ("flags", "pick a field"),
        ("flags.4", "no field flags.4"),
        ("nothing", "no field nothing"),
    ] {
        one_line(&file.plane_of_field(field, &[]).unwrap_err(), &[says]);
    }
    // Saved as it is, and read back.
    let copy = dir.path().join("copy.npy");
    file.save(&copy, |_| ())?;
    assert_eq!(SharedArray2::<Sample>::load(&copy)?.read()?[[3, 4]], a.read()?[[3, 4]]);
    Ok(())
}

#[test]
fn the_smallest_float_calculates() -> Test {
    let a = SharedArray1::from_array(&arr1(&[0.5, 1.5, -2.0].map(f16::from_f32)))?;
    assert_eq!(a.read()?.sum(), f16::from_f32(0.0));
    a.write()?.mapv_inplace(|x| x * x);
    assert_eq!(a.to_owned()?.map(|x| x.to_f32()), arr1(&[0.25, 2.25, 4.0]));
    Ok(())
}
