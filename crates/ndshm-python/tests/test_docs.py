"""What the guide and the README show works, and the examples do."""

import pathlib
import re
import subprocess
import sys

import pytest

CRATE = pathlib.Path(__file__).parent.parent
GUIDE = CRATE.parent.parent / "docs" / "python.md"


def programs(path):
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.S)
    return [block for block in blocks if "import ndshm" in block]


def run(path, *args):
    done = subprocess.run([sys.executable, path, *args], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", [*programs(GUIDE), *programs(CRATE / "README.md")])
def test_what_is_shown(program, tmp_path):
    file = tmp_path / "program.py"
    file.write_text(program)
    run(file)


def test_the_example_is_the_one_in_the_readme():
    (shown,) = programs(CRATE / "README.md")
    example = (CRATE / "examples" / "shared_matrix.py").read_text()
    for line in shown.splitlines():
        assert line.split("  #")[0].split("print")[0].strip() in example


@pytest.mark.parametrize("example", ["shared_matrix.py", "blog_before.py", "blog_after.py"])
def test_examples(example):
    assert "WRONG" not in run(CRATE / "examples" / example)


def test_heat():
    out = run(CRATE / "examples" / "heat.py", "--size", "40", "--steps", "60", "--workers", "2", "--out", "")
    assert "the same as by one process" in out
