#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test, then again under AddressSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")"
./dependencies.sh
jobs=$(getconf _NPROCESSORS_ONLN)
make -j"$jobs" test
echo "With sanitizers:"
make -j"$jobs" check
