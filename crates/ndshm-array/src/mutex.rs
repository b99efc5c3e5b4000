//! A value under a mutex, in a segment of its own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytemuck::Pod;
use ndshm_buffer::{BufferHandle, SharedBuffer, passing};
use ndshm_sync::{Inspection, LockError, Members, Mutex, MutexCell, MutexGuard};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::CreateError;
use crate::format::Kind;
use crate::segment::{Segment, label};

/// A value that several processes share under a mutex, with memory of its own: it travels to
/// workers like an array.
///
/// [`Clone`] gives another handle to the same value. Locking, death and poison are those of
/// [`ndshm_sync::Mutex`].
///
/// ```
/// use ndshm_array::SharedMutex;
///
/// let total = SharedMutex::new(0.0_f64)?;
/// *total.lock()? += 1.5;
/// assert_eq!(*total.lock()?, 1.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedMutex<T: 'static> {
    /// # Invariants
    ///
    /// 1. Refers to bytes and members of `segment`, which this value keeps; it is never lent for
    ///    longer than `self`.
    mutex: Mutex<'static, T>,
    segment: Arc<Segment>,
}

impl<T: Pod> fmt::Debug for SharedMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mutex.fmt(f)
    }
}

impl<T: Pod + Send> SharedMutex<T> {
    /// Shares `value`, in anonymous memory: some 20 KiB and the value.
    ///
    /// # Errors
    ///
    /// [`CreateError`]: there is no room.
    ///
    /// ```
    /// use ndshm_array::SharedMutex;
    ///
    /// let counts = SharedMutex::new([0_u64; 4])?;
    /// let same = counts.clone(); // another handle; a worker gets its own as an argument
    /// same.lock()?[2] += 1;
    /// assert_eq!(*counts.lock()?, [0, 0, 1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(value: T) -> Result<Self, CreateError> {
        let buffer = SharedBuffer::options();
        let size = size_of::<MutexCell<T>>();
        let segment =
            Segment::create::<CreateError>(None, &buffer, Kind::Mutex, (size, 0), |_, _| Ok(()))?;
        Self::in_segment(segment, value).map_err(|e| CreateError::System(std::io::Error::other(e)))
    }

    /// The mutex in `segment`; `value` is its first value if it has none yet.
    fn in_segment(segment: Arc<Segment>, value: T) -> Result<Self, String> {
        let members = segment.members().ok_or("the value was opened read-only")?;
        // SAFETY: the members live as long as the segment, behind an `Arc` that is kept beside the
        // mutex and never moves them; what is lent of the mutex borrows `self` (mutex invariant 1).
        let members: &'static Members<'static> = unsafe { &*std::ptr::from_ref(members) };
        let cell = segment.cell().ok_or("it is too short for a value of this type")?;
        // SAFETY: within the segment, aligned (`cell`), zero when it was made, mapped as long as it
        // lives (mutex invariant 1); all who open it do so here, as its members.
        let mutex = unsafe { Mutex::at(cell, value, members) }.map_err(|e| e.to_string())?;
        Ok(Self { mutex, segment })
    }

    fn open(handle: &BufferHandle) -> Result<Self, String> {
        // SAFETY: what this crate does with a segment is what its kind demands; that others do, the
        // caller of `passing::adopt` vouches for, and only from there are handles opened here.
        let buffer = unsafe { SharedBuffer::options().open_handle_typed(handle) };
        let buffer = buffer.map_err(|e| e.to_string())?;
        let label = label(&buffer);
        let segment = Segment::attach(buffer, Kind::Mutex).map_err(|e| e.of(label).to_string())?;
        Self::in_segment(segment, T::zeroed())
    }

    /// Takes the lock, and waits for it as long as its holder lives: for ever where that is the
    /// calling thread.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock`].
    ///
    /// ```
    /// use ndshm_array::SharedMutex;
    ///
    /// let best = SharedMutex::new([f64::INFINITY, 0.0])?;
    /// let mut guard = best.lock()?;
    /// if guard[0] > 0.25 {
    ///     *guard = [0.25, 17.0]; // both together
    /// }
    /// assert_eq!(*guard, [0.25, 17.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.mutex.lock()
    }

    /// Takes the lock if nobody living holds it. Does not wait.
    ///
    /// # Errors
    ///
    /// As [`Mutex::try_lock`].
    ///
    /// ```
    /// use ndshm_array::SharedMutex;
    ///
    /// let total = SharedMutex::new(0_u64)?;
    /// let guard = total.try_lock()?;
    /// assert!(total.try_lock().is_err()); // held
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.mutex.try_lock()
    }

    /// Takes the lock, or gives up after `timeout` on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock_timeout`].
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use ndshm_array::SharedMutex;
    ///
    /// let total = SharedMutex::new(0_u64)?;
    /// let guard = total.lock()?;
    /// let error = total.lock_timeout(Duration::from_millis(5)).unwrap_err();
    /// assert!(error.to_string().starts_with("timed out"));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.mutex.lock_timeout(timeout)
    }

    /// As [`lock_timeout`](Self::lock_timeout), until a moment on the monotonic clock.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock_timeout`].
    ///
    /// ```
    /// use std::time::Instant;
    /// use ndshm_array::SharedMutex;
    ///
    /// let total = SharedMutex::new(0_u64)?;
    /// *total.lock_deadline(Instant::now())? += 1; // nobody has it
    /// assert_eq!(*total.lock()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_deadline(
        &self,
        deadline: Instant,
    ) -> Result<MutexGuard<'_, T>, LockError<MutexGuard<'_, T>>> {
        self.mutex.lock_deadline(deadline)
    }

    /// Whether somebody died, or panicked, while it held the lock, and nobody has cleared that since.
    ///
    /// ```
    /// use ndshm_array::SharedMutex;
    ///
    /// let total = SharedMutex::new(0_u64)?;
    /// # ndshm_testkit::panic_holding(|| total.lock());
    /// // ... a thread panics while it holds the lock ...
    /// assert!(total.is_poisoned());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.mutex.is_poisoned()
    }

    /// What it is doing at this moment, as [`Mutex::inspect`] says it.
    ///
    /// ```
    /// use ndshm_array::SharedMutex;
    ///
    /// let total = SharedMutex::new(0_u64)?;
    /// let guard = total.lock()?;
    /// assert_eq!(total.inspect().holders[0].member.pid, Some(std::process::id()));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        self.mutex.inspect()
    }
}

impl<T> Clone for SharedMutex<T> {
    fn clone(&self) -> Self {
        Self { mutex: self.mutex, segment: Arc::clone(&self.segment) }
    }
}

/// Writes a handle, for the arguments of workers.
impl<T> Serialize for SharedMutex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.segment.buffer().handle().serialize(serializer)
    }
}

/// Opens the value: in the start-up of a worker, whose parent vouches for it.
impl<'de, T: Pod + Send> Deserialize<'de> for SharedMutex<T> {
    fn deserialize<A: Deserializer<'de>>(deserializer: A) -> Result<Self, A::Error> {
        let handle = BufferHandle::deserialize(deserializer)?;
        if !handle.is_adopted() {
            return Err(A::Error::custom(passing::explain(
                "a SharedMutex is opened by deserialising only where a worker starts",
            )));
        }
        Self::open(&handle).map_err(|e| A::Error::custom(passing::explain(e)))
    }
}
