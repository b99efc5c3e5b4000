"""Arrays: what they are made of, and what NumPy sees of them."""

import copy
import gc
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import ndshm

PLAIN = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
PARTICLE = np.dtype([("position", "f8", (3,)), ("charge", "f4"), ("alive", "?")], align=True)
INNER = np.dtype([("id", "i4"), ("at", [("x", "f2"), ("y", "f2", (2, 2))])])


@pytest.mark.parametrize("dtype", [*PLAIN, PARTICLE, INNER], ids=str)
@pytest.mark.parametrize("order", "CF")
def test_every_dtype_goes_both_ways(dtype, order):
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(1)
    data = rng.integers(0, 2, (3, 4, dtype.itemsize), np.uint8).view(dtype)[..., 0]
    if dtype.kind == "f":
        data = rng.normal(size=(3, 4)).astype(dtype)
    data = np.array(data, order=order)
    a = ndshm.array(data)
    assert (a.shape, a.dtype, a.order, a.nbytes) == ((3, 4), dtype, order, data.nbytes)
    assert a.strides == data.strides
    seen = np.asarray(a)
    assert seen.dtype == dtype and not seen.flags.writeable
    assert seen.tobytes() == data.tobytes()
    with a.write() as m:
        assert m.dtype == dtype
        m[1, 2] = data[0, 0]
    data[1, 2] = data[0, 0]
    assert np.array_equal(a[...], data)
    assert memoryview(a).shape == (3, 4)


def test_dtypes_by_any_name():
    for given in (float, "float64", "f8", "<f8", np.float64, np.dtype("f8"), "d", None):
        assert ndshm.zeros(2, given).descr == "<f8"
    assert ndshm.zeros(2, int).dtype == np.dtype(int)
    assert ndshm.zeros(2, bool).descr == "|b1"
    assert ndshm.zeros(2, "u1").descr == "|u1"
    for refused in ("U5", object, ">f8", "M8[s]", "float128", "no such type"):
        with pytest.raises(TypeError):
            ndshm.zeros(2, refused)


def test_shapes():
    for shape in ((), 5, (0,), (3, 0, 2), (2, 1, 3, 1), (1,) * 7):
        a = ndshm.full(shape, 7, "i4")
        wanted = np.full(shape, 7, "i4")
        assert a.shape == wanted.shape and a.size == wanted.size and a.ndim == wanted.ndim
        assert np.array_equal(a[...], wanted)
        with a.write() as m:
            assert m.shape == wanted.shape
            m[...] = 8
        assert (a.snapshot() == 8).all()
    assert len(ndshm.zeros((4, 2))) == 4
    with pytest.raises(TypeError):
        len(ndshm.zeros(()))
    with pytest.raises(ndshm.TooLarge):
        ndshm.zeros((1 << 40, 1 << 40))


def test_the_parts_that_numpy_would_show():
    data = np.arange(60).reshape(3, 4, 5)
    for order in "CF":
        a = ndshm.array(np.array(data, order=order))
        for part in (
            np.s_[1], np.s_[-1], np.s_[0:2], np.s_[::2], np.s_[::-1], np.s_[..., 1], np.s_[1, ..., 2], np.s_[:, 3:0:-2, :],
            np.s_[5:], np.s_[2:1], np.s_[0, 1, 2], np.s_[..., ::-2], np.s_[np.int64(1), :2], np.s_[-2:, -9:9], (),
        ):
            assert np.array_equal(a[part], data[part]), part
            with a.claim(part) as m:
                assert m.shape == data[part].shape and np.array_equal(m, data[part])
    for part in (np.s_[3], np.s_[0, -5], np.s_[0, 0, 0, 0], np.s_[..., ...]):
        with pytest.raises(IndexError):
            a.claim(part)
    for part in (np.s_[[0, 1]], None, np.s_[True], "x", 1.5):
        with pytest.raises(TypeError):
            a.claim(part)


def test_writing_is_written_and_rebinding_is_not():
    a = ndshm.array([[1.0, 2.0], [3.0, 4.0]])
    b = 1 * a[...]  # a private array, and looks like one
    assert type(b) is np.ndarray
    b[...] = 0
    assert a[1, 1] == 4.0
    a[...] = 10 * a[...]
    a[0] += 1
    assert a[...].tolist() == [[11.0, 21.0], [30.0, 40.0]]
    with a.write() as m:
        m *= 2
    assert a[1, 1] == 80.0 and isinstance(a[1, 1], float)


def test_a_view_is_made_read_only_and_keeps_the_memory():
    a = ndshm.zeros(1000)
    claim = a.write()
    with claim as m:
        m[...] = 1
    assert not m.flags.writeable and not claim.held
    with pytest.raises(ValueError):
        m[0] = 2
    with pytest.raises(ndshm.Closed):
        claim.array
    a.close()
    del a, claim
    gc.collect()
    assert m.sum() == 1000  # the mapping is still there


def test_a_claim_that_nothing_refers_to_is_let_go_of():
    a = ndshm.zeros(3)
    with pytest.raises(ValueError):
        a.write().array[0] = 1  # let go of before the assignment
    m = a.write().array
    assert not m.flags.writeable
    a[0] = 2  # nobody has it


