#!/usr/bin/env bash
# Every crate packs, and builds from what was packed.
set -euo pipefail
cd "$(dirname "$0")/.."

# What an earlier run in a folder of this name unpacked, and cargo would take for these: it goes by version.
registry=${CARGO_HOME:-$HOME/.cargo}/registry
[ ! -d "$registry" ] || find "$registry" -mindepth 3 -maxdepth 3 -path '*/registry/*/-*/ndshm-*' -exec rm -rf {} +
rm -rf "${CARGO_TARGET_DIR:-target}/package"

cargo package --workspace --allow-dirty --locked
