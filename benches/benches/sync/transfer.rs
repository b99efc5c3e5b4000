//! 64 MiB handed to another process and back, written and read where they lie.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ndshm_benches::Target::AtLeast;
use ndshm_buffer::{Prefault, SharedBuffer};

use crate::arena::Arena;
use crate::contest::{Among, Contest, Pace, Rival};
use crate::crew::Placement;
use crate::ours::Ours;

const NDSHM: &str = "ndshm";
const ICEORYX2: &str = "iceoryx2, a loan filled in place";
const COPIED: &str = "iceoryx2, copied in";

const LEN: usize = 64 << 20;

/// How far apart the words lie that are written, and looked at by the other one: who hands over a frame has changed
/// it, and the time for that is not what is measured.
const STEP: usize = 1 << 20;

/// Adds the frames, and the contest between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    let first = rivals.len();
    rivals.push(ndshm(arena));
    rivals.extend(iceoryx2(arena));
    contests.push(Contest {
        group: "transfer, 64 MiB".to_owned(),
        rivals: (first..rivals.len()).collect(),
        yardstick: NDSHM,
        targets: vec![AtLeast(1.5, &[ICEORYX2]).into()],
        parties: 2,
        placement: Placement::Spread,
        hogs: false,
        pace: Pace::InStep(0),
        slice: Duration::from_millis(10),
        rounds: 51,
        fair_for: None,
    });
}

/// A round as the two of a pair see it: one writes and hands over, the other looks and hands back.
fn rival<W: FnMut(u64) + 'static, R: FnMut(u64) + 'static>(
    name: &'static str,
    connect: impl Fn(usize) -> (W, R) + Send + Sync + 'static,
) -> Rival {
    Rival {
        name,
        among: Among::Processes,
        prepare: Box::new(move |rank| {
            let (mut hand_over, mut hand_back) = connect(rank);
            let mut round = 0;
            Box::new(move |run| {
                run.repeat(|| {
                    round += 1;
                    if rank == 0 { hand_over(round) } else { hand_back(round) }
                })
            })
        }),
        counted: None,
    }
}

/// One mapping, and two events: whoever was told has the frame.
fn ndshm(arena: &'static Arena) -> Rival {
    let options = SharedBuffer::options().prefault(Prefault::pages());
    let frame: &SharedBuffer =
        Box::leak(Box::new(options.anonymous(LEN).expect("there is memory")));
    rival(NDSHM, move |_| {
        let [over, back] = &Ours::here(arena).transfer;
        let words = || {
            let at = |offset| frame.as_ptr().wrapping_add(offset).cast::<AtomicU64>();
            // SAFETY: aligned words of a mapping that is never given back, used through atomics alone.
            (0..LEN).step_by(STEP).map(move |offset| unsafe { &*at(offset) })
        };
        let hand_over = move |round| {
            words().for_each(|word| word.store(round, Ordering::Relaxed));
            over.set();
            back.wait().expect("a member");
        };
        let hand_back = move |round| {
            over.wait().expect("a member");
            assert!(words().all(|word| word.load(Ordering::Relaxed) == round), "not that frame");
            back.set();
        };
        (hand_over, hand_back)
    })
}

#[cfg(feature = "iceoryx2")]
fn iceoryx2(_arena: &'static Arena) -> Vec<Rival> {
    use std::mem::MaybeUninit;

    use iceoryx2::prelude::{NodeBuilder, ipc};

    const WORD: usize = size_of::<u64>();

    let parent = std::process::id();
    let made = |name: &'static str, copied: bool| {
        rival(name, move |rank| {
            let node = NodeBuilder::new().create::<ipc::Service>().expect("a node");
            let name = |of: &str| {
                let name = format!("ndshm-benches/{parent}/{copied}/{of}");
                name.as_str().try_into().expect("a name")
            };
            let frames = node.service_builder(&name("frames")).publish_subscribe::<[u64]>();
            let frames = frames.open_or_create().expect("a service");
            let answers = node.service_builder(&name("answers")).publish_subscribe::<u64>();
            let answers = answers.open_or_create().expect("a service");
            // Each has one of the two kinds, and the other one's halves.
            let publisher = (rank == 0).then(|| {
                let publisher = frames.publisher_builder().initial_max_slice_len(LEN / WORD);
                publisher.create().expect("a publisher")
            });
            let answer = answers.publisher_builder().create().expect("a publisher");
            let frame = frames.subscriber_builder().create().expect("a subscriber");
            let answered = answers.subscriber_builder().create().expect("a subscriber");
            let source = if copied && rank == 0 { vec![0_u64; LEN / WORD] } else { Vec::new() };
            let node = std::rc::Rc::new(node);
            let kept = std::rc::Rc::clone(&node);
            let mut source = source;
            let hand_over = move |round| {
                let _node = &kept;
                let publisher = publisher.as_ref().expect("the first one's");
                let mut sample = publisher.loan_slice_uninit(LEN / WORD).expect("a free sample");
                let sample = if copied {
                    source.iter_mut().step_by(STEP / WORD).for_each(|word| *word = round);
                    sample.write_from_slice(&source)
                } else {
                    let words: &mut [MaybeUninit<u64>] = sample.payload_mut();
                    for word in words.iter_mut().step_by(STEP / WORD) {
                        word.write(round);
                    }
                    // SAFETY: numbers in zeroed shared memory, of which the rest is looked at by nobody.
                    unsafe { sample.assume_init() }
                };
                sample.send().expect("sent");
                while answered.receive().expect("a connection").is_none() {
                    std::hint::spin_loop();
                }
            };
            let hand_back = move |round| {
                let _node = &node;
                let sample = loop {
                    if let Some(sample) = frame.receive().expect("a connection") {
                        break sample;
                    }
                    std::hint::spin_loop();
                };
                let mut words = sample.payload().iter().step_by(STEP / WORD);
                assert!(words.all(|&word| word == round), "not that frame");
                drop(sample);
                answer.send_copy(round).expect("a free sample");
            };
            (hand_over, hand_back)
        })
    };
    vec![made(ICEORYX2, false), made(COPIED, true)]
}

#[cfg(not(feature = "iceoryx2"))]
fn iceoryx2(_arena: &'static Arena) -> Vec<Rival> {
    // Named here so that the list of rivals is the same with and without.
    ndshm_benches::absent(&format!("{ICEORYX2}; {COPIED}"), "built without `--features iceoryx2`");
    Vec::new()
}
