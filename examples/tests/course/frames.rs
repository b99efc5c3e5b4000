//! `frames`: every consumer sees whole ones, and comes to the last.

use super::{common, run};
use common::{assert_empty, names};

#[test]
fn frames_are_whole() {
    let dir = names();
    for (workers, frames, size) in [(2, 1, "1"), (2, 200, "8"), (4, 60, "200")] {
        let (p, n) = (workers.to_string(), frames.to_string());
        let said = run("frames", &["--workers", &p, "--frames", &n, "--size", size], dir.path());
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), workers, "{said}");
        assert!(lines[0].starts_with(&format!("rank 0 made {n} of {n} frames in ")), "{said}");
        for (rank, line) in lines.iter().enumerate().skip(1) {
            let saw = line.strip_prefix(&format!("rank {rank} saw ")).expect(line);
            let count = saw.split(' ').next().and_then(|n| n.parse::<u64>().ok());
            assert!(count.is_some_and(|count| (1..=frames).contains(&count)), "{said}");
        }
    }
    assert_empty(dir.path());
}
