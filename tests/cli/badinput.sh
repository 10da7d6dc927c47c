# What is wrong with an input is said with file, place and numbers; exit status 2, and no output is left.
. tests/cli/common.sh
. tests/cli/safetensors.bash
pocket=assets/pocket
out=$work/out.qm
folder=$work/checkpoint
weights=$folder/model.safetensors
header=$(safetensors_header $pocket/model.safetensors)
size=$(stat -c %s $pocket/model.safetensors)
safetensors_data $pocket/model.safetensors > "$work/data"

# fresh: $folder is the pocket checkpoint, to be spoilt.
fresh() {
    rm -rf "$folder"
    mkdir "$folder"
    cp $pocket/*.json $pocket/model.safetensors "$folder"
}

# wrong TEXT: convert, and quantize, refuse $folder with TEXT and leave nothing.
wrong() {
    refuses "$1" convert "$folder" "$out"
    refuses "$1" quantize --type q4 "$folder" "$out"
    absent "$out"
}

# ---- Weights ----

# header_with FROM TO: the first FROM of the header replaced.
header_with() {
    fresh
    [ "${header/"$1"/"$2"}" != "$header" ] || die "the header has no '$1'"
    safetensors_write "$weights" "${header/"$1"/"$2"}" "$work/data"
}

fresh
head -c 100000 $pocket/model.safetensors > "$weights"
wrong "$weights: tensor 'model.embed_tokens.weight' ends at 1052632, the file is 100000 bytes: it was cut short"
fresh
head -c 5 $pocket/model.safetensors > "$weights"
wrong "$weights: is 5 bytes, too short for a safetensors header"
fresh
: > "$weights"
wrong "$weights: is 0 bytes"
fresh
echo >> "$weights"
wrong "$weights: the last tensor ends at $size, the file is $((size + 1)) bytes"

# The header's length lies.
for length in $((size)) $((size - 7)) 100000001 -1; do
    fresh
    le64 $length | dd of="$weights" bs=1 conv=notrunc 2> /dev/null
    wrong "$weights: the header "
done
fresh
le64 0 | dd of="$weights" bs=1 conv=notrunc 2> /dev/null
wrong "$weights: "
fresh
le64 $((${#header} - 20)) | dd of="$weights" bs=1 conv=notrunc 2> /dev/null
wrong "$weights: line 1, column "

# Tensors that overlap, leave a hole, or lie outside the file.
norm='"model.layers.0.input_layernorm.weight":{"dtype":"F16","shape":[256],"data_offsets":'
header_with "$norm[1048576,1049088]" "$norm[1048064,1048576]"
wrong "tensor 'model.layers.0.input_layernorm.weight' begins at 1048064 of the data, the one before ends at 1048576: they overlap"
header_with "$norm[1048576,1049088]" "$norm[7344640,7345152]"
wrong "tensor 'model.layers.0.mlp.down_proj.weight' begins at 1049088 of the data, the one before ends at 1048576: there is a hole"
header_with "[7344128,7344640]" "[7344128,7344639]"
wrong "tensor 'model.norm.weight' has 511 bytes, its shape and dtype call for 512"
header_with "[7344128,7344640]" "[9223372036854775295,9223372036854775807]"
wrong "tensor 'model.norm.weight' begins at 9223372036854775295 of the data"
header_with "[7344128,7344640]" "[7344640,7344128]"
wrong "tensor 'model.norm.weight' begins at 7344640 and ends before, at 7344128"
header_with "[2048,256]" "[4611686018427387904,4611686018427387904]"
wrong "tensor 'model.embed_tokens.weight' has a shape beyond any file's size"

# Names twice, nesting without end, wrong types.
header_with '"model.norm.weight"' '"model.embed_tokens.weight"'
wrong "$weights: line 1, column "
says "duplicate"
header_with '"__metadata__":{"format":"pt"}' "\"x\":$(printf '[%.0s' {1..5000})"
wrong "$weights: line 1, column "
header_with '"F16"' '"I16"'
wrong "tensor 'model.embed_tokens.weight' is of type I16, weights must be F32, F16 or BF16"
header_with '"F16"' '"F17"'
wrong "tensor 'model.embed_tokens.weight' has the unknown dtype 'F17'"
header_with '"F16"' '"F32"'
wrong "tensor 'model.embed_tokens.weight' has 1048576 bytes, its shape and dtype call for 2097152"
header_with '[2048,256]' '[2048,"256"]'
wrong "tensor 'model.embed_tokens.weight': dimension 1 is not a size"

# Tensors that are not those of the configuration.
header_with 'model.norm.weight' 'model.abnorm.weight'
wrong "$folder: tensor 'model.norm.weight' is missing"
header_with '[2048,256]' '[1024,512]'
wrong "$weights: tensor 'model.embed_tokens.weight' has the shape [1024, 512], the configuration calls for [2048, 256]"
header_with '[2048,256]' '[524288]'
wrong "$weights: tensor 'model.embed_tokens.weight' has the shape [524288], the configuration calls for [2048, 256]"

# ---- Configuration ----

# config_with KEY VALUE
config_with() {
    fresh
    grep -q "\"$1\": " $pocket/config.json || die "no $1"
    sed "s/\"$1\": [^,]*/\"$1\": $2/" $pocket/config.json > "$folder/config.json"
}

