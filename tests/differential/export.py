#!/usr/bin/env python3
"""Proves what convert writes: checkpoints that transformers loads again, and GGUF files that llama.cpp runs.
Needs torch, transformers, tokenizers, numpy, safetensors.

  export.py checkpoints [NAME ...] --bin BIN [--seeds N]
      tiny random models of every family in f16, bf16 and f32, in shards: as .qm and back, each tensor, each file beside
      them, and the logits of transformers are the same; then from q8, the logits that transformers gives are ours
  export.py families [NAME ...] --bin BIN --llama BIN [--seeds N]
      tiny random models with what llama.cpp can run of each family: its perplexity of what was written is ours
  export.py models FOLDER ... --text FILE --bin BIN --llama BIN [--like FILE.gguf ...] [--windows N]
      checkpoints in f16, q8 and q4: perplexities of llama.cpp and ours, and token ids of the text; with --like, one file
      a folder in F16 as llama.cpp's own convert_hf_to_gguf.py makes it, its perplexity too. Weights of q8 and q4 are
      compared as F32, since llama.cpp rounds what they meet to 8 bits

BIN is a folder of programs, ours or llama.cpp's. Norms that a checkpoint stores less 1 (Gemma) are kept with 1 added, in
f32: those of an f32 checkpoint come back rounded there, within 6e-8. Exits 1 if anything else differs, perplexities by
more than 0.1 %.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file
from transformers.utils import logging

import families
from families import FAMILIES, make, run, text_of
from logits import GOLDEN_TOKENS, ROOT, logits_of

DTYPES = [torch.float16, torch.bfloat16, torch.float32]
BESIDE = ["config.json", "tokenizer.json", "tokenizer_config.json"]


def tensors_of(folder):
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def differences(source, back, add_one):
    """What of two sets of tensors is not the same."""
    found = [f"{name} is missing" for name in source.keys() - back.keys()]
    found += [f"{name} is new" for name in back.keys() - source.keys()]
    for name in source.keys() & back.keys():
        a, b = source[name], back[name]
        close = add_one and "norm" in name and a.dtype == torch.float32 and (a - b).abs().max() <= 6e-8
        if a.dtype != b.dtype or a.shape != b.shape or not (torch.equal(a, b) or close):
            found.append(f"{name} differs")
    return found


def compare_back(name, seed, dtype, binaries, scratch):
    folder, qm, back = scratch / "source", scratch / "model.qm", scratch / "back"
    model = make(name, folder, seed, dtype, max_shard_size="40KB")
    run(binaries / "convert", "-q", folder, qm)
    run(binaries / "convert", "-q", qm, back)
    found = differences(tensors_of(folder), tensors_of(back), name.startswith("gemma"))
    found += [f"{file} differs" for file in BESIDE if (folder / file).exists() and
              (folder / file).read_bytes() != (back / file).read_bytes()]
    again = type(model).from_pretrained(back, dtype=torch.float32).eval()
    off = np.abs(logits_of(model, GOLDEN_TOKENS) - logits_of(again, GOLDEN_TOKENS)).max()
    return found + ([f"logits differ by {off}"] if off > (1e-5 if dtype == torch.float32 else 0) else [])


def compare_quantized(name, seed, binaries, scratch):
    """transformers runs what q8 stands for; our own figures differ by the rounding of inputs and of what the KV cache keeps."""
    folder, qm, back = scratch / "source", scratch / "q8.qm", scratch / "q8"
    dump, text = scratch / "logits", scratch / "text"
    kind = FAMILIES[name][0]
    run(binaries / "quantize", "-q", "--type", "q8", folder, qm)
    run(binaries / "convert", "-q", qm, back)
    text.write_text(text_of(GOLDEN_TOKENS))
    run(binaries / "evaluate", "-q", qm, "--dump-logits", dump, "--text", text, "--ctx", len(GOLDEN_TOKENS))
    expected = logits_of(kind.from_pretrained(back, dtype=torch.float32).eval(), GOLDEN_TOKENS)
    found = np.fromfile(dump, np.float32).reshape(expected.shape)
    off = np.abs(found - expected).max() / (expected.max() - expected.min())
    return [f"logits of q8 are off by {off:.1e} of their range"] if off > 1e-2 else []


def compare_checkpoints(names, binaries, seeds):
    good = True
    for name in names or FAMILIES:
        for seed in range(seeds):
            for dtype in DTYPES:
                with tempfile.TemporaryDirectory() as folder:
                    found = compare_back(name, seed, dtype, binaries, pathlib.Path(folder))
                    found += compare_quantized(name, seed, binaries, pathlib.Path(folder))
                good &= not found
                print(f"{name}, seed {seed}, {str(dtype)[6:]}: {', '.join(found) or 'good'}", flush=True)
    return good


# ---- GGUF ----

# What the families' configurations have that llama.cpp has no key for: windows, biases, other scales, dense layers.
RUNNABLE = {
    "mistral": dict(sliding_window=None), "phi3": dict(sliding_window=None), "starcoder2": dict(sliding_window=None),
    "qwen2": dict(use_sliding_window=False), "qwen3": dict(attention_bias=False),
    "gemma2": dict(query_pre_attn_scalar=16), "gemma3": dict(query_pre_attn_scalar=16),
    "qwen2moe": dict(decoder_sparse_step=1, use_sliding_window=False), "qwen3moe": dict(mlp_only_layers=[]),
    "olmoe": dict(num_key_value_heads=8),
}
# Yarn with an attention factor of its own has none either.
REFUSED = {"llama-yarn", "olmo3-yarn"}


def runnable(name):
    """The family's entry with a configuration that llama.cpp can run."""
    kind, config, older = FAMILIES[name]
    values = config().to_dict()
    values.pop("layer_types", None)
    return kind, lambda: type(config())(**{**values, **RUNNABLE[name]}), older


