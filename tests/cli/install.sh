#!/usr/bin/env bash
# make install puts the programs and their man pages under DESTDIR, named qm-..., and nothing else.
. tests/cli/common.sh

make -s install DESTDIR="$work/root" PREFIX=/opt/qm BUILD="${BUILD:-build}" BIN="$BIN" > "$work/log" 2>&1 || die "$(cat "$work/log")"

programs=(convert quantize verify evaluate run)
for program in "${programs[@]}"; do
    exists "$work/root/opt/qm/share/man/man1/qm-$program.1"
    [ -x "$work/root/opt/qm/bin/qm-$program" ] || die "qm-$program is not executable"
    "$work/root/opt/qm/bin/qm-$program" --version | grep -q "^$program " || die "qm-$program --version does not name it"
done
[ "$(find "$work/root" -type f | wc -l)" -eq $((2 * ${#programs[@]})) ] || die "more is installed than programs and pages"
