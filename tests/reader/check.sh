#!/bin/sh
# Runs the independent reader over .qm files, or over those of tests/golden. Exit 77 where Python or xxhash is missing.
set -eu
tests=$(dirname "$0")/..
python=${PYTHON:-python3}
"$python" -c 'import xxhash' 2>/dev/null || { echo "skipped: needs $python with the xxhash module"; exit 77; }
[ $# -gt 0 ] || set -- "$tests"/golden/*.qm
exec "$python" "$tests/reader/qm.py" -q "$@"
