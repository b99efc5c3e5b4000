//! `killed_worker`: the result is right, whoever dies where.

use super::{common, run};
use common::{assert_empty, names};

const TILES: usize = 30;

#[test]
fn the_job_is_done_whoever_dies() {
    let dir = names();
    for (workers, victim) in [(1, 0), (1, 11), (1, 29), (2, 0), (2, 20), (4, 7), (5, 29)] {
        let arguments = ["--workers", &workers.to_string(), "--victim", &victim.to_string()];
        let said = run("killed_worker", &arguments, dir.path());
        assert_eq!(said.matches("was killed by SIGKILL").count(), 1, "{said}");
        assert_eq!(said.matches("put back as it was").count(), 1, "{said}");
        let (rows, columns) = (victim / 5 * 10, victim % 5 * 16); // 30 tiles of 10 x 16 in 60 x 80
        let part =
            format!("died with [{rows}..{}, {columns}..{}] claimed", rows + 10, columns + 16);
        assert!(said.contains(&part), "no {part:?} in {said}");

        let line = said.lines().find_map(|line| line.strip_prefix("not done: ["));
        let left = line.and_then(|line| line.strip_suffix(']')).expect("a list of tiles");
        let left: Vec<usize> = left.split(", ").map(|n| n.parse().expect("a tile")).collect();
        if workers == 1 {
            assert_eq!(left, (victim..TILES).collect::<Vec<_>>()); // nobody to go on
        } else {
            assert!(left.contains(&victim), "{said}");
        }
        assert!(said.contains(&format!("done in a second run: {}\n", left.len())), "{said}");
        assert!(said.ends_with("every element is right\n"), "{said}");
    }
    assert_empty(dir.path());
}
