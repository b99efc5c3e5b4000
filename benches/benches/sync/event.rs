//! Events: one tells, the other waits.

use std::ffi::c_int;
use std::io::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ndshm_benches::Target::{AtLeast, AtMost};
use raw_sync::Timeout;
use raw_sync::events::{BusyEvent, Event, EventImpl, EventInit, EventState};

use crate::arena::Arena;
use crate::contest::{Contest, Pace, Rival};
use crate::crew::Placement;
use crate::ours::Ours;
use crate::ping_pong::{self, WORK};
use crate::posix::PosixSemaphore;

const NDSHM: &str = "ndshm";
const MANUAL: &str = "ndshm, manual reset";
const ATOMIC: &str = "bare atomics";
const SWAP: &str = "bare atomics, swapped";
const BUSY: &str = "raw_sync BusyEvent";
const ICEORYX2: &str = "iceoryx2, polling";
const EVENTFD: &str = "eventfd";
const SEMAPHORE: &str = "POSIX semaphore";
const RAW_SYNC: &str = "raw_sync Event";

const A_PAUSE: &str = "a look costs a pause of 27 ns, and whether an answer comes just before or just after one decides ten to thirty per cent";
const FAR: &str = "with the two processors far from each other even bare atomics are only 5.5 x as fast as iceoryx2";

/// Adds the events, and the contests between them.
pub(crate) fn enter(arena: &'static Arena, rivals: &mut Vec<Rival>, contests: &mut Vec<Contest>) {
    let first = rivals.len();
    rivals.push(ndshm(arena, 0));
    let blocking = rivals.len();
    rivals.push(eventfd(arena, 0));
    rivals.push(semaphore(arena, 0));
    rivals.push(raw_sync::<Event>(RAW_SYNC, arena, 0));
    let spinning = rivals.len();
    rivals.push(manual(arena));
    rivals.push(atomic(arena));
    rivals.push(swap(arena));
    rivals.push(raw_sync::<BusyEvent>(BUSY, arena, 0));
    rivals.extend(iceoryx2(arena));
    let asleep = rivals.len();
    rivals.push(ndshm(arena, WORK));
    rivals.push(eventfd(arena, WORK));
    rivals.push(semaphore(arena, WORK));
    rivals.push(raw_sync::<Event>(RAW_SYNC, arena, WORK));

    let contest = Contest {
        group: "event, one processor each".to_owned(),
        rivals: [first].into_iter().chain(spinning..asleep).collect(),
        yardstick: ATOMIC,
        targets: vec![
            AtMost(1.1, &[ATOMIC]).because(A_PAUSE),
            AtLeast(8.0, &[ICEORYX2]).because(FAR),
        ],
        parties: 2,
        placement: Placement::Spread,
        hogs: false,
        pace: Pace::InStep(0),
        slice: Duration::from_millis(2),
        rounds: 101,
        fair_for: None,
    };
    contests.push(Contest {
        group: "event, one processor for both".to_owned(),
        rivals: [first].into_iter().chain(blocking..spinning).collect(),
        yardstick: EVENTFD,
        targets: vec![AtMost(1.1, &[EVENTFD, SEMAPHORE]).into()],
        placement: Placement::Together,
        slice: Duration::from_millis(5),
        rounds: 51,
        ..contest.clone()
    });
    for (placement, whose) in [(Placement::Spread, "each"), (Placement::Together, "for both")] {
        contests.push(Contest {
            group: format!("event, after a sleep, one processor {whose}"),
            rivals: (asleep..rivals.len()).collect(),
            yardstick: EVENTFD,
            targets: vec![AtMost(1.1, &[EVENTFD, SEMAPHORE]).into()],
            placement,
            // Both work before they tell.
            pace: Pace::InStep(2 * WORK),
            slice: Duration::from_millis(2),
            rounds: 41,
            ..contest.clone()
        });
    }
    contests.push(contest);
}

fn ndshm(arena: &'static Arena, work: u64) -> Rival {
    ping_pong::rival(NDSHM, arena, work, move |rank| {
        let [to, from] = [rank, 1 - rank].map(|i| &Ours::here(arena).events[i]);
        (|| to.set(), || from.wait().expect("a member"))
    })
}

fn manual(arena: &'static Arena) -> Rival {
    ping_pong::rival(MANUAL, arena, 0, move |rank| {
        let [to, from] = [rank, 1 - rank].map(|i| &Ours::here(arena).manual[i]);
        let wait = || {
            from.wait().expect("a member");
            from.reset();
        };
        (|| to.set(), wait)
    })
}

