//! What the memory is like afterwards.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use ndshm_benches::Contender;
use ndshm_buffer::{Prefault, SharedBuffer};

use crate::prefault::{Clock, made};

pub(crate) const SMALL: &str = "ndshm, small pages";
pub(crate) const HUGE: &str = "ndshm, huge pages";

/// How many loads are one operation.
const LOADS: usize = 2_000_000;

/// Both in one memory after the other, by turns; each is told what it has.
fn both(
    len: usize,
    clock: Clock,
    using: impl Fn(&SharedBuffer) + 'static,
) -> Vec<Contender<'static>> {
    let using = Rc::new(using);
    let contenders =
        [(SMALL, Prefault::pages()), (HUGE, Prefault::huge().insist())].map(|(name, prefault)| {
            let (using, mut buffer) = (Rc::clone(&using), None);
            let run: Box<dyn FnMut(u64) -> Duration> = Box::new(move |count| {
                let buffer = buffer.get_or_insert_with(|| {
                    let buffer = made(len, prefault.clone());
                    println!("{name}: {}", buffer.prefaulted());
                    buffer
                });
                let start = clock();
                (0..count).for_each(|_| using(buffer));
                Duration::from_nanos(clock() - start)
            });
            (name, run)
        });
    contenders.into()
}

/// Loads of words all over it, of which each tells where the next one is.
pub(crate) fn random(len: usize, clock: Clock) -> Vec<Contender<'static>> {
    both(len, clock, |buffer| {
        // SAFETY: nobody writes.
        let bytes = unsafe { buffer.as_slice() };
        let mut at = 1_u64;
        for _ in 0..LOADS {
            // What was loaded (always zero) goes into the next place, so that the loads cannot overlap.
            let word = u64::from(bytes[(at % bytes.len() as u64) as usize]);
            at = (at ^ word)
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
                >> 1;
        }
        black_box(at);
    })
}

/// A mapping of what is there already, read once, a byte of each page.
pub(crate) fn attach(len: usize, clock: Clock) -> Vec<Contender<'static>> {
    both(len, clock, |buffer| {
        let options = SharedBuffer::options().read_only(true);
        let reader = options.open_handle(&buffer.handle()).expect("it is there");
        // SAFETY: nobody writes.
        let bytes = unsafe { reader.as_slice() };
        black_box(bytes.iter().step_by(4096).map(|&byte| u64::from(byte)).sum::<u64>());
    })
}
