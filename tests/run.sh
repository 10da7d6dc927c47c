#!/usr/bin/env bash
# Runs every test: the unit and property programs, the fuzz targets over their corpora, the command-line scripts.
# One line a test, the end of the output of one that fails, and a last line "N passed, N failed[, N skipped]".
# Exit status 0 only if something ran and nothing failed. BUILD and BIN say where the programs are.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=$(realpath "${BUILD:-build}") BIN=$(realpath "${BIN:-bin}")
export BUILD BIN UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
seconds=600 # for one test; meant for hangs alone
jobs=$(getconf _NPROCESSORS_ONLN)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'kill $(jobs -p); exit 130' INT TERM

# run_one NAME COMMAND...: prints the test's line and leaves its verdict in $logs.
run_one() {
    local name=$1 log=$logs/${1//\//-} status verdict
    shift
    timeout -k 10 "$seconds" "$@" > "$log" 2>&1 < /dev/null
    status=$?
    case $status in
        0) verdict=passed ;;
        77) verdict=skipped ;;
        124 | 137) verdict=failed; echo "still running after $seconds seconds" >> "$log" ;;
        *) verdict=failed; echo "exit status $status" >> "$log" ;;
    esac
    echo "$verdict" > "$log.verdict"
    {
        printf '%-8s %s\n' "$verdict" "$name"
        case $verdict in
            skipped) tail -n 1 "$log" | sed 's/^/         /' ;;
            failed) tail -n 60 "$log" | sed 's/^/         /' ;;
        esac
    } > "$log.report"
    cat "$log.report"
}

# start NAME COMMAND...: in the background as soon as a processor is free.
start() {
    while (($(jobs -rp | wc -l) >= jobs)); do
        wait -n
    done
    run_one "$@" &
}

count() {
    cat "$logs"/*.verdict 2> /dev/null | grep -cx "$1"
}

for source in tests/unit/*.c tests/property/*.c; do
    name=${source%.c}
    [ -e "$source" ] && start "${name#tests/}" "$BUILD/$name"
done
for source in tests/fuzz/*.c; do
    name=$(basename "$source" .c)
    [ -e "$source" ] && [ "$name" != driver ] &&
        start "fuzz/$name" "$BUILD/tests/fuzz/$name" "tests/fuzz/corpus/$name"
done
for script in tests/cli/*.sh; do
    name=${script%.sh}
    [ -e "$script" ] && [ "$name" != tests/cli/common ] && start "${name#tests/}" bash "$script"
done
wait

passed=$(count passed) failed=$(count failed) skipped=$(count skipped)
summary="$passed passed, $failed failed"
[ "$skipped" -gt 0 ] && summary+=", $skipped skipped"
echo "$summary"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
