//! What options are for: creating, opening, removing.

use crate::backend;
use crate::buffer::SharedBuffer;
use crate::error::{CreateError, OpenError, RemoveError};
use crate::handle::BufferHandle;
use crate::options::BufferOptions;
use crate::os_id::OsId;
use crate::portable;
use crate::typed::is_typed;

impl BufferOptions {
    /// Creates a segment of `len` zero bytes and gives it a name.
    ///
    /// The bytes are reserved before the name appears: a full filesystem is an error here, not a fault later.
    ///
    /// # Errors
    ///
    /// [`CreateError`], with nothing left behind: the name is bad or taken, there is no room, and others.
    ///
    /// ```
    /// # let name = format!("doc-create-{}", std::process::id());
    /// use ndshm_buffer::{CreateError, SharedBuffer};
    ///
    /// let buffer = SharedBuffer::options().create(&name, 1 << 20)?;
    /// let second = SharedBuffer::options().create(&name, 1 << 20);
    /// assert!(matches!(second, Err(CreateError::NameTaken { .. })));
    /// # Ok::<(), CreateError>(())
    /// ```
    pub fn create(&self, name: &str, len: usize) -> Result<SharedBuffer, CreateError> {
        backend::create(self, name, len, None::<fn(&mut [u8]) -> Result<(), CreateError>>)
    }