def test_read_only_views():
    a = ndshm.zeros(3)
    with a.read() as m:
        with pytest.raises(ValueError):
            m[0] = 1
        with pytest.raises(ValueError):
            m.flags.writeable = True
    a.unclaimed()[1] = 5
    assert np.asarray(a)[1] == 5


def test_dlpack():
    a = ndshm.array([1.0, 2.0])
    with a.write() as m:
        other = np.from_dlpack(m)
        m[0] = 9
        assert other[0] == 9  # the same memory; read-only in NumPy 1
    if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
        all = np.from_dlpack(a)
        a[1] = 5
        assert all.tolist() == [9, 5] and not all.flags.writeable
    else:
        with pytest.raises((BufferError, TypeError)):
            np.from_dlpack(a)


def test_names(name):
    a = ndshm.zeros((2, 3), name=name)
    assert a.name == name and os.path.exists(a.path)
    with pytest.raises(ndshm.NameTaken) as e:
        ndshm.zeros(1, name=name)
    assert e.value.name == name and isinstance(e.value, FileExistsError)
    b = ndshm.open(name)
    b[...] = 4
    assert a[1, 2] == 4
    assert np.array_equal(np.load(a.path, mmap_mode="r"), b[...])
    reader = ndshm.open(name, read_only=True)
    for part in (np.s_[1], np.s_[:, 1], np.s_[::-1, ::2], np.s_[1, 2], np.s_[2:], np.s_[..., -1], ()):
        b[...] = np.arange(6.0).reshape(2, 3)
        assert np.array_equal(reader[part], b[part]) and type(reader[part]) is type(b[part]), part
    with pytest.raises(TypeError):
        reader[[0, 1]]
    b[...] = 4
    assert reader.read_only and reader[1, 2] == 4 and (reader.snapshot() == 4).all()
    for refused in (reader.write, reader.read, reader.unclaimed, lambda: reader.claim(0)):
        with pytest.raises(ndshm.ReadOnly):
            refused()
    with pytest.raises(ValueError):
        np.asarray(reader).flags.writeable = True
    del reader, b, refused
    a.close()
    with pytest.raises(ndshm.NotFound) as e:
        ndshm.open(name)
    assert isinstance(e.value, FileNotFoundError) and str(e.value.path).endswith(name)
    with pytest.raises(ndshm.BadName):
        ndshm.open("a/b")


def test_names_that_stay(name, tmp_path):
    ndshm.zeros(2, name=name, persist=True).close()
    ndshm.open(name).close()
    ndshm.remove(name)
    with pytest.raises(ndshm.NotFound):
        ndshm.remove(name)
    with ndshm.zeros(2, name="x", dir=tmp_path) as a:
        assert a.path == tmp_path / "ndshm.x" and a.unlink()
    assert a.closed
    with pytest.raises(ndshm.Closed):
        a.shape
    with pytest.raises(ndshm.NoSpace) as e:
        ndshm.zeros(1 << 50, "u1")
    assert e.value.asked >= 1 << 50 and isinstance(e.value, OSError)


def test_files(tmp_path):
    data = np.asfortranarray(np.arange(12, dtype="i2").reshape(3, 4))
    np.save(tmp_path / "a.npy", data)
    a = ndshm.load(tmp_path / "a.npy")
    assert a.order == "F" and np.array_equal(a[...], data)
    a.save(tmp_path / "b.npy")
    assert np.array_equal(np.load(tmp_path / "b.npy"), data)
    with pytest.raises(ndshm.FileError):
        ndshm.load(tmp_path / "none.npy")


def test_pickled_in_one_process_it_is_the_same():
    a = ndshm.zeros(3)
    b = pickle.loads(pickle.dumps(a))
    b[0] = 1
    copy.copy(a)[1] = 2
    copy.deepcopy(a)[2] = 3
    assert a[...].tolist() == [1, 2, 0]
    gone = pickle.dumps(a)
    del a, b
    gc.collect()
    later = pickle.loads(gone)
    with pytest.raises(ndshm.Gone):
        later.shape


def test_huge_pages():
    a = ndshm.zeros(1 << 20, prefault="huge", threads=2)
    assert sum(a.prefaulted) >= 8 << 20
    assert sum(a.prefault("huge", rows=slice(0, 1 << 19))) >= 4 << 20
    with pytest.raises(ValueError):
        ndshm.zeros(1, prefault="some")


def test_an_interpreter_may_end_with_all_alive(name):
    program = f"""
import ndshm, numpy as np
a = ndshm.zeros(10, name={name!r})
lock, claim = ndshm.Mutex(), a.write()
lock.acquire()
m = claim.array
view = np.asarray(a)
m[0] = 1
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_numpy_is_needed_until_it_is_asked_for():
    program = """
import sys, ndshm
a = ndshm.zeros((2, 2), "f4")
assert memoryview(a).tolist() == [[0, 0], [0, 0]] and a.shape == (2, 2) and a.add_at((0, 1), 2.5) == 0
lock = ndshm.Mutex()
with lock:
    pass
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_help_is_worth_reading():
    for thing in (ndshm, ndshm.SharedArray, *(getattr(ndshm, n) for n in dir(ndshm) if not n.startswith("_"))):
        if not isinstance(thing, type(os)) and callable(thing):
            assert thing.__doc__, thing
