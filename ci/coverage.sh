#!/usr/bin/env bash
# Which lines the tests of the published libraries reach: `ci/coverage.sh [PACKAGE...]`. Not part of .ci/run.
#
# Counters lie in a mapped file (`%c`), one a binary (`%m`), so that those of a process killed by SIGKILL count, too. Takes
# llvm-profdata and llvm-cov of the compiler's LLVM (`rustup component add llvm-tools`, or a system package llvm-NN).
# Doctests and what runs in other packages' tests are not counted.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- ndshm-buffer ndshm-sync ndshm-array ndshm-workers
target=${CARGO_TARGET_DIR:-$PWD/target}/coverage
major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
host=$(rustc -vV | sed -n 's/^host: //p')
for directory in "$(rustc --print sysroot)/lib/rustlib/$host/bin" "/usr/lib/llvm-$major/bin"; do
    [ ! -x "$directory/llvm-cov" ] || tools=$directory
done
if [ -z "${tools:-}" ]; then
    echo "SKIPPED: coverage: no llvm-cov of LLVM $major here" >&2
    exit 0
fi

mkdir -p "$target"
cat >"$target/rustc" <<'WRAPPER'
#!/bin/sh
rustc=$1
shift
exec "$rustc" "$@" -C instrument-coverage -C llvm-args=-runtime-counter-relocation
WRAPPER
chmod +x "$target/rustc"
export CARGO_TARGET_DIR=$target RUSTC_WORKSPACE_WRAPPER=$target/rustc

for package; do
    counters=$target/$package
    rm -rf "$counters"
    mkdir -p "$counters"
    export LLVM_PROFILE_FILE="$counters/build-%m.profraw"
    cargo test --quiet --locked --package "$package" --lib --tests --no-run
    rm -f "$counters"/build-*
    # Binaries that counted, and those that their tests start.
    objects=$(cargo test --locked --package "$package" --lib --tests --no-run --message-format json 2>/dev/null |
        python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable"):
        print("--object", message["executable"])')
    LLVM_PROFILE_FILE="$counters/%m%c.profraw" \
        cargo test --locked --package "$package" --lib --tests --no-fail-fast >"$counters.log" 2>&1 ||
        { grep -h '^test .*FAILED\|^error' "$counters.log" >&2 || true; echo "some tests failed: $counters.log" >&2; }
    "$tools/llvm-profdata" merge --sparse --output "$counters.profdata" "$counters"/*.profraw
    # shellcheck disable=SC2086
    report() { "$tools/llvm-cov" "$@" $objects --instr-profile "$counters.profdata" --sources "$PWD/crates/$package/src"; }
    report show --show-instantiations=false --use-color=false >"$counters.lines"
    echo "== $package"
    report report --show-branch-summary=false --show-functions=false | sed '/^-*$/d'
done
echo "each line with its count: $target/PACKAGE.lines"
