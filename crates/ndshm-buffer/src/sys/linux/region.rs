//! A file's bytes in this process's address space.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicBool;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::Watch;

/// What one huge page holds. Regions at least this long begin at a multiple of it, so that the kernel can use them.
pub(crate) const BLOCK: usize = 2 << 20;

/// The whole of one file, mapped shared.
///
/// # Invariants
///
/// 1. `start .. start + len` is mapped `MAP_SHARED` from offset 0 of one file, readable, and writable where the region
///    was made so, from construction until `drop`; nothing else in the process unmaps or remaps it, but for pages that the
///    file has lost, while a [`Watch`] is there.
/// 2. `0 < len <= isize::MAX`.
/// 3. `start` is a multiple of the page size. Where `len` is at least a block, `start` is a multiple of a block, and the
///    mapping goes on to the next one: a huge page needs the whole of its addresses, the file's last one too.
/// 4. `outer .. outer + outer_len` contains that range, belongs to this region alone, and both are page multiples.
#[derive(Debug)]
pub(crate) struct Region {
    start: NonNull<u8>,
    len: usize,
    outer: NonNull<u8>,
    outer_len: usize,
}

// SAFETY: the region is a range of the address space (invariant 1), valid in every thread; the type itself reads and
// writes none of its bytes.
unsafe impl Send for Region {}

// SAFETY: as for `Send`; `&Region` gives out only addresses and lengths.
unsafe impl Sync for Region {}

impl Region {
    /// Maps the first `len` bytes of `fd`, which must be all of them.
    pub(crate) fn map(fd: BorrowedFd<'_>, len: usize, writable: bool) -> io::Result<Self> {
        let too_long = || io::Error::from(Errno::NOMEM);
        let whole = len
            .checked_next_multiple_of(if len < BLOCK { super::page_size() } else { BLOCK })
            .filter(|&whole| len > 0 && whole <= isize::MAX as usize - BLOCK)
            .ok_or_else(too_long)?;
        let protection = protection(writable);
        if len < BLOCK {
            // SAFETY: a null address lets the kernel choose a range that nothing occupies.
            let start =
                unsafe { mmap(ptr::null_mut(), whole, protection, MapFlags::SHARED, fd, 0) }?;
            // A successful mmap without MAP_FIXED never returns the null page.
            let start = NonNull::new(start.cast::<u8>()).ok_or(Errno::NOMEM)?;
            return Ok(Self { start, len, outer: start, outer_len: whole });
        }
        let mut region = Self::take(whole, len)?;

        let at = region.start.as_ptr().cast();
        let flags = MapFlags::SHARED | MapFlags::FIXED;
        // SAFETY: `at .. at + whole` lies in the range that `take` took from the kernel for this region alone
        // (invariant 4), so MAP_FIXED replaces nothing that anyone else uses, and no reference into it exists yet.
        unsafe { mmap(at, whole, protection, flags, fd, 0) }?;
        region.trim(whole);
        Ok(region)
    }

    /// How many addresses mapping takes beside the file's bytes, at most.
    pub(crate) fn overhead(len: usize) -> usize {
        if len < BLOCK { super::page_size() } else { 2 * BLOCK }
    }

    /// Takes addresses, without memory behind them, in which `whole` bytes can begin at a block.
    fn take(whole: usize, len: usize) -> io::Result<Self> {
        let outer_len = whole + BLOCK;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a null address lets the kernel choose a range that nothing occupies.
        let outer =
            unsafe { mmap_anonymous(ptr::null_mut(), outer_len, ProtFlags::empty(), flags) }?;
        // A successful mmap without MAP_FIXED never returns the null page.
        let outer = NonNull::new(outer.cast::<u8>()).ok_or(Errno::NOMEM)?;
        let skip = outer.align_offset(BLOCK);
        // SAFETY: `skip` is less than BLOCK: `outer` is page-aligned and the step of `align_offset` is one byte, so the
        // result, which exists, stays inside the `whole + BLOCK` bytes just mapped.
        let start = unsafe { outer.add(skip) };
        Ok(Self { start, len, outer, outer_len })
    }

    /// Gives back the addresses before and after the `whole` bytes in use.
    fn trim(&mut self, whole: usize) {
        let before = self.start.as_ptr().addr() - self.outer.as_ptr().addr();
        let after = self.outer_len - before - whole;
        if before > 0 {
            // SAFETY: the first `before` bytes of `outer` are this region's alone and outside the used range
            // (invariant 4); no reference into them was ever made.
            if unsafe { munmap(self.outer.as_ptr().cast(), before) }.is_ok() {
                self.outer = self.start;
                self.outer_len -= before;
            }
        }
        if after > 0 {
            let end = self.start.as_ptr().wrapping_add(whole);
            // SAFETY: the `after` bytes behind the used range are this region's alone (invariant 4); no reference
            // into them was ever made.
            if unsafe { munmap(end.cast(), after) }.is_ok() {
                self.outer_len -= after;
            }
        }
    }

    /// Has faults of this thread in the region noted, while it copies. See [`Watch`].
    pub(crate) fn watch<'a>(&self, writable: bool, damaged: &'a AtomicBool) -> Watch<'a> {
        let begin = self.start.as_ptr().addr();
        let end = begin + self.len.next_multiple_of(super::page_size());
        Watch::start(begin..end, writable, damaged)
    }

    /// Ends a watch of this region: gives the pages that were replaced back to the file behind `fd`. True if it is
    /// damaged.
    pub(crate) fn end_watch(&self, watch: Watch<'_>, fd: BorrowedFd<'_>, writable: bool) -> bool {
        if let Some(pages) = watch.replaced() {
            let offset = pages.start - self.start.as_ptr().addr();
            let at = self.start.as_ptr().wrapping_add(offset).cast();
            let flags = MapFlags::SHARED | MapFlags::FIXED;
            // SAFETY: pages of this region, whose file they showed before (invariant 1) and show again; nothing but
            // atomics looks at them, to which the bytes of the file are as good as any.
            // Refused only for lack of memory for the kernel's own use: then zeroes stay where nothing was.
            let _ =
                unsafe { mmap(at, pages.len(), protection(writable), flags, fd, offset as u64) };
        }
        watch.damaged()
    }

    /// Where the bytes begin; invariants 1 and 3 say what a caller may rely on.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many there are; never 0.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

fn protection(writable: bool) -> ProtFlags {
    if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the range is this region's alone (invariant 4). Whoever made a reference into it borrowed the region
        // or its owner, which is now being dropped.
        // The kernel refuses only ranges that were never mapped so: nothing to report.
        let _ = unsafe { munmap(self.outer.as_ptr().cast(), self.outer_len) };
    }
}
