"""Python and Rust on the same arrays, claims, locks and barriers."""

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import ndshm
from test_arrays import PLAIN
from test_claims import killed_with

SPAWN = multiprocessing.get_context("spawn")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done
    return done.stdout


def test_every_dtype_goes_both_ways(peer, name):
    arrays = []
    for dtype in PLAIN:
        values = np.array([0, 1, 2]) * (1 + 1j if dtype.startswith("complex") else 1)
        arrays.append(ndshm.array(values.astype(dtype), name=f"{name}.{dtype}"))
    run(peer, "dtypes", name)
    for a in arrays:
        assert np.asarray(a).real.astype(int).tolist() == ([1, 1, 0] if a.dtype == bool else [2, 1, 0]), a


def test_a_structure_is_one_on_both_sides(peer, name):
    dtype = np.dtype([("position", "<f8", (3,)), ("id", "<i4"), ("alive", "?"), ("colour", "u1", (3,))])
    a = ndshm.zeros(4, dtype, name=name)
    with a.write() as m:
        m["position"], m["id"], m["alive"][1:3] = np.arange(12.0).reshape(4, 3), np.arange(4), True
    run(peer, "particles", name)
    seen = a[...]
    assert seen.dtype == dtype
    assert seen["position"].tolist() == (-np.arange(12.0).reshape(4, 3)).tolist()
    assert seen["id"].tolist() == [1, 2, 3, 4] and seen["alive"].tolist() == [True, False, False, True]
    other = ndshm.zeros(1, name=f"{name}.other")
    refused = subprocess.run([peer, "particles", other.name], capture_output=True, text=True)
    assert refused.returncode == 1 and "F64" in refused.stderr


def test_no_increment_is_lost(peer, name):
    a, lock = ndshm.zeros(1, "i8", name=name), ndshm.Mutex(name=f"{name}.lock")
    others = [subprocess.Popen([peer, "increment", name, lock.name, "25000"]) for _ in range(2)]
    view = a.unclaimed()
    for _ in range(50_000):
        with lock:
            view[0] += 1
    assert [other.wait() for other in others] == [0, 0]
    assert a[0] == 100_000


def test_bands_and_a_barrier(peer, name):
    a, barrier = ndshm.zeros((8, 4), name=name), ndshm.Barrier(2, name=f"{name}.barrier")
    barrier.join(0)
    other = subprocess.Popen([peer, "bands", name, barrier.name], stdout=subprocess.PIPE, text=True)
    with a.claim(np.s_[:4]) as rows:
        barrier.wait(60)
        with pytest.raises(ndshm.Overlap) as e:
            a.claim(np.s_[6])
        assert (e.value.by.pid, e.value.held) == (other.pid, "rows 4..8")
        rows[...] = 1
        barrier.wait(60)
    barrier.wait(60)
    assert other.communicate()[0] == "48\n" and other.returncode == 0
    assert a[...].sum() == 48


def test_python_is_told_that_rust_died(peer, name):
    a, lock = ndshm.zeros(5, name=name), ndshm.Mutex(name=f"{name}.lock")
    other = subprocess.Popen([peer, "hold", name, lock.name], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    other.kill()
    other.wait()
    other.stdout.close()
    with pytest.raises(ndshm.OwnerDied) as e:
        a.read()
    assert e.value.by.pid == other.pid and e.value.parts == ["rows 1..3"]
    with e.value.mend() as m:
        m[...] = 0
    with pytest.raises(ndshm.OwnerDied) as e:
        lock.acquire()
    with e.value.mend():
        pass
    with lock, a.read():
        pass


def test_rust_is_told_that_python_died(peer, name):
    a = ndshm.zeros(5, name=name)
    victim = killed_with(a, np.s_[2:4])
    told = run(peer, "mend", name)
    victim.join()
    assert f"pid {victim.pid} died with rows 2..4 claimed" in told
    assert a[...].tolist() == [3] * 5


GROUP = """
import sys, ndshm
w = ndshm.Worker.from_env()
a = ndshm.open(sys.argv[1])
with a.claim(w.band(len(a))) as m:
    m[...] = w.rank
w.barrier(60)
assert a[-1] == 13, a[...]
"""


def test_one_group_of_both(peer, name, ndshm_command):
    a = ndshm.zeros(8, name=name)
    program = f'if [ $NDSHM_RANK -ge 2 ]; then exec "$0" group "$1"; else exec "{sys.executable}" -c "$2" "$1"; fi'
    run(ndshm_command, "run", "-n", "4", "--", "sh", "-c", program, peer, name, GROUP)
    assert a[...].tolist() == [0, 0, 1, 1, 12, 12, 13, 13]
