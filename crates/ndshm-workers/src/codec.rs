//! Values as bytes, between two processes of one executable: postcard, with the reason of a failure.

use ndshm_buffer::passing;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What was wrong: in the words of the value, where it noted them, else in those of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

impl From<postcard::Error> for Error {
    fn from(e: postcard::Error) -> Self {
        // postcard drops the text of custom errors.
        Self(passing::explanation().unwrap_or_else(|| {
            format!(
                "{e} (values travel by position: skip_serializing_if, flatten, untagged and \
                 self-describing types like serde_json::Value cannot)"
            )
        }))
    }
}

/// The bytes of `value`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    forget_reasons();
    Ok(postcard::to_stdvec(value)?)
}

/// The value that `bytes` are of.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    forget_reasons();
    Ok(postcard::from_bytes(bytes)?)
}

/// What was noted before, about a failure that the program dealt with, explains none to come.
fn forget_reasons() {
    let _ = passing::explanation();
}
