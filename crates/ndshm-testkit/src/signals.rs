//! The signals by which people end programs, as a shell's foreground has them.

/// Gives SIGINT, SIGQUIT, SIGHUP and SIGTERM their default dispositions: what a shell starts in its
/// background ignores the first two, what `nohup` starts the third, and children inherit that.
pub fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM] {
        // SAFETY: SIG_DFL is a valid disposition, and runs no code.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
