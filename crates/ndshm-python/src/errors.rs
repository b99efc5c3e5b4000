//! Errors of the crates as exceptions of the package, which are defined in `python/ndshm/_errors.py`.

use std::fmt::Display;

use ndshm_array::{ClaimError, CreateError, LoadError, OpenError, RemoveError, SaveError};
use ndshm_buffer::{CreateError as BufferCreate, OpenError as BufferOpen};
use ndshm_sync::{JoinError, Member};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An exception of that class, with attributes.
pub(crate) fn raise(
    py: Python<'_>,
    class: &str,
    text: impl Display,
    attributes: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
) -> PyErr {
    let made = || {
        let attrs = PyDict::new(py);
        attributes(&attrs)?;
        py.import("ndshm._errors")?.getattr("_made")?.call1((class, text.to_string(), attrs))
    };
    match made() {
        Ok(exception) => PyErr::from_value(exception),
        Err(e) => e,
    }
}

/// One without attributes.
pub(crate) fn plain(py: Python<'_>, class: &str, text: impl Display) -> PyErr {
    raise(py, class, text, |_| Ok(()))
}

/// Who a member is: `Member(pid, rank, slot, generation)`.
pub(crate) fn who(py: Python<'_>, member: Member) -> PyResult<Bound<'_, PyAny>> {
    let (id, Member { pid, rank, .. }) = (member.id, member);
    let class = py.import("ndshm._errors")?.getattr("Member")?;
    class.call1((pid, rank, id.slot(), id.generation()))
}

/// Why there is no claim. `waited`: the caller had time to wait.
pub(crate) fn claim<G>(py: Python<'_>, e: ClaimError<G>, waited: bool) -> PyErr {
    let text = e.to_string().replace("drop that guard first", "release that claim first");
    match e {
        ClaimError::Poisoned(poisoned) => {
            let parts = poisoned.parts().to_vec();
            // The claim is let go here: `mend` of the exception takes one anew.
            drop(poisoned);
            let text = parts.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let text = format!(
                "{text}: that may be half-changed; mend it within `with error.mend() as part:`"
            );
            raise(py, "OwnerDied", text, |attrs| {
                let of_parts: Vec<String> = parts.iter().map(|p| p.part.to_string()).collect();
                attrs.set_item("parts", of_parts)?;
                if let Some(first) = parts.first() {
                    attrs.set_item("by", who(py, first.member)?)?;
                }
                Ok(())
            })
        }
        ClaimError::Overlap { part, held, by, .. } => {
            let class = if waited { "TimedOut" } else { "Overlap" };
            raise(py, class, text, |attrs| {
                attrs.set_item("part", part.to_string())?;
                attrs.set_item("held", held.to_string())?;
                attrs.set_item("by", who(py, by)?)
            })
        }
        ClaimError::Own { part, held } => raise(py, "Deadlock", text, |attrs| {
            attrs.set_item("part", part.to_string())?;
            attrs.set_item("held", held.to_string())
        }),
        ClaimError::Deadlock { part, held, by } => raise(py, "Deadlock", text, |attrs| {
            attrs.set_item("part", part.to_string())?;
            attrs.set_item("held", held.to_string())?;
            attrs.set_item("by", who(py, by)?)
        }),
        ClaimError::Busy { part, by } => raise(py, "TimedOut", text, |attrs| {
            attrs.set_item("part", part.to_string())?;
            attrs.set_item("by", by.map(|by| who(py, by)).transpose()?)
        }),
        ClaimError::OutOfBounds { .. } => PyIndexError::new_err(text),
        ClaimError::ReadOnly => plain(
            py,
            "ReadOnly",
            "the array was opened read-only, and a claim is written into it: take a snapshot(), or open it read-write",
        ),
        _ => plain(py, "Error", text),
    }
}

pub(crate) fn join(py: Python<'_>, e: &JoinError) -> PyErr {
    plain(py, "Error", e)
}

pub(crate) fn buffer_create(py: Python<'_>, e: BufferCreate) -> PyErr {
    let text = remedied(&e);
    match e {
        BufferCreate::NameTaken { name, .. } => {
            raise(py, "NameTaken", text, |attrs| attrs.set_item("name", name))
        }
        BufferCreate::NoSpace { asked, free, .. } => raise(py, "NoSpace", text, |attrs| {
            attrs.set_item("asked", asked)?;
            attrs.set_item("free", free)
        }),
        BufferCreate::FileSizeLimit { asked, limit, .. } => raise(py, "NoSpace", text, |attrs| {
            attrs.set_item("asked", asked)?;
            attrs.set_item("free", limit)
        }),
        BufferCreate::BadName(_) => plain(py, "BadName", text),
        _ => plain(py, "Error", text),
    }
}

pub(crate) fn create(py: Python<'_>, e: CreateError) -> PyErr {
    match e {
        CreateError::Buffer(e) => buffer_create(py, e),
        CreateError::Join(e) => join(py, &e),
        CreateError::Shape { .. } | CreateError::TooLarge { .. } => plain(py, "TooLarge", e),
        _ => plain(py, "Error", e),
    }
}

pub(crate) fn buffer_open(py: Python<'_>, e: BufferOpen) -> PyErr {
    let text = remedied(&e);
    match e {
        BufferOpen::NotFound { path, .. } => {
            raise(py, "NotFound", text, |attrs| attrs.set_item("path", path))
        }
        BufferOpen::Gone { .. } | BufferOpen::Replaced { .. } => plain(py, "Gone", text),
        BufferOpen::PermissionDenied { .. } | BufferOpen::ForeignOwner { .. } => {
            plain(py, "NotAllowed", text)
        }
        BufferOpen::BadName(_) => plain(py, "BadName", text),
        _ => plain(py, "Error", text),
    }
}

/// Whether what was described is there no longer.
pub(crate) fn is_gone(e: &OpenError) -> bool {
    match e {
        OpenError::Buffer(e) => matches!(e, BufferOpen::Gone { .. } | BufferOpen::Replaced { .. }),
        OpenError::Replaced { .. } => true,
        _ => false,
    }
}

pub(crate) fn open(py: Python<'_>, e: OpenError) -> PyErr {
    match e {
        OpenError::Buffer(e) => buffer_open(py, e),
        OpenError::Replaced { .. } => plain(py, "Gone", e),
        OpenError::Join { source, .. } => join(py, &source),
        _ => plain(py, "Error", e),
    }
}

pub(crate) fn load(py: Python<'_>, e: LoadError) -> PyErr {
    match e {
        LoadError::Create(e) => create(py, e),
        _ => plain(py, "FileError", e),
    }
}

pub(crate) fn save(py: Python<'_>, e: SaveError) -> PyErr {
    match e {
        SaveError::Claim(e) => claim(py, e, true),
        _ => plain(py, "FileError", e),
    }
}

pub(crate) fn remove(py: Python<'_>, e: RemoveError) -> PyErr {
    let text = remedied(&e);
    match e {
        RemoveError::NotFound { path, .. } => {
            raise(py, "NotFound", text, |attrs| attrs.set_item("path", path))
        }
        RemoveError::PermissionDenied { .. } | RemoveError::ForeignOwner { .. } => {
            plain(py, "NotAllowed", text)
        }
        _ => plain(py, "Error", text),
    }
}

/// The text, with the remedies as they are called here.
fn remedied(e: &impl Display) -> String {
    let text = e.to_string();
    let names = [
        ("`BufferOptions::remove`", "`ndshm.remove`"),
        ("`BufferOptions::create`", "`ndshm.zeros(..., name=...)`"),
        ("`BufferOptions::dir`", "`dir=`"),
    ];
    names.iter().fold(text, |text, (there, here)| text.replace(there, here))
}
