//! The launcher.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crew::{Crew, Terms};
use crate::entry::{self, Function, Trampoline};
use crate::launch::What;
use crate::order::Task;
use crate::settings::Settings;
use crate::supervise::Outcome;
use crate::sys::{Handlers, Image, Interrupts};
use crate::{Event, Output, Pin, Pool, RunError, StartError, Worker, codec, init};

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
    settings: Settings,
    on_event: Option<RefCell<Callback<'a>>>,
}

type Callback<'a> = Box<dyn FnMut(Event) + 'a>;

impl<'a> Workers<'a> {
    /// `size` workers. Starts nothing yet.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { settings: Settings::new(size), on_event: None }
    }

    /// Has `on_event` told what happens while [`run`](Self::run) waits, in the thread that waits.
    ///
    /// It should return soon: meanwhile nobody looks after the workers. When it panics, they are
    /// killed and the panic goes on.
    #[must_use]
    pub fn on_event(self, on_event: impl FnMut(Event) + 'a) -> Self {
        Self { on_event: Some(RefCell::new(Box::new(on_event))), ..self }
    }

    /// How many threads rayon and the libraries of linear algebra start in each worker, whatever the
    /// environment says.
    ///
    /// Without this, each worker's share of the processors: those of this process divided by the number
    /// of workers, at least 1; and what the user has set stays. The variables are `RAYON_NUM_THREADS`,
    /// `OMP_NUM_THREADS`, `OPENBLAS_NUM_THREADS`, `MKL_NUM_THREADS`, `BLIS_NUM_THREADS`,
    /// `VECLIB_MAXIMUM_THREADS`, `NUMEXPR_NUM_THREADS`; and `NDSHM_THREADS`, which is
    /// [`Worker::threads`].
    ///
    /// ```
    /// use ndshm_workers::Workers;
    ///
    /// fn main() {
    ///     ndshm_workers::init();
    ///     let blas = Workers::new(2).threads(1).run(|_, ()| std::env::var("OMP_NUM_THREADS"), &());
    ///     assert_eq!(blas.unwrap(), ["1", "1"]);
    /// }
    /// ```
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads.max(1));
        self
    }

    /// Keeps each worker on processors of its own, from its first instruction. Without this, the system
    /// places them, and moves them.
    ///
    /// Worth it where memory is near to some processors only, and for measuring; harmful where others use
    /// the same processors.
    #[must_use]
    pub fn pin(mut self, pin: Pin) -> Self {
        self.settings.pin = Some(pin);
        self
    }

    /// What becomes of what the workers print. Their stdin is empty in any case.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.settings.output = output;
        self
    }

    /// Sets a variable in the environment of the workers, which is this process's otherwise.
    ///
    /// ```
    /// use ndshm_workers::Workers;
    ///
    /// Workers::new(2).env("COLOUR", "red").run_program("sh", ["-c", "test $COLOUR = red"]).unwrap();
    /// ```
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.settings.variables.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of the environment of the workers: one that tells this process from others, and would tell a
    /// worker that it is this process. What an MPI launcher sets is of that kind.
    ///
    /// ```
    /// use ndshm_workers::Workers;
    ///
    /// let workers = Workers::new(2).env("PMI_RANK", "3").env_remove("PMI_RANK");
    /// workers.run_program("sh", ["-c", "test -z \"$PMI_RANK\""]).unwrap();
    /// ```
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.settings.variables.push((name.into(), None));
        self
    }

    /// When a worker dies (panics, exits, is killed), has another process of its rank run the function from
    /// the start with the same arguments, up to `times` in a run for each rank. An error that the function
    /// returns is an answer, and not tried again.
    ///
    /// Sound for functions that do their part whether or not it was begun before: the new one finds the
    /// memory as the dead one left it, and the claims and locks that it held poisoned;
    /// [`Worker::attempt`] tells it so. A death breaks the barrier for the rest of the run, for the new one
    /// too: its phases would not be those of the others, who have gone on meanwhile.
    ///
    /// ```
    /// use ndshm_workers::{Worker, Workers};
    ///
    /// fn fragile(worker: &Worker, (): ()) -> Result<usize, String> {
    ///     if worker.rank() == 1 && worker.attempt() == 0 {
    ///         std::process::abort();
    ///     }
    ///     Ok(worker.attempt())
    /// }
    ///
    /// fn main() {
    ///     ndshm_workers::init();
    ///     assert_eq!(Workers::new(3).retry(1).run(fragile, &()).unwrap(), [0, 1, 0]);
    /// }
    /// ```
    #[must_use]
    pub fn retry(mut self, times: usize) -> Self {
        self.settings.retries = times;
        self
    }

    /// How long programs ([`run_program`](Self::run_program)) may take to end when they are asked to,
    /// before they are killed; 5 seconds without this.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Starts the processes, to run functions in them any number of times.
    ///
    /// # Errors
    ///
    /// [`StartError`], after which no process is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndshm_workers::{Worker, Workers};
    ///
    /// fn main() -> ndshm_workers::Result<()> {
    ///     ndshm_workers::init();
    ///     let mut pool = Workers::new(2).pool()?;
    ///     let squares = pool.run(|_, x: i32| Ok::<_, String>(x * x), &3)?;
    ///     let lengths = pool.run(|_, text: String| Ok::<_, String>(text.len()), &"abc".to_owned())?;
    ///     assert_eq!((squares, lengths), (vec![9, 9], vec![3, 3]));
    ///     Ok(())
    /// }
    /// ```
    pub fn pool(self) -> Result<Pool<'a>, StartError> {
        if !init::was_called() {
            return Err(StartError::NotInitialised);
        }
        let size = self.settings.checked_size()?;
        let handlers = Handlers::put_in().map_err(StartError::system("watch for signals"))?;
        let crew = Crew::start(&self.settings, |group| Crew::worker(group, size))?;
        Ok(Pool::new(self, crew, handlers))
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
    /// environment (and `NDSHM_RANK`, `NDSHM_SIZE`, and what [`threads`](Self::threads) lists), an empty
    /// stdin, and this process's stdout and stderr. They end with `f`, and never outlive the thread that
    /// called this.
    ///
    /// While it waits, SIGINT (Ctrl-C), SIGTERM and SIGHUP end the workers and then this call, by
    /// [`RunError::Interrupted`]: so the program ends by its own `main`, and names of segments go with the
    /// variables that hold them. A second signal ends it at once. Where the program ignores such a signal
    /// or has a handler of its own, that stays; and in between runs they do what they always do.
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
        let interrupts = watch()?;
        let task = self.task(f, args, true)?;
        let size = self.settings.size;
        let mut crew = Crew::start(&self.settings, |group| Crew::worker(group, size))?;
        self.perform(&mut crew, &task, &interrupts)
    }

    /// Runs a program as it is in every process, as `ndshm run` does, and waits until all have ended.
    ///
    /// It is searched for in `PATH`, and finds in its environment `NDSHM_RANK`, `NDSHM_SIZE`,
    /// `NDSHM_GROUP`, by which [`Worker::from_env`] gives it a barrier with the others, and what
    /// [`threads`](Self::threads) lists. When one fails (another status than 0, or killed), the others
    /// are asked to end by SIGTERM, and killed after [`grace`](Self::grace); so are they when a signal
    /// asks this process to end, with that signal. Each leads a process group, so that what it has started
    /// ends with it.
    ///
    /// [`init`](crate::init()) is not needed for this, and [`retry`](Self::retry) has no effect.
    ///
    /// # Errors
    ///
    /// [`RunError::Failed`] with those that failed, not those that were ended for it;
    /// [`RunError::Interrupted`]; [`RunError::Start`] where it cannot be run.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndshm_workers::{Cause, Workers};
    ///
    /// let script = "test $NDSHM_RANK -ne 2 || exit 7";
    /// Workers::new(2).run_program("sh", ["-c", script]).unwrap();
    /// let error = Workers::new(3).run_program("sh", ["-c", script]).unwrap_err();
    /// assert_eq!((error.failures()[0].rank, &error.failures()[0].cause), (2, &Cause::Exited(7)));
    /// ```
    pub fn run_program<S: Into<OsString>>(
        &self,
        program: impl Into<OsString>,
        args: impl IntoIterator<Item = S>,
    ) -> Result<(), RunError<()>> {
        let (program, args) = (program.into(), args.into_iter().map(Into::into).collect());
        let interrupts = watch()?;
        let mut crew = Crew::start(&self.settings, |group| {
            // Not collected: a handle that any process of this user can open.
            let handle = codec::encode(&group.segment().handle()).map_err(StartError::group)?;
            Ok(What::Program { program, args, handle })
        })?;
        let outcome =
            crew.run(None, self.terms(&interrupts, &mut |e| self.tell(e), &mut |_, _| Ok(())))?;
        match outcome {
            Outcome { interrupted: Some(signal), .. } => Err(RunError::Interrupted { signal }),
            Outcome { failures, .. } if failures.is_empty() => Ok(()),
            Outcome { failures, .. } => Err(RunError::Failed { failures, results: Vec::new() }),
        }
    }

    /// A run of `f`, to be given to workers.
    pub(crate) fn task<A, R, E>(
        &self,
        f: fn(&Worker, A) -> Result<R, E>,
        args: &A,
        last: bool,
    ) -> Result<Task, StartError>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
        E: Display,
    {
        self.settings.checked_size()?;
        if !init::was_called() {
            return Err(StartError::NotInitialised);
        }
        let trampoline: Trampoline = entry::trampoline::<A, R, E>;
        let f: Function<A, R, E> = f;
        let image = Image::current();
        let positions = image.position(trampoline as *const ()).zip(image.position(f as *const ()));
        let positions = positions.ok_or(StartError::NotInExecutable)?;
        Task::new(positions, last, || codec::encode(args))
    }

    /// Has the crew do it, and brings home what comes of it.
    pub(crate) fn perform<R: DeserializeOwned>(
        &self,
        crew: &mut Crew,
        task: &Task,
        interrupts: &Interrupts,
    ) -> Result<Vec<R>, RunError<R>> {
        let mut results: Vec<Option<R>> = (0..self.settings.size).map(|_| None).collect();
        let mut accept = |rank: usize, bytes: &[u8]| {
            results[rank] = Some(codec::decode(bytes).map_err(|e| e.to_string())?);
            Ok(())
        };
        let mut tell = |event| self.tell(event);
        let outcome = crew.run(Some(task), self.terms(interrupts, &mut tell, &mut accept))?;
        match outcome {
            Outcome { interrupted: Some(signal), .. } => Err(RunError::Interrupted { signal }),
            // No failure means a result of each.
            Outcome { failures, .. } if failures.is_empty() => {
                Ok(results.into_iter().flatten().collect())
            }
            Outcome { failures, .. } => Err(RunError::Failed { failures, results }),
        }
    }

    fn terms<'t>(
        &self,
        interrupts: &'t Interrupts,
        tell: &'t mut dyn FnMut(Event),
        accept: &'t mut crate::supervise::Accept<'t>,
    ) -> Terms<'t> {
        let Settings { retries, grace, .. } = self.settings;
        Terms { interrupts, tell, accept, retries, grace }
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

/// Sees the signals that ask this process to end, while the result lives.
pub(crate) fn watch() -> Result<Interrupts, StartError> {
    Interrupts::watch().map_err(StartError::system("watch for signals"))
}

impl fmt::Debug for Workers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("settings", &self.settings).finish_non_exhaustive()
    }
}
