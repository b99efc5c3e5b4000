//! One `.npy` file, by all ranks.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ndarray::{Array, Ix1, Ix2, Ix3, ShapeBuilder};
use ndshm_array::{SharedArray2, SharedArray3};
use ndshm_mpi::{DistArray, Error, Nodes};
use ndshm_testkit::{arguments, numpy, one_line, scratch};

use crate::job::{JOBS, ends_well, job, rank};

pub(crate) fn all_ranks_write_and_read_one_file() {
    for (ranks, node_size) in JOBS {
        let folder = scratch();
        let role = job("file::by_all", ranks, node_size).arg(folder.path().display());
        ends_well(role, &format!("{ranks} ranks, nodes of {node_size}"));
        let saved = SharedArray3::<f32>::load(folder.path().join("c.npy")).unwrap();
        let expected = Array::from_shape_fn((9, 5, 4), |(i, j, k)| (100 * i + 10 * j + k) as f32);
        assert_eq!(*saved.read().unwrap(), expected);
        let Some(python) = numpy("files saved by all ranks") else { continue };
        let check = "import numpy as n, sys; a = n.load(sys.argv[1]); i = n.indices((9, 5, 4)); \
            assert a.dtype == 'f4' and (a == 100*i[0] + 10*i[1] + i[2]).all(), a";
        let file = folder.path().join("c.npy");
        assert!(Command::new(python).arg("-c").arg(check).arg(file).status().unwrap().success());
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 4, "a temporary file is left");
    }
}

fn folder() -> PathBuf {
    PathBuf::from(&arguments()[1])
}

pub(crate) fn by_all() {
    let (_universe, nodes) = rank();
    let folder = folder();
    let value = |(i, j, k): (usize, usize, usize)| (100 * i + 10 * j + k) as f32;
    let expected = Array::from_shape_fn((9, 5, 4), value);
    // By rows, where a band is in one piece; by columns, with margins, where it is in many.
    let options = DistArray::<f32, Ix3>::options(&nodes);
    let by_rows = options.clone().grid([nodes.len()]).zeros((9, 5, 4)).unwrap();
    by_rows.fill_with_index(value).unwrap();
    by_rows.save(folder.join("c.npy")).unwrap();
    let by_columns = options.clone().grid([1, nodes.len()]).halo([1, 0, 2]);
    let by_columns = by_columns.load(folder.join("c.npy")).unwrap();
    assert!(by_columns.gather(0).unwrap().is_none_or(|whole| whole == expected));
    by_columns.save(folder.join("c.npy")).unwrap(); // replaces it
    by_rows.claim_band_mut().unwrap().fill(0.0);
    by_rows.load(folder.join("c.npy")).unwrap();
    assert!(by_rows.gather(0).unwrap().is_none_or(|whole| whole == expected));

    // What NumPy calls Fortran order, and files with nothing or one element in them.
    if nodes.rank() == 0 {
        let f = SharedArray3::<f32>::options().from_shape_fn((9, 5, 4).f(), value).unwrap();
        f.save(folder.join("f.npy")).unwrap();
    }
    nodes.barrier().unwrap();
    by_columns.claim_band_mut().unwrap().fill(0.0);
    by_columns.load(folder.join("f.npy")).unwrap();
    assert!(by_columns.gather(0).unwrap().is_none_or(|whole| whole == expected));
    let empty = DistArray::<u8, Ix2>::options(&nodes).grid([1, nodes.len()]);
    empty.zeros((0, 3)).unwrap().save(folder.join("empty.npy")).unwrap();
    assert!(empty.load(folder.join("empty.npy")).unwrap().is_empty());
    let one = DistArray::<i64, Ix1>::options(&nodes);
    let a = one.zeros(1).unwrap();
    a.fill_with_index(|_| -7).unwrap();
    a.save(folder.join("one.npy")).unwrap();
    assert_eq!(one.load(folder.join("one.npy")).unwrap().allreduce(ndshm_mpi::Sum).unwrap(), -7);
}

pub(crate) fn what_one_rank_cannot_do_is_told_to_all() {
    for (ranks, node_size) in [(2, 1), (4, 2)] {
        let folder = scratch();
        SharedArray2::<f64>::zeros((8, 6)).unwrap().save(folder.path().join("good.npy")).unwrap();
        let role = job("file::refusals", ranks, node_size).arg(folder.path().display());
        ends_well(role, "refusals");
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(
            names.len() == 3 && !names.iter().any(|n| n.to_string_lossy().contains("tmp")),
            "{names:?}"
        );
    }
}

pub(crate) fn refusals() {
    let (_universe, nodes) = rank();
    let (folder, first) = (folder(), nodes.rank() == 0);
    let a = DistArray::<f64, Ix2>::zeros(&nodes, (8, 6)).unwrap();
    let told = |result: ndshm_mpi::Result<()>, says: &str| {
        let refused = result.unwrap_err();
        one_line(&refused, &[says]);
        assert_eq!(matches!(refused, Error::Rank { rank: 0, .. }), !first, "{refused}");
    };
    told(a.save(folder.join("no/such/folder.npy")), "cannot be made");
    told(a.load(folder.join("none.npy")), "cannot be opened");
    let other = DistArray::<f64, Ix2>::zeros(&nodes, (8, 5)).unwrap();
    told(other.load(folder.join("good.npy")), "[8, 6], not [8, 5]");
    let other = DistArray::<f32, Ix2>::options(&nodes).load(folder.join("good.npy")).map(drop);
    told(other, "its elements are float64, not float32");
    let other = DistArray::<f64, Ix3>::options(&nodes).load(folder.join("good.npy")).map(drop);
    told(other, "2 axes in the file");
    let path = if first { "good.npy" } else { "other.npy" };
    assert!(matches!(a.load(folder.join(path)), Err(Error::Differs { .. })));

    // The last rank alone holds a band that others need, or cannot read its part: the file that was there stays.
    let last = nodes.rank() == nodes.size() - 1;
    let kept = last.then(|| a.claim_band_mut().unwrap());
    let refused = a.save(folder.join("good.npy")).unwrap_err();
    assert_eq!(matches!(refused, Error::Claim(_)), last, "{refused}");
    drop(kept);
    cut(&nodes, &folder);
    fs::create_dir_all(folder.join("a folder")).unwrap();
    told(a.save(folder.join("a folder")), "not a regular file");
    a.load(folder.join("good.npy")).unwrap();
}

/// A file that became shorter after its header was read, as far as one rank can see: rank 0 reads the header of a good one.
fn cut(nodes: &Nodes, folder: &std::path::Path) {
    let short = folder.join("short.npy");
    if nodes.rank() == 0 {
        let bytes = fs::read(folder.join("good.npy")).unwrap();
        fs::write(&short, &bytes[..bytes.len() - 8]).unwrap();
    }
    nodes.barrier().unwrap();
    let refused = DistArray::<f64, Ix2>::zeros(nodes, (8, 6)).unwrap().load(&short).unwrap_err();
    assert!(refused.to_string().contains("truncated"), "{refused}");
}
