use std::io;

use crate::sys;

/// What came of asking the kernel for one huge page.
///
/// ```
/// use ndshm_buffer::{HugePages, probe_huge_pages};
///
/// match probe_huge_pages()? {
///     HugePages::Had => println!("to be had"),
///     HugePages::Refused(why) => println!("not now: {why}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum HugePages {
    /// It gave one.
    Had,
    /// It gave none, and said this: it is too old, has none free, or may not.
    Refused(io::Error),
}

/// Asks the kernel for one huge page of shared memory (2 MiB), and gives it back. Usually well below a
/// millisecond; more where the kernel has to make room first.
///
/// # Errors
///
/// What the system says, where it could not even be asked.
///
/// ```
/// assert!(ndshm_buffer::probe_huge_pages().is_ok());
/// ```
pub fn probe_huge_pages() -> io::Result<HugePages> {
    Ok(sys::collapse_one()?.map_or_else(HugePages::Refused, |()| HugePages::Had))
}
