#!/usr/bin/env bash
# A Python with NumPy for the tests that compare with it, in target/python; prints the PATH to use.
set -euo pipefail
cd "$(dirname "$0")/.."

if python3 -c 'import numpy' 2>/dev/null; then
    exit 0
fi
if [ ! -x target/python/bin/python3 ]; then
    if ! { python3 -m venv target/python && target/python/bin/pip install --quiet numpy; } >&2; then
        rm -rf target/python
        echo "SKIPPED: comparisons with NumPy: it cannot be installed here" >&2
        exit 0
    fi
fi
echo "$PWD/target/python/bin"
