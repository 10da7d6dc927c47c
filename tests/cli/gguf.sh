# GGUF files as inputs: converted, quantized, listed, verified, run; what is wrong with them is said.
. tests/cli/common.sh
golden=tests/golden/gguf
out=$work/out.qm

expect 0 convert $golden/llama.gguf "$out"
expect 0 verify "$out"
prints "$out: ok, 51 tensors"
expect 0 verify --source $golden/llama.gguf "$out"
prints "against $golden/llama.gguf: 1 files as recorded, 51 of 51 tensors exact"
expect 0 verify $golden/llama.gguf
prints "$golden/llama.gguf: ok, 52 tensors"
expect 0 run "$out" -q -p "a cab" -n 4 --temp 0
expect 0 quantize --force --type q8 $golden/mixtral.gguf "$out"
expect 0 verify "$out"

# What is inside.
expect 0 verify --list $golden/llama.gguf
prints "$golden/llama.gguf: gguf, 52 tensors"
prints '  general.architecture                 "llama"'
prints '  tokenizer.ggml.tokens                32 values: ["a","b","c"'
expect 0 verify --list --json $golden/llama.gguf
prints '"llama.block_count": 3,'
prints '"tokenizer.ggml.add_bos_token": false,'
prints '"name": "blk.0.attn_k.weight",'

# What is wrong.
head -c 20000 $golden/llama.gguf > "$work/cut.gguf"
refuses "$work/cut.gguf: tensor '" convert "$work/cut.gguf" "$work/cut.qm"
says "it was cut short"
absent "$work/cut.qm"
sed 's/general.architecture/general.architectura/' $golden/llama.gguf > "$work/other.gguf"
refuses "$work/other.gguf: the architecture '' is not known here; known are llama, " convert "$work/other.gguf" "$work/other.qm"
sed 's/llama.block_count/llama.block_kount/' $golden/llama.gguf > "$work/other.gguf"
refuses "$work/other.gguf: llama.block_kount is a key that this version does not know" convert "$work/other.gguf" "$work/other.qm"
absent "$work/other.qm"
