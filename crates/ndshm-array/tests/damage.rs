//! Segments that somebody has damaged: typed errors, never a panic, a signal or a hang.

mod common;

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use common::{Name, one_line};
use ndarray::Ix2;
use ndshm_array::{ArrayHandle, ClaimError, FORMAT_VERSION, FormatError, OpenError, SharedArray2};
use ndshm_testkit::{Rng, Watchdog};

type Test = Result<(), Box<dyn Error>>;

const FOOTER: u64 = 64;
const MEMBERS: u64 = 16384;
const CLAIMS: u64 = 32832;
const SHAPE: [usize; 2] = [37, 5];

/// An array that nobody has open, and its file.
struct Patient {
    name: Name,
    file: File,
    len: u64,
    handle: ArrayHandle<f64, Ix2>,
    whole: Vec<u8>,
}

impl Patient {
    fn new(tag: &str) -> Self {
        let name = Name::new(tag);
        let options = SharedArray2::<f64>::options().name(&*name).persist(true);
        let a = options.from_elem(SHAPE, 1.5).unwrap();
        let handle = a.handle();
        drop(a);
        let file = OpenOptions::new().read(true).write(true).open(name.file()).unwrap();
        let whole = fs::read(name.file()).unwrap();
        Self { name, file, len: whole.len() as u64, handle, whole }
    }

    fn patch(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).unwrap();
    }

    fn heal(&self) {
        self.file.set_len(self.len).unwrap();
        self.patch(0, &self.whole);
    }

    fn open(&self) -> Result<SharedArray2<f64>, OpenError> {
        // SAFETY: nobody else has the name; whatever the bytes are, no access leaves the mapping.
        let opened = unsafe { SharedArray2::<f64>::open(&self.name) };
        if let Err(e) = &opened {
            one_line(e, &[&self.name.file().display().to_string()]);
        }
        opened
    }

    /// What was opened in spite of the damage is the same array.
    fn sound(&self, a: &SharedArray2<f64>, what: &str) {
        assert_eq!(a.shape(), SHAPE, "{what}");
        assert_eq!(a.read().unwrap().sum(), 1.5 * 37.0 * 5.0, "{what}");
    }

    fn control(&self) -> u64 {
        let at = usize::try_from(self.len - FOOTER + 32).unwrap();
        u64::from_le_bytes(self.whole[at..at + 8].try_into().unwrap())
    }
}

#[test]
fn every_byte_of_the_footer() {
    let _watchdog = Watchdog::start("footers", Duration::from_secs(100));
    let patient = Patient::new("footer");
    let start = patient.len - FOOTER;
    let (mut refused, mut opened) = (0, 0);
    for offset in 0..FOOTER {
        let was = patient.whole[usize::try_from(start + offset).unwrap()];
        for value in [0, 1, 2, 0x10, 0x7f, 0x80, 0xff, !was, was ^ 1, was.wrapping_add(1)] {
            if value == was {
                continue;
            }
            patient.patch(start + offset, &[value]);
            let what = format!("byte {offset} from {was:#x} to {value:#x}");
            let format = match patient.open() {
                Ok(a) => {
                    patient.sound(&a, &what);
                    opened += 1;
                    None
                }
                Err(OpenError::Format { source, .. }) => Some(source),
                // The data, said to be shorter than the shape that it has.
                Err(OpenError::Header { .. }) => Some(FormatError::Damaged("as the header says")),
                Err(e) => panic!("{what}: {e}"),
            };
            refused += usize::from(format.is_some());
            match offset {
                0..8 => assert_eq!(format, Some(FormatError::NotASegment), "{what}"),
                8..12 => {
                    let Some(FormatError::Version { found, known }) = format else {
                        panic!("{what}: {format:?}")
                    };
                    assert!(known == FORMAT_VERSION && found != known);
                }
                12..16 => assert!(matches!(format, Some(FormatError::Kind { .. })), "{what}"),
                16..24 | 32..48 => {
                    assert!(matches!(format, Some(FormatError::Damaged(_))), "{what}: {format:?}")
                }
                24..32 => {
                    // Longer data than the array needs is not seen to be wrong, up to the page.
                    let harmless = offset <= 25 && format.is_none();
                    assert!(harmless || matches!(format, Some(FormatError::Damaged(_))), "{what}");
                }
                _ => {
                    assert_eq!(format, None, "{what}: by name");
                    // SAFETY: as in `open`.
                    let by_handle = unsafe { patient.handle.open() }.map(drop);
                    let Err(e @ OpenError::Replaced { .. }) = by_handle else {
                        panic!("{what}: by handle: {by_handle:?}")
                    };
                    one_line(&e, &[&patient.name.file().display().to_string(), "another array"]);
                }
            }
            patient.patch(start + offset, &[was]);
        }
    }
    patient.sound(&patient.open().unwrap(), "healed");
    println!("{refused} damaged footers refused, {opened} harmless");
}

