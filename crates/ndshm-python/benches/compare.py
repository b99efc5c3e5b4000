"""ndshm beside multiprocessing.Array, multiprocessing.shared_memory, SharedArray and joblib's memory maps.

    python compare.py [--only job,first,hand,touch,signal,lock,contended] [--quick] [--json] [--check]

Medians and quartiles of several rounds, the rivals in turn within each round. The ratio is between medians, ours and the best of the
others'; what it ought to be is said beside, and with --check one that is not is exit status 1. Takes NumPy; SharedArray and joblib where they are
installed. First use takes 1 GiB of /dev/shm.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from multiprocessing import shared_memory

import numpy as np

import ndshm

SPAWN = multiprocessing.get_context("spawn")
MIB = 1 << 20

try:
    import joblib
except ImportError:
    joblib = None
try:
    import SharedArray
except ImportError:
    SharedArray = None

SCALES = {"ms": 1e3, "us": 1e6, "ns": 1e9}
OURS = "ndshm"


class Found:
    """What one comparison measured: seconds of each contender, round by round."""

    def __init__(self, title, unit, target, **seconds):
        self.title, self.unit, self.target, self.seconds = title, unit, target, seconds
        medians = {who: statistics.median(values) for who, values in seconds.items()}
        best = min((median, who) for who, median in medians.items() if who != OURS and not who.startswith("("))
        self.rival = best[1]
        # Ours to theirs, or how many times as fast.
        self.ratio = medians[OURS] / best[0] if target[0] == "at most" else best[0] / medians[OURS]

    @property
    def met(self):
        kind, bound = self.target
        return self.ratio <= bound if kind == "at most" else self.ratio >= bound

    def __str__(self):
        scale, lines = SCALES[self.unit], [f"\n{self.title}"]
        for who, values in self.seconds.items():
            low, median, high = (scale * q for q in quartiles(values))
            lines.append(f"  {who:<22}{median:>10.4g} {self.unit}  ({low:.4g} to {high:.4g})")
        kind, bound = self.target
        says = "of its time" if kind == "at most" else "times as fast"
        verdict = "met" if self.met else "MISSED"
        return "\n".join([*lines, f"  {self.ratio:.3g} {says} against {self.rival}; {kind} {bound}: {verdict}"])

    def as_dict(self):
        kind, bound = self.target
        quarters = {who: quartiles(values) for who, values in self.seconds.items()}
        return {"title": self.title, "seconds": quarters, "ratio": self.ratio, "rival": self.rival, "target": f"{kind} {bound}", "met": self.met}


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3


def in_turns(rounds, **jobs):
    """Runs each job so many times, in turns; what each returns."""
    found = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            found[name].append(job())
    return found


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
    return joblib.load(what, mmap_mode="r+"), None


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
    if joblib:
        made["joblib"] = os.path.join(folder.name, "m")
        joblib.dump(np.zeros((n, n)), made["joblib"])
    workers = {kind: Served(kind, what, n) for kind, what in made.items()}
    for worker in workers.values():
        worker()  # first touch
    times = in_turns(15 if quick else 41, **workers)
    for worker in workers.values():
        worker.end()
    shared.close(), shared.unlink(), folder.cleanup()
    if SharedArray:
        SharedArray.delete(name)
    return Found(f"the blog's job, n = {n}, steady, two processes", "ms", ("at most", 1.05), **times)


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

    times = in_turns(3 if quick else 7, ndshm=ours, shared_memory=rival)
    return Found(f"{size // MIB} MiB made and filled for the first time", "ms", ("at least", 4), **times)


# -- 64 MiB to a worker that reads all of it


def reader(pipe):
    """Attaches what it is sent, and adds up every so manyth element."""
    while (got := pipe.recv()) is not None:
        kind, what, step = got
        if kind == "ndshm":
            what.prefault("huge")
            pipe.send(np.asarray(what)[::step].sum())
            what.close()
        elif kind == "shared_memory":
            shm = shared_memory.SharedMemory(what)
            m = np.ndarray(64 * MIB // 8, "f8", shm.buf)
            pipe.send(m[::step].sum())
            del m
            shm.close()


def hand_over(quick, step=1):
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
            ours.send((kind, what, step))
            assert ours.recv() == 64 * MIB // 8 // step
            return time.perf_counter() - start

        return one

    times = in_turns(9 if quick else 25, ndshm=hand("ndshm", a), shared_memory=hand("shared_memory", shm.name))
    ours.send(None)
    process.join()
    shm.close(), shm.unlink()
    if step > 1:
        return Found("64 MiB to a worker that attaches it and looks at each page", "ms", ("at least", 8), **times)
    # To read 64 MiB takes what memory takes, by whatever they are mapped: a bound on the ratio, beside which the rest is small.
    view = np.asarray(a)
    bound = in_turns(9, sum=lambda: timed(view.sum))["sum"]
    return Found("64 MiB to a worker that attaches it and sums it", "ms", ("at least", 8), **times, **{"(the sum alone)": bound})


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def touch(quick):
    return hand_over(quick, step=4096 // 8)


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

    first, second = SPAWN.Pipe()
    process = SPAWN.Process(target=reader, args=(second,))
    process.start()
    shm = shared_memory.SharedMemory(create=True, size=64 * MIB)
    np.ndarray(64 * MIB // 8, "f8", shm.buf)[...] = 1
    attach = []
    for _ in range(7):
        start = time.perf_counter()
        first.send(("shared_memory", shm.name, 1))
        first.recv()
        attach.append(time.perf_counter() - start)
    first.send(None)
    process.join()
    shm.close(), shm.unlink()
    title = "64 MiB to a worker: it has them already, and answers; against attaching and reading"
    return Found(title, "ms", ("at least", 20), ndshm=trips, shared_memory=attach)


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
    found = in_turns(9, ndshm=lambda: hold(ours, times), Lock=lambda: hold(rival, times))
    return Found("with lock: pass, nobody else", "ns", ("at least", 1.5), **found)


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

    found = in_turns(3 if quick else 5, ndshm=four(ndshm.Mutex), Lock=four(SPAWN.Lock))
    return Found("the same, four processes at it", "ns", ("at least", 3), **found)


ALL = {"job": the_job, "first": first_use, "hand": hand_over, "touch": touch, "signal": signal, "lock": locks, "contended": contended}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(ALL), help="some of them, with commas: %(default)s")
    parser.add_argument("--quick", action="store_true", help="smaller, fewer rounds: rough figures")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a target is missed")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(ALL):
        parser.error(f"no such comparison: {', '.join(sorted(unknown))}")
    absent = [name for name, module in (("SharedArray", SharedArray), ("joblib", joblib)) if module is None]
    machine = f"{os.cpu_count()} processors, {platform.release()}, Python {platform.python_version()}, NumPy {np.__version__}"
    say = (lambda *_: None) if arguments.json else print
    say(machine + (f"; absent: {', '.join(absent)}" if absent else ""))
    found = []
    for name in chosen:
        found.append(ALL[name](arguments.quick))
        say(found[-1])
    if arguments.json:
        print(json.dumps({"machine": machine, "absent": absent, "found": [one.as_dict() for one in found]}))
    return 1 if arguments.check and not all(one.met for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
