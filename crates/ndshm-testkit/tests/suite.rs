//! The testkit itself: roles, kills, words in shared memory.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_testkit::{Rng, Role, SharedMemory, arguments, suite, until};

const LIMIT: Duration = Duration::from_secs(20);

fn greeter() {
    println!("hello, {}", arguments().join(" and "));
}

fn counter() {
    let memory = SharedMemory::inherited();
    loop {
        memory.word(8).fetch_add(1, SeqCst);
    }
}

fn a_child_is_told_what_to_do_and_answers() {
    let mut child = Role::new("greeter").arg("parent").arg(7).piped().spawn();
    assert_eq!(child.line(), "hello, parent and 7");
    child.succeed(LIMIT);
}

fn a_child_stops_goes_on_and_is_killed() {
    let memory = SharedMemory::create(4096);
    let mut child = Role::new("counter").shared(memory.file()).spawn();
    let count = || memory.word(8).load(SeqCst);
    until("it counts", LIMIT, || count() > 0);
    child.stop();
    let at = count();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(count(), at);
    child.resume();
    until("it goes on", LIMIT, || count() > at);
    child.kill_to_zombie();
    assert_eq!(child.kill().signal(), Some(libc::SIGKILL));
    assert!(!child.is_running());
}

fn the_same_seed_gives_the_same_numbers() {
    let [mut a, mut b] = [Rng::new(7), Rng::new(7)];
    assert!((0..100).all(|_| a.below(1000) == b.below(1000)));
}

suite! {
    roles: [greeter, counter],
    tests: [
        30 => a_child_is_told_what_to_do_and_answers,
        30 => a_child_stops_goes_on_and_is_killed,
        10 => the_same_seed_gives_the_same_numbers,
    ],
}
