//! A full filesystem: an error at creation that says so, nothing left behind, never a signal.

use std::path::Path;
use std::time::Duration;

use ndshm_array::npy::{Dtype, NpyHeader, Order, write_npy};
use ndshm_array::{CreateError, LoadError, SharedArray2};
use ndshm_buffer::{CreateError as BufferError, Shortage};
use ndshm_testkit::{Role, arguments, mount_tmpfs, own_mounts};

use crate::common::{is_empty, one_line, scratch};

const LIMIT: Duration = Duration::from_secs(30);
const MIB: usize = 1 << 20;

pub(crate) fn a_full_filesystem() {
    let Some(unshare) = own_mounts("a full filesystem") else { return };
    let (dir, disk) = (scratch(), tempfile::tempdir().expect("a folder"));
    let path = disk.path().join("big.npy");
    let header = NpyHeader { dtype: Dtype::F64, order: Order::C, shape: vec![256, 512] };
    write_npy(&path, &header, &vec![0; MIB]).expect("room");
    let role = Role::new("full::small_filesystem").under(unshare);
    role.arg(dir.path().display()).arg(path.display()).spawn().succeed(LIMIT);
}

/// With a filesystem of one megabyte.
pub(crate) fn small_filesystem() {
    let [dir, big] = &arguments()[..] else { panic!("a directory and a file") };
    mount_tmpfs(dir);
    let path = Path::new(dir);

    let options = |name: &str| SharedArray2::<f64>::options().dir(dir).name(name);
    let no_space = |e: &BufferError| {
        let place = |s: &Shortage| matches!(s, Shortage::Directory(d) if d == path);
        assert!(matches!(e, BufferError::NoSpace { shortage, .. } if place(shortage)), "{e}");
        one_line(e, &[dir, "bytes free", "ask for less"]);
    };
    // The data alone would fit.
    let create = |rows: usize| match options("a").from_elem((rows, 512), 1.0) {
        Ok(a) => Some(a),
        Err(CreateError::Buffer(e)) => {
            no_space(&e);
            None
        }
        Err(e) => panic!("{e}"),
    };
    for rows in [256, 255, 1 << 20] {
        assert!(create(rows).is_none());
        assert!(is_empty(path), "left behind");
    }
    match options("a").load(big) {
        Err(LoadError::Create(CreateError::Buffer(e))) => no_space(&e),
        other => panic!("{other:?}"),
    }
    assert!(is_empty(path), "left behind");

    // As large as fits, to the last page; all of it can be written, and the table of claims used.
    let rows = (1..256).rev().find(|rows| create(*rows).is_some()).expect("some fit");
    let a = create(rows).unwrap();
    a.write().expect("nobody else").fill(2.0);
    assert_eq!(a.read().expect("nobody else").sum(), (rows * 512 * 2) as f64);
    let guards: Vec<_> = (0..rows).map_while(|row| a.claim_mut(row..=row).ok()).collect();
    assert_eq!(guards.len(), rows);
    drop(guards);
    match options("b").zeros((1, 1)) {
        Err(CreateError::Buffer(e)) => no_space(&e),
        other => panic!("{other:?}"),
    }
    drop(a);
    assert!(is_empty(path), "left behind");
    println!("  {rows} rows of 4 KiB in 1 MiB");
}