/// As one has to where several may wait: the mark is taken in one step.
fn swap(arena: &'static Arena) -> Rival {
    let words: [&AtomicU64; 2] = [arena.take(), arena.take()];
    ping_pong::rival(SWAP, arena, 0, move |rank| {
        let (to, from) = (words[rank], words[1 - rank]);
        let tell = || to.store(1, Ordering::Release);
        let wait = || {
            while from.load(Ordering::Acquire) == 0 || from.swap(0, Ordering::AcqRel) == 0 {
                std::hint::spin_loop();
            }
        };
        (tell, wait)
    })
}

fn atomic(arena: &'static Arena) -> Rival {
    let words: [&AtomicU64; 2] = [arena.take(), arena.take()];
    ping_pong::rival(ATOMIC, arena, 0, move |rank| {
        let (to, from) = (words[rank], words[1 - rank]);
        let tell = || to.store(1, Ordering::Release);
        let wait = || {
            while from.load(Ordering::Acquire) == 0 {
                std::hint::spin_loop();
            }
            from.store(0, Ordering::Relaxed);
        };
        (tell, wait)
    })
}

fn semaphore(arena: &'static Arena, work: u64) -> Rival {
    let both = [0; 2].map(|_| PosixSemaphore::create(arena, 0));
    ping_pong::rival(SEMAPHORE, arena, work, move |rank| {
        let (to, from) = (both[rank], both[1 - rank]);
        (|| to.post(), || from.wait())
    })
}

fn eventfd(arena: &'static Arena, work: u64) -> Rival {
    let both = [0; 2].map(|_| {
        // SAFETY: takes numbers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        assert!(fd >= 0, "eventfd: {}", Error::last_os_error());
        fd
    });
    ping_pong::rival(EVENTFD, arena, work, move |rank| {
        let (to, from) = (both[rank], both[1 - rank]);
        (move || add_to(to), move || take_from(from))
    })
}

fn add_to(eventfd: c_int) {
    let one = 1_u64;
    // SAFETY: eight bytes to read from.
    let r = unsafe { libc::write(eventfd, (&raw const one).cast(), 8) };
    assert!(r == 8, "write: {}", Error::last_os_error());
}

fn take_from(eventfd: c_int) {
    let mut count = 0_u64;
    // SAFETY: eight bytes to write to.
    let r = unsafe { libc::read(eventfd, (&raw mut count).cast(), 8) };
    assert!(r == 8, "read: {}", Error::last_os_error());
}

/// raw_sync's events, in shared memory.
struct RawSync(Box<dyn EventImpl>);

// SAFETY: made for use by several processes; all that it has are addresses in shared memory.
unsafe impl Send for RawSync {}
// SAFETY: as for `Send`.
unsafe impl Sync for RawSync {}

fn raw_sync<E: EventInit>(name: &'static str, arena: &'static Arena, work: u64) -> Rival {
    let both = [0; 2].map(|_| {
        // SAFETY: room for the event, zeroed, never unmapped.
        let made = unsafe { E::new(arena.take_bytes(256), true) };
        let event: &RawSync = Box::leak(Box::new(RawSync(made.expect("raw_sync makes it").0)));
        event
    });
    ping_pong::rival(name, arena, work, move |rank| {
        let (to, from) = (both[rank], both[1 - rank]);
        let tell = || to.0.set(EventState::Signaled).expect("raw_sync sets");
        (tell, || from.0.wait(Timeout::Infinite).expect("raw_sync waits"))
    })
}

#[cfg(feature = "iceoryx2")]
fn iceoryx2(arena: &'static Arena) -> Option<Rival> {
    use iceoryx2::prelude::{NodeBuilder, ipc};

    let parent = std::process::id();
    Some(ping_pong::rival(ICEORYX2, arena, 0, move |rank| {
        let node = NodeBuilder::new().create::<ipc::Service>().expect("a node");
        let [to, from] = [rank, 1 - rank].map(|direction| {
            let name = format!("ndshm-benches/{parent}/{direction}");
            let name = name.as_str().try_into().expect("a name");
            let service = node.service_builder(&name).publish_subscribe::<u64>();
            service.open_or_create().expect("a service")
        });
        let publisher = to.publisher_builder().create().expect("a publisher");
        let subscriber = from.subscriber_builder().create().expect("a subscriber");
        let tell = move || {
            publisher.send_copy(1).expect("a free sample");
        };
        let wait = move || {
            let _node = &node;
            while subscriber.receive().expect("a connection").is_none() {
                std::hint::spin_loop();
            }
        };
        (tell, wait)
    }))
}

#[cfg(not(feature = "iceoryx2"))]
fn iceoryx2(_arena: &'static Arena) -> Option<Rival> {
    ndshm_benches::absent(ICEORYX2, "built without `--features iceoryx2`");
    None
}
