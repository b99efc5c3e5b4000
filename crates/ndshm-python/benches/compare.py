"""ndshm beside multiprocessing.Array, multiprocessing.shared_memory, SharedArray and joblib's memory maps.

    python compare.py [--only job,first,hand,signal,lock,contended] [--quick]

Medians of several rounds, the rivals in turn within each round. The ratios are ours to the best of the others; what ought to hold of them
is said beside. Needs numpy, and SharedArray where it is installed; what joblib does is a memory map of a file in /dev/shm. First use needs 2 GiB of /dev/shm.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from multiprocessing import shared_memory

import numpy as np

import ndshm

SPAWN = multiprocessing.get_context("spawn")
MIB = 1 << 20

try:
    import SharedArray
except ImportError:
    SharedArray = None


def table(title, rows, ratio, wanted):
    """Rows of (who, seconds or operations); the ratio says which way is better."""
    print(f"\n{title}")
    for who, value, unit in rows:
        print(f"  {who:<34}{value:>12.4g} {unit}")
    print(f"  ratio {ratio:.3g} ({wanted})")


def median_in_turns(rounds, **jobs):
    """Runs each job so many times, in turns; the median of what each returns."""
    found = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            found[name].append(job())
    return {name: statistics.median(values) for name, values in found.items()}


# -- the blog's job: M[i, j] = i + j and the sums of rows, by two processes that stand ready


def attached(kind, what, n):
    """The matrix as NumPy sees it in a worker, and what keeps it."""
    if kind == "ndshm":
        return None, what
    if kind == "shared_memory":
        shm = shared_memory.SharedMemory(what)
        return np.ndarray((n, n), "f8", shm.buf), shm
    if kind == "Array":
        return np.frombuffer(what.get_obj()).reshape(n, n), what
    if kind == "SharedArray":
        return SharedArray.attach(what), None
    return np.load(what, mmap_mode="r+"), None


def job(m, lo, hi, n):
    np.add.outer(np.arange(lo, hi, dtype="f8"), np.arange(n, dtype="f8"), out=m)
    return m.sum(axis=1)


def serve(kind, what, n, lo, hi, pipe):
    m, keep = attached(kind, what, n)
    pipe.send("ready")
    while pipe.recv():
        start = time.perf_counter()
        if kind == "ndshm":
            with keep.claim(np.s_[lo:hi]) as rows:
                job(rows, lo, hi, n)
        else:
            job(m[lo:hi], lo, hi, n)
        pipe.send(time.perf_counter() - start)
    del m
    if kind == "shared_memory":
        keep.close()


class Served:
    """Two workers of one kind."""

    def __init__(self, kind, what, n):
        self.pairs, self.jobs = [], []
        for rank in range(2):
            ours, theirs = SPAWN.Pipe()
            lo, hi = n * rank // 2, n * (rank + 1) // 2
            process = SPAWN.Process(target=serve, args=(kind, what, n, lo, hi, theirs))
            process.start()
            self.jobs.append(process)
            self.pairs.append(ours)
        for pipe in self.pairs:
            pipe.recv()

    def __call__(self):
        for pipe in self.pairs:
            pipe.send(True)
        return max(pipe.recv() for pipe in self.pairs)

    def end(self):
        for pipe in self.pairs:
            pipe.send(False)
        for process in self.jobs:
            process.join()


def the_job(quick):
    n = 1000 if quick else 4000
    shared = shared_memory.SharedMemory(create=True, size=8 * n * n)
    made = {"ndshm": ndshm.zeros((n, n)), "Array": SPAWN.Array("d", n * n), "shared_memory": shared.name}
    if SharedArray:
        name = f"compare.{os.getpid()}"
        SharedArray.create(name, (n, n), "f8")
        made["SharedArray"] = name
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    path = os.path.join(folder.name, "m.npy")
    np.lib.format.open_memmap(path, "w+", "f8", (n, n)).flush()
    made["memmap (as joblib's)"] = path
    workers = {kind: Served(kind.split(" ")[0], what, n) for kind, what in made.items()}
    for worker in workers.values():
        worker()  # first touch
    times = median_in_turns(9 if quick else 15, **workers)
    for worker in workers.values():
        worker.end()
    shared.close(), shared.unlink(), folder.cleanup()
    if SharedArray:
        SharedArray.delete(name)
    rows = [(kind, 1e3 * seconds, "ms") for kind, seconds in times.items()]
    best = min(seconds for kind, seconds in times.items() if kind != "ndshm")
    table(f"the blog's job, n = {n}, steady, two processes", rows, times["ndshm"] / best, "to the best of the others; at most 1.05")


# -- first use of a big array


def first_use(quick):
    size = (256 if quick else 1024) * MIB

    def ours():
        start = time.perf_counter()
        a = ndshm.zeros(size // 8, prefault="huge", threads=2)
        with a.write() as m:
            m[...] = 1.0
        end = time.perf_counter()
        a.close()
        return end - start

    def rival():
        start = time.perf_counter()
        shm = shared_memory.SharedMemory(create=True, size=size)
        m = np.ndarray(size // 8, "f8", shm.buf)
        m[...] = 1.0
        end = time.perf_counter()
        del m
        shm.close(), shm.unlink()
        return end - start

    times = median_in_turns(3 if quick else 5, ndshm=ours, shared_memory=rival)
    rows = [(kind, 1e3 * seconds, "ms") for kind, seconds in times.items()]
    ratio = times["shared_memory"] / times["ndshm"]
    table(f"{size // MIB} MiB made and filled for the first time", rows, ratio, "times faster; at least 4")


# -- 64 MiB to a worker that reads all of it


def reader(pipe):
    while (got := pipe.recv()) is not None:
        kind, what = got
        start = time.perf_counter()
        if kind == "ndshm":
            what.prefault("huge")
            total = np.asarray(what).sum()
            took = time.perf_counter() - start
            what.close()
        elif kind == "shared_memory":
            shm = shared_memory.SharedMemory(what)
            m = np.ndarray(64 * MIB // 8, "f8", shm.buf)
            total = m.sum()
            took = time.perf_counter() - start
            del m
            shm.close()
        pipe.send((took, total))


def hand_over(quick):
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=reader, args=(theirs,))
    process.start()
    a = ndshm.zeros(64 * MIB // 8, prefault="huge")
    a[...] = 1
    shm = shared_memory.SharedMemory(create=True, size=64 * MIB)
    np.ndarray(64 * MIB // 8, "f8", shm.buf)[...] = 1

    def hand(kind, what):
        def one():
            start = time.perf_counter()
            ours.send((kind, what))
            _, total = ours.recv()
            assert total == 64 * MIB // 8
            return time.perf_counter() - start

        return one

    times = median_in_turns(9, ndshm=hand("ndshm", a), shared_memory=hand("shared_memory", shm.name))
    ours.send(None)
    process.join()
    shm.close(), shm.unlink()
    rows = [(kind, 1e3 * seconds, "ms") for kind, seconds in times.items()]
    table("64 MiB to a worker that attaches it and sums it", rows, times["shared_memory"] / times["ndshm"], "times faster; at least 8")


# -- telling one that has it already


def answer(there, back, rounds):
    for _ in range(rounds):
        there.acquire()
        back.release()


def signal(quick):
    rounds = 300
    there, back = ndshm.SignalSemaphore(), ndshm.SignalSemaphore()
    process = SPAWN.Process(target=answer, args=(there, back, rounds))
    process.start()
    trips = []
    for _ in range(rounds):
        start = time.perf_counter()
        there.release()
        back.acquire()
        trips.append(time.perf_counter() - start)
    process.join()
    ours = statistics.median(trips)

    first, second = SPAWN.Pipe()
    process = SPAWN.Process(target=reader, args=(second,))
    process.start()
    shm = shared_memory.SharedMemory(create=True, size=64 * MIB)
    np.ndarray(64 * MIB // 8, "f8", shm.buf)[...] = 1
    attach = []
    for _ in range(7):
        start = time.perf_counter()
        first.send(("shared_memory", shm.name))
        first.recv()
        attach.append(time.perf_counter() - start)
    first.send(None)
    process.join()
    shm.close(), shm.unlink()
    rival = statistics.median(attach)
    rows = [("ndshm: it has it, and answers", 1e3 * ours, "ms"), ("shared_memory: attached and read", 1e3 * rival, "ms")]
    table("64 MiB to a worker that has them already", rows, rival / ours, "times faster; at least 20")


# -- locks


def hold(lock, times):
    start = time.perf_counter()
    for _ in range(times):
        with lock:
            pass
    return (time.perf_counter() - start) / times


def locks(quick):
    ours, rival = ndshm.Mutex(), SPAWN.Lock()
    times = 100_000 if quick else 300_000
    found = median_in_turns(7, ndshm=lambda: hold(ours, times), mp=lambda: hold(rival, times))
    rows = [("ndshm.Mutex", 1e9 * found["ndshm"], "ns"), ("multiprocessing.Lock", 1e9 * found["mp"], "ns")]
    table("with lock: pass, nobody else", rows, found["mp"] / found["ndshm"], "times faster; at least 1.5")


def contend(lock, meet, times, pipe):
    meet.wait()
    start = time.perf_counter()
    hold(lock, times)
    pipe.send((start, time.perf_counter()))


def contended(quick):
    times = 20_000 if quick else 50_000

    def four(make):
        def one():
            lock, meet = make(), ndshm.Barrier(4)
            pipes, processes = [], []
            for _ in range(4):
                ours, theirs = SPAWN.Pipe()
                processes.append(SPAWN.Process(target=contend, args=(lock, meet, times, theirs)))
                processes[-1].start()
                pipes.append(ours)
            spans = [pipe.recv() for pipe in pipes]
            for process in processes:
                process.join()
            return (max(end for _, end in spans) - min(start for start, _ in spans)) / (4 * times)

        return one

    found = median_in_turns(3, ndshm=four(ndshm.Mutex), mp=four(SPAWN.Lock))
    rows = [("ndshm.Mutex", 1e9 * found["ndshm"], "ns"), ("multiprocessing.Lock", 1e9 * found["mp"], "ns")]
    table("the same, four processes at it", rows, found["mp"] / found["ndshm"], "times faster; at least 3")


ALL = {"job": the_job, "first": first_use, "hand": hand_over, "signal": signal, "lock": locks, "contended": contended}

if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default=",".join(ALL))
    options.add_argument("--quick", action="store_true")
    arguments = options.parse_args()
    for chosen in arguments.only.split(","):
        ALL[chosen](arguments.quick)
