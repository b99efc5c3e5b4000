//! Printing to a reader that may have gone.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};

/// Prints a line as `println!` does. A reader that wants no more of it (`| head -1`) is no error.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::print(&format!("{}\n", format_args!($($text)*))) };
}

/// Prints a text, as a whole. A reader that wants no more of it is no error.
///
/// # Errors
///
/// It cannot be written, the disk being full, say.
pub fn print(text: &str) -> ndshm::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(ndshm::Error::other(format!(
            "standard output cannot be written: {e}; is there room?"
        ))),
        _ => Ok(()),
    }
}

/// Says what went wrong.
pub fn complain(error: impl Display) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(stderr(), "error: {error}");
}
