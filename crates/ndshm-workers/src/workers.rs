//! The launcher.

use std::cell::RefCell;
use std::fmt::{self, Display};

use ndshm_buffer::passing;
use ndshm_sync::Members;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::entry::{self, Function, Trampoline};
use crate::hello::{self, Head};
use crate::launch::{self, Luggage, Team};
use crate::supervise::{Outcome, supervise};
use crate::sys::{ExecutableId, Image};
use crate::{Event, RunError, StartError, Worker, codec, group, init};

/// A number of worker processes to run a function in, each time [`run`](Self::run) is called.
///
/// # Examples
///
/// ```
/// use ndshm_workers::{Worker, Workers};
///
/// fn compute(worker: &Worker, (base, scale): (usize, f64)) -> ndshm_workers::Result<f64> {
///     Ok((base + worker.rank()) as f64 * scale)
/// }
///
/// fn main() -> ndshm_workers::Result<()> {
///     ndshm_workers::init(); // first line: a worker process starts here
///     let results = Workers::new(3).run(compute, &(10, 0.5))?;
///     assert_eq!(results, [5.0, 5.5, 6.0]);
///     Ok(())
/// }
/// ```
pub struct Workers<'a> {
    size: usize,
    on_event: Option<RefCell<Callback<'a>>>,
}

type Callback<'a> = Box<dyn FnMut(Event) + 'a>;

impl<'a> Workers<'a> {
    /// `size` workers. Starts nothing yet.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { size, on_event: None }
    }

    /// Has `on_event` told what happens while [`run`](Self::run) waits, in the thread that waits.
    ///
    /// It should return soon: meanwhile nobody looks after the workers. When it panics, they are
    /// killed and the panic goes on.
    #[must_use]
    pub fn on_event(self, on_event: impl FnMut(Event) + 'a) -> Self {
        Self { on_event: Some(RefCell::new(Box::new(on_event))), ..self }
    }

    /// Calls `f` in every worker process, each time with a copy of `args`, waits until all have
    /// ended, and returns their results in rank order.
    ///
    /// `f` is any function or closure that captures nothing: only its place in the executable
    /// travels. (That is why it is a function pointer: a closure could capture a value of no size
    /// that vouches for something in this process only.) What it needs goes into `args`, one value or a tuple of them, that `serde` can
    /// write and read again; values travel by position (no `skip_serializing_if`, `flatten`,
    /// untagged enums, or `serde_json::Value`). Shared buffers and arrays among them are not
    /// copied: the worker has the same memory.
    ///
    /// The processes are new ones, of the same executable, with the same command line and
    /// environment (and `NDSHM_RANK`, `NDSHM_SIZE`), an empty stdin, and this process's stdout and
    /// stderr. They end with `f`, and never outlive the thread that called this.
    ///
    /// A worker that ends before the others, in whatever way, breaks the barrier for those who
    /// wait for it there. Those who do not wait go on, and are waited for.
    ///
    /// May be called by several threads at once, and in a worker, whose workers end with it.
    ///
    /// A mutex among the arguments that this thread has locked is waited for by the workers, as
    /// ever: drop the guard first. (A claim on an array among them is refused here.)
    ///
    /// # Errors
    ///
    /// [`RunError::Start`] when nothing was run; [`RunError::Failed`] with every failure and the
    /// results that arrived, when a worker returned an error, panicked, exited or was killed.
    ///
    /// # Examples
    ///
    /// A closure that captures something is refused when compiled; pass it in `args`.
    ///
    /// ```compile_fail,E0308
    /// use ndshm_workers::Workers;
    ///
    /// let factor = 3;
    /// let results = Workers::new(2).run(|w, ()| Ok::<_, String>(w.rank() * factor), &());
    /// ```
    ///
    /// ```
    /// use ndshm_workers::Workers;
    ///
    /// fn main() {
    ///     ndshm_workers::init();
    ///     let factor = 3;
    ///     let results = Workers::new(2).run(|w, factor| Ok::<_, String>(w.rank() * factor), &factor);
    ///     assert_eq!(results.unwrap(), [0, 3]);
    /// }
    /// ```
    pub fn run<A, R, E>(
        &self,
        f: fn(&Worker, A) -> Result<R, E>,
        args: &A,
    ) -> Result<Vec<R>, RunError<R>>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        E: Display,
    {
        let trampoline: Trampoline = entry::trampoline::<A, R, E>;
        let f: Function<A, R, E> = f;
        let encode = || codec::encode(args);
        let Outcome { failures, results } =
            self.launch(trampoline as *const (), f as *const (), &encode)?;
        if failures.is_empty() {
            // No failure means a result of each.
            return Ok(results.into_iter().flatten().collect());
        }
        Err(RunError::Failed { failures, results })
    }

    fn launch<R: DeserializeOwned>(
        &self,
        trampoline: *const (),
        function: *const (),
        encode: &dyn Fn() -> Result<Vec<u8>, codec::Error>,
    ) -> Result<Outcome<R>, StartError> {
        let size = self.size;
        if !(1..=group::MOST).contains(&size) {
            return Err(StartError::Size { size, most: group::MOST });
        }
        if !init::was_called() {
            return Err(StartError::NotInitialised);
        }
        let image = Image::current();
        let positions = image.position(trampoline).zip(image.position(function));
        let (trampoline, function) = positions.ok_or(StartError::NotInExecutable)?;

        let segment = group::create(size).map_err(StartError::group)?;
        let members = Members::join(group::region(&segment)).map_err(StartError::group)?;
        let barrier = members.layout().barrier(size).map_err(StartError::group)?;

        let (encoded, segments) = passing::collect(|| {
            let group = codec::encode(&segment)?;
            Ok((group, encode()?))
        });
        let (group, args) =
            encoded.map_err(|e: codec::Error| StartError::Arguments(e.to_string()))?;
        let fds = Luggage::segments(&segments)
            .map_err(StartError::system("duplicate the descriptors of the segments"))?;
        let head = Head {
            executable: ExecutableId::current()
                .map_err(StartError::system("look at /proc/self/exe"))?,
            size: size as u64,
            trampoline,
            function,
            segments: Luggage::numbers(&fds),
            group,
        };
        let luggage = hello::write(&head, &args)
            .and_then(|hello| Luggage::new(fds, &hello))
            .map_err(StartError::system("write the arguments of the workers into memory"))?;
        drop(args);

        let mut team = Team::default();
        for rank in 0..size {
            let process = launch::start(&luggage, rank, size);
            team.processes.push(process.map_err(|source| StartError::Spawn { rank, source })?);
        }
        drop(luggage);
        Ok(supervise(&mut team, &barrier, &mut |event| self.tell(event)))
    }

    fn tell(&self, event: Event) {
        // It is borrowed only where the callback itself runs these workers: then it is busy.
        if let Some(mut on_event) =
            self.on_event.as_ref().and_then(|cell| cell.try_borrow_mut().ok())
        {
            on_event(event);
        }
    }
}

impl fmt::Debug for Workers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("size", &self.size).finish_non_exhaustive()
    }
}
