//! The models, each under a name.

mod mutex;

use crate::explore::Scenario;

/// Every scenario there is.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    [mutex::SCENARIOS, crate::barrier::SCENARIOS].into_iter().flatten()
}
