# A disk that fills up, a limit on files' sizes, or a folder that cannot be written to: a sentence, and nothing left.
. tests/cli/common.sh
pocket=assets/pocket

mkdir "$work/small"
(ulimit -f 1000 && refuses "$work/small/out.qm: writing " convert $pocket "$work/small/out.qm" && says "File too large") || exit 1
absent "$work/small/out.qm"

mount -t tmpfs -o size=2m none "$work/small" 2> /dev/null || skip "cannot mount a small disk here"
trap 'umount "$work/small"; rm -rf "$work"' EXIT
refuses "No space left on device" convert $pocket "$work/small/out.qm"
absent "$work/small/out.qm"

refuses "No space left on device" convert $pocket "$work/small/out"
absent "$work/small/out"

refuses "No space left on device" convert $pocket "$work/small/out.gguf"
absent "$work/small/out.gguf"

# The old file stays whole.
echo old > "$work/small/out.qm"
refuses "No space left on device" convert --force $pocket "$work/small/out.qm"
[ "$(ls -A "$work/small")" = out.qm ] && [ "$(cat "$work/small/out.qm")" = old ] || die "the old file was touched"
