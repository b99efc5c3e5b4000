#!/usr/bin/env bash
# The commands that measure, quickly: every contender is checked, every group is there, the figures are rough.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --quiet --release --locked --package ndshm-benches --bin compare -- --quick
cargo run --quiet --release --locked --package ndshm-benches --bin scale -- --quick
