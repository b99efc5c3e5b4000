#!/usr/bin/env bash
# The README's test command, then all but its doctests beside a copy of itself; nothing may be left in /dev/shm.
set -euo pipefail
cd "$(dirname "$0")/.."

present() { find /dev/shm -maxdepth 1 \( -name 'ndshm.*' -o -name 'ndshm-p.*' -o -name 'ndshm-test-*' \) 2>/dev/null | sort; }
before=$(present)

cargo test --workspace --locked
cargo test -p ndshm-sync --features lock_api --locked --doc
cargo test -p ndshm-sync --features lock_api --locked --test lock_api

echo "== the portable backends without the native ones, as on another unix"
RUSTFLAGS="--cfg ndshm_portable_only" CARGO_TARGET_DIR=target/portable-only \
    cargo test -p ndshm-sync -p ndshm-buffer --test conformance --locked -- portable::

echo "== again, two copies at the same time"
all=(cargo test --workspace --tests --locked) # not --lib: it would run what a package says is no test
"${all[@]}" >target/second-copy.log 2>&1 &
copy=$!
"${all[@]}" >target/first-copy.log 2>&1 || { cat target/first-copy.log; exit 1; }
wait "$copy" || { cat target/second-copy.log; exit 1; }
grep -h '^test result' target/first-copy.log target/second-copy.log | sort | uniq -c

# What is new, and stays: somebody else may be at work here too.
left=$(comm -13 <(echo "$before") <(present))
[ -z "$left" ] || { sleep 10; left=$(comm -12 <(echo "$left") <(present)); }
if [ -n "$left" ]; then
    printf 'left in /dev/shm:\n%s\n' "$left" >&2
    exit 1
fi
