#!/bin/sh
# usage: tests/kernels/fuzz.sh SECONDS [DIRECTORY]
#
# Fuzzes the kernels with coverage guidance, ASan and UBSan. Needs clang with its compiler-rt (libFuzzer): CLANG names
# it, "clang" if unset. What it finds, and the inputs that it grows, stay in DIRECTORY (a new one if not given).
set -eu
seconds=${1:?usage: fuzz.sh SECONDS [DIRECTORY]}
here=$(cd "$(dirname "$0")" && pwd)
place=${2:-$(mktemp -d)}
clang=${CLANG:-clang}
command -v "$clang" >/dev/null || { echo "fuzz.sh: no $clang: install clang with libFuzzer, or set CLANG" >&2; exit 2; }
mkdir -p "$place/grown" "$place/found"
"$clang" -std=gnu99 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DFA_LIBFUZZER \
    -I "$here/../../ext" "$here/fuzz.c" -o "$place/fuzz"
echo "fuzz.sh: $seconds seconds in $place"
exec "$place/fuzz" -max_total_time="$seconds" -max_len=512 -print_final_stats=1 -artifact_prefix="$place/found/" \
    "$place/grown" "$here/corpus"
