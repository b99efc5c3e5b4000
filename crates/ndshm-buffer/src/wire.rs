//! How buffers and handles are serialised.

use std::fmt::Display;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::buffer::SharedBuffer;
use crate::handle::{BufferHandle, Source};
use crate::id::SegmentId;
use crate::mapping::{Access, Key};
use crate::name::{NameError, Place};
use crate::open::Expected;
use crate::os_id::OsId;
use crate::passing;
use crate::registry;

/// What is written for both.
#[derive(Serialize, Deserialize)]
#[serde(rename = "BufferHandle")]
struct Wire {
    source: WireSource,
    id: SegmentId,
    len: u64,
    file_len: u64,
    read_only: bool,
}

#[derive(Serialize, Deserialize)]
enum WireSource {
    Named(WirePlace),
    Anonymous { pid: u32, fd: i32 },
    Inherited { index: u32, place: Option<WirePlace> },
    OsId(String),
}

#[derive(Serialize, Deserialize)]
struct WirePlace {
    dir: PathBuf,
    name: String,
}

impl From<&Place> for WirePlace {
    fn from(place: &Place) -> Self {
        Self { dir: place.dir().to_owned(), name: place.name().to_owned() }
    }
}

impl WirePlace {
    fn check(&self) -> Result<Place, NameError> {
        Place::new(&self.dir, &self.name)
    }
}

impl Wire {
    fn of_buffer(buffer: &SharedBuffer) -> Self {
        match passing::number(buffer) {
            Some(index) => Self {
                source: WireSource::Inherited { index, place: buffer.place().map(WirePlace::from) },
                id: buffer.id(),
                len: buffer.len() as u64,
                file_len: buffer.mapping().file_len() as u64,
                read_only: buffer.is_read_only(),
            },
            None => Self::of_inert(&buffer.handle()),
        }
    }

    fn of_handle(handle: &BufferHandle) -> Self {
        if let Source::Adopted(buffer) = &handle.source {
            return Self::of_buffer(buffer);
        }
        let access = Access::read_only(handle.read_only);
        if passing::is_collecting()
            && let Some(mapping) = registry::find(Key { id: handle.id, access })
        {
            let place = handle.place().cloned().map(Into::into);
            return Self::of_buffer(&SharedBuffer::from_parts(mapping, place, None));
        }
        Self::of_inert(handle)
    }

    fn of_inert(handle: &BufferHandle) -> Self {
        let source = match &handle.source {
            Source::Named(place) => WireSource::Named(place.into()),
            Source::Anonymous { pid, fd } => WireSource::Anonymous { pid: *pid, fd: *fd },
            Source::OsId(os_id) => WireSource::OsId(os_id.as_str().to_owned()),
            Source::Adopted(buffer) => return Self::of_inert(&buffer.handle()),
        };
        let BufferHandle { id, len, file_len, read_only, .. } = *handle;
        Self { source, id, len, file_len, read_only }
    }

    fn into_handle<E: serde::de::Error>(self) -> Result<BufferHandle, E> {
        let source = match self.source {
            WireSource::Named(place) => Source::Named(place.check().map_err(explained)?),
            WireSource::Anonymous { pid, fd } => Source::Anonymous { pid, fd },
            WireSource::OsId(os_id) => Source::OsId(OsId::new(&os_id).map_err(explained)?),
            WireSource::Inherited { index, place } => {
                let place = place.map(|place| place.check()).transpose().map_err(explained)?;
                let expected = Expected { id: self.id, len: self.file_len };
                let access = Access::read_only(self.read_only);
                let buffer = passing::take(index, access, place, expected).map_err(explained)?;
                Source::Adopted(buffer)
            }
        };
        let Self { id, len, file_len, read_only, .. } = self;
        Ok(BufferHandle { source, id, len, file_len, read_only })
    }
}

/// The reason as an error of the format, and noted for the launcher.
fn explained<E: serde::de::Error>(reason: impl Display) -> E {
    E::custom(passing::explain(reason))
}

/// Writes the handle; within [`passing::collect`], the number of the segment in its list.
impl Serialize for SharedBuffer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::of_buffer(self).serialize(serializer)
    }
}

/// Works within [`passing::adopt`] alone, where a worker takes over what its parent gave it. Elsewhere opening a
/// segment is a decision: deserialise a [`BufferHandle`] and call [`open`](BufferHandle::open).
impl<'de> Deserialize<'de> for SharedBuffer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        if !passing::is_adopting() {
            return Err(explained(
                "a SharedBuffer can be deserialised only in a worker's start-up; \
                 deserialise a BufferHandle and call its open()",
            ));
        }
        let handle = wire.into_handle()?;
        handle.open().map_err(explained)
    }
}

/// Within [`passing::collect`] as a buffer is written, if this process has the segment mapped.
impl Serialize for BufferHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::of_handle(self).serialize(serializer)
    }
}

/// A handle that was written within [`passing::collect`] can be read within [`passing::adopt`] alone, and then keeps
/// its segment mapped, since nothing else does.
impl<'de> Deserialize<'de> for BufferHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Wire::deserialize(deserializer)?.into_handle()
    }
}
