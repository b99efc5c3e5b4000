//! Huge pages: what the settings say, and whether they are to be had all the same.

use std::fs;

use ndshm_buffer::{Prefault, SharedBuffer};

use super::Finding;
use crate::size::human;

const SECTION: &str = "huge pages";
/// One of them.
const PROBED: usize = 2 << 20;
const SETTINGS: &str = "/sys/kernel/mm/transparent_hugepage";

pub(super) fn examine() -> Vec<Finding> {
    let mut findings = Vec::new();
    match setting("shmem_enabled") {
        Some(setting) => {
            findings.push(Finding::note(SECTION, format!("shmem_enabled is {setting}")))
        }
        None => findings.push(Finding::note(SECTION, "the kernel has no transparent huge pages")),
    }
    let probe = SharedBuffer::options().prefault(Prefault::huge().insist()).anonymous(PROBED);
    findings.push(match probe.map(|probe| probe.prefaulted().huge) {
        Ok(0) => Finding::note(
            SECTION,
            "not to be had now: memory is used in pages of 4 KiB, first touch is slower",
        ),
        Ok(_) => {
            Finding::ok(SECTION, "to be had: a block of 2 MiB of shared memory became one page")
        }
        Err(e) => Finding::note(SECTION, format!("could not be tried: {e}")),
    });
    if let Some(pool) = pool().filter(|&pages| pages > 0) {
        let size = human(pool << 21);
        let what = format!(
            "{pool} pages of 2 MiB ({size}) are set aside by vm.nr_hugepages, which ndshm does not use"
        );
        findings.push(Finding::note(SECTION, what));
    }
    findings
}

/// The word in brackets.
fn setting(file: &str) -> Option<String> {
    let text = fs::read_to_string(format!("{SETTINGS}/{file}")).ok()?;
    let chosen = text.split('[').nth(1)?.split(']').next()?;
    Some(chosen.to_owned())
}

fn pool() -> Option<u64> {
    fs::read_to_string("/proc/sys/vm/nr_hugepages").ok()?.trim().parse().ok()
}
