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

# What it cannot do.
refuses "--dtype q4: expected keep, f32, f16 or bf16" convert --dtype q4 $pocket "$work/no.qm"
refuses "$work/no.gguf: only files whose name ends in .qm can be written so far" convert $pocket "$work/no.gguf"
refuses "1 of at least 2 arguments given" convert $pocket
refuses "one argument too many: 'c'" convert a b c
absent "$work/no.qm"

expect 0 convert -v --force $pocket "$work/b.qm"
says "llama: 4 layers, width 256, feed-forward 768, 8 heads of 32 over 4 key-value heads, 2048 tokens, context 1024, tied head"
