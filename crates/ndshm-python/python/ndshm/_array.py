"""Arrays and claims."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from . import _ndshm
from ._errors import OwnerDied, ReadOnly

if TYPE_CHECKING:
    import numpy as np

_FOR_EVER = None


def _descr(dtype: Any) -> str:
    """An element type as .npy files write it: from text, a Python type, or whatever ``numpy.dtype`` takes."""
    if dtype is None or dtype is float:
        return "<f8"
    if isinstance(dtype, str):
        try:
            return _ndshm.descr(dtype)
        except TypeError:
            pass
    import numpy as np

    dtype = np.dtype(dtype)
    if dtype.byteorder == ">":
        raise TypeError(f"elements lie in little-endian order, not as {dtype!r}: use dtype.newbyteorder('<')")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        dtype = np.dtype([("f0", base, shape)])
    text = dtype.str if dtype.fields is None else repr(np.lib.format.dtype_to_descr(dtype))
    return _ndshm.descr(text)


def _shape(shape: Any) -> list[int]:
    lengths = [shape.__index__()] if hasattr(shape, "__index__") else [n.__index__() for n in shape]
    if any(n < 0 for n in lengths):
        raise ValueError(f"a shape has no negative lengths: {shape}")
    return lengths


def keep_for_child(thing: Any) -> None:
    """Where ``multiprocessing`` pickles it to start a process, keeps it as long as that is, as it would have kept the argument itself."""
    import multiprocessing.context

    popen: Any = multiprocessing.context.get_spawning_popen()
    if popen is not None:
        kept = getattr(popen, "_ndshm_kept", None)
        if kept is None:
            kept = popen._ndshm_kept = []
        kept.append(thing)


Claim = _ndshm.Claim


class SharedArray(_ndshm.Array):
    """An N-dimensional array in memory that several processes share. Made by :func:`zeros`, :func:`array`, :func:`open`, ...

    One has to ask before one reads or writes::

        with a.write() as m:                          # all of it, for this process alone
            m *= 2.0
        with a.claim(np.s_[0:100, :]) as rows:        # a part, in parallel with others who claim other parts
            rows[...] = 1.0
        with a.read() as m:                           # shared with those who read; a read-only ndarray
            print(m.sum())

    or, for one expression, index it: ``a[0:3]`` is a copy, ``a[0:3] = x`` writes to the shared memory, each under a
    claim of its own. ``a = 1 * a[...]`` makes a private array, as everywhere in Python; ``a[...] = 1 * a[...]`` does not.

    Pickling brings the same array to another process, not a copy of it. ``np.asarray(a)`` and ``memoryview(a)`` are
    read-only views without a claim: what is being written is seen half-written.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, of: Any = None) -> SharedArray:
        if not isinstance(of, _ndshm.Array):
            raise TypeError("make a SharedArray by ndshm.zeros, empty, full, array, open or load")
        return super().__new__(cls, of)

    # -- what it is

    @property
    def dtype(self) -> np.dtype:
        """The element type, as a ``numpy.dtype``. (:attr:`descr` is the same as text, without NumPy.)"""
        import ast

        import numpy as np

        described: Any = self.descr
        return np.lib.format.descr_to_dtype(ast.literal_eval(described) if described.startswith("[") else described)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths along the axes."""
        return tuple(super().shape)

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return tuple(super().strides)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(super().shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(super().shape)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    # -- claims

    def read(self, *, timeout: float | None = _FOR_EVER) -> Claim:
        """Claims all of it to read, together with others who read. Waits for writers, at most ``timeout`` seconds.

        Raises :class:`OwnerDied`, :class:`TimedOut`, :class:`Deadlock` (also where this thread itself has some of it),
        :class:`ReadOnly`, :class:`Closed`.
        """
        return self._claimed(..., "r", timeout, False)

    def write(self, *, timeout: float | None = _FOR_EVER, mend: bool = False) -> Claim:
        """Claims all of it for this thread alone. Waits for all others, at most ``timeout`` seconds.

        ``mend``: also where a process died with parts of it; see :meth:`Claim.clear_poison`. Raises as :meth:`read`.
        """
        return self._claimed(..., "w", timeout, mend)

    def claim(self, part: Any, *, shared: bool = False, timeout: float | None = 0, mend: bool = False) -> Claim:
        """Claims a part: integers, slices and ``...``, as in square brackets (``np.s_[0:100, ::2]``).

        Parts that share no element are claimed by different processes at once. Without ``timeout`` it is had at once or
        :class:`Overlap` is raised, which says who has what; with one it is waited for, then :class:`TimedOut`;
        ``timeout=None`` waits for ever. ``shared``: to read. Else raises as :meth:`read`.
        """
        return self._claimed(part, "r" if shared else "w", timeout, mend)

    def _claimed(self, part: Any, mode: str, timeout: float | None, mend: bool, mends: bool = False) -> Claim:
        try:
            return self._claim(part, mode, timeout, mend, mends)
        except OwnerDied as error:
            error._mend = lambda timeout: self._claimed(part, "w", timeout, True, True)
            raise

    def snapshot(self, *, timeout: float | None = _FOR_EVER) -> np.ndarray:
        """A private copy, of one moment between two writers; also of an array that was opened read-only."""
        import numpy as np

        if not self.read_only:
            with self.read(timeout=timeout) as m:
                return m.copy(order="K")
        copy = np.ndarray(self.shape, self.dtype, bytearray(self._snapshot(..., timeout)))
        return copy if self.order == "C" else np.asfortranarray(copy)

    def __getitem__(self, part: Any) -> Any:
        """A copy of a part, under a shared claim of it."""
        if self.read_only:
            import numpy as np

            found = bytearray(self._snapshot(part, _FOR_EVER))
            shape = np.broadcast_to(np.empty((), self.dtype), self.shape)[part].shape
            return np.ndarray(shape, self.dtype, found)[()]
        with self._claimed(part, "r", _FOR_EVER, False) as m:
            copy = m.copy(order="K")
            return copy if m.ndim else copy[()]

    def __setitem__(self, part: Any, value: Any) -> None:
        """Writes to a part, under an exclusive claim of it."""
        with self._claimed(part, "w", _FOR_EVER, False) as m:
            m[...] = value

    def __iter__(self) -> Any:
        return iter(self[...])

    def _rebinding(self, _: Any) -> Any:
        """``a += x`` would make a private array and call it ``a``."""
        raise TypeError("this would leave the shared array: write a[...] += x, or `with a.write() as m: m += x`, which is one step to others")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = __imod__ = __ipow__ = __imatmul__ = _rebinding
    __iand__ = __ior__ = __ixor__ = __ilshift__ = __irshift__ = _rebinding

    def add_at(self, index: Any, value: Any, *, timeout: float | None = _FOR_EVER) -> Any:
        """Adds to one element, atomically: any number of processes may do so at once, and none is lost. Returns what it was.

        Sums of integers wrap around, and what is added has to fit; of ``bool`` it is *or*. Not for ``complex128`` and structures.
        """
        return self._add_at(index, value, timeout)

    # -- without claims

    def unclaimed(self) -> np.ndarray:
        """All elements as a NumPy array, to write to, and without any claim: nothing keeps others out, nor you from them.

        For those who have a protocol of their own: an event, a barrier. Writing and reading at the same time is a
        data race.
        """
        import numpy as np

        if self.read_only:
            raise ReadOnly("the array was opened read-only: np.asarray(a) is a read-only view")
        return np.asarray(self._span(False))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """For NumPy, where the buffer cannot be had: a closed array is an error, not an object of its own kind."""
        import numpy as np

        view = np.asarray(self._span(True), dtype)
        return view.copy() if copy else view

    def __dlpack__(self, **options: Any) -> Any:
        """For ``np.from_dlpack(a)`` and its like elsewhere: all elements, read-only, without a claim. What a claim gave has it, too.

        NumPy 1 exports nothing that is read-only: ``BufferError``.
        """
        import numpy as np

        return np.asarray(self).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the memory of the processor

    # -- memory and names

    def prefault(self, how: str = "huge", *, threads: int = 1, rows: slice | None = None) -> tuple[int, int]:
        """Has the page tables of this process filled before they are needed: bytes in huge pages, and in small ones."""
        found = None if rows is None else rows.indices(len(self))[:2]
        return self._prefault(how, threads, found)

    @property
    def prefaulted(self) -> tuple[int, int]:
        """What the memory came to that was got as it was made: bytes in huge pages, and in small ones."""
        return self._prefaulted()

    def __enter__(self) -> SharedArray:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        keep_for_child(self)
        return _opened, (self._handle(),)

    def __copy__(self) -> SharedArray:
        return _opened(self._handle())

    def __deepcopy__(self, _: Any) -> SharedArray:
        return array(self.snapshot())

    def __repr__(self) -> str:
        if self.closed:
            return "<ndshm.SharedArray, closed>"
        if self.gone:
            return "<ndshm.SharedArray, gone>"
        name = f", name={self.name!r}" if self.name else ""
        return f"<ndshm.SharedArray of {self.dtype_name}, shape={self.shape}{name}>"

    __hash__ = object.__hash__


def _opened(handle: bytes) -> SharedArray:
    return SharedArray(_ndshm.open_handle(handle))


def _make(
    shape: Any,
    dtype: Any,
    order: str,
    name: str | None,
    dir: str | os.PathLike[str] | None,
    persist: bool,
    prefault: str | None,
    threads: int,
    **contents: Any,
) -> SharedArray:
    made = _ndshm.create(
        _shape(shape), _descr(dtype), order, name, dir, persist, prefault or "none", threads, **contents
    )
    return SharedArray(made)


def zeros(
    shape: int | tuple[int, ...],
    dtype: Any = float,
    order: str = "C",
    *,
    name: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    persist: bool = False,
    prefault: str | None = None,
    threads: int = 1,
) -> SharedArray:
    """An array of zeros.

    Anonymous without ``name``: reached by those it is pickled to, gone with the last of them. With one, other programs
    :func:`open` it; the name goes when the array made here is closed or dropped, unless ``persist``. Its memory is reserved:
    too little of it is :class:`NoSpace` here, not a fault later. ``prefault="huge"`` (or ``"pages"``) gets it at once, by so many
    ``threads``: for big arrays, see the guide.
    """
    return _make(shape, dtype, order, name, dir, persist, prefault, threads)


def empty(shape: int | tuple[int, ...], dtype: Any = float, order: str = "C", **options: Any) -> SharedArray:
    """As :func:`zeros`: memory that is new to a process is zero anyway."""
    return zeros(shape, dtype, order, **options)


def full(
    shape: int | tuple[int, ...],
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    *,
    name: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    persist: bool = False,
    prefault: str | None = None,
    threads: int = 1,
) -> SharedArray:
    """An array that is full of one value. Options as for :func:`zeros`."""
    import numpy as np

    one = np.asarray(fill_value, dtype=dtype)
    if one.ndim:
        raise ValueError("fill_value is one element")
    return _make(shape, one.dtype, order, name, dir, persist, prefault, threads, pattern=one.tobytes())


def array(
    object: Any,
    dtype: Any = None,
    *,
    name: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    persist: bool = False,
    prefault: str | None = None,
    threads: int = 1,
) -> SharedArray:
    """A copy of whatever ``numpy.asarray`` takes, in its order. With a name, nobody sees it before it is complete.

    Options as for :func:`zeros`.
    """
    import numpy as np

    source = np.asarray(object, dtype=dtype)
    if source.dtype.byteorder == ">":
        source = source.astype(source.dtype.newbyteorder("<"))
    fortran = source.flags.f_contiguous and not source.flags.c_contiguous
    lying = source.T if fortran else np.ascontiguousarray(source)
    data = lying.reshape(-1).view(np.uint8) if source.size else np.empty(0, np.uint8)
    order = "F" if fortran else "C"
    return _make(source.shape, source.dtype, order, name, dir, persist, prefault, threads, data=data)


def open(name: str, *, dir: str | os.PathLike[str] | None = None, read_only: bool = False) -> SharedArray:
    """Opens the array of that name, whichever program made it, in Python or in Rust.

    By this you say that you trust those who may write to it to do so through ndshm. ``read_only`` has it so by the page
    tables; what is left are :meth:`~SharedArray.snapshot`, indexing, and ``np.asarray``.
    """
    return SharedArray(_ndshm.open(name, dir, read_only))


def load(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    persist: bool = False,
) -> SharedArray:
    """An array with the contents of an ``.npy`` file."""
    return SharedArray(_ndshm.load(path, name, dir, persist))


def gc(*, dir: str | os.PathLike[str] | None = None) -> list[str]:
    """Removes the names that killed programs left, as the command ``ndshm gc`` does: those that nobody has open, and nobody wanted kept.

    Returns them. What anybody has, and what was made with ``persist``, is not touched.
    """
    return _ndshm.gc(dir)


def remove(name: str, *, dir: str | os.PathLike[str] | None = None) -> None:
    """Removes that name, whoever made it: what a killed program left, for one. Who has the segment keeps it."""
    _ndshm.remove(name, dir)
