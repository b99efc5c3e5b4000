//! A squatter puts everything that a file can be where a segment's name is, while others create, open, list and remove:
//! they get typed errors, never hang, and never touch what a link leads to.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use ndshm_testkit::Rng;

use super::{Fault, Scene};

pub(super) const FAULT: Fault = Fault {
    name: "squats",
    rounds: 10_000,
    counts: &[
        "squats",
        "opened",
        "refused",
        "created",
        "removed",
        "collected",
        "opened by a link that went",
    ],
    play,
};

const SQUATS: usize = 0;
const OPENED: usize = 1;
const REFUSED: usize = 2;
const CREATED: usize = 3;
const REMOVED: usize = 4;
const COLLECTED: usize = 5;
const UNLINKED: usize = 6;

const ACTORS: u64 = 3;
const BATCH: u64 = 32;
const SECRET: &[u8] = b"nothing of this is for others";
/// Behind hard links only. The kernel counts a link less shortly before its name is gone, so a file whose second name
/// goes in that moment may be opened by it, as if it had been renamed meanwhile.
const SECOND: &[u8] = b"nor is what has a second name";
const OVER: usize = 0;

fn play(scene: &Scene) {
    // Files that links lead to, in the directory itself: hard links do not leave a filesystem.
    let [secret, second] = [("secret", SECRET), ("second", SECOND)].map(|(name, text)| {
        let path = scene.dir.join(name);
        fs::write(&path, text).expect("cannot write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("cannot change it");
        path
    });
    let mut squatter = scene.spawn(|| squat(scene, &secret, &second));
    let mut actors: Vec<_> = (1..=ACTORS).map(|me| scene.spawn(|| act(scene, me))).collect();
    actors.iter_mut().for_each(|one| {
        while scene.goes_on() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        scene.ends_well(one);
    });
    scene.word(OVER).store(1, SeqCst);
    scene.ends_well(&mut squatter);
    clear(&scene.dir.join("ndshm.a"));
    for (path, text) in [(&secret, SECRET), (&second, SECOND)] {
        let mode = fs::metadata(path).map(|facts| facts.permissions().mode() & 0o7777).ok();
        scene.check(fs::read(path).is_ok_and(|now| now == text) && mode == Some(0o640), || {
            "what a link led to was changed".to_owned()
        });
        let _ = fs::remove_file(path);
    }
}

fn clear(at: &Path) {
    if fs::remove_file(at).is_err() {
        let _ = fs::remove_dir(at);
    }
}

/// One kind after another; what another actor has put there meanwhile stays for a while.
fn squat(scene: &Scene, secret: &Path, second: &Path) {
    let at = scene.dir.join("ndshm.a");
    let mut rng = scene.rng(99);
    let path = std::ffi::CString::new(at.as_os_str().as_encoded_bytes()).expect("no zeroes");
    let special = |kind: libc::mode_t, device: libc::dev_t| {
        // SAFETY: the path ends in zero and lives for the call.
        unsafe { libc::mknod(path.as_ptr(), kind | 0o600, device) };
    };
    while scene.word(OVER).load(SeqCst) == 0 {
        clear(&at);
        // Where somebody was faster nothing comes of it.
        match rng.below(12) {
            0 => drop(symlink(secret, &at)),
            1 => drop(symlink("/nowhere/at/all", &at)),
            2 => drop(symlink("ndshm.a", &at)),
            3 => drop(fs::create_dir(&at)),
            4 => special(libc::S_IFIFO, 0),
            5 => drop(std::os::unix::net::UnixListener::bind(&at)),
            // The null device, where this process may make one.
            6 => special(libc::S_IFCHR, libc::makedev(1, 3)),
            7 => drop(fs::hard_link(second, &at)),
            8 => drop(File::create_new(&at)),
            9 => drop(File::create_new(&at).map(|file| file.set_len(1 << 62))),
            10 => {
                drop(File::create_new(&at).map(|file| file.set_len(4096)));
                let _ = chown(&at, Some(65_534), None);
            }
            _ => {
                let file = File::create_new(&at).map(|file| file.set_len(4096));
                let _ = file;
                let _ = fs::set_permissions(&at, fs::Permissions::from_mode(0o4777));
            }
        }
        scene.count(SQUATS).fetch_add(1, Relaxed);
        rng.pause(std::time::Duration::from_micros(50));
    }
}

fn act(scene: &Scene, me: u64) {
    let mut rng = scene.rng(me);
    let mut operations = 0;
    while scene.goes_on() {
        operation(scene, &mut rng);
        operations += 1;
        if operations == BATCH {
            scene.done(operations);
            operations = 0;
        }
    }
}

fn operation(scene: &Scene, rng: &mut Rng) {
    let options = scene.options().guarded(true);
    let counted = |fine: bool, of: usize| {
        scene.count(if fine { of } else { REFUSED }).fetch_add(1, Relaxed);
    };
    match rng.below(8) {
        0 => match options.create("a", 4096) {
            Ok(created) => {
                counted(true, CREATED);
                if rng.chance(30) {
                    let _ = created.persist();
                }
                let written = created.write_at(0, b"mine");
                scene.check(written.is_ok(), || "what was created cannot be written".to_owned());
            }
            Err(_) => counted(false, CREATED),
        },
        1 | 2 => {
            let opened = options.read_only(rng.chance(50)).open("a");
            counted(opened.is_ok(), OPENED);
            if let Ok(opened) = opened {
                // A plain file may have been cut under it; a secret is never seen.
                let mut bytes = vec![0; opened.len().min(SECRET.len())];
                let read = opened.read_at(0, &mut bytes);
                scene.check(read.is_err() || bytes != SECRET, || "a link was followed".to_owned());
                if read.is_ok() && bytes == SECOND {
                    scene.count(UNLINKED).fetch_add(1, Relaxed);
                }
            }
        }
        3 => counted(options.remove("a").is_ok(), REMOVED),
        4 => counted(options.foreign_owner(true).remove("a").is_ok(), REMOVED),
        5 => counted(options.info("a").is_ok(), OPENED),
        6 => counted(options.list().is_ok(), OPENED),
        _ => match options.gc() {
            Ok(removed) => drop(scene.count(COLLECTED).fetch_add(removed.len() as u64, Relaxed)),
            Err(error) => scene.violation(&error.to_string()),
        },
    }
}
