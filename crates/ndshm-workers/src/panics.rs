//! A panic in a worker, as text.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::outbox::Outbox;
use crate::wire::Message;

thread_local! {
    /// Where this thread panicked last; the payload that is caught does not say.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics noted from here on; the usual report is printed too. Where panics abort, the hook tells the
/// launcher, since nothing comes after it.
pub(crate) fn note(outbox: &'static Outbox) {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let location = info.location().map(ToString::to_string);
        if cfg!(panic = "abort") {
            outbox.send(&Message::Panicked(text(info.payload(), location.as_deref())));
        }
        LOCATION.with_borrow_mut(|last| *last = location);
        usual(info);
    }));
}

/// Calls `f`; a panic comes back as its message and location.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    // Unwind safe: nothing that `f` touched is used again but for the outbox, which panics leave
    // whole, and shared memory, whose locks tell. The process ends soon after.
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = text(&*payload, LOCATION.take().as_deref());
        // Dropping a payload runs code of its own, which may panic again.
        std::mem::forget(payload);
        text
    })
}

fn text(payload: &dyn Any, location: Option<&str>) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is no text");
    match location {
        Some(location) => format!("{message}, at {location}"),
        None => message.to_owned(),
    }
}
