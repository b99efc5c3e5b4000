//! The examples of ndshm-buffer, as a person runs them.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "these examples have no tables, pictures or terminals")]
mod common;

use std::time::Duration;

use ndshm_testkit::until;

use common::{Run, Running, assert_empty, command, names};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn two_programs_share_pictures() {
    let dir = names();
    let camera = Running::start(&mut command("camera", &[], dir.path()));
    let name = dir.path().join("ndshm.camera");
    until("the camera is there", LIMIT, || name.exists());
    let viewers = [(); 2].map(|()| Running::start(&mut command("viewer", &[], dir.path())));
    for viewer in viewers {
        let run = viewer.end().exits(0);
        let seen = run.stdout.split(' ').next().and_then(|n| n.parse::<u32>().ok());
        assert!(seen.is_some_and(|seen| seen > 0), "{}", run.stdout);
        assert!(run.stdout.contains("all whole"), "{}", run.stdout);
    }
    assert!(camera.end().exits(0).stdout.contains("ndshm.camera"));
    assert_empty(dir.path());
}

#[test]
fn a_viewer_without_a_camera_says_so() {
    let dir = names();
    let run = Run::of(&mut command("viewer", &[], dir.path())).exits(1);
    assert!(run.stderr.contains("NotFound"), "{}", run.stderr);
}

#[test]
fn a_segment_is_handed_over() {
    let dir = names();
    let socket = dir.path().join("socket");
    let path = socket.to_str().expect("a name of ours");
    let giver = Running::start(&mut command("hand_over", &["give", path], dir.path()));
    until("the giver listens", LIMIT, || socket.exists());
    Run::of(&mut command("hand_over", &["take", path], dir.path())).exits(0);
    let run = giver.end().exits(0);
    assert_eq!(run.stdout, "87 bytes now: an answer to a question\n");
    assert_empty(dir.path());
    Run::of(&mut command("hand_over", &["take", path], dir.path())).exits(1);
    Run::of(&mut command("hand_over", &[], dir.path())).exits(1);
}
