use crate::backend::Backend;

/// A [`Backend`] was asked for what it cannot do. Nothing was done.
///
/// ```
/// # #[cfg(feature = "portable")] {
/// use ndshm_buffer::{Backend, CreateError, SharedBuffer};
///
/// let options = SharedBuffer::options().backend(Backend::Portable);
/// let Err(CreateError::Unsupported(refused)) = options.capacity(128).create("frames", 64) else { panic!() };
/// assert_eq!(refused.backend, Backend::Portable);
/// println!("{refused}"); // frames: the portable backend has no segments that grow; ...
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{segment}: the {backend} backend {what}; {remedy}")]
#[non_exhaustive]
pub struct Unsupported {
    /// The name, the os_id, or "an anonymous segment".
    pub segment: String,
    /// The backend that was asked.
    pub backend: Backend,
    /// What it cannot do, and why.
    pub what: &'static str,
    /// What to do.
    pub remedy: &'static str,
}
