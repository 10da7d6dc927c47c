# evaluate: what it measures on the pocket model, how it shows it, what it refuses. Speeds are never judged.
. tests/cli/common.sh
pocket=assets/pocket
text=$pocket/evaluation.txt

# field KEY: its numbers in the JSON on standard output, one a line, row by row.
field() {
    sed -n "s/^ *\"$1\": \([-+0-9.e]*\),*$/\1/p" "$work/stdout"
}

# between LOW VALUE HIGH: numbers.
between() {
    awk "BEGIN { exit !($1 <= $2 && $2 <= $3) }" || die "$2 is not between $1 and $3"
}

expect 0 convert $pocket "$work/f16.qm"
expect 0 convert --dtype f32 $pocket "$work/f32.qm"
expect 0 quantize --type q8 "$work/f16.qm" "$work/q8.qm"
expect 0 quantize --type q4 "$work/f16.qm" "$work/q4.qm"
expect 0 convert tests/golden/tiny-llama "$work/tiny.qm"
cd "$work" || exit 1

# Quality: the values that transformers finds for these windows (docs/quality.md), and what quantization costs.
expect 0 evaluate f16.qm q8.qm q4.qm --ppl --kl f32.qm --windows 3 --json
for key in machine cpu level threads os compiler version text ctx windows reference models file type bpw file_bytes \
    ppl ppl_se kl kl_se kl_p99 top1; do
    prints "\"$key\":"
done
for key in roof_gb_s fit prefill_tok_s decode_tok_s decode_gb_s roof_share streamed_bytes_per_token synthetic; do
    grep -q "\"$key\"" stdout && die "$key was not asked for"
done
mapfile -t ppl < <(field ppl); mapfile -t kl < <(field kl); mapfile -t top1 < <(field top1); mapfile -t bpw < <(field bpw)
between 28.74 "${ppl[0]}" 28.77
between 0 "${kl[0]}" 1e-6 # f16 holds what the checkpoint holds; its cache is in binary16
between 1e-6 "${kl[1]}" 1e-3
between 1e-3 "${kl[2]}" 5e-2
between 0.98 "${top1[1]}" 1
between 0.8 "${top1[2]}" 0.98
between 16 "${bpw[0]}" 16.1
between 8.5 "${bpw[1]}" 8.6
between 4.5 "${bpw[2]}" 5.2

# The reference may be one of the models; then it differs from itself in nothing.
expect 0 evaluate f16.qm q4.qm --kl f16.qm --windows 1 --json
[ "$(field kl | head -1)" = 0.0 ] && [ "$(field top1 | head -1)" = 1.0 ] || die "$(cat stdout)"
grep -q '"ppl"' stdout && die "perplexity was not asked for"

# Threads and instruction sets agree.
expect 0 evaluate f32.qm --ppl --windows 1 --ctx 128 --json
one=$(field ppl)
for option in -j1 -j3 --cpu=scalar; do
    expect 0 evaluate f32.qm --ppl --windows 1 --ctx 128 --json $option
    between "$one*0.9999" "$(field ppl)" "$one*1.0001"
done

# The same text from a file and from standard input; another one is another text.
expect 0 evaluate f32.qm --ppl --windows 1 --ctx 128 --json --text "$OLDPWD/$text"
[ "$(field ppl)" = "$one" ] || die "the text from a file gives $(field ppl), the embedded one $one"
"$BIN/evaluate" f32.qm --ppl --windows 1 --ctx 128 --json --text - < "$OLDPWD/$text" > stdout || die "from standard input"
[ "$(field ppl)" = "$one" ] || die "the text from standard input gives $(field ppl), the embedded one $one"

# Speed, and everything together, as a table and a page.
expect 0 evaluate f32.qm q8.qm q4.qm --ppl --kl f32.qm --speed --windows 1 --report report.html
prints "perplexity"
prints "nats/token"
prints "tokens/s"
prints "roof: "
grep -Eq "^f32.qm +f32 +32.00 +14.7" stdout || die "no row of f32.qm: $(cat stdout)"
exists report.html
grep -q '<svg' report.html || die "the page has no plot"
grep -Eq '<script|https?:' report.html && die "the page wants something from elsewhere"
refuses "report.html: exists already; --force replaces it" evaluate f32.qm --ppl --windows 1 --report report.html
expect 0 evaluate f32.qm --ppl --windows 1 --report report.html --force

