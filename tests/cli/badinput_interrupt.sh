# Ctrl-C, or being told to end, in the middle of a conversion: no new file, the old one whole, and the status that the
# signal gives.
. tests/cli/common.sh
. tests/cli/safetensors.bash
set -m # a job of its own, to which Ctrl-C comes as it does at a terminal

# A checkpoint whose embedding is 2 GiB of nothing: it takes seconds, and no room.
mkdir "$work/large"
cp assets/pocket/*.json "$work/large"
header=$(safetensors_header assets/pocket/model.safetensors)
header=${header/'[2048,256],"data_offsets":[0,1048576]'/'[4194304,256],"data_offsets":[7344640,2154828288]'}
for tensor in $(grep -o '[0-9]*,[0-9]*\]}' <<< "${header#*\}}" | grep -v '^7344640' | tr -d ']}'); do
    moved=$((${tensor%,*} - 1048576)),$((${tensor#*,} - 1048576))
    header=${header/"[$tensor]"/"[$moved]"}
done
header=${header/'[7344640,2154828288]'/'[6296064,2153779712]'}
: > "$work/none"
safetensors_write "$work/large/model.safetensors" "$header" "$work/none"
truncate -s $((8 + ${#header} + 2153779712)) "$work/large/model.safetensors"
sed -i 's/"vocab_size": 2048/"vocab_size": 4194304/' "$work/large/config.json"

for signal in INT TERM HUP; do
    echo old > "$work/out.qm"
    "$BIN/convert" --force "$work/large" "$work/out.qm" 2> "$work/stderr" &
    program=$!
    until [ -n "$(find "$work" -maxdepth 1 -name '.*.tmp')" ]; do
        kill -0 $program 2> /dev/null || die "ended on its own: $(cat "$work/stderr")"
        sleep 0.01
    done
    kill -$signal $program
    wait $program 2> /dev/null
    status=$?
    [ $status -eq $((128 + $(kill -l $signal))) ] || die "SIG$signal: exit status $status"
    [ "$(cat "$work/out.qm")" = old ] || die "SIG$signal: the old file was touched"
    [ -z "$(find "$work" -maxdepth 1 -name '.*.tmp')" ] || die "SIG$signal: a temporary file is left"
done

# A folder that was being written goes.
"$BIN/convert" "$work/large" "$work/folder" 2> "$work/stderr" &
program=$!
until [ -n "$(find "$work/folder" -name '.model*.tmp' 2> /dev/null)" ]; do
    kill -0 $program 2> /dev/null || die "ended on its own: $(cat "$work/stderr")"
    sleep 0.01
done
kill -INT $program
wait $program 2> /dev/null
[ ! -e "$work/folder" ] || die "a folder is left: $(ls -A "$work/folder")"