def llama_perplexity(llama, model, text, context, windows):
    """Its last line is lost now and then."""
    command = [llama / "llama-perplexity", "-m", model, "-f", text, "-c", context, "-ctk", "f32", "-ctv", "f32", "-fa",
               "off", "-t", 2, "--chunks", windows]
    for _ in range(5):
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        found = re.search(r"Final estimate: PPL = ([0-9.]+)", result.stdout + result.stderr)
        if found:
            return float(found[1])
    sys.exit(f"llama-perplexity {model}: {result.stderr[-2000:]}")


def our_perplexity(binaries, model, text, context, windows):
    said = run(binaries / "evaluate", "-q", model, "--ppl", "--json", "--text", text, "--ctx", context, "--windows",
               windows)
    return json.loads(said)["models"][0]["ppl"]


def compare_perplexities(label, figures):
    expected = figures["ours"]
    off = max(abs(figure / expected - 1) for figure in figures.values())
    good = off < 1e-3
    print(f"{label}: {', '.join(f'{name} {figure:.4f}' for name, figure in figures.items())}, off by {100 * off:.3f} %: "
          f"{'good' if good else 'BAD'}", flush=True)
    return good


def compare_families(names, binaries, llama, seeds):
    good = True
    families.FAMILIES = {name: runnable(name) if name in RUNNABLE else entry for name, entry in FAMILIES.items()}
    for name in names or [name for name in FAMILIES if name not in REFUSED]:
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as scratch:
                folder = pathlib.Path(scratch)
                text, qm, out = folder / "text", folder / "model.qm", folder / "model.gguf"
                random.seed(seed)
                text.write_text(text_of([random.randrange(32) for _ in range(64 * 8)]))
                make(name, folder, seed, torch.float32)
                run(binaries / "convert", "-q", folder, qm)
                run(binaries / "convert", "-q", qm, out)
                good &= compare_perplexities(f"{name}, seed {seed}", {
                    "ours": our_perplexity(binaries, qm, text, 64, 8),
                    "llama.cpp": llama_perplexity(llama, out, text, 64, 8)})
    return good


def ids_of(llama, binaries, model, out, text):
    ours = subprocess.run([binaries / "run", model, "--tokenize"], stdin=open(text), capture_output=True, text=True)
    theirs = subprocess.run([llama / "llama-tokenize", "-m", out, "-f", text, "--ids", "--no-bos", "--log-disable"],
                            capture_output=True, text=True)
    return [int(word) for word in ours.stdout.split()], json.loads(theirs.stdout[theirs.stdout.index("["):])


def compare_model(folder, like, scratch, a):
    good = True
    for kind in ["f16", "q8", "q4"]:
        qm, out = scratch / "model.qm", scratch / "model.gguf"
        run(a.bin / "quantize", "-q", "--force", "--type", kind, folder, qm)
        run(a.bin / "convert", "-q", "--force", *([] if kind == "f16" else ["--as", "F32"]), qm, out)
        figures = {"ours": our_perplexity(a.bin, qm, a.text, 512, a.windows),
                   "llama.cpp": llama_perplexity(a.llama, out, a.text, 512, a.windows)}
        run(a.bin / "convert", "-q", "--force", qm, out)
        if kind != "f16":
            native = llama_perplexity(a.llama, out, a.text, 512, a.windows)
            print(f"{folder.name}, {kind}: {native:.4f} with inputs rounded as llama.cpp does", flush=True)
        if like and kind == "f16":
            figures["its own conversion"] = llama_perplexity(a.llama, like, a.text, 512, a.windows)
        good &= compare_perplexities(f"{folder.name}, {kind}", figures)
    ours, theirs = ids_of(a.llama, a.bin, qm, out, a.text)
    print(f"{folder.name}: {len(ours)} token ids, {'equal' if ours == theirs else 'BAD'}", flush=True)
    return good and ours == theirs


def compare_models(a):
    good = True
    for i, folder in enumerate(a.names):
        with tempfile.TemporaryDirectory() as scratch:
            good &= compare_model(pathlib.Path(folder), a.like[i] if a.like else None, pathlib.Path(scratch), a)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["checkpoints", "families", "models"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "bin")
    parser.add_argument("--llama", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--like", nargs="*")
    a = parser.parse_args()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if a.action == "checkpoints":
        return 0 if compare_checkpoints(a.names, a.bin, a.seeds) else 1
    if a.action == "families":
        return 0 if compare_families(a.names, a.bin, a.llama, a.seeds) else 1
    return 0 if compare_models(a) else 1


if __name__ == "__main__":
    sys.exit(main())
