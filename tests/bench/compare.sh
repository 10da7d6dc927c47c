#!/usr/bin/env bash
# Side by side with llama.cpp: prefill and decode at the same sizes, in turn, on the same threads; one Markdown table.
#
#     tests/bench/compare.sh LLAMA_CPP_DIR MODEL
#
# LLAMA_CPP_DIR is where llama.cpp or ik_llama.cpp was built for the processor: llama-bench and llama-quantize are in its
# bin/ or build/bin/. MODEL is the name of a shape (evaluate --shape), or a .qm file in f16. llama.cpp gets the same as
# GGUF, and both sides have all matrices at the level, the head too. Speed does not depend on the weights' values.
#
# ROUNDS=5, PROMPT=512 (tokens), THREADS (all processors) and LEVELS="f16 q8 q4" may be set. Files go to TMPDIR
# (/tmp): with all levels 3.7 bytes a weight, 5.3 where MODEL is a file. They are deleted at the end, and the one in
# f16, where LEVELS lacks it, as soon as the others are made.
#
# llama.cpp runs with whichever of flash attention on or off, and of the file mapped or read (ik_llama.cpp: in huge
# pages or repacked, too), was best at the level in a trial beforehand. Then each round takes the levels in turn, at each
# ours first, then theirs. Both generate behind the same prompt. A cell is the median over rounds and, in brackets, the
# least and the largest. Ratios and shares are formed within each round, of figures measured back to back, so that a
# machine that drifts moves both sides alike. The roof is the plain read that evaluate measures in the round; both sides
# stream the same bytes a token.
set -euo pipefail
export LC_ALL=C

die() {
    echo "compare: $*" >&2
    exit 2
}

note() {
    echo "compare: $*" >&2
}

