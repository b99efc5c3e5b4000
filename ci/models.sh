#!/usr/bin/env bash
# State machines of ndshm-sync under loom; then with bugs planted in them, each of which has to be found.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --quiet --release --locked --package ndshm-models --bin models -- --short
cargo run --quiet --release --locked --package ndshm-models --bin plants
