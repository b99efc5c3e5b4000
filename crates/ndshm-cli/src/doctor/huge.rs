//! Huge pages: what the settings say, and whether they are to be had all the same.

use std::fs;

use ndshm_buffer::HugePages;

use super::Finding;
use crate::size::human;

const SECTION: &str = "huge pages";
const SETTINGS: &str = "/sys/kernel/mm/transparent_hugepage";

pub(super) fn examine() -> Vec<Finding> {
    let mut findings = Vec::new();
    match setting("shmem_enabled") {
        Some(setting) => {
            findings.push(Finding::note(SECTION, format!("shmem_enabled is {setting}")))
        }
        None => findings.push(Finding::note(SECTION, "the kernel has no transparent huge pages")),
    }
    findings.push(match ndshm_buffer::probe_huge_pages() {
        Ok(HugePages::Had) => {
            Finding::ok(SECTION, "to be had: a block of 2 MiB of shared memory became one page")
        }
        Ok(HugePages::Refused(why)) => Finding::note(
            SECTION,
            format!(
                "not to be had now ({why}): memory is used in pages of 4 KiB, first touch is slower"
            ),
        ),
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
