//! Segments of another user.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;

use ndshm_testkit::{scratch, skip};

use crate::keeper::made;
use crate::run::command;

/// `nobody`, nearly everywhere.
const OTHER: u32 = 65_534;

fn as_other(dir: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    command(dir).args(arguments).uid(OTHER).gid(OTHER).output()
}

pub(crate) fn segments_of_others() {
    const WHAT: &str = "looks at another user's segments";
    let dir = scratch();
    let dir = dir.path();
    if std::fs::metadata(dir).unwrap().uid() != 0 {
        return skip(WHAT, "only root can be another user");
    }
    set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
    if let Err(e) = as_other(dir, &["ls"]) {
        return skip(WHAT, &format!("the other user cannot run the command: {e}"));
    }
    let maker = made(dir, "heat", &["w0..5"]);
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();

    // Not to be read: listed with what is known, and no more.
    let listed = as_other(dir, &["ls"]).unwrap();
    assert_eq!(listed.status.code(), Some(0));
    assert!(text(&listed).contains("heat  unknown  unreadable"), "{}", text(&listed));
    let viewed = as_other(dir, &["view", "heat"]).unwrap();
    assert_eq!(viewed.status.code(), Some(2));
    assert!(String::from_utf8(viewed.stderr).unwrap().contains("Permission denied"));

    // To be read only: all is seen; it cannot be joined, and that is said.
    let path = dir.join("ndshm.heat");
    set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let info = as_other(dir, &["info", "heat"]).unwrap();
    assert_eq!(info.status.code(), Some(0));
    assert!(
        text(&info).contains(&format!("pid {} writes rows 0..5", maker.pid())),
        "{}",
        text(&info)
    );
    let copy = dir.join("copy.npy");
    let save = ["save", "heat", copy.to_str().unwrap()];
    let refused = as_other(dir, &save).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("belongs to user 0") && said.contains("--anyway"), "{said}");
    let saved = as_other(dir, &[&save[..], &["--anyway"]].concat()).unwrap();
    assert_eq!((saved.status.code(), copy.exists()), (Some(1), true));
    // And not removed.
    let removed = as_other(dir, &["rm", "--force", "heat"]).unwrap();
    assert_eq!((removed.status.code(), path.exists()), (Some(2), true));
}
