//! On which of the machine's memory nodes new pages are placed.

use std::io;

/// `MPOL_PREFERRED` of `linux/mempolicy.h`.
const PREFERRED: libc::c_int = 1;

/// Bits of a node mask. The kernel takes any number of them whose upper ones are zero.
const MASK_BITS: usize = 1024;

/// The nodes from which this process may have memory, in ascending order; empty where the kernel does not say.
pub(crate) fn memory_nodes() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Mems_allowed_list:"));
    list.map(|list| parse(list.trim())).unwrap_or_default()
}

/// `0-2,5`, as the kernel prints sets.
fn parse(list: &str) -> Vec<usize> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|&node| node < MASK_BITS);
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(number(first)?..=number(last)?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// From now on this thread takes new pages from that node, as long as it has any.
pub(crate) fn prefer_node(node: usize) -> io::Result<()> {
    const WORD: usize = libc::c_ulong::BITS as usize;
    let mut mask: [libc::c_ulong; MASK_BITS / WORD] = [0; MASK_BITS / WORD];
    *mask.get_mut(node / WORD).ok_or(io::ErrorKind::InvalidInput)? |= 1 << (node % WORD);
    // SAFETY: the kernel reads at most MASK_BITS bits through the pointer, as many as there are, and keeps no reference.
    let answer =
        unsafe { libc::syscall(libc::SYS_set_mempolicy, PREFERRED, mask.as_ptr(), MASK_BITS) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_nodes() {
        assert_eq!(parse("0"), [0]);
        assert_eq!(parse("0-2,5,7-8"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(parse(""), [0; 0]);
        assert_eq!(parse("x,3,99999"), [3]);
    }

    #[test]
    fn a_node_that_there_is_can_be_preferred() {
        let Some(&node) = memory_nodes().first() else {
            return ndshm_testkit::skip("memory nodes", "the kernel does not name them");
        };
        // In a thread that ends with it.
        let set = std::thread::spawn(move || (prefer_node(node), prefer_node(MASK_BITS)));
        let (there_is, none) = set.join().unwrap();
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        if let Err(error) = there_is {
            // A container's filter of system calls, or a kernel without nodes.
            ndshm_testkit::skip("memory nodes", &error.to_string());
        }
    }
}
