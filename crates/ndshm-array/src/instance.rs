//! Random numbers that tell one segment from another.

use std::io;

/// Fills `id` with random bytes from the kernel.
pub(crate) fn fill(id: &mut [u8; 16]) -> io::Result<()> {
    rustix::rand::getrandom(&mut id[..], rustix::rand::GetRandomFlags::empty())?;
    Ok(())
}
