//! SIGKILL at random moments. A kill counts only when the victim's own word, on a page of its own,
//! says that it hit the named state.

pub(crate) mod barrier;
pub(crate) mod departures;
pub(crate) mod ledger;
pub(crate) mod mutex;
pub(crate) mod once;
pub(crate) mod player;
