"""Exceptions: one base, and the standard class beside it where there is one."""

from __future__ import annotations

import errno
import threading
from typing import Any, NamedTuple


class Member(NamedTuple):
    """A process that takes part in a segment: whom errors name."""

    pid: int | None
    rank: int | None
    slot: int
    generation: int

    def __str__(self) -> str:
        if self.pid is None:
            return f"member {self.slot}.{self.generation}"
        return f"pid {self.pid}" if self.rank is None else f"rank {self.rank} (pid {self.pid})"


class Error(Exception):
    """What all errors of this package are.

    ``by`` is the :class:`Member` that is to blame or in the way, where there is one; ``part`` and ``held`` say what was
    asked for and what that one has.
    """

    by: Member | None = None
    part: str | None = None
    held: str | None = None

    def __reduce__(self) -> Any:
        # What mends is of this process.
        return type(self), self.args, {k: v for k, v in self.__dict__.items() if k != "_mend"}


class OwnerDied(Error):
    """A process died while it had this claimed or locked: it may be half-changed.

    ``parts`` says what of an array, ``by`` who it was. Nobody gets at it until somebody mends it::

        try:
            with a.write() as m:
                ...
        except ndshm.OwnerDied as error:
            with error.mend() as m:  # the same part, for this process alone
                m[...] = 0.0
            # whole again, since the block ended without an exception
    """

    parts: list[str] = []
    _mend: Any = None

    def mend(self, timeout: float | None = None) -> Any:
        """What is poisoned, claimed or locked for this process alone; declared whole at the regular end of the ``with`` block.

        For more than the part that was asked for, use ``array.write(mend=True)`` and ``clear_poison()``.
        """
        if self._mend is None:
            raise Error("this is of another process, or mended: ask for the part, or the lock, again") from self
        return self._mend(timeout)


class Overlap(Error):
    """The part cannot be claimed at once: ``by`` has ``held``."""


class TimedOut(Error, TimeoutError):
    """It was waited for in vain; where somebody was in the way, ``by`` says who."""


class Deadlock(Error):
    """Waiting would never end: ``by`` waits for what this thread has, or this thread itself has the part."""


class Closed(Error, ValueError):
    """The array was closed, or the claim released."""


class ReadOnly(Error, ValueError):
    """The array was opened read-only."""


class NameTaken(Error, FileExistsError):
    """There is a segment of this ``name``: open it, or remove it with :func:`ndshm.remove`."""

    name: str | None = None


class NotFound(Error, FileNotFoundError):
    """There is no segment of this name."""

    path: Any = None


class NotAllowed(Error, PermissionError):
    """The segment is another user's, or its mode forbids it."""


class NoSpace(Error, OSError):
    """There is too little room: ``asked`` and ``free`` in bytes."""

    asked: int | None = None
    free: int | None = None


class TooLarge(Error, ValueError):
    """More elements than can be counted in bytes."""


class BadName(Error, ValueError):
    """A name is 1 to 200 of ``A-Z a-z 0-9 . _ -``."""


class Gone(Error):
    """The segment that was described is no longer there."""


class FileError(Error, OSError):
    """An ``.npy`` file cannot be read or written."""


class BrokenBarrier(Error, threading.BrokenBarrierError):
    """Somebody will never come to the barrier: ``lost`` says which ranks, and why."""

    lost: list[tuple[int, str, Member | None]] = []


class WorkersFailed(Error):
    """Workers failed: ``failures`` by rank, ``results`` of the others by rank."""

    failures: dict[int, BaseException]
    results: dict[int, Any]


class WorkerDied(Error):
    """A worker process ended before it had a result: killed by ``signal``, or with ``exitcode``."""

    rank: int | None = None
    pid: int | None = None
    exitcode: int | None = None
    signal: int | None = None


_ERRNO = {"NameTaken": errno.EEXIST, "NotFound": errno.ENOENT, "NotAllowed": errno.EACCES, "NoSpace": errno.ENOSPC}


def _made(name: str, text: str, attributes: dict[str, Any]) -> Error:
    error: Error = globals()[name](text)
    if isinstance(error, OSError):
        error.errno = _ERRNO.get(name)
    for attribute, value in attributes.items():
        setattr(error, attribute, value)
    return error
