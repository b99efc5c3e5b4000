"""Locks: those of the extension, and what they need of Python."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from types import FrameType
from typing import Any, Callable

from . import _ndshm
from ._array import keep_for_child

_Dir = str | os.PathLike[str] | None


class _Named:
    """How all of them are made, opened by name, and pickled."""

    __slots__ = ()
    _handle: Callable[[], bytes]
    name: str | None

    def __reduce__(self) -> Any:
        keep_for_child(self)
        return _opened, (type(self), self._handle())

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<ndshm.{type(self).__name__}{name}>"


def _opened(cls: Any, handle: bytes) -> Any:
    base = next(base for base in cls.__mro__ if base.__module__ == "ndshm._ndshm")
    return base.__new__(cls, base._of(handle))


class Mutex(_Named, _ndshm.Mutex):
    """A lock, as ``threading.Lock``: ``with lock:``, ``acquire(blocking, timeout)``, ``release()``, ``locked()``.

    Taken by a process that dies, it is not waited for: the next one gets :class:`OwnerDied`, until somebody mends what it
    guards, within ``with error.mend():``. Not recursive. Pickling brings it to other processes; with a ``name`` other programs
    :meth:`open` it.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, *, name: str | None = None, dir: _Dir = None) -> Mutex:
        return _ndshm.Mutex.__new__(cls, _ndshm.Mutex._create(name, dir))

    @classmethod
    def open(cls, name: str, *, dir: _Dir = None) -> Mutex:
        """The one of that name."""
        return _ndshm.Mutex.__new__(cls, _ndshm.Mutex._open(name, dir, 0))

    def _mending(self, timeout: float | None) -> _ndshm.Taken:
        return _ndshm.Taken(self, "mend", timeout)


class RwLock(_Named, _ndshm.RwLock):
    """Many readers, or one writer: ``with lock.read():``, ``with lock.write():``; or ``acquire_read``, ``acquire_write``, ``release``.

    A reader that dies leaves nothing; after a writer that died all get :class:`OwnerDied`, until it was mended.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, *, name: str | None = None, dir: _Dir = None) -> RwLock:
        return _ndshm.RwLock.__new__(cls, _ndshm.RwLock._create(name, dir))

    @classmethod
    def open(cls, name: str, *, dir: _Dir = None) -> RwLock:
        """The one of that name."""
        return _ndshm.RwLock.__new__(cls, _ndshm.RwLock._open(name, dir, 0))

    def read(self, *, timeout: float | None = None) -> _ndshm.Taken:
        """A context that reads."""
        return _ndshm.Taken(self, "read", timeout)

    def write(self, *, timeout: float | None = None) -> _ndshm.Taken:
        """A context that writes."""
        return _ndshm.Taken(self, "write", timeout)

    def _mending(self, timeout: float | None) -> _ndshm.Taken:
        return _ndshm.Taken(self, "mend", timeout)


class Condition(_Named, _ndshm.Condition):
    """As ``threading.Condition``, with a lock of its own: ``with c:``, ``wait``, ``wait_for``, ``notify``, ``notify_all``."""

    __slots__ = ("__weakref__",)

    def __new__(cls, *, name: str | None = None, dir: _Dir = None) -> Condition:
        return _ndshm.Condition.__new__(cls, _ndshm.Condition._create(name, dir))

    @classmethod
    def open(cls, name: str, *, dir: _Dir = None) -> Condition:
        """The one of that name."""
        return _ndshm.Condition.__new__(cls, _ndshm.Condition._open(name, dir, 0))

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Waits until ``predicate()`` is true, or the time is up; what it was last."""
        import time

        end = None if timeout is None else time.monotonic() + timeout
        while not (result := predicate()):
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def _mending(self, timeout: float | None) -> _ndshm.Taken:
        return _ndshm.Taken(self, "mend", timeout)


