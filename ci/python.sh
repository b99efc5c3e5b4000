#!/usr/bin/env bash
# The Python package: one wheel, and its tests on each Python from 3.11 on that is found, with NumPy 1.26 on 3.12 and NumPy 2
# elsewhere. Everything lies in target/python-package.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
crate=$root/crates/ndshm-python
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
work=$CARGO_TARGET_DIR/python-package

# Each minor version once: what is on the PATH, then what pyenv has.
found=()
for version in 3.11 3.12 3.13; do
    for candidate in "python$version" python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
        if "$candidate" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
            found+=("$version=$(command -v "$candidate")")
            break
        fi
    done
done
if [ ${#found[@]} = 0 ]; then
    echo "SKIPPED: the Python package: there is no Python 3.11, 3.12 or 3.13 with venv here" >&2
    exit 0
fi

mkdir -p "$work"
environment() { # version, python: makes the one for that version, if it is not there
    local dir=$work/$1 numpy='numpy>=2'
    [ "$1" != 3.12 ] || numpy='numpy==1.26.*'
    [ -x "$dir/bin/pytest" ] && return
    rm -rf "$dir"
    "$2" -m venv "$dir" && "$dir/bin/pip" install --quiet pytest joblib maturin mypy "$numpy"
}
usable=()
for one in "${found[@]}"; do
    if environment "${one%%=*}" "${one#*=}" >&2; then
        usable+=("${one%%=*}")
    else
        rm -rf "${work:?}/${one%%=*}"
        echo "SKIPPED: the Python package on ${one%%=*}: NumPy or pytest cannot be installed here" >&2
    fi
done
[ ${#usable[@]} -gt 0 ] || exit 0

first=$work/${usable[0]}/bin
export PYO3_PYTHON=$first/python
cd "$crate"
cargo fmt --all --check
cargo clippy --all-targets --release --locked -- -D warnings
rm -f "$work"/*.whl
"$first/maturin" build --release --locked --quiet --out "$work" --interpreter "$first/python"
cargo build --release --locked --quiet -p peer
(cd "$root" && cargo build --release --locked --quiet -p ndshm-cli)
export NDSHM_PEER=$CARGO_TARGET_DIR/release/peer NDSHM_COMMAND=$CARGO_TARGET_DIR/release/ndshm

before=$(ls /dev/shm)
for version in "${usable[@]}"; do
    skip=() # what is shown runs on one, and types are checked on one
    [ "$version" = "${usable[0]}" ] || skip+=(--ignore tests/test_docs.py)
    [ "$version" = "${usable[-1]}" ] || skip+=(--ignore tests/test_types.py)
    python=$work/$version/bin/python
    "$python" -m pip install --quiet --force-reinstall --no-deps "$work"/*.whl
    echo "Python $version, NumPy $("$python" -c 'import numpy; print(numpy.__version__)')"
    "$python" -m pytest -q -p no:cacheprovider "${skip[@]}" tests
done
left=$(comm -13 <(echo "$before") <(ls /dev/shm) | grep -F 'ndshm.py.' || true)
if [ -n "$left" ]; then
    echo "left in /dev/shm: $left" >&2
    exit 1
fi
