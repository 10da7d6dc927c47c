# tests/bench/compare.sh beside a stand-in for llama.cpp: the table that it makes, what it refuses, what it leaves behind.
. tests/cli/common.sh
export TMPDIR=$work/files
mkdir -p "$TMPDIR" "$work/llama/build/bin"

# refused TEXT ARGUMENTS...: exit status 2 and TEXT on standard error, and no file is left.
refused() {
    local text=$1
    shift
    tests/bench/compare.sh "$@" > "$work/stdout" 2> "$work/stderr"
    [ $? -eq 2 ] || die "compare.sh $*: exit status not 2: $(cat "$work/stderr")"
    [ ! -s "$work/stdout" ] || die "compare.sh $* prints a table though it fails"
    says "$text"
    [ -z "$(ls -A "$TMPDIR")" ] || die "files are left behind: $(ls -A "$TMPDIR")"
}

refused "LLAMA_CPP_DIR MODEL"
refused "llama-bench is missing" "$work/llama" 1b

# It says 40 tokens a second for prompts and 20 for generation, and takes only files that begin as GGUF does.
cat > "$work/llama/build/bin/llama-bench" << 'END'
#!/bin/sh
[ "$1" = --help ] && exit
case "$*" in *"-m "*) [ "$(head -c 4 "${*##*-m }")" = GGUF ] || exit 1 ;; esac
echo '"build_commit": "stand-in",'
case " $* " in *" -p 0 "*) ;; *) echo '"avg_ts": 40.0,' ;; esac
case " $* " in *" -n 0 "*) ;; *) echo '"avg_ts": 20.0,' ;; esac
END
cat > "$work/llama/build/bin/llama-quantize" << 'END'
#!/bin/sh
[ "$1" = --pure ] && cp "$2" "$3"
END
chmod +x "$work"/llama/build/bin/*

refused "there is no file missing.qm" "$work/llama" missing.qm
refused "known shapes are 135m" "$work/llama" 70b
LEVELS=q5 refused "there is no level 'q5'" "$work/llama" 1b
ROUNDS=0 refused "ROUNDS is '0'" "$work/llama" 1b

expect 0 convert assets/pocket "$work/f16.qm"
expect 0 quantize --type q8 "$work/f16.qm" "$work/q8.qm"
refused "expected f16" "$work/llama" "$work/q8.qm"
(ulimit -f 1000 && refused "F16.gguf: writing " "$work/llama" "$work/f16.qm") || exit 1

ROUNDS=1 LEVELS=q4 tests/bench/compare.sh "$work/llama" "$work/f16.qm" > "$work/stdout" 2> "$work/stderr" ||
    die "$(cat "$work/stderr")"
prints "f16.qm on "
prints "| Q4_0 / q4 | 40.0 (40.0 to 40.0) | "
prints " | 20.0 (20.0 to 20.0) | "
[ "$(grep -c '^|' "$work/stdout")" -eq 3 ] || die "the table has more or less than a line: $(cat "$work/stdout")"
[ "$(grep '^|' "$work/stdout" | tr -cd '|\n' | sort -u)" = "|||||||||||" ] || die "its lines differ in columns"
[ -z "$(ls -A "$TMPDIR")" ] || die "files are left behind: $(ls -A "$TMPDIR")"

# What gguf writes: version 3; matrices in f16 and vectors in f32 fill its end, and the first is the checkpoint's embedding.
"${BUILD:-build}/tests/bench/gguf" "$work/f16.qm" "$work/f16.gguf" || die "gguf failed"
expect 0 quantize --type f16 --dry-run "$work/f16.qm"
n_tensors=$(sed -n 's/^\([0-9]*\) tensors.*/\1/p' "$work/stdout") bytes=$(sed -n 's/.*-> \([0-9]*\) bytes.*/\1/p' "$work/stdout")
begin=$(($(stat -c %s "$work/f16.gguf") - bytes))
[ "$(od -An -t u4 -j 4 -N 8 "$work/f16.gguf" | xargs)" = "3 $n_tensors" ] || die "version and number of tensors"
((begin % 32 == 0)) || die "data begin at $begin"
cmp -i "4096:$begin" -n "$(awk '$1 == "token_embd.weight" { print $NF }' "$work/stdout")" "$work/f16.qm" "$work/f16.gguf" >&2 ||
    die "the embedding differs"
"${BUILD:-build}/tests/bench/gguf" --shape 2b "$work/other.gguf" 2> "$work/stderr" && die "Gemma was written as Llama"
grep -q "is a trait that Llama" "$work/stderr" || die "$(cat "$work/stderr")"