class Event(_Named, _ndshm.Event):
    """As ``threading.Event``: ``set``, ``clear``, ``is_set``, ``wait(timeout)``."""

    __slots__ = ("__weakref__",)

    def __new__(cls, *, name: str | None = None, dir: _Dir = None) -> Event:
        return _ndshm.Event.__new__(cls, _ndshm.Event._create(name, dir))

    @classmethod
    def open(cls, name: str, *, dir: _Dir = None) -> Event:
        """The one of that name."""
        return _ndshm.Event.__new__(cls, _ndshm.Event._open(name, dir, 0))


class Semaphore(_Named, _ndshm.Semaphore):
    """``value`` permits, as ``threading.BoundedSemaphore``: whoever acquires one releases it. Those of the dead come back.

    To count what one process makes and another takes, see :class:`SignalSemaphore`.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, value: int = 1, *, name: str | None = None, dir: _Dir = None) -> Semaphore:
        return _ndshm.Semaphore.__new__(cls, _ndshm.Semaphore._create(value, name, dir))

    @classmethod
    def open(cls, name: str, value: int = 1, *, dir: _Dir = None) -> Semaphore:
        """The one of that name, of as many permits."""
        return _ndshm.Semaphore.__new__(cls, _ndshm.Semaphore._open(name, dir, value))


class SignalSemaphore(_Named, _ndshm.SignalSemaphore):
    """A count that any process raises (``release``) and any lowers (``acquire``), as ``threading.Semaphore``. Nobody owns any of it."""

    __slots__ = ("__weakref__",)

    def __new__(cls, value: int = 0, *, name: str | None = None, dir: _Dir = None) -> SignalSemaphore:
        return _ndshm.SignalSemaphore.__new__(cls, _ndshm.SignalSemaphore._create(value, name, dir))

    @classmethod
    def open(cls, name: str, value: int = 0, *, dir: _Dir = None) -> SignalSemaphore:
        """The one of that name, that began with as many."""
        return _ndshm.SignalSemaphore.__new__(cls, _ndshm.SignalSemaphore._open(name, dir, value))


class Barrier(_Named, _ndshm.Barrier):
    """As ``threading.Barrier``: ``wait(timeout)`` until ``parties`` have come; returns this one's rank.

    A process takes a place by its first ``wait``, the first that is free, and keeps it: of one that is killed, or fails, whoever waits for
    it gets :class:`BrokenBarrier`, which names it; ``reset()`` makes it whole. A process that ends well gives its places up, and
    others may come instead. So no more than ``parties`` processes can take part at a time. After ``join(rank)`` the place is that one, and missed
    also where its process ends well.
    """

    __slots__ = ("__weakref__", "_watched")
    _watched: int

    def __new__(cls, parties: int, *, name: str | None = None, dir: _Dir = None) -> Barrier:
        if parties < 1:
            raise ValueError("a barrier has one party, or more")
        return _ndshm.Barrier.__new__(cls, _ndshm.Barrier._create(parties, name, dir))

    @classmethod
    def open(cls, name: str, parties: int, *, dir: _Dir = None) -> Barrier:
        """The one of that name, of as many parties."""
        return _ndshm.Barrier.__new__(cls, _ndshm.Barrier._open(name, dir, parties))

    def wait(self, timeout: float | None = None) -> int:
        """Waits until all have come, and returns this one's rank. :class:`BrokenBarrier` where somebody will not, or the time is up."""
        if getattr(self, "_watched", None) != os.getpid():
            _vacate_at_the_end(self)
            self._watched = os.getpid()
        return super().wait(timeout)


def _vacate_at_the_end(barrier: Barrier) -> None:
    """Has its places given up when this process ends well."""
    from multiprocessing.util import Finalize

    known, started = weakref.ref(barrier), _started()

    def end() -> None:
        one = known()
        if one is None:
            return
        # A process that multiprocessing started did well if that says so; a program, if nothing went up through it.
        well = started.f_locals.get("exitcode") == 0 if started else getattr(sys, "last_type", None) is None
        one._end(not well)

    Finalize(barrier, end, exitpriority=0)


def _started() -> FrameType | None:
    """Where multiprocessing runs this process, if it does: there it notes how it ended, and nowhere else."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "_bootstrap" and frame.f_globals.get("__name__") == "multiprocessing.process":
            return frame
        frame = frame.f_back
    return None
