# verify: exit status 0 for what is well, 1 with a sentence for each thing that is not, 2 for what is no model file.
. tests/cli/common.sh
. tests/cli/safetensors.bash
pocket=assets/pocket
model=$work/model.qm
expect 0 quantize --type q4 $pocket "$model"

# fails TEXT ARGUMENTS...: exit status 1, and standard error says TEXT.
fails() {
    local text=$1
    shift
    expect 1 verify "$@"
    says "$text"
    prints "failed"
}

# spoil FILE OFFSET: a copy of the model in which one byte differs.
spoil() {
    cp "$model" "$1"
    local byte
    byte=$(od -An -t u1 -j "$2" -N 1 "$model" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
}

expect 0 verify "$model" $pocket $pocket/model.safetensors
prints "$model: ok, 38 tensors, 3.67 M weights, q4, 5.09 bits per weight, id "
prints ", 21 reference strings"
prints "$pocket: ok, 38 tensors, 3.67 M weights, f16, 16.00 bits per weight"
expect 0 verify -v "$model"
prints "  blk.0.attn_k.weight            128 x 256  q4            18432"

# What is inside, of a damaged file too where its structure stands.
expect 0 verify --list "$model" $pocket
prints "$model: qm, 38 tensors"
prints '  model.family                         "llama"'
prints "  blk.0.attn_k.weight            128 x 256  q4            18432"
prints "$pocket: safetensors, 38 tensors"
expect 0 verify --list --json "$model" $pocket
prints '"model.head_dim": 32,'
prints '"name": "model.embed_tokens.weight",'
refuses "--json is the form of --list" verify --json "$model"
refuses "$work/absent.qm: No such file or directory" verify --list "$work/absent.qm"

# Every damaged byte is noticed: in the header, in weights, in the directory, in the footer.
size=$(stat -c %s "$model")
for offset in 0 9 20 50 4096 100000 $((size / 2)) $((size - 20000)) $((size - 90)) $((size - 50)) $((size - 1)); do
    spoil "$work/spoilt.qm" "$offset"
    fails "$work/spoilt.qm: " "$work/spoilt.qm"
done
spoil "$work/spoilt.qm" 5000
fails "$work/spoilt.qm: tensor 'token_embd.weight' is damaged: XXH3-128 is " "$work/spoilt.qm"
head -c $((size / 2)) "$model" > "$work/cut.qm"
fails "$work/cut.qm: " "$work/cut.qm"
{ cat "$model"; echo; } > "$work/padded.qm"
fails "$work/padded.qm: " "$work/padded.qm"

# One bad file does not keep the others from being looked at; the worst decides.
expect 1 verify "$work/cut.qm" "$model"
prints "$model: ok"
expect 2 verify "$work/cut.qm" "$work/absent.qm" "$model"
says "$work/absent.qm: No such file or directory"
prints "$model: ok"
expect 2 verify $pocket/README.md
says "$pocket/README.md: is of no known format"

# A value that is no number, in a checkpoint: bytes 00 7c are infinity in F16.
mkdir "$work/inf"
cp $pocket/*.json "$work/inf"
cp $pocket/model.safetensors "$work/inf"
printf '\x00\x7c' | dd of="$work/inf/model.safetensors" bs=1 seek=$((8 + $(header_size $pocket/model.safetensors) + 2 * (256 * 3 + 7))) conv=notrunc 2> /dev/null
fails "$work/inf/model.safetensors: tensor 'model.embed_tokens.weight' has inf in row 3, column 7" "$work/inf"

# Against the checkpoint.
expect 0 verify --source $pocket "$model"
prints "against $pocket: 4 files as recorded, 9 of 38 tensors exact, relative error 0.06"
[ "$(wc -l < "$work/stdout")" -eq 12 ] || die "not the ten worst tensors: $(cat "$work/stdout")"
expect 0 verify -v --source $pocket "$model"
prints "output_norm.weight           f32   exact"
fails "$work/inf/model.safetensors: tensor 'model.embed_tokens.weight' has inf in row 3, column 7" --source "$work/inf" "$model"
mkdir "$work/other"
cp $pocket/*.json "$work/other"
cp $pocket/model.safetensors "$work/other"
printf '\x01' | dd of="$work/other/model.safetensors" bs=1 seek=100000 conv=notrunc 2> /dev/null
fails "$work/other: model.safetensors has the SHA-256 " --source "$work/other" "$model"
cp $pocket/model.safetensors "$work/other"
echo >> "$work/other/tokenizer_config.json"
fails "$work/other: tokenizer_config.json is " --source "$work/other" "$model"
rm "$work/other/tokenizer_config.json"
fails "$work/other: has no tokenizer_config.json, of which $model was made" --source "$work/other" "$model"