#[test]
fn other_versions_and_kinds_are_named() -> Test {
    let patient = Patient::new("version");
    let start = patient.len - FOOTER;
    patient.patch(start + 8, &7_u32.to_le_bytes());
    let e = patient.open().unwrap_err();
    one_line(&e, &["format version 7", &format!("this build knows {FORMAT_VERSION}")]);
    patient.heal();
    patient.patch(start + 12, &2_u32.to_le_bytes());
    one_line(&patient.open().unwrap_err(), &["a value under a mutex", "an array"]);
    patient.patch(start + 12, &9_u32.to_le_bytes());
    one_line(&patient.open().unwrap_err(), &["something unknown", "an array"]);
    Ok(())
}

#[test]
fn random_footers() {
    let _watchdog = Watchdog::start("random footers", Duration::from_secs(60));
    let (patient, mut rng) = (Patient::new("random-footer"), Rng::of_this_run());
    let start = patient.len - FOOTER;
    let interesting =
        [0, 1, 64, 4095, 4096, 8192, patient.len - 64, patient.len, 1 << 63, u64::MAX];
    let mut opened = 0;
    for _ in 0..3000 {
        for word in 2..8 {
            if rng.chance(40) {
                let value = match rng.below(4) {
                    0 => rng.next(),
                    1 => patient.len.wrapping_sub(rng.below(70_000)),
                    2 => rng.below(patient.len * 2) & !4095,
                    _ => interesting[rng.below(interesting.len() as u64) as usize],
                };
                patient.patch(start + 8 * word, &value.to_le_bytes());
            }
        }
        if let Ok(a) = patient.open() {
            patient.sound(&a, "a random footer");
            opened += 1;
        }
        patient.patch(start, &patient.whole[usize::try_from(start).unwrap()..]);
    }
    println!("{opened} of 3000 were harmless");
}

#[test]
fn files_cut_short_or_grown() {
    let patient = Patient::new("cut");
    let footer = &patient.whole[usize::try_from(patient.len - FOOTER).unwrap()..];
    let lengths = [
        1,
        63,
        64,
        65,
        100,
        4095,
        4096,
        4160,
        8192,
        16384,
        patient.len - 4096,
        patient.len - 64,
        patient.len - 1,
        patient.len + 1,
        patient.len + 64,
        patient.len + 4096,
        patient.len * 3,
    ];
    for len in lengths {
        patient.heal();
        patient.file.set_len(len).unwrap();
        let refused = patient.open().map(drop);
        assert!(matches!(refused, Err(OpenError::Format { .. })), "{len}: {refused:?}");
        if len < FOOTER {
            continue;
        }
        // Its own footer at the new end; the same that knows of the new length.
        patient.patch(len - FOOTER, footer);
        let refused = patient.open().map(drop);
        assert!(matches!(refused, Err(OpenError::Format { .. })), "{len}: {refused:?}");
        patient.patch(len - FOOTER + 40, &len.to_le_bytes());
        match patient.open() {
            // All that matters is still there.
            Ok(a) if len >= patient.control() + MEMBERS + CLAIMS + FOOTER => {
                patient.sound(&a, "another length");
            }
            // The header page was overwritten with the footer, or the data cut off.
            Err(OpenError::Format { .. } | OpenError::Header { .. }) => {}
            other => panic!("{len}: {other:?}"),
        }
        // By handle, where another length is expected.
        // SAFETY: as in `open`.
        let e = unsafe { patient.handle.open() }.unwrap_err();
        one_line(&e, &[]);
    }
    patient.file.set_len(0).unwrap();
    one_line(&patient.open().unwrap_err(), &["empty"]);
}

#[test]
fn every_byte_of_the_npy_header() {
    let _watchdog = Watchdog::start("headers", Duration::from_secs(60));
    let patient = Patient::new("header");
    let (mut refused, mut opened) = (0, 0);
    for at in (0..110).chain([200, 4000, 4095]) {
        let was = patient.whole[at];
        for value in [0, b' ', b'0', b'9', b'(', b')', b',', b'\'', b'\n', 0x80, 0xff, was ^ 1] {
            patient.patch(at as u64, &[value]);
            match patient.open() {
                Ok(a) => {
                    // Another shape is not seen to be wrong if its data are there.
                    assert!(a.len() <= 37 * 5, "{:?} from byte {at} = {value:#x}", a.shape());
                    assert!(a.read().unwrap().iter().all(|x| *x == 1.5));
                    opened += 1;
                }
                Err(
                    OpenError::Header { .. } | OpenError::Dtype { .. } | OpenError::Format { .. },
                ) => {
                    refused += 1;
                }
                Err(OpenError::Dimensions { .. }) => refused += 1,
                Err(e) => panic!("byte {at} = {value:#x}: {e}"),
            }
        }
        patient.patch(at as u64, &[was]);
    }
    println!("{refused} refused, {opened} harmless");
    let mut rng = Rng::of_this_run();
    for _ in 0..300 {
        let garbage: Vec<u8> = (0..4096).map(|_| rng.next() as u8).collect();
        patient.patch(if rng.chance(50) { 0 } else { 10 }, &garbage[..4086]);
        assert!(matches!(patient.open(), Err(OpenError::Header { .. })));
        patient.heal();
    }
    patient.sound(&patient.open().unwrap(), "healed");
}