config=$folder/config.json
config_with hidden_size 0
wrong "$config: hidden_size is 0, expected 1 to 262144"
config_with hidden_size 100000000000
wrong "$config: hidden_size is 100000000000, expected 1 to 262144"
config_with hidden_size 99999999999999999999999999
wrong "$config: hidden_size is 1e26, expected a whole number"
config_with num_hidden_layers -4
wrong "$config: num_hidden_layers is -4, expected a whole number"
config_with num_hidden_layers 1000
wrong "$folder: tensor 'model.layers.4.input_layernorm.weight' is missing"
config_with num_hidden_layers 3
wrong "$weights: tensor 'model.layers.3.input_layernorm.weight' and 8 more have no place in this model"
config_with num_attention_heads 3.5
wrong "$config: num_attention_heads is 3.5, expected a whole number"
config_with num_attention_heads 0
wrong "$config: num_attention_heads is 0, expected 1 to 131072"
config_with num_key_value_heads 3
wrong "$config: 8 heads cannot be shared out over 3 key-value heads"
config_with vocab_size '"2048"'
wrong "$config: vocab_size is \"2048\", expected a whole number"
config_with hidden_act '"relu6"'
wrong "$config: hidden_act is \"relu6\", expected one of the kinds known here: silu, "
config_with rope_theta null
sed -i 's/"rope_type": "default"/"rope_type": "dynamic"/' "$config"
wrong "$config: rope_parameters.rope_type is \"dynamic\", expected one of the kinds known here: default, linear, llama3, longrope, su, yarn"
fresh
sed -i 's/LlamaForCausalLM/OtherForCausalLM/' "$config"
wrong "$config: models of class OtherForCausalLM are not known here; known are LlamaForCausalLM, MistralForCausalLM"
fresh
rm "$config"
wrong "$config: is missing"
fresh
printf '[%.0s' {1..5000} > "$config"
wrong "$config: line 1, column "
fresh
sed -i 's/"vocab_size": 2048/"vocab_size": 2048, "vocab_size": 2048/' "$config"
wrong "$config: line "
says "duplicate"

# ---- Tokenizer ----

fresh
rm "$folder/tokenizer.json"
wrong "$weights: comes with neither tokenizer.json nor tokenizer.model"
fresh
head -c 5000 $pocket/tokenizer.json > "$folder/tokenizer.json"
wrong "$folder"
fresh
echo '{}' > "$folder/tokenizer.json"
wrong "$folder"

# ---- Files ----

refuses "$work/absent: No such file or directory" convert "$work/absent" "$out"
mkdir "$work/empty"
refuses "$work/empty: holds neither model.safetensors nor model.safetensors.index.json" convert "$work/empty" "$out"
refuses "README.md: is of no known format" convert $pocket/README.md "$out"
absent "$out"

# A .qm file that is cut short, padded or damaged where its structure is.
expect 0 convert $pocket "$work/good.qm"
size=$(stat -c %s "$work/good.qm")
head -c $((size - 1)) "$work/good.qm" > "$work/cut.qm"
{ cat "$work/good.qm"; echo; } > "$work/padded.qm"
cp "$work/good.qm" "$work/damaged.qm"
printf 'XXXX' | dd of="$work/damaged.qm" bs=1 seek=$((size - 5000)) conv=notrunc 2> /dev/null
for file in cut padded damaged; do
    refuses "$work/$file.qm: " quantize --type q4 "$work/$file.qm" "$out"
    absent "$out"
done

# An output that exists stays as it was, and is replaced with --force alone; inputs are never written onto.
echo old > "$out"
refuses "$out: already exists; --force replaces it" convert $pocket "$out"
[ "$(cat "$out")" = old ] || die "the old file was touched"
expect 0 convert --force $pocket "$out"
same "$out" "$work/good.qm"
refuses "$out: is the input itself" quantize --force --type q4 "$out" "$out"
ln -s out.qm "$work/link.qm"
refuses "$work/link.qm: is the input itself" quantize --force --type q4 "$out" "$work/link.qm"
same "$out" "$work/good.qm"
refuses "$work/nowhere/out.qm: can't be created: No such file or directory" convert $pocket "$work/nowhere/out.qm"
mkdir "$work/folder.qm"
refuses "$work/folder.qm: is a folder" convert --force $pocket "$work/folder.qm"
