#!/usr/bin/env bash
# From a checkpoint to a small model that talks, in one command: installs what is missing, builds, then takes the pocket
# model through convert, quantize, verify, evaluate and run. Leaves its files in build/demo/.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

./dependencies.sh
say "Building"
make -j"$(nproc)"

out=build/demo
rm -rf "$out"
mkdir -p "$out"

say "A Hugging Face checkpoint becomes one file"
show bin/convert assets/pocket "$out/pocket-f16.qm"

say "The same model in every type"
for type in f32 bf16 q8 q4; do
    show bin/quantize --type "$type" "$out/pocket-f16.qm" "$out/pocket-$type.qm"
done

say "Every byte checked, and tied back to the checkpoint"
show bin/verify "$out"/pocket-{f32,f16,bf16,q8,q4}.qm
show bin/verify --source assets/pocket "$out/pocket-q4.qm"

say "Size, quality and speed together"
show bin/evaluate "$out"/pocket-{f32,f16,bf16,q8,q4}.qm --ppl --kl "$out/pocket-f16.qm" --speed \
    --report "$out/report.html"

say "And the 4-bit model speaks"
show bin/run "$out/pocket-q4.qm" -p "And it came to pass, that the king" -n 80 --seed 7

say "The report: $out/report.html"
