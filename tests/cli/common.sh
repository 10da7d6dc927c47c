# Shared by the command-line tests, which begin with
#
#     . tests/cli/common.sh
#
# They run from the repository's root. $BIN holds the programs, $work is a folder of the test's own that goes when it
# ends. The first thing that is not as expected ends the test with a sentence. Exit status 77 skips it.
set -u
BIN=$(realpath "${BIN:-bin}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
    echo "line ${BASH_LINENO[*]: -2:1}: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# expect STATUS PROGRAM ARGUMENTS...: runs one of ours and checks its exit status. Its standard output is then in
# $work/stdout and its standard error in $work/stderr. A status above 2 is a crash, whatever was expected.
expect() {
    local expected=$1 program=$2 status
    shift 2
    "$BIN/$program" "$@" > "$work/stdout" 2> "$work/stderr"
    status=$?
    [ "$status" -eq "$expected" ] && return
    cat "$work/stderr" >&2
    die "$program $*: exit status $status, expected $expected"
}

# prints TEXT, says TEXT: the last program's standard output or error contains TEXT.
prints() {
    grep -qF -- "$1" "$work/stdout" || die "standard output lacks '$1': $(cat "$work/stdout")"
}

says() {
    grep -qF -- "$1" "$work/stderr" || die "standard error lacks '$1': $(cat "$work/stderr")"
}

# refuses TEXT PROGRAM ARGUMENTS...: exit status 2, nothing on standard output, and one line on standard error that
# begins with the program's name and contains TEXT.
refuses() {
    local text=$1 program=$2
    shift
    expect 2 "$@"
    [ ! -s "$work/stdout" ] || die "$program prints '$(cat "$work/stdout")' though it fails"
    [ "$(wc -l < "$work/stderr")" -eq 1 ] || die "$program says more or less than a line: $(cat "$work/stderr")"
    grep -q "^$program: " "$work/stderr" || die "'$(cat "$work/stderr")' does not begin with '$program: '"
    says "$text"
}

exists() {
    [ -e "$1" ] || die "$1 is missing"
}

# absent FILE: neither it nor a temporary file is left in its folder.
absent() {
    [ ! -e "$1" ] || die "$1 exists"
    [ -z "$(find "$(dirname "$1")" -maxdepth 1 -name '.*.tmp')" ] || die "a temporary file is left beside $1"
}

same() {
    cmp "$1" "$2" >&2 || die "$1 and $2 differ"
}
