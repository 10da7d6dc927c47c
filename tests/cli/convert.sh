# convert: one file from a folder, a single file or shards, the same bytes each time, and what it says.
. tests/cli/common.sh
pocket=assets/pocket

# A folder, the file in it, and the .qm made of it are the same model.
expect 0 convert $pocket "$work/a.qm"
says "$work/a.qm: 3.67 M weights, 7.3 MB, 16.00 bits per weight"
expect 0 convert $pocket/model.safetensors "$work/b.qm"
same "$work/a.qm" "$work/b.qm"
expect 0 convert -q "$work/a.qm" "$work/c.qm"
[ ! -s "$work/stderr" ] || die "-q says something: $(cat "$work/stderr")"
expect 0 verify --source $pocket "$work/a.qm" "$work/c.qm"
prints "4 files as recorded, 38 of 38 tensors exact"

# The same bytes for any number of threads and any processor.
for option in -j1 -j2 -j7 --cpu=scalar; do
    expect 0 convert $option --force $pocket "$work/b.qm"
    same "$work/a.qm" "$work/b.qm"
done

# Shards: the last tensor in a file of its own, the others in another, behind an index.
. tests/cli/safetensors.bash
mkdir "$work/shards"
cp $pocket/*.json "$work/shards"
header=$(safetensors_header $pocket/model.safetensors)
last='"model.norm.weight":{"dtype":"F16","shape":[256],"data_offsets":[7344128,7344640]}'
safetensors_data $pocket/model.safetensors > "$work/data"
head -c 7344128 "$work/data" > "$work/data1"
tail -c 512 "$work/data" > "$work/data2"
safetensors_write "$work/shards/model-00001-of-00002.safetensors" "${header/",$last"/}" "$work/data1"
safetensors_write "$work/shards/model-00002-of-00002.safetensors" "{${last/7344128,7344640/0,512}}" "$work/data2"
{
    printf '{"weight_map":{'
    grep -o '"model\.[^"]*"' <<< "${header/",$last"/}" | sed 's/$/:"model-00001-of-00002.safetensors",/'
    printf '"model.norm.weight":"model-00002-of-00002.safetensors"}}'
} > "$work/shards/model.safetensors.index.json"
for input in "$work/shards" "$work/shards/model.safetensors.index.json"; do
    expect 0 convert --force "$input" "$work/b.qm"
    expect 0 verify --source "$work/shards" "$work/b.qm"
    prints "5 files as recorded, 38 of 38 tensors exact"
done

# Other types; what is exact is said to be so.
expect 0 convert --dtype f32 $pocket "$work/f32.qm"
says "14.7 MB, 32.00 bits per weight"
expect 0 verify --source $pocket "$work/f32.qm"
prints "38 of 38 tensors exact, relative error 0"
expect 0 convert --dtype f16 "$work/f32.qm" "$work/f16.qm"
expect 0 verify --source $pocket "$work/f16.qm"
prints "38 of 38 tensors exact"
expect 0 convert --dtype bf16 $pocket "$work/bf16.qm"
expect 0 verify --source $pocket "$work/bf16.qm"
prints "ok, 38 tensors, 3.67 M weights, bf16, 16.00 bits per weight"

# The tokenizer.model counts where there is no tokenizer.json, and only there.
mkdir "$work/pieces"
cp $pocket/model.safetensors $pocket/*.json "$work/pieces"
cp tests/golden/tokenizer_model/llama.model "$work/pieces/tokenizer.model"
expect 0 convert --force "$work/pieces" "$work/b.qm"
same "$work/a.qm" "$work/b.qm"
rm "$work/pieces/tokenizer.json"
expect 0 convert --force "$work/pieces" "$work/b.qm"
expect 0 verify --source "$work/pieces" "$work/b.qm"
prints ", 21 reference strings"
prints "4 files as recorded, 38 of 38 tensors exact"
expect 0 run -q "$work/b.qm" -p "Once upon a time" -n 5

# Back to a checkpoint: a folder, or a file with the others beside it. What was read is written byte for byte, and makes
# the same .qm file again.
expect 0 convert "$work/a.qm" "$work/back"
says "$work/back: 3.67 M weights, 7.3 MB, 16.00 bits per weight"
[ "$(ls -A "$work/back")" = "$(printf '%s\n' config.json model.safetensors tokenizer.json tokenizer_config.json)" ] ||
    die "the folder holds $(ls -A "$work/back")"
for file in config.json tokenizer.json tokenizer_config.json; do
    same $pocket/$file "$work/back/$file"
done
mkdir "$work/beside"
for option in -j1 -j7 --cpu=scalar; do
    expect 0 convert -q $option --force "$work/a.qm" "$work/beside/pocket.safetensors"
    same "$work/back/model.safetensors" "$work/beside/pocket.safetensors"
    same "$work/back/tokenizer.json" "$work/beside/tokenizer.json"
done
expect 0 convert "$work/back" "$work/again.qm"
expect 0 convert "$work/again.qm" "$work/back2"
expect 0 convert "$work/back2" "$work/again2.qm"
same "$work/back/model.safetensors" "$work/back2/model.safetensors"
same "$work/again.qm" "$work/again2.qm"

# Quantized weights become what they stand for; a checkpoint becomes one of another type.
expect 0 quantize --type q4 "$work/a.qm" "$work/q4.qm"
expect 0 convert "$work/q4.qm" "$work/q4"
says "32.00 bits per weight"
expect 0 convert "$work/q4" "$work/q4f.qm"
expect 0 evaluate "$work/q4f.qm" --kl "$work/q4.qm" --windows 2
expect 0 convert --dtype bf16 $pocket "$work/bf16"
says "16.00 bits per weight"

# An existing folder or file is not touched.
refuses "$work/back: already exists; --force replaces files in it" convert "$work/a.qm" "$work/back"
rm "$work/beside/pocket.safetensors"
refuses "$work/beside/config.json: already exists; --force replaces it" convert "$work/a.qm" "$work/beside/pocket.safetensors"
absent "$work/beside/pocket.safetensors"
expect 0 convert --force "$work/a.qm" "$work/back"
refuses "$work/nowhere/back: can't be created: No such file or directory" convert "$work/a.qm" "$work/nowhere/back"
refuses "$work/a.qm/: can't be created: File exists" convert "$work/b.qm" "$work/a.qm/"

# GGUF: each type as ggml's that holds the same, the same bytes for any number of threads; and back.
for type in f16 q8 q4; do
    expect 0 quantize -q --type $type --force "$work/a.qm" "$work/t.qm"
    expect 0 convert -j1 "$work/t.qm" "$work/$type.gguf"
    says "$work/$type.gguf: 3.67 M weights"
    expect 0 convert -q -j7 --cpu=scalar --force "$work/t.qm" "$work/t.gguf"
    same "$work/$type.gguf" "$work/t.gguf"
    expect 0 convert -q --force "$work/$type.gguf" "$work/t2.qm"
    expect 0 run "$work/t.qm" -q -p "Once upon a time" -n 20 --temp 0
    mv "$work/stdout" "$work/said"
    expect 0 run "$work/t2.qm" -q -p "Once upon a time" -n 20 --temp 0
    same "$work/said" "$work/stdout"
done
expect 0 verify --list "$work/q4.gguf"
prints "Q4_0"
expect 0 convert --as Q4_0 $pocket "$work/as.gguf"
says "4.52 bits per weight"
refuses "$work/as.gguf: already exists; --force replaces it" convert $pocket "$work/as.gguf"
refuses "--as q8: expected F32, F16, BF16, Q8_0 or Q4_0" convert --as q8 $pocket "$work/no.gguf"
refuses "--as Q8_0: is for .gguf; --dtype is for other outputs, and quantize makes smaller ones" convert --as Q8_0 $pocket "$work/no.qm"
refuses "--dtype f16: for .gguf, say --as F16 and the like" convert --dtype f16 $pocket "$work/no.gguf"
absent "$work/no.gguf"

# What it cannot do.
refuses "--dtype q4: expected keep, f32, f16 or bf16" convert --dtype q4 $pocket "$work/no.qm"
refuses "$work/no.bin: .qm, .gguf, .safetensors and folders can be written, not .bin" convert $pocket "$work/no.bin"
refuses "1 of at least 2 arguments given" convert $pocket
refuses "one argument too many: 'c'" convert a b c
absent "$work/no.qm"

expect 0 convert -v --force $pocket "$work/b.qm"
says "llama: 4 layers, width 256, feed-forward 768, 8 heads of 32 over 4 key-value heads, 2048 tokens, context 1024, tied head"
