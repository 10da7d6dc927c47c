#!/usr/bin/env python3
"""Compares what is read from GGUF files with llama.cpp. Needs the Python packages gguf and numpy; `families` what
families.py needs, too.

  PYTHONPATH=LLAMA:LLAMA/gguf-py gguf_files.py golden FOLDER
      writes tests/golden/gguf: blocks of every type that is read, random and extreme, with what gguf.quants makes of
      them, and models of tests/golden/families as llama.cpp converts them
  gguf_files.py vocabularies FOLDER --bin BIN
      FOLDER has llama.cpp's models/ggml-vocab-*.gguf with .inp and .out beside them: texts and their ids. Each
      vocabulary is put into a model of one small layer, which is converted and given the texts
  PYTHONPATH=LLAMA:LLAMA/gguf-py gguf_files.py families [NAME ...] --bin BIN
      LLAMA is llama.cpp's source, whose conversion package makes GGUF files of the models of families.py; the logits
      of what is imported are compared with transformers'
  gguf_files.py perplexity FILE.gguf... --text FILE --bin BIN --llama BIN [--windows N]
      imports each file and measures both programs' perplexity over the same windows

BIN is the folder of the programs. Prints each difference; exits 1 if there is one.
"""

import argparse
import json
import logging
import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

TYPES = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.IQ4_XS]
# Where a block's fp16 numbers are.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}


# ---- Blocks ----

def random_blocks(rng, kind, n):
    """Any bytes but for scales that are no numbers; the first blocks have the least and the largest scale."""
    blocks = rng.integers(0, 256, (n, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for at in HALVES[kind]:
        halves = rng.standard_normal(n).astype(np.float16)
        halves[:4] = [65504, -2.0 ** -24, -0.0, -65504][:n]
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(n, 2)
    return blocks


def write_golden(folder):
    rng = np.random.default_rng(20)
    for kind in TYPES:
        blocks = random_blocks(rng, kind, 6)
        values = gguf.quants.dequantize(blocks, kind).astype(np.float32)
        (folder / f"{kind.name}.blocks").write_bytes(blocks.tobytes())
        (folder / f"{kind.name}.f32").write_bytes(values.tobytes())


# ---- Models ----

WORDS = [*"abcdefghijklmnopqrstuvwxyz", "Ġ", "Ċ", ",", ".", "'", "qz"]


def set_vocabulary(self):
    """As in families.py, but for a token that two make: files without merges are not read."""
    writer = self.gguf_writer
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(WORDS)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(WORDS))
    writer.add_token_merges(["q z"])
    writer.add_add_bos_token(False)


def write_gguf(folder, out, kind, fused):
    """Keys that older releases of transformers wrote are added, since conversion reads them."""
    from conversion import get_model_class
    config = json.loads((folder / "config.json").read_text())
    model = get_model_class(config["architectures"][0], mmproj=False)
    model.set_vocab = set_vocabulary
    share = config.get("rope_parameters", {}).get("partial_rotary_factor")
    older = {"n_ctx": config.get("n_positions"), "rotary_pct": share}
    model(folder, kind, out, fuse_qkv=fused, model_name="tiny", hparams=older | config).write()


# Each has something that the others lack.
GOLDEN = ["llama", "gemma3", "phi3-long", "smollm3", "olmo3", "granite", "stablelm-parallel", "starcoder2", "gpt2",
          "gpt-neox", "falcon-40b", "mixtral", "olmoe"]


def write_golden_models(folder):
    families = pathlib.Path(__file__).resolve().parents[1] / "golden/families"
    for name in GOLDEN:
        write_gguf(families / name, folder / f"{name}.gguf", gguf.LlamaFileType.MOSTLY_F16, name == "granite")


# ---- Vocabularies ----

def copy_items(reader, writer):
    for key, field in reader.fields.items():
        if not key.startswith("tokenizer."):
            continue
        kind, *inner = field.types
        writer.add_key_value(key, field.contents(), kind, inner[-1] if inner else None)


def write_model(vocabulary, path):
    """A llama of one layer with this vocabulary."""
    reader = gguf.GGUFReader(vocabulary)
    n_tokens = len(reader.fields["tokenizer.ggml.tokens"].data)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    copy_items(reader, writer)
    writer.add_tensor("token_embd.weight", np.zeros((n_tokens, 32), np.float16))
    writer.add_tensor("output_norm.weight", np.ones(32, np.float32))
    for name in ["attn_norm", "ffn_norm"]:
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(32, np.float32))
    for name in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]:
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((32, 32), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_texts(vocabulary):
    texts = pathlib.Path(f"{vocabulary}.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    ids = [[int(i) for i in line.split()] for line in pathlib.Path(f"{vocabulary}.out").read_text().splitlines()]
    return list(zip(texts, ids))


def tokenize(binaries, model, text):
    done = subprocess.run([binaries / "run", model, "--tokenize"], input=text.encode(), capture_output=True, check=True)
    return [int(i) for i in done.stdout.split()]


def compare_vocabulary(vocabulary, binaries, folder):
    if not pathlib.Path(f"{vocabulary}.inp").exists():
        return 0
    source, model = folder / "model.gguf", folder / "model.qm"
    write_model(vocabulary, source)
    done = subprocess.run([binaries / "convert", "--force", "-q", source, model], capture_output=True, text=True)
    if done.returncode:
        print(f"{vocabulary.name}: refused: {done.stderr.strip().splitlines()[-1]}")
        return 1
    texts = read_texts(vocabulary)
    wrong = 0
    for text, expected in texts:
        ids = tokenize(binaries, model, text)
        if ids != expected:
            wrong += 1
            print(f"{vocabulary.name}: {text!r}: {ids}, expected {expected}")
    print(f"{vocabulary.name}: {len(texts)} texts, {wrong} wrong")
    return wrong


def compare_vocabularies(folder, binaries):
    with tempfile.TemporaryDirectory() as scratch:
        return sum(compare_vocabulary(path, binaries, pathlib.Path(scratch))
                   for path in sorted(folder.glob("ggml-vocab-*.gguf")))


# ---- Families ----

# What no GGUF file says: windows of Mistral, Qwen and StarCoder, scales of Gemma's scores but for 27B, layers without
# experts, some of yarn. Falcon 7B is told by its heads in older releases alone.
LOST = {"mistral": {"sliding_window": None}, "starcoder2": {"sliding_window": None},
        "qwen2": {"use_sliding_window": False, "sliding_window": None, "layer_types": ["full_attention"] * 3},
        "falcon-7b": {"num_kv_heads": None},
        "llama-yarn": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "beta_fast": 4.0,
                                           "beta_slow": 0.5, "original_max_position_embeddings": 64}},
        "gemma2": {"query_pre_attn_scalar": 16}, "gemma3": {"query_pre_attn_scalar": 16},
        "qwen2moe": {"decoder_sparse_step": 1}, "qwen3moe": {"mlp_only_layers": []}}


