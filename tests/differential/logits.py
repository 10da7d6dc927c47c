#!/usr/bin/env python3
"""Compares the forward pass with transformers in fp32. Needs torch, transformers, tokenizers, numpy, safetensors.

  logits.py compare FOLDER MODEL.qm --bin BIN [--text FILE] [--ctx N] [--windows N]
      logits of every position, perplexity and divergence of MODEL.qm (made from the Hugging Face FOLDER), same windows
  logits.py greedy FOLDER MODEL.qm --bin BIN
      continuations of 64 tokens of 20 prompts
  logits.py random --bin BIN [--seeds N]
      tiny random models with every trait that the forward pass knows, converted and compared
  logits.py golden FOLDER
      writes the models of tests/golden/tiny-llama* and the logits expected of them

BIN is the folder of the programs. Exits 1 if logits differ by more than 1e-3 of their range, perplexity by more
than 0.05%, or a continuation at all.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = ROOT / "assets/pocket/evaluation.txt"
PROMPTS = [
    "In the beginning", "And it came to pass", "The king said unto", "O what a noble", "To be, or not",
    "Behold, I will", "She went down to the", "There was a man", "The sea was", "Now therefore",
    "Friends, Romans,", "The night is", "And the LORD spake", "My lord, the", "What is truth",
    "If thou wilt", "He that hath", "A ship came", "Blessed are the", "Once upon a time",
]


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.tensor(np.asarray(ids, np.int64))[None]).logits[0].float().numpy()


def windows_of(folder, text, context, n):
    """The text cut as docs/quality.md says."""
    encoding = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text)
    prefix = [i for i, special in zip(encoding.ids, encoding.special_tokens_mask) if special][:1]
    prefix = prefix if encoding.special_tokens_mask[0] else []
    windows = [encoding.ids[i:i + context] for i in range(0, len(encoding.ids) - context + 1, context)][:n]
    return [prefix + window[len(prefix):] for window in windows]


def predictions_of(logits):
    """Log-probabilities at the positions that are scored, the second half."""
    scored = torch.as_tensor(logits[len(logits) // 2:-1]).double()
    return torch.log_softmax(scored, dim=-1).numpy()


def surprise_of(predictions, window):
    return -predictions[np.arange(len(predictions)), window[-len(predictions):]]


def divergence(expected, found):
    """Kullback-Leibler divergence of each position, in nats."""
    return (np.exp(expected) * (expected - found)).sum(axis=1)


def evaluate(binaries, *arguments):
    result = subprocess.run([binaries / "evaluate", *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stderr)
    return result.stdout


def compare(folder, qm, binaries, text, context, n, label):
    model = load(folder)
    windows = windows_of(folder, pathlib.Path(text).read_text(), context, n)
    with tempfile.TemporaryDirectory() as scratch:
        dump = pathlib.Path(scratch) / "logits"
        common = ["--text", text, "--ctx", context, "--windows", len(windows), "-q"]
        evaluate(binaries, qm, "--dump-logits", dump, *common)
        found = np.memmap(dump, np.float32, "c").reshape(len(windows), context, -1)
        row = json.loads(evaluate(binaries, qm, "--ppl", "--json", *common))["models"][0]
    worst = spread = 0
    surprises, divergences = [], []
    for window, mine in zip(windows, found):
        expected = logits_of(model, window)
        worst = max(worst, np.abs(mine - expected).max())
        spread = max(spread, expected.max() - expected.min())
        predictions = predictions_of(expected)
        surprises.append(surprise_of(predictions, window))
        divergences.append(divergence(predictions, predictions_of(mine)))
    perplexity = np.exp(np.mean(surprises))
    off = row["ppl"] / perplexity - 1
    good = worst < 1e-3 * spread and abs(off) < 5e-4
    print(f"{label}: {len(windows)} windows of {context}; logits off by {worst:.2e} at most, "
          f"{worst / spread:.2e} of their range {spread:.1f}; KL {np.mean(divergences):.1e} nats; perplexity "
          f"{row['ppl']:.5f}, transformers {perplexity:.5f}, off by {100 * off:+.5f}%: {'good' if good else 'BAD'}",
          flush=True)
    return good


def greedy(folder, qm, binaries):
    model = load(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    same = 0
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids
        with torch.no_grad():
            out = model.generate(torch.tensor([ids]), max_new_tokens=64, do_sample=False, pad_token_id=0)[0]
        expected = tokenizer.decode(out[len(ids):].tolist())
        command = [binaries / "run", str(qm), "-p", prompt, "-n", "64", "--temp", "0", "-q"]
        got = subprocess.run(command, capture_output=True, text=True).stdout
        same += expected.strip() == got.strip()
        if expected.strip() != got.strip():
            print(f"{prompt!r}\n  expected {expected!r}\n  got      {got!r}")
    print(f"greedy: {same} of {len(PROMPTS)} continuations equal", flush=True)
    return same == len(PROMPTS)


# ---- Models made for the purpose ----

ROPE = {
    "default": lambda: {"rope_type": "default"},
    "linear": lambda: {"rope_type": "linear", "factor": 2.5},
    "llama3": lambda: {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                       "original_max_position_embeddings": 32},
}


def make(folder, seed, dtype=torch.float32, spread=0.3, rope="default", theta=10000.0, **traits):
    torch.manual_seed(seed)
    config = LlamaConfig(rope_parameters={**ROPE[rope](), "rope_theta": theta}, **traits)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, spread if parameter.dim() == 2 else 0.2)
    model.to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def write_tokenizer(folder, vocab, bos=None):
    """Byte-level BPE without merges. With bos, an id, that token is put before a text."""
    added = [] if bos is None else [{"id": bos, "content": "<s>", "single_word": False, "lstrip": False,
                                     "rstrip": False, "normalized": False, "special": True}]
    before = None if bos is None else {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [bos], "tokens": ["<s>"]}}}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": before,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate(vocab)}, "merges": []},
    }, ensure_ascii=False))


def byte_alphabet():
    from tokenizers.pre_tokenizers import ByteLevel
    return sorted(ByteLevel.alphabet())


VARIANTS = {
    "plain": dict(hidden_size=64, intermediate_size=172, num_hidden_layers=2, num_attention_heads=4,
                  num_key_value_heads=2, head_dim=16, tie_word_embeddings=True),
    "untied": dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
                   num_key_value_heads=4, head_dim=16, tie_word_embeddings=False),
    "one key-value head": dict(hidden_size=72, intermediate_size=172, num_hidden_layers=2,
                               num_attention_heads=6, num_key_value_heads=1, head_dim=12),
    "wide heads": dict(hidden_size=48, intermediate_size=100, num_hidden_layers=2, num_attention_heads=3,
                       num_key_value_heads=3, head_dim=40),
    "biases": dict(hidden_size=64, intermediate_size=172, num_hidden_layers=2, num_attention_heads=4,
                   num_key_value_heads=2, head_dim=16, attention_bias=True, mlp_bias=True),
    "linear rope": dict(hidden_size=64, intermediate_size=172, num_hidden_layers=2, num_attention_heads=4,
                        num_key_value_heads=2, head_dim=16, rope="linear"),
    "llama3 rope": dict(hidden_size=64, intermediate_size=172, num_hidden_layers=2, num_attention_heads=4,
                        num_key_value_heads=2, head_dim=16, rope="llama3", theta=500000.0),
    "odd": dict(hidden_size=56, intermediate_size=37, num_hidden_layers=5, num_attention_heads=14,
                num_key_value_heads=7, head_dim=6, attention_bias=True, rope="llama3", tie_word_embeddings=False),
}


def random_models(binaries, seeds):
    good = True
    for name, traits in VARIANTS.items():
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as scratch:
                folder, qm, text = (pathlib.Path(scratch) / name for name in ("hf", "model.qm", "text"))
                make(folder, seed, spread=0.15, vocab_size=257 + 3 * seed, max_position_embeddings=256, **traits)
                write_tokenizer(folder, byte_alphabet(), bos=256 if seed % 2 else None)
                text.write_text(TEXT.read_text()[:2000])
                subprocess.run([binaries / "convert", folder, qm, "-q"], check=True)
                good &= compare(folder, qm, binaries, text, 128, 8, f"{name}, seed {seed}")
    return good


GOLDEN = {
    "tiny-llama": dict(seed=1, head_dim=6, tie_word_embeddings=True, num_key_value_heads=2),
    "tiny-llama-rope3": dict(seed=2, head_dim=8, tie_word_embeddings=False, num_key_value_heads=4, rope="llama3",
                             theta=500000.0),
    "tiny-llama-biases": dict(seed=3, head_dim=4, tie_word_embeddings=True, num_key_value_heads=1,
                              attention_bias=True, mlp_bias=True, rope="linear"),
}
GOLDEN_TOKENS = [(7 * i * i + 3 * i + 1) % 32 for i in range(48)]


def golden(parent):
    for name, traits in GOLDEN.items():
        folder = parent / name
        make(folder, dtype=torch.float16, spread=0.25, hidden_size=12, intermediate_size=21,
                     num_hidden_layers=2, num_attention_heads=4, vocab_size=32, max_position_embeddings=64,
                     bos_token_id=None, eos_token_id=None, **traits)
        write_tokenizer(folder, [*"abcdefghijklmnopqrstuvwxyz", "Ġ", "Ċ", ",", ".", "'", "-"])
        logits_of(load(folder), GOLDEN_TOKENS).astype("<f4").tofile(folder / "logits.f32")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["compare", "greedy", "random", "golden"])
    parser.add_argument("paths", nargs="*", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "bin")
    parser.add_argument("--text", type=pathlib.Path, default=TEXT)
    parser.add_argument("--ctx", type=int, default=512)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=2)
    a = parser.parse_args()
    logging.disable_progress_bar()
    if a.action == "golden":
        golden(a.paths[0])
        return 0
    if a.action == "random":
        return 0 if random_models(a.bin, a.seeds) else 1
    folder, qm = a.paths
    if a.action == "greedy":
        return 0 if greedy(folder, qm, a.bin) else 1
    return 0 if compare(folder, qm, a.bin, a.text, a.ctx, a.windows, folder.name) else 1


if __name__ == "__main__":
    sys.exit(main())
