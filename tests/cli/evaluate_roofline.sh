# evaluate --roofline: what it shows and what it leaves out. Speeds are never judged.
. tests/cli/common.sh

expect 0 convert assets/pocket "$work/f16.qm"
expect 0 quantize --type q4 "$work/f16.qm" "$work/q4.qm"
cd "$work" || exit 1

# Alone it measures speed, which it needs, and no perplexity. Each model has its own devices, this machine first.
expect 0 evaluate f16.qm q4.qm --roofline --json
for key in roof_gb_s decode_tok_s roofline device predicted source fits bandwidth_gb_s tera_ops tok_s_batch1_bandwidth \
    tok_s_arithmetic knee_batch; do
    prints "\"$key\":"
done
grep -q '"ppl"' stdout && die "perplexity was not asked for"
[ "$(grep -c '"device": "this machine"' stdout)" = 2 ] || die "this machine is not there once for each model"
[ "$(grep -c '"predicted": false' stdout)" = 2 ] || die "more than this machine was measured"
[ "$(grep -c '"device": "Apple M2"' stdout)" = 2 ] || die "a known device is missing"
[ "$(grep -c '"device"' stdout)" = $((2 * (1 + $(grep -vc '^#' "$OLDPWD/assets/devices.tsv")))) ] || die "devices are missing"

# As a table and a page, labelled.
expect 0 evaluate q4.qm --roofline --report report.html
prints "this machine"
prints "measured"
prints "A100, as in the note           predicted"
prints "Predictions are bounds"
grep -q 'this machine</td><td class="text">measured' report.html || die "the page has no rooflines"

refuses "measures nothing" evaluate q4.qm --dump-logits logits --roofline
exit 0
