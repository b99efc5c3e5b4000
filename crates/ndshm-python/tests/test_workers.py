"""Workers, pools of others, and programs under the launcher."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ndshm


def compute(w, a):
    with a.claim(w.band(len(a))) as rows:
        rows[...] = w.rank
    w.barrier()
    with a.read() as m:
        return float(m.sum())


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_function_in_processes(method):
    a = ndshm.zeros((10, 10))
    sums = ndshm.Workers(3, start_method=method).run(compute, a)
    assert sums == [a[...].sum()] * 3 and a[9, 9] == 2


def fails(w, a, how):
    if w.rank == 1:
        claim = a.claim(np.s_[1:2])
        claim.array[...] = 1
        if how == "raise":
            raise ValueError("no", 7)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "exit":
            os._exit(3)
        return "early"
    w.barrier()
    return w.rank


@pytest.mark.parametrize("how", ["raise", "kill", "exit", "return"])
def test_failures_are_told_of_each(how):
    a = ndshm.zeros((4, 4))
    with pytest.raises(ndshm.WorkersFailed) as caught:
        ndshm.Workers(3, start_method="forkserver").run(fails, a, how)
    e = caught.value
    for rank in (0, 2):
        assert isinstance(e.failures[rank], ndshm.BrokenBarrier)
        assert 1 in {lost for lost, *_ in e.failures[rank].lost}
    if how == "raise":
        assert e.failures[1].args == ("no", 7) and "in the worker" in e.failures[1].__notes__[0]
        assert "worker 1: ValueError" in str(e)
    elif how == "kill":
        assert e.failures[1].signal == signal.SIGKILL and "SIGKILL" in str(e)
        with pytest.raises(ndshm.OwnerDied) as died:
            a.read()
        assert died.value.by.pid == e.failures[1].pid and died.value.by.rank == 1
    elif how == "exit":
        assert e.failures[1].exitcode == 3
    else:
        assert e.results == {1: "early"}


def waits(w, ready):
    ready.release()
    time.sleep(100)


def test_ctrl_c_ends_them():
    ready = ndshm.SignalSemaphore()

    def interrupt():
        for _ in range(2):
            ready.acquire()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ndshm.Workers(2, start_method="forkserver").run(waits, ready)
    thread.join()
    assert time.monotonic() - start < 60
    assert not multiprocessing.active_children()


def row_sum(a, i):
    with a.claim(i, shared=True) as row:
        return os.getpid(), float(row.sum())


def test_executors_get_the_same_array():
    a = ndshm.array(np.arange(12.0).reshape(4, 3))
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(row_sum, [a] * 4, range(4)))
    assert [s for _, s in found] == [3, 12, 21, 30] and os.getpid() not in {pid for pid, _ in found}


def fill(a, i):
    a[i] = i
    return os.getpid()


def test_joblib_gets_the_same_array():
    joblib = pytest.importorskip("joblib")
    a = ndshm.zeros((6, 1 << 16))  # more than what joblib would dump to a file
    pids = joblib.Parallel(n_jobs=2)(joblib.delayed(fill)(a, i) for i in range(6))
    assert os.getpid() not in pids
    assert a[:, 7].tolist() == [0, 1, 2, 3, 4, 5]


PROGRAM = """
import sys, ndshm
w = ndshm.Worker.from_env()
a = ndshm.open(sys.argv[1])
with a.claim(w.band(len(a))) as rows:
    rows[...] = w.rank + 1
w.barrier(60)
assert a[...].min() >= 1
print("rank", w.rank, "of", w.size, a[...].sum())
"""


def test_programs_under_the_launcher(name, ndshm_command):
    a = ndshm.zeros(9, name=name)
    done = subprocess.run(
        [ndshm_command, "run", "-n", "3", "--", sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done
    assert a[...].tolist() == [1] * 3 + [2] * 3 + [3] * 3
    assert "rank 2 of 3 18.0" in done.stdout


def test_alone_a_program_is_of_one():
    w = ndshm.Worker.from_env()
    assert (w.rank, w.size, w.band(7)) == (0, 1, slice(0, 7))
    w.barrier()