[ $# -eq 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$(realpath -m "$1") name=$2 file=
[ -f "$2" ] && file=$(realpath "$2") name=$(basename "$2")
[[ -n $file || $2 != */* && $2 != *.qm ]] || die "there is no file $2"
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build} BIN=${BIN:-bin}
rounds=${ROUNDS:-5} prompt=${PROMPT:-512} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
read -ra levels <<< "${LEVELS:-f16 q8 q4}"
declare -A theirs=([f16]=F16 [q8]=Q8_0 [q4]=Q4_0) # what llama.cpp calls the levels
declare -A settings # of llama-bench, by level
child= # the program that runs
peer=llama.cpp mappings=("-mmp 1" "-mmp 0") # and how it takes weights into memory

check() {
    local number='^[1-9][0-9]*$' level
    [[ $rounds =~ $number ]] || die "ROUNDS is '$rounds', expected a number above 0"
    [[ $threads =~ $number ]] || die "THREADS is '$threads', expected a number above 0"
    [ ${#levels[@]} -gt 0 ] || die "LEVELS names no level"
    for level in "${levels[@]}"; do
        [ -n "${theirs[$level]-}" ] || die "LEVELS: there is no level '$level', expected some of f16, q8 and q4"
    done
    for llama in "$folder/bin" "$folder/build/bin"; do
        [ -x "$llama/llama-bench" ] && break
    done
    for program in "$llama/llama-bench" "$llama/llama-quantize"; do
        [ -x "$program" ] || die "$program is missing: LLAMA_CPP_DIR is where llama.cpp was built"
    done
    for program in "$BIN/evaluate" "$BIN/quantize" "$BUILD/tests/bench/gguf"; do
        [ -x "$program" ] || die "$program is missing: make tests builds it"
    done
}

# run PROGRAM ARGUMENTS...: its standard output is then in $work/out. If it fails, its last words are shown. It runs in the
# background, since a shell obeys a signal only behind what runs in the foreground.
run() {
    "$@" > "$work/out" 2> "$work/log" &
    child=$!
    wait "$child" && child= && return
    child=
    printf '%s\n' "$(tail -n 3 "$work/log")" >&2
    die "$(basename "$1") failed, with $(df -Ph "$work" | awk 'NR == 2 { print $4 }') of disk left at $work"
}

# value KEY: its values in the JSON that was printed last, one a line.
value() {
    sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$work/out"
}

# ---- The models ----

prepare() {
    local level model=(--shape "$name") f16="$work/F16.gguf"
    [ -n "$file" ] && model=("$file") && ln -s "$file" "$work/f16.qm"
    note "making models in $work"
    run "$BUILD/tests/bench/gguf" -j "$threads" "${model[@]}" "$f16"
    for level in "${levels[@]}"; do
        [ "$level" = f16 ] && continue
        run "$llama/llama-quantize" --pure "$f16" "$work/${theirs[$level]}.gguf" "${theirs[$level]}" "$threads"
        [ -z "$file" ] || run "$BIN/quantize" -q -j "$threads" --type "$level" \
            --rule "^(output|token_embd)\.weight=$level" "$file" "$work/$level.qm"
    done
    [[ " ${levels[*]} " = *" f16 "* ]] || rm "$f16"
}

# ---- Measuring ----

# know_peer: which program it is and what it can be told.
know_peer() {
    run "$llama/llama-bench" --help
    depth=(-n 32 -d "$prompt")
    grep -q -- --load-mode "$work/out" && mappings=("-lm mmap" "-lm none")
    grep -q -- --run-time-repack "$work/out" || return 0
    peer=ik_llama.cpp
    depth=(-n 0 -gp "$prompt,32")
    mappings+=("-mmp 1 -thp 1" "-mmp 0 -rtr 1")
}

# bench LEVEL ARGUMENTS...: llama-bench, which warms up by itself, with the level's settings.
bench() {
    local level=$1 chosen
    shift
    read -ra chosen <<< "${settings[$level]}"
    run "$llama/llama-bench" -t "$threads" -r 1 -o json "${chosen[@]}" "$@" -m "$work/${theirs[$level]}.gguf"
    [ -n "$(value avg_ts)" ] || die "llama-bench prints no speed, as \"avg_ts\", in its JSON"
}

# choose_settings LEVEL: those with the largest product of both speeds.
choose_settings() {
    local level=$1 attention mapping
    for attention in "-fa 0" "-fa 1"; do
        for mapping in "${mappings[@]}"; do
            settings[$level]="$attention $mapping"
            bench "$level" -p 128 -n 32
            value avg_ts | paste -sd ' ' | awk -v s="${settings[$level]}" '{ print $1 * $2, s }' >> "$work/$level.trial"
        done
    done
    settings[$level]=$(sort -g "$work/$level.trial" | tail -n 1 | cut -d ' ' -f 2-)
}

# take_turn LEVEL: appends prefill of theirs and ours and their ratio, decode likewise, and both shares of the roof.
take_turn() {
    local level=$1 model=("$work/$1.qm") ours
    [ -n "$file" ] || model=(--shape "$name" --types "$level")
    run "$BIN/evaluate" -q -j "$threads" "${model[@]}" --speed --depth "$prompt" --json
    cpu=$(value cpu)
    ours=$(for key in prefill_tok_s decode_tok_s streamed_bytes_per_token roof_gb_s; do value $key; done)
    bench "$level" -p 0 "${depth[@]}"
    decode=$(value avg_ts)
    bench "$level" -p "$prompt" -n 0
    prefill=$(value avg_ts) commit=$(value build_commit)
    echo "$prefill $decode" "$ours" | paste -sd ' ' |
        awk '{ roof = $6 * 1e9 / $5; print $1, $3, $3 / $1, $2, $4, $4 / $2, $2 / roof, $4 / roof }' >> "$work/$level.rounds"
}

# ---- The table ----

# cell FORMAT FILE COLUMN: its median, least and largest number.
cell() {
    awk -v column="$3" '{ print $column }' "$2" | sort -g | awk -v format="$1" '{ x[NR] = $1 }
        END { printf format, (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2, x[1], x[NR] }'
}

row() {
    local speed=' %.1f (%.1f to %.1f) |' ratio=' **%.2f** (%.2f to %.2f) |' share=' %.2f (%.2f to %.2f) |' column=0 format
    printf '| %s / %s |' "${theirs[$1]}" "$1"
    for format in "$speed" "$speed" "$ratio" "$speed" "$speed" "$ratio" "$share" "$share"; do
        cell "$format" "$work/$1.rounds" $((++column))
    done
    printf " \`%s\` |\n" "${settings[$1]}"
}

table() {
    echo "$name on $cpu, $threads threads, $peer $commit; tokens a second, medians of $rounds rounds (least to largest)"
    echo
    echo "| level | prefill of $prompt: $peer | ours | ratio | decode: $peer | ours | ratio" \
        "| share of the roof: $peer | ours | settings of $peer |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for level in "${levels[@]}"; do row "$level"; done
}

check
work=$(mktemp -d "${TMPDIR:-/tmp}/compare.XXXXXX")
trap '[ -z "$child" ] || kill "$child"; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
prepare
know_peer
for level in "${levels[@]}"; do
    note "${theirs[$level]}: finding the best settings for $peer"
    choose_settings "$level"
done
for ((round = 1; round <= rounds; round++)); do
    for level in "${levels[@]}"; do
        note "round $round of $rounds: ${theirs[$level]} / $level"
        take_turn "$level"
    done
done
table
