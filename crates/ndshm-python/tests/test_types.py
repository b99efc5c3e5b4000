"""The package is typed, and the stubs are those of what is built."""

import subprocess
import sys

import pytest

pytest.importorskip("mypy")

USER = """
from typing import assert_type
import numpy as np
import ndshm

a = ndshm.zeros((2, 3), "f4", name="x")
assert_type(a, ndshm.SharedArray)
assert_type(a.shape, tuple[int, ...])
with a.claim(np.s_[0:1, :], timeout=1.5) as m:
    assert_type(m, np.ndarray)
with ndshm.Mutex() as held, ndshm.RwLock().read():
    print(held)
try:
    a.snapshot()
except ndshm.OwnerDied as e:
    if e.by is not None:
        assert_type(e.by.pid, int | None)
a.claim(timeout="soon")  # type: ignore[call-arg, arg-type]
"""


def mypy(tmp_path, *args):
    done = subprocess.run([sys.executable, "-m", *args], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed(tmp_path):
    mypy(tmp_path, "mypy", "--strict", "--allow-any-generics", "-p", "ndshm")


def test_what_a_user_writes_is_typed(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    mypy(tmp_path, "mypy", "--warn-unused-ignores", "user.py")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="buffers have no method before")
def test_the_stubs_are_of_what_is_built(tmp_path):
    mypy(tmp_path, "mypy.stubtest", "--ignore-disjoint-bases", "ndshm._ndshm")
