"""Locks across processes and threads."""

import multiprocessing
import os
import pickle
import signal
import threading
import time

import pytest

import ndshm

SPAWN = multiprocessing.get_context("spawn")
KINDS = [ndshm.Mutex, ndshm.RwLock, ndshm.Condition, ndshm.Event, ndshm.Semaphore, ndshm.SignalSemaphore]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_they_have_names_and_are_pickled(kind, name):
    lock = kind(name=name)
    assert lock.name == name and name in repr(lock)
    same = kind.open(name)
    again = pickle.loads(pickle.dumps(lock))
    assert type(again) is kind and again.name == name
    if hasattr(lock, "acquire"):
        if kind is ndshm.SignalSemaphore:
            lock.release()
        assert lock.acquire()
        assert not same.acquire(False) and not again.acquire(timeout=0.01)
        lock.release()
    else:
        assert lock is not same
    with pytest.raises(ndshm.Error):
        (ndshm.Mutex if kind is not ndshm.Mutex else ndshm.Event).open(name)
    anonymous = kind()
    assert anonymous.name is None
    with pytest.raises(ndshm.NameTaken):
        kind(name=name)


def test_a_mutex_is_a_lock():
    lock = ndshm.Mutex()
    with lock:
        assert lock.locked() and not lock.acquire(blocking=False)
        start = time.monotonic()
        assert not lock.acquire(timeout=0.1)
        assert 0.1 <= time.monotonic() - start < 5
    assert not lock.locked()
    with pytest.raises(RuntimeError):
        lock.release()
    with pytest.raises(ZeroDivisionError), lock:
        1 / 0
    assert lock.acquire()
    threading.Thread(target=lock.release).start()  # as threading.Lock
    assert lock.acquire(timeout=10)


def test_readers_and_writers():
    lock = ndshm.RwLock()
    with lock.read(), lock.read():
        assert not lock.acquire_write(False)
        with pytest.raises(ndshm.TimedOut), lock.write(timeout=0.05):
            pass
    with lock.write():
        assert not lock.acquire_read(False)
    assert lock.acquire_write(timeout=1)
    lock.release()


def take_and_wait(what, ready):
    what.acquire_write() if isinstance(what, ndshm.RwLock) else what.acquire()
    ready.set()
    time.sleep(100)


@pytest.mark.parametrize("kind", [ndshm.Mutex, ndshm.RwLock, ndshm.Condition], ids=lambda kind: kind.__name__)
def test_the_dead_are_named_at_once_and_mended(kind):
    lock, ready = kind(), ndshm.Event()
    acquire = lock.acquire_write if kind is ndshm.RwLock else lock.acquire
    victim = SPAWN.Process(target=take_and_wait, args=(lock, ready))
    victim.start()
    assert ready.wait(60)
    assert not acquire(timeout=0.05)
    os.kill(victim.pid, signal.SIGKILL)
    os.waitid(os.P_PID, victim.pid, os.WEXITED | os.WNOWAIT)
    start = time.monotonic()
    with pytest.raises(ndshm.OwnerDied) as e:
        acquire()
    assert time.monotonic() - start < 0.1
    assert e.value.by.pid == victim.pid
    victim.join()
    with pytest.raises(ndshm.OwnerDied):
        acquire()  # still so
    with pytest.raises(ZeroDivisionError), e.value.mend():
        1 / 0
    with e.value.mend():
        pass
    assert acquire(timeout=1)
    lock.release()


def test_permits_of_the_dead_come_back():
    semaphore, ready = ndshm.Semaphore(2), ndshm.Event()
    victim = SPAWN.Process(target=take_and_wait, args=(semaphore, ready))
    victim.start()
    assert ready.wait(60)
    with semaphore:
        assert not semaphore.acquire(timeout=0.05) and semaphore.get_value() == 0
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        assert semaphore.acquire(timeout=10)
        semaphore.release()
    with pytest.raises(ValueError):
        semaphore.release()


