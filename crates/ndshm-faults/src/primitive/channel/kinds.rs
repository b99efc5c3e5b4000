//! The four that are given and taken.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use ndshm_sync::{Event, EventCount, Layout, Reset, SignalSemaphore, WaitError};

use super::{Channel, On, VERSION};

impl Channel for SignalSemaphore<'static> {
    const ONCE: bool = true;

    fn lay(layout: &mut Layout<'static>, _on: &On) -> Self {
        layout.signal_semaphore(0).expect("no place for it")
    }

    fn give(&self, _on: &On) {
        self.post().expect("far from overflowing");
    }

    fn take(&self, _on: &On) {
        self.wait().expect("a membership of this process");
    }

    fn take_left(&self, _on: &On) -> bool {
        self.try_wait().is_ok()
    }

    fn refuses(&self, _on: &On) -> bool {
        self.wait() == Err(WaitError::Forked)
    }

    fn inspect(&self) -> String {
        SignalSemaphore::inspect(self).to_string()
    }

    fn left(&self) -> Option<u64> {
        Some(self.value().into())
    }
}

/// An event that lets one go on for each time it is set.
pub(super) struct Auto(Event<'static>);

impl Channel for Auto {
    const ONCE: bool = true;

    fn lay(layout: &mut Layout<'static>, _on: &On) -> Self {
        Self(layout.event(Reset::Auto).expect("no place for it"))
    }

    fn give(&self, _on: &On) {
        self.0.set();
    }

    fn take(&self, _on: &On) {
        self.0.wait().expect("a membership of this process");
    }

    fn take_left(&self, _on: &On) -> bool {
        self.0.try_wait().is_ok()
    }

    fn refuses(&self, _on: &On) -> bool {
        self.0.wait() == Err(WaitError::Forked)
    }

    fn inspect(&self) -> String {
        self.0.inspect().to_string()
    }

    fn left(&self) -> Option<u64> {
        None
    }
}

/// An event that lets all go on, and is reset at once.
pub(super) struct Manual(Event<'static>);

impl Channel for Manual {
    const ONCE: bool = false;

    fn lay(layout: &mut Layout<'static>, _on: &On) -> Self {
        Self(layout.event(Reset::Manual).expect("no place for it"))
    }

    fn give(&self, on: &On) {
        self.0.set();
        if !on.is_over() {
            self.0.reset();
        }
    }

    fn take(&self, _on: &On) {
        self.0.wait().expect("a membership of this process");
    }

    fn take_left(&self, _on: &On) -> bool {
        self.0.reset();
        false
    }

    fn refuses(&self, _on: &On) -> bool {
        self.0.wait() == Err(WaitError::Forked)
    }

    fn inspect(&self) -> String {
        self.0.inspect().to_string()
    }

    fn left(&self) -> Option<u64> {
        None
    }
}

/// A version, and the event count that counts its changes.
pub(super) struct Counted(&'static EventCount);

impl Channel for Counted {
    const ONCE: bool = false;

    /// It is laid out by those that build on it.
    fn lay(_layout: &mut Layout<'static>, on: &On) -> Self {
        Self(&on.control.events)
    }

    fn give(&self, on: &On) {
        on.control.notes[VERSION].fetch_add(1, SeqCst);
        self.0.notify_all(on.members);
    }

    fn take(&self, on: &On) {
        let before = on.control.notes[VERSION].load(SeqCst);
        loop {
            let seen = self.0.read();
            if on.control.notes[VERSION].load(SeqCst) != before {
                return;
            }
            self.0.wait(on.members, seen, Duration::MAX);
        }
    }

    fn take_left(&self, _on: &On) -> bool {
        false
    }

    fn refuses(&self, _on: &On) -> bool {
        true // nobody owns it, and nothing of it can be refused
    }

    fn inspect(&self) -> String {
        format!("event count: {}", self.0.read())
    }

    fn left(&self) -> Option<u64> {
        None
    }
}