    /// Creates a segment, has `init` fill it, and only then gives it a name: nobody sees it half made.
    ///
    /// A process that is killed in `init`, or panics there, leaves nothing behind.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```
    /// # let name = format!("doc-create-with-{}", std::process::id());
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let buffer = SharedBuffer::options().create_with(&name, 4, |bytes| bytes.fill(7))?;
    /// let mut bytes = [0; 4];
    /// SharedBuffer::options().open(&name)?.read_at(0, &mut bytes)?;
    /// assert_eq!(bytes, [7; 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_with(
        &self,
        name: &str,
        len: usize,
        init: impl FnOnce(&mut [u8]),
    ) -> Result<SharedBuffer, CreateError> {
        self.try_create_with(name, len, infallible(init))
    }

    /// [`create_with`](Self::create_with) for an `init` that can fail; the name then never appears.
    ///
    /// # Errors
    ///
    /// What `init` returned, or a [`CreateError`] converted to it.
    ///
    /// ```
    /// # let name = format!("doc-try-create-with-{}", std::process::id());
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let outcome: Result<_, Box<dyn std::error::Error>> =
    ///     SharedBuffer::options().try_create_with(&name, 64, |_| Err("no data".into()));
    /// assert_eq!(outcome.unwrap_err().to_string(), "no data");
    /// assert!(SharedBuffer::options().open(&name).is_err());
    /// ```
    pub fn try_create_with<E: From<CreateError>>(
        &self,
        name: &str,
        len: usize,
        init: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<SharedBuffer, E> {
        backend::create(self, name, len, Some(init))
    }

    /// Creates a segment of `len` zero bytes without a name: [`SharedBuffer::anonymous`].
    ///
    /// # Errors
    ///
    /// [`CreateError`], with nothing left behind.
    ///
    /// ```
    /// let buffer = ndshm_buffer::SharedBuffer::options().anonymous(64)?;
    /// assert_eq!(buffer.name(), None);
    /// # Ok::<(), ndshm_buffer::CreateError>(())
    /// ```
    pub fn anonymous(&self, len: usize) -> Result<SharedBuffer, CreateError> {
        self.anonymous_with(len, |_| ())
    }

    /// Creates a segment without a name and has `init` fill it before anyone else can have it.
    ///
    /// # Errors
    ///
    /// [`CreateError`], with nothing left behind.
    ///
    /// ```
    /// let buffer = ndshm_buffer::SharedBuffer::options().anonymous_with(64, |bytes| bytes[0] = 9)?;
    /// let mut byte = [0];
    /// buffer.read_at(0, &mut byte)?;
    /// assert_eq!(byte, [9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn anonymous_with(
        &self,
        len: usize,
        init: impl FnOnce(&mut [u8]),
    ) -> Result<SharedBuffer, CreateError> {
        self.try_anonymous_with(len, infallible(init))
    }

    /// [`anonymous_with`](Self::anonymous_with) for an `init` that can fail.
    ///
    /// # Errors
    ///
    /// What `init` returned, or a [`CreateError`] converted to it.
    ///
    /// ```
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let outcome: Result<_, Box<dyn std::error::Error>> =
    ///     SharedBuffer::options().try_anonymous_with(64, |_| Err("no data".into()));
    /// assert_eq!(outcome.unwrap_err().to_string(), "no data");
    /// ```
    pub fn try_anonymous_with<E: From<CreateError>>(
        &self,
        len: usize,
        init: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<SharedBuffer, E> {
        backend::anonymous(self, len, init)
    }

    /// Opens the segment that has this name. A second open in one process gives the same mapping.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: there is no such segment, or what there is is refused: a link, another type of file, another
    /// user's, a segment that holds more than bytes ([`TYPED_MAGIC`](crate::TYPED_MAGIC)).
    ///
    /// ```
    /// # let name = format!("doc-open-{}", std::process::id());
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let created = SharedBuffer::options().create(&name, 64)?;
    /// let opened = SharedBuffer::options().open(&name)?;
    /// assert_eq!(created.as_ptr(), opened.as_ptr());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(&self, name: &str) -> Result<SharedBuffer, OpenError> {
        untyped(backend::open(self, name)?)
    }

    /// As [`open`](Self::open), for a segment that may hold more than bytes.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Safety
    ///
    /// The bytes are read and written only as the layer demands that the segment belongs to.
    ///
    /// ```
    /// # let name = format!("doc-open-typed-{}", std::process::id());
    /// # use ndshm_buffer::SharedBuffer;
    /// let created = SharedBuffer::options().create(&name, 64)?;
    /// // SAFETY: it belongs to no layer, and these are plain bytes.
    /// let opened = unsafe { SharedBuffer::options().open_typed(&name)? };
    /// assert_eq!(created.id(), opened.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_typed(&self, name: &str) -> Result<SharedBuffer, OpenError> {
        backend::open(self, name)
    }

    /// Opens what a program that uses `shared_memory` has made, by its `os_id`; with the [portable](crate::Backend::Portable)
    /// backend, whichever these options name.
    ///
    /// The length is what `shared_memory` says: exactly as many bytes as that program asked for on Linux, in whole pages
    /// elsewhere. What that program has not reserved (it never does) is reserved now, so that no touch is a fault for want of
    /// room. The name is that program's to remove, or [`unlink`](SharedBuffer::unlink)'s; dropping the buffer does not.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: there is nothing of that os_id, it is refused as a name is, or there is no room for it.
    ///
    /// ```
    /// # #[cfg(feature = "portable")] {
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// # let os_id = &format!("/doc-{}", std::process::id());
    /// // In another program, most often; it has to live, or its drop removes the name.
    /// let theirs = shared_memory::ShmemConf::new().os_id(os_id).size(1000).create()?;
    ///
    /// let buffer = SharedBuffer::options().open_os_id(os_id)?;
    /// buffer.write_at(0, b"hello")?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_os_id(&self, os_id: &str) -> Result<SharedBuffer, OpenError> {
        untyped(portable::open(self, OsId::new(os_id)?, None)?)
    }

    /// Opens what a handle stands for, as these options say: read-only, or of another user. Their directory plays no
    /// part.
    ///
    /// A handle made from a read-only buffer gives a read-only one in any case.
    ///
    /// # Errors
    ///
    /// [`OpenError`], as [`BufferHandle::open`].
    ///
    /// ```
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// let reader = SharedBuffer::options().read_only(true).open_handle(&buffer.handle())?;
    /// assert!(reader.is_read_only());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_handle(&self, handle: &BufferHandle) -> Result<SharedBuffer, OpenError> {
        untyped(handle.open_as(self)?)
    }

    /// As [`open_handle`](Self::open_handle), for a segment that may hold more than bytes.
    ///
    /// # Errors
    ///
    /// [`OpenError`], as [`BufferHandle::open`].
    ///
    /// # Safety
    ///
    /// As for [`open_typed`](Self::open_typed).
    ///
    /// ```
    /// # use ndshm_buffer::SharedBuffer;
    /// let buffer = SharedBuffer::anonymous(64)?;
    /// // SAFETY: it belongs to no layer, and these are plain bytes.
    /// let same = unsafe { SharedBuffer::options().open_handle_typed(&buffer.handle())? };
    /// assert_eq!(same.id(), buffer.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn open_handle_typed(
        &self,
        handle: &BufferHandle,
    ) -> Result<SharedBuffer, OpenError> {
        handle.open_as(self)
    }

    /// Removes a name, whoever created the segment and whether it was persisted or not; who has it open keeps it.
    ///
    /// # Errors
    ///
    /// [`RemoveError`]: there is no such segment, or what there is is refused.
    ///
    /// ```
    /// # let name = format!("doc-remove-{}", std::process::id());
    /// use ndshm_buffer::SharedBuffer;
    ///
    /// let options = SharedBuffer::options();
    /// let buffer = options.create(&name, 64)?;
    /// options.remove(&name)?;
    /// assert!(options.open(&name).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove(&self, name: &str) -> Result<(), RemoveError> {
        backend::remove(self, name)
    }
}

/// Refuses a segment that holds more than bytes.
pub(crate) fn untyped(buffer: SharedBuffer) -> Result<SharedBuffer, OpenError> {
    if is_typed(&buffer) {
        return Err(OpenError::Typed { segment: buffer.describe() });
    }
    Ok(buffer)
}

fn infallible(init: impl FnOnce(&mut [u8])) -> impl FnOnce(&mut [u8]) -> Result<(), CreateError> {
    |bytes| {
        init(bytes);
        Ok(())
    }
}
