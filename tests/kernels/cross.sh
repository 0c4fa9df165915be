#!/bin/sh
# usage: tests/kernels/cross.sh [TARGET...]
#
# Runs the fuzzer's corpus and some mutations on other processors, emulated: aarch64, s390x (which stores the high byte
# first) and armhf (32 bits) where none is named. Needs TARGET's cross compiler and QEMU's user emulation: on Debian
# gcc-aarch64-linux-gnu, gcc-s390x-linux-gnu, gcc-arm-linux-gnueabihf and qemu-user-static.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
[ $# -gt 0 ] || set -- aarch64 s390x armhf
for target; do
    case $target in
    armhf) compiler=arm-linux-gnueabihf-gcc emulator=qemu-arm-static ;;
    *) compiler=$target-linux-gnu-gcc emulator=qemu-$target-static ;;
    esac
    for tool in "$compiler" "$emulator"; do
        command -v "$tool" >/dev/null || { echo "cross.sh: no $tool: see the packages named in this file" >&2; exit 2; }
    done
    "$compiler" -std=gnu99 -O2 -static -I "$here/../../ext" "$here/fuzz.c" -o "$place/fuzz"
    printf '%s: ' "$target"
    "$emulator" "$place/fuzz" 500 1 "$here"/corpus/*
done
