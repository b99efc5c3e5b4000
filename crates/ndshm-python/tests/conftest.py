"""Nobody waits for ever, and nothing is left behind."""

import faulthandler
import gc
import os
import signal
import sys

import pytest

HERE = os.path.dirname(__file__)
if HERE not in sys.path:
    sys.path.insert(0, HERE)  # spawned workers find the functions of the tests

# A job that a shell runs in the background ignores Ctrl-C, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def watchdog():
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def name(request):
    """A name of this test and process; gone after it."""
    name = f"py.{os.getpid()}.{request.node.name}".replace("[", ".").replace("]", "")[:150]
    yield name
    gc.collect()  # a caught exception and the frame that caught it keep each other, and the array
    assert not os.path.exists(f"/dev/shm/ndshm.{name}"), "a segment was left"


def built(name, kind):
    """A program of the repository, that `ci/python.sh` has built."""
    path = os.environ.get(name)
    if not path:
        pytest.skip(f"{name} does not name {kind}: see ci/python.sh")
    return path


@pytest.fixture
def ndshm_command():
    return built("NDSHM_COMMAND", "the command `ndshm`")


@pytest.fixture
def peer():
    return built("NDSHM_PEER", "the peer in Rust")
