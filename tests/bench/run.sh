#!/usr/bin/env bash
# Speed on this machine, in about a minute: kernels against a plain read of the same memory, then whole tokens at the shape
# of a 1B model. All figures of one table come from one run; compare ratios, not runs.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build} BIN=${BIN:-bin}

echo "Kernels"
"$BUILD/tests/bench/kernels"
echo
echo "Tokens, synthetic weights in the shape of a 1B model"
"$BIN/evaluate" --shape 1b --types f16,q8,q4 --speed
