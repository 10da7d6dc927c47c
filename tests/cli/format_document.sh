#!/usr/bin/env bash
# The example that docs/format.md takes apart byte by byte is tests/golden/example.qm, whole and in order.
set -euo pipefail

od -An -v -tx1 tests/golden/example.qm | tr -s ' \n' '\n' | grep . | awk '
    function hex(text,    i, n) {
        for (i = 1; i <= length(text); i++)
            n = 16 * n + index("0123456789abcdef", substr(text, i, 1)) - 1
        return n
    }
    function expect(byte) {
        if (bytes[at] "" != byte "") {
            printf "line %d: byte %d is %s in the file, %s in the document\n", FNR, at, bytes[at], byte
            failed = 1
            exit 1
        }
        at++
    }
    BEGIN { at = 0 }
    NR == FNR { bytes[NR - 1] = $1; size = NR; next }
    /^    [0-9a-f][0-9a-f][0-9a-f]  [0-9a-f][0-9a-f] / {
        $0 = substr($0, 1, 58) # without the comment
        while (at < hex($1)) # between two lines, only zeros that the document leaves out
            expect("00")
        for (i = 2; i <= NF && $3 != "..."; i++)
            expect($i)
    }
    END {
        if (!failed && at != size)
            printf "the document shows %d bytes, the file has %d\n", at, size
        exit failed || at != size
    }' - docs/format.md
