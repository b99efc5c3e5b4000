//! Page tables and huge pages: parts of a mapping faulted in, or remade as one huge page each.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::time::{ClockId, clock_gettime};

use super::again;
use super::region::{BLOCK, Region};

/// Makes one huge page of a block that has at least one page: a hole is filled with zeroes, pages that are there are
/// copied. Takes no privilege, and works whatever `shmem_enabled` says (Linux 6.1).
///
/// False where the block stays as it was. What the kernel gives as the reason says nothing: EINVAL stands for a full
/// filesystem as for a kernel that cannot.
pub(crate) fn collapse(region: &Region, block: usize) -> bool {
    let start = block.checked_mul(BLOCK).filter(|&start| start < region.len());
    let Some(start) = start.filter(|_| region.len() >= BLOCK) else { return false };
    let at = region.start().as_ptr().wrapping_add(start);
    // SAFETY: the whole block belongs to the region: its mapping goes on to the next multiple of BLOCK (invariant 3 of
    // `Region`). The call changes which memory stands behind the addresses, never what they hold.
    unsafe { libc::madvise(at.cast(), BLOCK, libc::MADV_COLLAPSE) == 0 }
}

/// Fills the page tables for these bytes, which are rounded to whole pages. Where the file has no page yet it gets one;
/// what the process would be killed for (a full filesystem, a truncated file) is an error here.
pub(crate) fn populate(region: &Region, bytes: &Range<usize>, writable: bool) -> io::Result<()> {
    let page = super::page_size();
    let start = bytes.start - bytes.start % page;
    let at = region.start().as_ptr().wrapping_add(start);
    let advice = if writable { Advice::LinuxPopulateWrite } else { Advice::LinuxPopulateRead };
    let asked = again(|| {
        // SAFETY: the bytes lie within the region, which begins and ends with whole pages (invariants 1 and 3). The
        // call touches pages and changes nothing that they hold.
        unsafe { madvise(at.cast(), bytes.end - start, advice) }
    });
    match asked {
        // Linux before 5.14 does not know the advice.
        Err(Errno::INVAL) => {
            touch(region, start..bytes.end);
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Loads a byte of each page, of which each has to be there. On shared memory that maps it for writing, too, where the
/// mapping is writable.
fn touch(region: &Region, bytes: Range<usize>) {
    for offset in bytes.step_by(super::page_size()) {
        let byte = region.start().as_ptr().wrapping_add(offset);
        // SAFETY: `byte` lies within the region, which is mapped readable (invariant 1); others may write it meanwhile,
        // as atomics allow.
        let byte = unsafe { AtomicU8::from_ptr(byte) };
        black_box(byte.load(Ordering::Relaxed));
    }
}

/// `PAGEMAP_SCAN`, its argument and its answers, of `linux/fs.h`.
mod scan {
    pub(super) const REQUEST: libc::Ioctl = 0xc060_6610_u32 as libc::Ioctl;
    pub(super) const IS_HUGE: u64 = 1 << 6;

    #[repr(C)]
    #[derive(Default)]
    pub(super) struct Arguments {
        pub(super) size: u64,
        pub(super) flags: u64,
        pub(super) start: u64,
        pub(super) end: u64,
        /// Written by the kernel: where it stopped.
        pub(super) walk_end: u64,
        pub(super) vec: u64,
        pub(super) vec_len: u64,
        pub(super) max_pages: u64,
        pub(super) category_inverted: u64,
        pub(super) category_mask: u64,
        pub(super) category_anyof_mask: u64,
        pub(super) return_mask: u64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    pub(super) struct Found {
        pub(super) start: u64,
        pub(super) end: u64,
        pub(super) categories: u64,
    }
}

/// How many of these bytes the page tables map by huge pages; 0 where the kernel does not say (before Linux 6.7).
pub(crate) fn bytes_in_huge_pages(region: &Region, bytes: &Range<usize>) -> usize {
    let Ok(pagemap) = File::open("/proc/self/pagemap") else { return 0 };
    let base = region.start().as_ptr().addr();
    let (from, to) = (base + bytes.start, base + bytes.end);
    let page = super::page_size();
    let end = to.next_multiple_of(page);
    let (mut at, mut sum) = (from - from % page, 0);
    while at < end {
        let mut found = [scan::Found::default(); 32];
        let mut arguments = scan::Arguments {
            size: size_of::<scan::Arguments>() as u64,
            start: at as u64,
            end: end as u64,
            vec: found.as_mut_ptr().expose_provenance() as u64,
            vec_len: found.len() as u64,
            category_mask: scan::IS_HUGE,
            return_mask: scan::IS_HUGE,
            ..Default::default()
        };
        // SAFETY: the argument is of the kernel's layout and says so; the kernel writes at most `vec_len` answers to
        // `vec`, which has room for them, and looks at page tables, not at what they map.
        let answer = unsafe { libc::ioctl(pagemap.as_raw_fd(), scan::REQUEST, &raw mut arguments) };
        let Some(found) = usize::try_from(answer).ok().and_then(|count| found.get(..count)) else {
            return sum;
        };
        for huge in found {
            let (start, end) = (huge.start as usize, huge.end as usize);
            sum += end.min(to).saturating_sub(start.max(from));
        }
        let walked = arguments.walk_end as usize;
        if walked <= at {
            return sum;
        }
        at = walked;
    }
    sum
}

/// How long the first touch of one block takes in small pages, tried on an eighth of one that nobody needs.
pub(crate) fn time_of_small_pages() -> Option<Duration> {
    const TRIED: usize = BLOCK / 8;
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a null address lets the kernel choose a range that nothing occupies.
    let at = unsafe { mmap_anonymous(ptr::null_mut(), TRIED, access, flags) }.ok()?;
    let before = busy_time();
    // SAFETY: just mapped, TRIED bytes long; nobody refers to it.
    let populated = unsafe { madvise(at, TRIED, Advice::LinuxPopulateWrite) };
    let took = busy_time().saturating_sub(before);
    // SAFETY: mapped by this function, and nobody refers to it.
    // The kernel refuses only ranges that were never mapped so.
    let _ = unsafe { munmap(at, TRIED) };
    populated.ok().map(|()| took * 8)
}

/// Processor time of this thread: what others do on a busy machine does not count.
pub(crate) fn busy_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::super::{create_anonymous, set_length};
    use super::*;
    use crate::sys::reserve;

    /// How many bytes of the region the page tables have.
    fn mapped(region: &Region) -> usize {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", region.start().as_ptr().addr());
        let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&start));
        let kib = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        kib.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    #[test]
    fn older_kernels_touch_page_by_page() {
        let (fd, len) = (create_anonymous().unwrap(), 3 * BLOCK + 5);
        set_length(fd.as_fd(), len as u64).unwrap();
        reserve(fd.as_fd(), &(0..len)).unwrap();
        for writable in [true, false] {
            let region = Region::map(fd.as_fd(), len, writable).unwrap();
            assert_eq!(mapped(&region), 0);
            touch(&region, 0..len);
            assert!(mapped(&region) >= len);
        }
    }

    #[test]
    fn beyond_the_region_nothing_collapses() {
        for len in [1, BLOCK - 1, BLOCK, 3 * BLOCK] {
            let fd = create_anonymous().unwrap();
            set_length(fd.as_fd(), len as u64).unwrap();
            let region = Region::map(fd.as_fd(), len, true).unwrap();
            for block in [len.div_ceil(BLOCK), usize::MAX / BLOCK, usize::MAX] {
                assert!(!collapse(&region, block), "{len} {block}");
            }
            assert!(len >= BLOCK || !collapse(&region, 0));
            assert_eq!(bytes_in_huge_pages(&region, &(0..len)), 0);
        }
    }
}
