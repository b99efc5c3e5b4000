//! An array's segment with any of its bytes changed: opened, claimed, mended, in all three ways in.
#![no_main]

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ndarray::{Ix2, IxDyn};
use ndshm_array::{ArrayOptions, ClaimError, SharedArray};

const NAME: &str = "patient";
const SHAPE: [usize; 2] = [7, 3];

/// The bytes of an array that nobody has open.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let options: ArrayOptions<f64, Ix2> = SharedArray::options();
    let options = options.dir(ndshm_fuzz::directory());
    let name = format!("{NAME}.whole");
    let a = options.name(&name).from_elem((SHAPE[0], SHAPE[1]), 1.5).unwrap();
    fs::read(a.path().unwrap()).unwrap()
});

fuzz_target!(|changes: &[u8]| {
    let path = ndshm_fuzz::directory().join(format!("ndshm.{NAME}"));
    spoil(&path, changes).unwrap();
    ndshm_fuzz::look(&path);
    let options: ArrayOptions<f64, Ix2> = SharedArray::options();
    let options = options.dir(ndshm_fuzz::directory());
    // SAFETY: nobody else has the name; whatever the bytes are, no access leaves the mapping.
    if let Ok(a) = unsafe { options.open(NAME) } {
        use_it(&a);
    }
    // SAFETY: as above.
    if let Ok(a) = unsafe { options.read_only(true).open(NAME) } {
        assert!(a.read().is_err());
        let _ = a.snapshot(Duration::from_micros(200)).map_err(said);
    }
    let options: ArrayOptions<u8, IxDyn> = SharedArray::options();
    // SAFETY: as above.
    let _ = unsafe { options.dir(ndshm_fuzz::directory()).open(NAME) };
});

/// Eleven bytes of `changes` are one change: where in which part, and eight bytes to stand there; the rest
/// says how long the file is to be.
fn spoil(path: &std::path::Path, changes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut permissions = file.metadata()?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    file.set_permissions(permissions)?;
    file.write_all_at(&WHOLE, 0)?;
    let (changes, rest) = changes.as_chunks::<11>();
    // NPY header, data, footer, members, the lock and first entries of the claims, all claims.
    let end = WHOLE.len() as u64;
    let parts = [0..128, 4096..4264, end - 64..end, 8192..24576, 24576..25000, 24576..end - 64];
    for change in changes {
        let part = &parts[usize::from(change[0]) % parts.len()];
        let at = u64::from(u16::from_le_bytes([change[1], change[2]])) % (part.end - part.start);
        let at = if change[0] & 0x80 == 0 { at & !7 } else { at };
        file.write_all_at(&change[3..], part.start + at)?;
    }
    match *rest {
        [] => Ok(()),
        [less] => file.set_len(end - u64::from(less)),
        [a, b, ..] => file.set_len(u64::from(u16::from_le_bytes([a, b]))),
    }
}

fn use_it(a: &SharedArray<f64, Ix2>) {
    let soon = Duration::from_micros(200);
    for rows in [0..a.nrows(), 0..a.nrows() / 2, a.nrows() / 3..a.nrows()] {
        let read = a.claim_timeout(rows.clone(), soon).map(|guard| guard.sum());
        let _ = read.map_err(said);
        match a.claim_mut_timeout(rows, soon) {
            Ok(mut guard) => guard.fill(2.5),
            Err(e) => {
                if let Some(mut guard) = said(e).into_guard() {
                    guard.fill(1.5);
                    let _ = guard.clear_poison();
                }
            }
        }
    }
}

/// Its text is one line.
fn said<G>(error: ClaimError<G>) -> ClaimError<G> {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    error
}
