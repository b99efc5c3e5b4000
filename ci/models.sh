#!/usr/bin/env bash
# State machines of ndshm-sync under loom; then with bugs planted in them, each of which has to be found.
set -euo pipefail
cd "$(dirname "$0")/.."

# The rest take minutes each: cargo run --release -p ndshm-models --bin models -- --list
cargo run --quiet --release --locked --package ndshm-models --bin models -- --short \
    event-count mutex mutex-death mutex-recovery mutex-timeout mutex-poison mutex-slot barrier-timeout
cargo run --quiet --release --locked --package ndshm-models --bin plants
