#!/usr/bin/env python3
"""Proves what convert writes: checkpoints that transformers loads again.
Needs torch, transformers, tokenizers, numpy, safetensors.

  export.py checkpoints --bin BIN [--seeds N] [NAME ...]
      tiny random models of every family in f16, bf16 and f32, in shards: as .qm and back, each tensor, each file beside
      them, and the logits of transformers are the same; then from q8, the logits that transformers gives are ours

Norms that a checkpoint stores less 1 (Gemma) are kept with 1 added, in f32: those of an f32 checkpoint come back rounded
there, within 6e-8. Exits 1 if anything else differs.
"""
import argparse
import pathlib
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file
from transformers.utils import logging

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
    """transformers runs what q8 stands for; our own figures differ by the rounding of inputs to 16 bits."""
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
    return [f"logits of q8 are off by {off:.1e} of their range"] if off > 2e-3 else []


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["checkpoints"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "bin")
    parser.add_argument("--seeds", type=int, default=1)
    a = parser.parse_args()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    return 0 if compare_checkpoints(a.names, a.bin, a.seeds) else 1


if __name__ == "__main__":
    sys.exit(main())