def changed(config, changes):
    for key, value in changes.items():
        setattr(config, key, value)
    return config


def compare_family(name, seed, fused, folder, binaries):
    import families
    kind, config, older = families.FAMILIES[name]
    families.FAMILIES[name] = kind, lambda: changed(config(), LOST.get(name, {})), older
    model = families.make(name, folder, seed, families.torch.float32)
    write_gguf(folder, folder / "model.gguf", gguf.LlamaFileType.ALL_F32, fused)
    ids = [i for i in np.random.default_rng(seed).integers(0, 32, 96) if i not in (16, 25)][:64]
    (folder / "text").write_text("".join(WORDS[i] for i in ids).replace("Ġ", " ").replace("Ċ", "\n"))
    families.run(binaries / "convert", "-q", "--force", folder / "model.gguf", folder / "model.qm")
    families.run(binaries / "evaluate", "-q", "--force", folder / "model.qm", "--dump-logits", folder / "logits", "--text",
                 folder / "text", "--ctx", 64)
    expected, found = families.logits_of(model, ids), np.fromfile(folder / "logits", np.float32).reshape(64, -1)
    off = np.abs(found - expected).max() / (expected.max() - expected.min())
    print(f"{name}, seed {seed}{', fused' if fused else ''}: logits off by {off:.1e} of their range: "
          f"{'good' if off < 1e-4 else 'BAD'}", flush=True)
    return off < 1e-4


def compare_families(names, binaries):
    import families
    families.logging.disable_progress_bar()
    logging.disable()
    bad = 0
    for name in names or families.FAMILIES:
        for seed, fused in [(0, False), (1, True)]:
            with tempfile.TemporaryDirectory() as scratch:
                bad += not compare_family(name, seed, fused, pathlib.Path(scratch), binaries)
    return bad


# ---- Perplexity ----

def ours(model, text, windows, binaries):
    done = subprocess.run([binaries / "evaluate", model, "--ppl", "--text", text, "--windows", str(windows), "--json", "-q"],
                          capture_output=True, text=True, check=True)
    return float(re.search(r'"ppl": ([0-9.]+)', done.stdout)[1])


def theirs(source, text, windows, llama):
    done = subprocess.run([llama / "llama-perplexity", "-m", source, "-f", text, "-c", "512", "--chunks", str(windows), "-t", "2"],
                          capture_output=True, text=True, check=True)
    return float(re.search(r"PPL = ([0-9.]+)", done.stdout + done.stderr)[1])


def compare_perplexities(files, text, windows, binaries, llama):
    with tempfile.TemporaryDirectory() as scratch:
        for source in files:
            model = pathlib.Path(scratch) / "model.qm"
            subprocess.run([binaries / "convert", "--force", "-q", source, model], check=True, stderr=subprocess.DEVNULL)
            a, b = ours(model, text, windows, binaries), theirs(source, text, windows, llama)
            print(f"{source.name}: {a:.4f}, llama.cpp {b:.4f}, {100 * (a / b - 1):+.3f} %", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["golden", "vocabularies", "families", "perplexity"])
    parser.add_argument("paths", nargs="*", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("bin"))
    parser.add_argument("--llama", type=pathlib.Path)
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--windows", type=int, default=32)
    a = parser.parse_args()
    if a.what == "golden":
        write_golden(a.paths[0])
        return write_golden_models(a.paths[0])
    if a.what == "vocabularies":
        return compare_vocabularies(a.paths[0], a.bin) > 0
    if a.what == "families":
        return compare_families([path.name for path in a.paths], a.bin) > 0
    return compare_perplexities(a.paths, a.text, a.windows, a.bin, a.llama)


if __name__ == "__main__":
    sys.exit(main())
