#!/usr/bin/env bash
# Every crate packs, and builds from what was packed.
set -euo pipefail
cd "$(dirname "$0")/.."

# What an earlier run in a folder of this name unpacked, and cargo would take for these: it goes by version.
find "${CARGO_HOME:-$HOME/.cargo}"/registry -maxdepth 3 -path '*/registry/*/-*/ndshm-*' -exec rm -rf {} + 2>/dev/null || true
rm -rf "${CARGO_TARGET_DIR:-target}/package"

cargo package --workspace --allow-dirty --locked
