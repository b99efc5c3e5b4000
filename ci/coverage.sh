#!/usr/bin/env bash
# Which lines the tests and doctests of a library reach: `ci/coverage.sh [PACKAGE...]`. Not part of .ci/run.
#
# Counters lie in a mapped file (`%c`), one a binary (`%m`), so that those of a process killed by SIGKILL count, too. Takes
# llvm-profdata and llvm-cov of the compiler's LLVM (`rustup component add llvm-tools`, or a system package llvm-NN).
# What other packages' tests reach is not counted.
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

# Around the compilers: workspace members alone are instrumented, and doctests kept (an unstable option of rustdoc).
instrument="-C instrument-coverage -C llvm-args=-runtime-counter-relocation"
doctests=$target/doctests
mkdir -p "$target"
printf '#!/bin/sh\nexec "$@" %s\n' "$instrument" >"$target/rustc"
printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@" %s -Z unstable-options --persist-doctests %s\n' \
    "$instrument" "$doctests" >"$target/rustdoc"
chmod +x "$target/rustc" "$target/rustdoc"
export CARGO_TARGET_DIR=$target RUSTC_WORKSPACE_WRAPPER=$target/rustc RUSTDOC=$target/rustdoc

for package; do
    test=(cargo test --locked --package "$package")
    counters=$target/$package
    rm -rf "$counters" "$doctests"
    mkdir -p "$counters" "$doctests"
    : >"$counters.log"
    LLVM_PROFILE_FILE=$target/build-%m.profraw "${test[@]}" --quiet --lib --tests --no-run
    objects=$("${test[@]}" --lib --tests --no-run --message-format json 2>/dev/null | python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable"):
        print("--object", message["executable"])')
    export LLVM_PROFILE_FILE="$counters/%m%c.profraw"
    for part in "--lib --tests --no-fail-fast" --doc; do
        # shellcheck disable=SC2086
        "${test[@]}" $part >>"$counters.log" 2>&1 || echo "some tests failed: $counters.log" >&2
    done
    objects+=$(find "$doctests" -type f -perm -u+x -printf ' --object %p')
    "$tools/llvm-profdata" merge --sparse --output "$counters.profdata" "$counters"/*.profraw
    report() {
        # shellcheck disable=SC2086
        "$tools/llvm-cov" "$@" $objects --instr-profile "$counters.profdata" --sources "$PWD/crates/$package/src"
    }
    report show --show-instantiations=false --use-color=false >"$counters.lines"
    echo "== $package"
    report report --show-branch-summary=false --show-functions=false | sed '/^-*$/d'
done
echo "each line with its count: $target/PACKAGE.lines"