# Asked for nothing: perplexity and speed.
expect 0 evaluate q4.qm --windows 1 --json
for key in ppl ppl_se roof_gb_s prefill_tok_s decode_tok_s decode_gb_s roof_share streamed_bytes_per_token; do
    [ -n "$(field $key)" ] || die "no $key in: $(cat stdout)"
    between 0 "$(field $key)" 1e12
done
grep -q '"kl' stdout && die "there is no reference"

# Behind a long prompt, and in batches, which come with the speed of one sequence.
expect 0 evaluate q4.qm --speed --depth 1000 --json
prints '"depth": 1000'
deep=$(field streamed_bytes_per_token)
# All models behind the same one: half of the shortest context, where that has no room for the usual prompt.
expect 0 evaluate q4.qm tiny.qm --speed --json
prints '"depth": 32'
expect 0 evaluate q4.qm tiny.qm --batch --json
between 0 "$(field streamed_bytes_per_token | head -1)" "$deep - 1"
grep -q '"ppl"' stdout && die "perplexity was not asked for"
[ "$(field sequences | head -7 | tr '\n' ' ')" = "1 2 4 8 16 32 64 " ] || die "batches are $(field sequences)"
[ "$(field tok_s | wc -l)" -eq 14 ] && [ "$(field gb_s | wc -l)" -ge 14 ] || die "batches without speed: $(cat stdout)"
expect 0 evaluate q4.qm --batch --roofline --report batch.html
prints "by roofline"
prints "knee: "
grep -q 'class="path' batch.html || die "the page has no plot of batches"

# Made-up weights in a known shape.
expect 0 evaluate --shape 135m --types q4
prints "synthetic 135m q4 (SmolLM2 135M)"

# Logits: as many as positions and tokens, whole or not there.
expect 0 evaluate q8.qm --dump-logits logits --ctx 32 --windows 3
[ "$(stat -c %s logits)" -eq $((3 * 32 * 2048 * 4)) ] || die "logits are $(stat -c %s logits) bytes"
refuses "logits: exists already" evaluate q8.qm --dump-logits logits
rm logits

# What cannot be measured.
refuses "no model was named" evaluate
refuses "nowhere.qm: " evaluate nowhere.qm --ppl
refuses "only a .qm file can be run" evaluate "$OLDPWD/$pocket" --ppl
refuses "q4.qm: windows of 2048 tokens, the model was made for 1024" evaluate q4.qm --ppl --ctx 2048
refuses "--ctx 3: expected 4 to" evaluate q4.qm --ppl --ctx 3
echo "Too short." > short
refuses "short: is 6 tokens to q4.qm, one window needs 512" evaluate q4.qm --ppl --text short
refuses "short: is 6 tokens to q4.qm, one window needs 512" evaluate q4.qm --dump-logits logits --text short
absent logits
: > empty
refuses "empty: is 0 tokens" evaluate q4.qm --ppl --text empty
refuses "absent: " evaluate q4.qm --ppl --text absent
refuses "--types: there is no type 'q5'" evaluate --shape 135m --types q5
refuses "known shapes are 135m, 360m" evaluate --shape 70b
refuses "none can be named beside it" evaluate --shape 1b q4.qm
# 122 GB of floats, where there is not as much.
if awk '$1 == "MemAvailable:" { exit $2 < 100e6 ? 0 : 1 }' /proc/meminfo; then
    refuses "of memory, the system has" evaluate --shape 30b-a3b --types f32
fi
refuses "its weights are made up" evaluate --shape 1b --ppl
refuses "q4.qm: --depth 1024 leaves no room in a context of 1024 tokens" evaluate q4.qm --speed --depth 1024
refuses "--depth is for --speed" evaluate q4.qm --ppl --depth 16
refuses "measures nothing" evaluate q4.qm --dump-logits logits --batch
refuses "choose one" evaluate q4.qm --json --report other.html
refuses "takes one model, 2 were named" evaluate q4.qm q8.qm --dump-logits logits

# Models that do not speak the same tokens cannot be compared.
refuses "q4.qm: has a vocabulary of 2048 tokens, the reference tiny.qm one of 32" \
    evaluate q4.qm --kl tiny.qm --ctx 32 --text "$OLDPWD/$text"
exit 0