def produce(items, space, n):
    for _ in range(n):
        assert space.acquire(timeout=60)
        items.release()


def test_a_signal_semaphore_counts():
    items, space = ndshm.SignalSemaphore(), ndshm.SignalSemaphore(3)
    producer = SPAWN.Process(target=produce, args=(items, space, 50))
    producer.start()
    for _ in range(50):
        assert items.acquire(timeout=60)
        space.release()
    producer.join()
    assert (items.get_value(), space.get_value(), producer.exitcode) == (0, 3, 0)


def relay(condition, a, mine, size, rounds):
    for _ in range(rounds):
        with condition:
            assert condition.wait_for(lambda: a.unclaimed()[0] % size == mine, timeout=60)
            a.unclaimed()[0] += 1
            condition.notify_all()


def test_a_condition_hands_on():
    condition, a = ndshm.Condition(), ndshm.zeros(1, int)
    jobs = [SPAWN.Process(target=relay, args=(condition, a, i, 3, 40)) for i in range(3)]
    [job.start() for job in jobs]
    [job.join() for job in jobs]
    assert a[0] == 120 and [job.exitcode for job in jobs] == [0] * 3
    with condition:
        start = time.monotonic()
        assert not condition.wait(0.12)
        assert not condition.wait_for(lambda: False, 0.12)
        assert 0.2 < time.monotonic() - start < 10
    with pytest.raises(RuntimeError):
        condition.wait()
    with pytest.raises(RuntimeError):
        condition.notify()


def test_an_event():
    event = ndshm.Event()
    assert not event.is_set() and not event.wait(0.05)
    threading.Timer(0.1, event.set).start()
    assert event.wait(60) and event.wait() and event.is_set()
    event.clear()
    assert not event.is_set()


def meet(barrier, a, rounds):
    for i in range(rounds):
        a.add_at(i, 1)
        rank = barrier.wait(60)
        assert a.unclaimed()[i] == barrier.parties, (rank, i)


def test_a_barrier_of_processes_and_threads():
    barrier, a = ndshm.Barrier(4), ndshm.zeros(50, int)
    jobs = [SPAWN.Process(target=meet, args=(barrier, a, 50)) for _ in range(2)]
    jobs += [threading.Thread(target=meet, args=(barrier, a, 50)) for _ in range(2)]
    [job.start() for job in jobs]
    [job.join() for job in jobs]
    assert (a[...] == 4).all()


def meet_once_and_wait(barrier, ready):
    barrier.wait()
    ready.set()
    time.sleep(100)


def test_a_barrier_names_the_dead():
    barrier, ready = ndshm.Barrier(2), ndshm.Event()
    victim = SPAWN.Process(target=meet_once_and_wait, args=(barrier, ready))
    victim.start()
    barrier.wait(60)
    assert ready.wait(60)
    threading.Timer(0.2, lambda: os.kill(victim.pid, signal.SIGKILL)).start()
    with pytest.raises(ndshm.BrokenBarrier) as e:
        barrier.wait(60)
    assert isinstance(e.value, threading.BrokenBarrierError)
    assert e.value.by.pid == victim.pid and e.value.lost[0][1] == "died"
    victim.join()
    assert barrier.broken
    barrier.reset()
    with pytest.raises(ndshm.BrokenBarrier):
        barrier.wait(0.1)


def use_after_fork(lock, barrier, event):
    assert not lock.acquire(timeout=0.05)  # the parent's
    with pytest.raises(RuntimeError):
        lock.release()
    event.set()
    barrier.wait(60)


def test_locks_after_a_fork():
    lock, barrier, event = ndshm.Mutex(), ndshm.Barrier(2), ndshm.Event()
    lock.acquire()
    job = multiprocessing.get_context("fork").Process(target=use_after_fork, args=(lock, barrier, event))
    job.start()
    assert event.wait(60)
    barrier.wait(60)
    job.join()
    assert job.exitcode == 0
    lock.release()
