"""Processes that share arrays: a function in P of them, or a program under ``ndshm run``."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from multiprocessing.connection import wait
from typing import Any, Callable

from . import _ndshm
from ._errors import BrokenBarrier, Error, WorkerDied, WorkersFailed
from ._locks import Barrier


class Worker:
    """A process's place among others: its ``rank`` of ``size``, its part of a range, their barrier."""

    def __init__(self, rank: int, size: int, wait: Callable[[float | None], Any]) -> None:
        self.rank, self.size, self._wait = rank, size, wait

    @classmethod
    def from_env(cls) -> Worker:
        """The place that ``ndshm run -n P -- python prog.py`` gave to this process; alone, of one, without it.

        Call it once, before arrays are opened: errors elsewhere then name the rank. The programs may be of Python and of Rust.
        """
        place = _ndshm.Member.from_env()
        return cls(place.rank, place.size, place.wait)

    def band(self, n: int) -> slice:
        """This worker's part of ``range(n)``: contiguous, in the order of ranks, as even as possible; the same in Rust."""
        each, more = divmod(n, self.size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def barrier(self, timeout: float | None = None) -> None:
        """Waits until all workers have come. What any of them wrote before, all see after.

        Raises :class:`BrokenBarrier` once a worker has ended that others wait for; it says which.
        """
        self._wait(timeout)

    def __repr__(self) -> str:
        return f"<ndshm.Worker {self.rank} of {self.size}>"


class Workers:
    """``size`` processes that run one function.

    ``start_method`` is as in ``multiprocessing``: ``spawn`` starts afresh, ``forkserver`` and ``fork`` are quicker. What is typed at a prompt, or in a
    notebook, only a fork has: the others import the function from its module.
    """

    def __init__(self, size: int, *, start_method: str = "spawn") -> None:
        if size < 1:
            raise ValueError("as many workers as one, or more")
        self.size = size
        self._context: Any = multiprocessing.get_context(start_method)

    def run(self, function: Callable[..., Any], /, *args: Any) -> list[Any]:
        """Runs ``function(worker, *args)`` in each of the processes; the results, by rank.

        Function and arguments are pickled: shared arrays and locks are the same memory there, all else is copied. Where a
        worker raises or dies, :class:`WorkersFailed` says so of each of them (``failures``, ``results``); those who wait for it
        at the barrier are told, and what it held is poisoned. Ctrl-C ends all.
        """
        barrier = Barrier(self.size)
        processes, pipes = [], {}
        try:
            for rank in range(self.size):
                ours, theirs = self._context.Pipe(duplex=False)
                process = self._context.Process(
                    target=_work,
                    args=(_Rank(rank), self.size, barrier, theirs, function, args),
                    name=f"ndshm worker {rank}",
                )
                process.start()
                theirs.close()
                processes.append(process)
                pipes[ours] = rank
            return _collected(processes, pipes, barrier)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join(1)
                if process.is_alive():
                    process.kill()
                    process.join()
                process.close()
            for pipe in pipes:
                pipe.close()


def _collected(processes: list[Any], pipes: dict[Any, int], barrier: Barrier) -> list[Any]:
    """Waits for all; what each sent, or how it ended."""
    results: dict[int, Any] = {}
    failures: dict[int, BaseException] = {}
    # How a process ended is asked of the kernel: what it started, and left, may have its end of the pipe.
    ends = {}
    try:
        for rank, process in enumerate(processes):
            try:
                ends[os.pidfd_open(process.pid)] = rank
            except ProcessLookupError:
                pass  # ended, and reaped by its server: its pipe tells
        waiting: dict[Any, int] = {**pipes, **ends}
        while waiting:
            ready: Any
            for ready in wait(list(waiting)):
                if ready not in waiting:
                    continue
                rank = waiting[ready]
                for both in [one for one, of in waiting.items() if of == rank]:
                    del waiting[both]
                fine, outcome = _outcome(rank, processes[rank], next(pipe for pipe, of in pipes.items() if of == rank))
                (results if fine else failures)[rank] = outcome
                if isinstance(outcome, WorkerDied):
                    barrier.withdraw(rank)  # it may have died before it joined
    finally:
        for end in ends:
            os.close(end)
    if not failures:
        return [results[rank] for rank in range(len(processes))]
    # Those who only waited for one that failed are not the cause.
    causes = {r: e for r, e in failures.items() if not isinstance(e, BrokenBarrier)} or failures
    rank, first = min(causes.items(), key=lambda item: item[0])
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    error = WorkersFailed(f"worker {rank}: {type(first).__name__}: {first}{more}")
    error.failures, error.results = failures, results
    raise error from first


def _outcome(rank: int, process: Any, pipe: Any) -> tuple[bool, Any]:
    """What a worker that is at its end has sent: whether it did well, and what it returned or raised."""
    try:
        # It may have ended without a word, and its pipe be open elsewhere.
        sent = pipe.recv_bytes() if pipe.poll() else None
    except EOFError:
        sent = None
    # A worker is gone once its result is here: what it held is told from what it has given back.
    process.join()
    if sent is None:
        return False, _ended(rank, process)
    try:
        fine, outcome = pickle.loads(sent)
    except Exception as e:  # noqa: BLE001, whatever the class of a result does
        error = Error(f"the result cannot be unpickled: {type(e).__name__}: {e}")
        error.__cause__ = e
        return False, error
    return fine, outcome


def _ended(rank: int, process: Any) -> WorkerDied:
    code = process.exitcode
    if code < 0:
        names = {s.value: s.name for s in signal.Signals}
        how = f"was killed by {names.get(-code, f'signal {-code}')}"
    else:
        how = f"ended with exit status {code} before it had a result"
    error = WorkerDied(f"worker {rank} (pid {process.pid}) {how}")
    error.rank, error.pid, error.exitcode = rank, process.pid, code
    error.signal = -code if code < 0 else None
    return error


class _Rank:
    """The first of a worker's arguments, so that those that are unpickled after it are opened under its rank."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def here(self) -> _Rank:
        _ndshm.set_rank(self.rank)
        return self

    def __reduce__(self) -> Any:
        return _ranked, (self.rank,)


def _ranked(rank: int) -> _Rank:
    return _Rank(rank).here()


def _work(ranked: _Rank, size: int, barrier: Barrier, pipe: Any, function: Callable[..., Any], args: Any) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its launcher ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    rank = ranked.here().rank  # of a forked one, which has unpickled nothing
    barrier.join(rank)
    worker = Worker(rank, size, barrier.wait)
    try:
        outcome = True, function(worker, *args)
        sent = pickle.dumps(outcome)
    except BaseException as e:  # noqa: BLE001, whatever it is, the launcher is told
        sent = _failure(e)
    pipe.send_bytes(sent)
    pipe.close()
    barrier.abort()  # who waits for it waits in vain


def _failure(e: BaseException) -> bytes:
    text = "".join(traceback.format_exception(e))
    try:
        e.add_note(f"in the worker:\n{text}")
        sent = pickle.dumps((False, e))
        pickle.loads(sent)
        return sent
    except Exception:  # noqa: BLE001, one that cannot be pickled travels as text
        error = Error(f"{type(e).__name__}: {e}")
        error.add_note(f"in the worker:\n{text}")
        return pickle.dumps((False, error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
