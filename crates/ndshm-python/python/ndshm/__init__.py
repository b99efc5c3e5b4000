"""NumPy arrays that several processes share.

An array is made by one process and reached by others, without a copy: by pickling it (``multiprocessing``,
``concurrent.futures``, joblib), by its name, or from Rust. One asks before one reads or writes, and an overlap is noticed
across processes; what a killed process left half-written is known by name, and nobody waits for the dead.

    import numpy as np, ndshm

    a = ndshm.zeros((2000, 2000))
    with a.claim(np.s_[0:500]) as rows:     # these rows, for this process alone
        rows[...] = 1.0
    with a.read() as m:                     # shared with others who read
        print(m.sum())
    a[0, :] = 2 * a[1, :]                   # each side under a claim of its own

Arrays: :func:`zeros`, :func:`empty`, :func:`full`, :func:`array`, :func:`open`, :func:`load`, :func:`remove`, :func:`gc`; :class:`SharedArray`,
:class:`Claim`.

Locks: :class:`Mutex`, :class:`RwLock`, :class:`Condition`, :class:`Event`, :class:`Semaphore`, :class:`SignalSemaphore`,
:class:`Barrier`: as those of ``threading``, for processes, and none hangs when somebody dies.

Workers: :class:`Workers` runs a function in P processes; :class:`Worker` is the place of one of them, also under ``ndshm run``.

Errors: all are :class:`Error`; :class:`OwnerDied`, :class:`Overlap`, :class:`TimedOut`, :class:`Deadlock`, :class:`Closed`,
:class:`ReadOnly`, :class:`NameTaken`, :class:`NotFound`, :class:`NoSpace` say who and what in their attributes.
"""

from ._array import Claim, SharedArray, array, empty, full, gc, load, open, remove, zeros
from ._errors import (
    BadName,
    BrokenBarrier,
    Closed,
    Deadlock,
    Error,
    FileError,
    Gone,
    Member,
    NameTaken,
    NoSpace,
    NotAllowed,
    NotFound,
    Overlap,
    OwnerDied,
    ReadOnly,
    TimedOut,
    TooLarge,
    WorkerDied,
    WorkersFailed,
)
from ._locks import Barrier, Condition, Event, Mutex, RwLock, Semaphore, SignalSemaphore
from ._workers import Worker, Workers

__version__ = "0.1.0"

__all__ = [
    "BadName", "Barrier", "BrokenBarrier", "Claim", "Closed", "Condition", "Deadlock", "Error", "Event", "FileError",
    "Gone", "Member", "Mutex", "NameTaken", "NoSpace", "NotAllowed", "NotFound", "Overlap", "OwnerDied", "ReadOnly",
    "RwLock", "Semaphore", "SharedArray", "SignalSemaphore", "TimedOut", "TooLarge", "Worker", "WorkerDied",
    "Workers", "WorkersFailed", "array", "empty", "full", "gc", "load", "open", "remove", "zeros",
]
