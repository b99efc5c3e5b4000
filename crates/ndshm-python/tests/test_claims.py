"""Claims, within one process and across."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

import ndshm

SPAWN = multiprocessing.get_context("spawn")


def test_overlaps_are_told_and_say_who():
    a = ndshm.zeros((10, 10))
    errors = []

    def other():
        for part in (np.s_[2:4], np.s_[:, 5], ...):
            try:
                a.claim(part)
            except ndshm.Overlap as e:
                errors.append(e)
        with a.claim(np.s_[5:]) as rows:  # apart from it
            rows[...] = 1
        with pytest.raises(ndshm.TimedOut) as e:
            a.read(timeout=0.05)
        errors.append(e.value)
        assert isinstance(e.value, TimeoutError)

    with a.claim(np.s_[0:3]):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert [e.held for e in errors] == ["rows 0..3"] * 4
    assert all(e.by.pid == os.getpid() for e in errors)
    assert a[5, 5] == 1


def test_ones_own_claim_is_no_wait():
    a = ndshm.zeros(4)
    with a.write():
        with pytest.raises(ndshm.Deadlock) as e:
            a[0]
        assert "release that claim first" in str(e.value)
    assert a[0] == 0


def test_an_exception_releases_and_does_not_poison():
    a = ndshm.zeros(4)
    with pytest.raises(ZeroDivisionError):
        with a.write() as m:
            m[0] = 1
            1 / 0
    assert a[0] == 1
    claim = a.write()
    del claim  # without a with
    with a.write():
        pass


def test_readers_share():
    a = ndshm.full(4, 1.0)
    with a.read(), a.claim(np.s_[1:], shared=True) as m:
        assert m.sum() == 3


def test_atomic_additions():
    for dtype, value, wanted in (("i8", 2, 800), ("f4", 0.5, 200), ("u1", 1, 400 % 256), ("complex64", 1j, 400j), ("f8", 0.25, 100)):
        a = ndshm.zeros((2, 2), dtype)
        threads = [threading.Thread(target=lambda: [a.add_at((1, 0), value) for _ in range(100)]) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert a[1, 0] == wanted and a[0, 0] == 0
    with pytest.raises(TypeError):
        ndshm.zeros(2, "complex128").add_at(0, 1)
    with pytest.raises(TypeError):
        a.add_at(0, 1)  # a row
    with pytest.raises(OverflowError):
        ndshm.zeros(2, "i1").add_at(0, 1000)


def add(a, lock, times):
    for _ in range(times):
        with lock:
            a.unclaimed()[0] += 1


def claim_and_add(a, times):
    for _ in range(times):
        with a.claim(0, timeout=None) as m:
            m[...] += 1


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_no_increment_is_lost(method):
    context = multiprocessing.get_context(method)
    a, b, lock = ndshm.zeros(2, int), ndshm.zeros(1, int), ndshm.Mutex()
    jobs = [context.Process(target=add, args=(a, lock, 25_000)) for _ in range(4)]
    jobs += [context.Process(target=claim_and_add, args=(b, 500)) for _ in range(2)]
    [job.start() for job in jobs]
    [job.join() for job in jobs]
    assert [job.exitcode for job in jobs] == [0] * 6
    assert a[0] == 100_000 and b[0] == 1_000


def hold(a, part, ready, mode):
    claim = a.claim(part, shared=mode == "read")
    claim.array
    ready.set()
    time.sleep(100)


def killed_with(a, part, mode="write"):
    ready = ndshm.Event()
    victim = SPAWN.Process(target=hold, args=(a, part, ready, mode))
    victim.start()
    assert ready.wait(60)
    os.kill(victim.pid, signal.SIGKILL)
    os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)  # the kernel has let go of all
    return victim


def test_the_dead_are_named_at_once_and_mended():
    a = ndshm.full((10, 4), 1.0)
    for round in range(3):
        victim = killed_with(a, np.s_[2:5])
        start = time.monotonic()
        with pytest.raises(ndshm.OwnerDied) as caught:
            a.write()
        took = time.monotonic() - start
        victim.join()
        assert took < 0.1, f"{took} s"
        assert caught.value.by.pid == victim.pid and caught.value.parts == ["rows 2..5"]
        with a.claim(np.s_[5:]):  # the rest is fine
            pass
        with pytest.raises(ndshm.OwnerDied):
            a[3]
        with pytest.raises(ZeroDivisionError), caught.value.mend():
            1 / 0
        with pytest.raises(ndshm.OwnerDied):
            a.read()  # not whole yet
        with caught.value.mend() as m:
            m[2:5] = 1.0
        assert a[...].sum() == 40
    claim = a.write(mend=True)
    assert claim.clear_poison()
    claim.release()
    victim = killed_with(a, ..., "read")
    a.write().release()  # a dead reader leaves nothing
    victim.join()


def test_one_that_waits_is_told_of_a_death():
    a = ndshm.zeros(4)
    ready = ndshm.Event()
    victim = SPAWN.Process(target=hold, args=(a, ..., ready, "write"))
    victim.start()
    assert ready.wait(60)
    threading.Timer(0.2, lambda: os.kill(victim.pid, signal.SIGKILL)).start()
    with pytest.raises(ndshm.OwnerDied) as e:
        a.read()
    assert e.value.by.pid == victim.pid
    victim.join()


def interrupted(wait):
    """What Ctrl-C does to a wait, and how long it takes."""
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait()
    timer.join()
    return time.monotonic() - start


def test_waits_obey_ctrl_c():
    a = ndshm.zeros(4)
    lock, event, semaphore = ndshm.Mutex(), ndshm.Event(), ndshm.Semaphore(1)
    signals, barrier, condition, rwlock = ndshm.SignalSemaphore(), ndshm.Barrier(2), ndshm.Condition(), ndshm.RwLock()
    held = threading.Event()

    def holder():
        with a.write(), lock, semaphore, rwlock.write():
            held.set()
            done.wait()

    done = threading.Event()
    thread = threading.Thread(target=holder)
    thread.start()
    held.wait()
    condition.acquire()
    waits = [
        a.read, lambda: a.claim(0, timeout=None), lambda: a[0], lambda: a.add_at(0, 1), lock.acquire, lock.__enter__, event.wait, semaphore.acquire,
        signals.acquire, barrier.wait, condition.wait, rwlock.acquire_read, rwlock.acquire_write,
    ]
    try:
        for wait in waits:
            assert interrupted(wait) < 5, wait
    finally:
        done.set()
        thread.join()
    condition.release()
    a[0], lock.acquire(timeout=5)  # all is well


def test_waits_let_other_threads_run():
    a = ndshm.zeros(4)
    claim = a.write()
    got = []
    thread = threading.Thread(target=lambda: got.append(a.read()))
    thread.start()
    time.sleep(0.1)
    assert not got
    claim.release()
    thread.join()
    got[0].release()


def child_of_fork(a, claim, out):
    try:
        a.claim(np.s_[0:2])
    except ndshm.Overlap as e:
        out.send(e.by.pid)
    with a.claim(np.s_[2:]) as m:
        m[...] = 7
    claim.release()  # the parent's: nothing happens
    out.send("done")


def test_a_forked_child_joins_anew_and_releases_nothing_of_its_parents():
    ours, theirs = multiprocessing.Pipe()
    a = ndshm.zeros(4)
    claim = a.claim(np.s_[0:2])
    view = np.asarray(a)
    job = multiprocessing.get_context("fork").Process(target=child_of_fork, args=(a, claim, theirs))
    job.start()
    assert ours.recv() == os.getpid()
    assert ours.recv() == "done"
    job.join()
    assert job.exitcode == 0
    refused = []

    def other():
        try:
            a.claim(0)
        except ndshm.Overlap as e:
            refused.append(e)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert refused and claim.held
    claim.release()
    assert view.tolist() == [0, 0, 7, 7]
