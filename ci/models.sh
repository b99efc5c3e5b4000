#!/usr/bin/env bash
# State machines of ndshm-sync under loom: those that take seconds. The rest take minutes each (`models -- --list`), the bugs
# planted in them an hour (`--bin plants`).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --quiet --release --locked --package ndshm-models --bin models -- --short \
    mutex mutex-death mutex-timeout mutex-slot barrier-timeout
