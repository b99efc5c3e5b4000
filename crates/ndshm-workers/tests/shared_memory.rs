//! Segments among the arguments are the same memory in every worker.

mod common;

use std::os::fd::AsFd;

use common::watchdog;
use ndshm_buffer::{SegmentId, SharedBuffer};
use ndshm_sync::{Members, Region};
use ndshm_workers::{Worker, Workers};

ndshm_workers::test_support!();

fn write_own_byte(worker: &Worker, buffers: Vec<SharedBuffer>) -> Result<Vec<SegmentId>, String> {
    for buffer in &buffers {
        let mut byte = [0];
        buffer.read_at(0, &mut byte).map_err(|e| e.to_string())?;
        assert_eq!(byte, [42], "what the parent wrote");
        let offset = buffer.len() - 1 - worker.rank();
        buffer.write_at(offset, &[100 + worker.rank() as u8]).map_err(|e| e.to_string())?;
    }
    Ok(buffers.iter().map(SharedBuffer::id).collect())
}

#[test]
fn a_buffer_is_the_same_memory_and_the_same_file() {
    let _watchdog = watchdog("same memory", 60);
    let small = SharedBuffer::anonymous(100).unwrap();
    let large = SharedBuffer::anonymous(5 << 20).unwrap();
    for buffer in [&small, &large] {
        buffer.write_at(0, &[42]).unwrap();
    }
    // One of them twice: it is one segment.
    let args = vec![small.clone(), large.clone(), small.clone()];
    let ids = Workers::new(3).run(write_own_byte, &args).unwrap();
    for seen in ids {
        assert_eq!(seen, [small.id(), large.id(), small.id()]);
    }
    for buffer in [&small, &large] {
        let mut bytes = [0; 3];
        buffer.read_at(buffer.len() - 3, &mut bytes).unwrap();
        assert_eq!(bytes, [102, 101, 100]);
    }
}

#[test]
fn a_named_buffer_travels_too_and_its_name_goes_with_the_parent() {
    let _watchdog = watchdog("named", 60);
    let name = format!("workers-test-{}-named", std::process::id());
    let buffer = SharedBuffer::options().create(&name, 4096).unwrap();
    buffer.write_at(0, &[42]).unwrap();
    let ids = Workers::new(2).run(write_own_byte, &vec![buffer.clone()]).unwrap();
    assert_eq!(ids, [[buffer.id()], [buffer.id()]]);
    let path = buffer.path().unwrap().to_owned();
    assert!(path.exists(), "the workers' exit must not remove it");
    drop(buffer);
    assert!(!path.exists());
}

const ROUNDS: u64 = 2_000;

/// All add to one counter under the mutex, and meet; between two meetings it must not change.
fn count_and_meet(worker: &Worker, buffer: SharedBuffer) -> ndshm_workers::Result<(u64, usize)> {
    // SAFETY: mapped as long as `buffer` lives, zeroed when it was made, and used for nothing else.
    let region = unsafe { Region::new(buffer.base(), buffer.len(), buffer.as_fd()) };
    let members = Members::join(region)?;
    let counter = members.layout().mutex(0_u64)?;
    let mut led = 0;
    for round in 1..=ROUNDS {
        *counter.lock()? += 1;
        led += usize::from(worker.barrier()?.is_leader());
        let seen = *counter.lock()?;
        assert_eq!(seen, round * worker.size() as u64, "round {round}");
        worker.barrier()?;
    }
    let total = *counter.lock()?;
    Ok((total, led))
}

#[test]
fn four_workers_meet_thousands_of_times() {
    let _watchdog = watchdog("barrier", 120);
    let buffer = SharedBuffer::anonymous(Members::SIZE + 4096).unwrap();
    let results = Workers::new(4).run(count_and_meet, &buffer).unwrap();
    assert!(results.iter().all(|r| r.0 == 4 * ROUNDS));
    assert_eq!(results.iter().map(|r| r.1).sum::<usize>(), ROUNDS as usize, "one leads each time");
}

#[test]
fn an_anonymous_buffer_made_by_a_worker_stays_there() {
    let _watchdog = watchdog("made there", 60);
    let make = |_: &Worker, ()| SharedBuffer::anonymous(64).map_err(|e| e.to_string());
    let error = Workers::new(1).run(make, &()).unwrap_err();
    assert!(error.to_string().contains("could not be sent"), "{error}");
}