/// What an attached process does with a control area of whatever content: everything, with an end.
fn use_it(a: &SharedArray2<f64>, rng: &mut Rng) -> (usize, usize) {
    let soon = Duration::from_millis(1);
    let (mut had, mut refused) = (0, 0);
    let mut count = |result: Result<(), ClaimError<()>>| match result {
        Ok(()) => had += 1,
        Err(e) => {
            one_line(&e, &[]);
            refused += 1;
        }
    };
    for _ in 0..6 {
        let start = rng.below(SHAPE[0] as u64) as usize;
        let rows = start..start + rng.below((SHAPE[0] - start) as u64 + 1) as usize;
        count(a.claim(rows.clone()).map(drop).map_err(ClaimError::without_guard));
        count(a.claim_timeout(.., soon).map(drop).map_err(ClaimError::without_guard));
        match a.claim_mut_timeout(rows, soon) {
            Ok(mut guard) => {
                guard.fill(1.5);
                count(guard.clear_poison().map(drop));
            }
            Err(e) => {
                let text = e.to_string();
                match e.into_guard() {
                    Some(mut guard) => count(guard.clear_poison().map(drop)),
                    None => one_line(&text, &[]).clear(),
                }
            }
        }
    }
    (had, refused)
}

#[test]
fn garbage_in_the_control_area() {
    let _watchdog = Watchdog::start("garbage in the control area", Duration::from_secs(100));
    let (patient, mut rng) = (Patient::new("control"), Rng::of_this_run());
    let (control, claims) = (patient.control(), patient.control() + MEMBERS);
    let held = 1_u64 << 31;
    // A slot that is none, one that nobody has, generations that nobody had, every flag.
    let words = [
        0,
        1,
        u64::MAX,
        held,
        held | 60_000 | 1 << 32,
        held | 60_000,
        held | 7 | 3 << 32,
        held | 1 << 30 | 1019 | 1 << 32,
        held | 1 << 30 | 1020 | 9 << 32,
        1 << 29 | 5 | 2 << 32,
        1 << 28 | 1 << 29 | 60_000 | 2 << 32,
        1 << 30 | 4 | 8 << 32,
        0xffff | 0xffff_ffff << 32,
        37,
        u64::MAX >> 1,
    ];
    let (mut had, mut refused, mut unopened) = (0, 0, 0);
    // Much of what is drawn does no harm: so many rounds, and on until each outcome was seen often enough.
    for round in 0.. {
        if round >= 400 && had > 500 && refused > 50 && unopened > 5 {
            break;
        }
        for _ in 0..=rng.below(40) {
            let value = match rng.below(4) {
                0 => rng.next(),
                1 => rng.below(64),
                _ => words[rng.below(words.len() as u64) as usize],
            };
            let at = match rng.below(10) {
                // The lock word and who poisoned it; counts; how many entries were used.
                0 => claims,
                1 => claims + 8 * rng.below(8),
                2 => claims + 24,
                // The first entries, all entries.
                3..=6 => claims + 64 + 8 * rng.below(64),
                7 => claims + 8 * rng.below(CLAIMS / 8),
                // The table of members: mostly its slots.
                8 if rng.chance(10) => control,
                _ => control + 64 + 8 * rng.below(MEMBERS / 8 - 8),
            };
            patient.patch(at, &value.to_le_bytes());
        }
        let outcome =
            catch_unwind(AssertUnwindSafe(|| patient.open().map(|a| use_it(&a, &mut rng))));
        match outcome {
            Ok(Ok((h, r))) => {
                had += h;
                refused += r;
            }
            Ok(Err(e @ OpenError::Join { .. })) => {
                one_line(&e, &["table of members"]);
                unopened += 1;
            }
            other => panic!("round {round}: {other:?}"),
        }
        patient.heal();
    }
    println!(
        "{had} claims had, {refused} refused, {unopened} arrays not opened; no panic, no hang"
    );
}

/// While it is in use, and by every kind of word in the place of the table's lock.
#[test]
fn garbage_in_the_tables_lock_of_a_live_array() {
    let _watchdog = Watchdog::start("garbage in the lock", Duration::from_secs(60));
    let patient = Patient::new("lock");
    let a = patient.open().unwrap();
    let at = patient.control() + MEMBERS;
    let held = 1_u64 << 31;
    for word in [
        held | 60_000,
        held | 60_000 | 5 << 32,
        held | 1 << 30 | 60_000 | 5 << 32,
        held,
        u64::MAX,
        1 << 30,
        1 << 29,
        0x1fff_0000,
        !held,
    ] {
        patient.patch(at, &word.to_le_bytes());
        patient.sound(&a, &format!("{word:#x}"));
        a.claim_mut(3..4).unwrap().fill(1.5);
    }
}
