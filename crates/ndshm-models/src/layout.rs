//! What lies where is no part of the models.

/// Eight bytes that nothing looks at.
#[derive(Debug)]
pub(crate) struct Place(#[allow(dead_code, reason = "eight bytes")] u64);
