#!/usr/bin/env bash
# Side by side with llama.cpp: prefill and decode at the same shape, in turn, on the same threads; one Markdown table.
#
#     tests/bench/compare.sh LLAMA_CPP_DIR MODEL.gguf OURS
#
# LLAMA_CPP_DIR has bin/llama-bench and bin/llama-quantize. MODEL.gguf is the model in F16. OURS is the same model as a .qm
# file in f16, or the name of its shape (evaluate --shape), since speed does not depend on the weights' values.
# ROUNDS=5 and THREADS (all processors) may be set. Medians, and the spread from the least to the largest.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -eq 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
llama=$1/bin gguf=$(realpath "$2") ours=$3
rounds=${ROUNDS:-5} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)} BIN=${BIN:-bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

declare -A theirs=([f16]=F16 [q8]=Q8_0 [q4]=Q4_0)
levels=(f16 q8 q4)

prepare() {
    ln -s "$gguf" "$work/F16.gguf"
    for level in q8 q4; do
        "$llama/llama-quantize" --pure "$work/F16.gguf" "$work/${theirs[$level]}.gguf" "${theirs[$level]}" \
            > "$work/log" 2>&1 || { tail -n 3 "$work/log" >&2; exit 2; }
        [ -f "$ours" ] && "$BIN/quantize" -q --type "$level" --rule ".*\.weight=$level" "$ours" "$work/$level.qm"
    done
    [ -f "$ours" ] && ln -s "$(realpath "$ours")" "$work/f16.qm"
    return 0
}

# Appends "prefill decode" in tokens a second to $work/theirs.LEVEL.
measure_theirs() {
    "$llama/llama-bench" -t "$threads" -p 128 -n 32 -r 1 -o json -m "$work/${theirs[$1]}.gguf" 2> /dev/null |
        sed -n 's/.*"avg_ts": \([0-9.]*\).*/\1/p' | paste -sd ' ' >> "$work/theirs.$1"
}

# Appends "prefill decode share" to $work/ours.LEVEL.
measure_ours() {
    local model=("$work/$1.qm")
    [ -f "$ours" ] || model=(--shape "$ours" --types "$1")
    "$BIN/evaluate" -q -j "$threads" "${model[@]}" --speed --json |
        sed -n 's/.*"\(prefill_tok_s\|decode_tok_s\|roof_share\)": \([0-9.e+]*\).*/\2/p' | paste -sd ' ' >> "$work/ours.$1"
}

# median FILE COLUMN, spread FILE COLUMN
median() { awk -v c="$2" '{ print $c }' "$1" | sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }
spread() { awk -v c="$2" '{ print $c }' "$1" | sort -g | sed -n '1p;$p' | paste -sd ' ' | sed 's/ / to /'; }

row() {
    local t=$work/theirs.$1 o=$work/ours.$1
    ratio() { awk -v ours="$(median "$o" "$1")" -v theirs="$(median "$t" "$1")" 'BEGIN { print ours / theirs }'; }
    printf '| %s / %s | %.1f | %.1f | %.2f | %.1f | %.1f | **%.2f** | %.2f | %s; %s |\n' "${theirs[$1]}" "$1" \
        "$(median "$t" 1)" "$(median "$o" 1)" "$(ratio 1)" \
        "$(median "$t" 2)" "$(median "$o" 2)" "$(ratio 2)" \
        "$(median "$o" 3)" "$(spread "$t" 2)" "$(spread "$o" 2)"
}

prepare
for ((round = 0; round < rounds; round++)); do
    for level in "${levels[@]}"; do
        measure_theirs "$level"
        measure_ours "$level"
    done
done
echo "$ours, $threads threads, medians of $rounds rounds in turn; tokens a second"
echo
echo "| level | prefill of 128: llama.cpp | ours | ratio | decode: llama.cpp | ours | ratio | our share of the roof | spread of decode |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for level in "${levels[@]}"; do row "$level"; done
