#!/usr/bin/env python3
"""Compares every model family with transformers in fp32, on tiny random models with all their traits switched on.
Needs torch, transformers, tokenizers, numpy, safetensors.

  families.py random --bin BIN [--seeds N] [NAME ...]
      converts each as transformers saves it, and in the spelling of older releases; compares logits of 64 positions
      and a greedy continuation
  families.py golden FOLDER
      writes tests/golden/families: a checkpoint of each with the logits expected of it

BIN is the folder of the programs. Exits 1 if logits differ by more than 1e-4 of their range, or a continuation at all.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers as t
from transformers.utils import logging

from logits import GOLDEN_TOKENS, ROOT, logits_of, write_tokenizer

ALPHABET = [*"abcdefghijklmnopqrstuvwxyz", "Ġ", "Ċ", ",", ".", "'", "-"]
SIZES = dict(vocab_size=32, hidden_size=24, intermediate_size=37, num_hidden_layers=3, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=96, bos_token_id=None, eos_token_id=None,
             pad_token_id=None)
MULTIHEAD = {key: value for key, value in SIZES.items() if key != "num_key_value_heads"}
FALCON = dict(vocab_size=32, hidden_size=24, num_hidden_layers=3, num_attention_heads=6, bos_token_id=None,
              eos_token_id=None, max_position_embeddings=96)
WIDE_HEADS = {**SIZES, "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
EXPERTS = dict(hidden_size=32, num_attention_heads=8)


def rope(kind="default", theta=10000.0, **more):
    return {"rope_type": kind, "rope_theta": theta, **more}


def older(config, **changes):
    """As releases before transformers 5 have it: rope at the top, no list of layer types."""
    both = config.pop("rope_parameters", {})
    parameters = both.get("full_attention", both)
    config["rope_theta"] = parameters.get("rope_theta", 10000.0)
    if "sliding_attention" in both:
        config["rope_local_base_freq"] = both["sliding_attention"]["rope_theta"]
    scaling = {key: value for key, value in parameters.items()
               if key not in ("rope_theta", "partial_rotary_factor") and key not in config}
    if parameters.get("rope_type", "default") != "default":
        config["rope_scaling"] = {"type" if key == "rope_type" else key: value for key, value in scaling.items()}
    if "partial_rotary_factor" in parameters:
        config["rotary_pct" if config["model_type"] == "gpt_neox" else "partial_rotary_factor"] = \
            parameters["partial_rotary_factor"]
    config.pop("layer_types", None)
    config.update(changes)
    return config


# name: class, configuration, and what its older spelling changes (None: there is none)
FAMILIES = {
    "llama": (t.LlamaForCausalLM, lambda: t.LlamaConfig(
        **SIZES, attention_bias=True, mlp_bias=True, head_dim=10,
        rope_parameters=rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                             original_max_position_embeddings=32)), None),
    "llama-yarn": (t.LlamaForCausalLM, lambda: t.LlamaConfig(
        **WIDE_HEADS, rope_parameters=rope("yarn", theta=50.0, factor=4.0, beta_fast=4.0, beta_slow=0.5, mscale=1.5,
                                           mscale_all_dim=0.8, truncate=False,
                                           original_max_position_embeddings=64)), {}),
    "mistral": (t.MistralForCausalLM, lambda: t.MistralConfig(**SIZES, sliding_window=7), {}),
    "qwen2": (t.Qwen2ForCausalLM, lambda: t.Qwen2Config(
        **SIZES, use_sliding_window=True, sliding_window=9, max_window_layers=2), {}),
    "qwen2-yarn": (t.Qwen2ForCausalLM, lambda: t.Qwen2Config(
        **WIDE_HEADS, rope_parameters=rope("yarn", theta=1000.0, factor=3.0,
                                           original_max_position_embeddings=32)), {}),
    "qwen3": (t.Qwen3ForCausalLM, lambda: t.Qwen3Config(**SIZES, head_dim=16, attention_bias=True), {}),
    "gemma": (t.GemmaForCausalLM, lambda: t.GemmaConfig(**SIZES, head_dim=16), {"hidden_act": "gelu"}),
    "gemma2": (t.Gemma2ForCausalLM, lambda: t.Gemma2Config(
        **SIZES, head_dim=16, query_pre_attn_scalar=24, sliding_window=8, attn_logit_softcapping=5.0,
        final_logit_softcapping=3.0), {}),
    "gemma3": (t.Gemma3ForCausalLM, lambda: t.Gemma3TextConfig(
        **{**SIZES, "num_hidden_layers": 7}, head_dim=16, query_pre_attn_scalar=24, sliding_window=8),
        {"sliding_window_pattern": 6}),
    "phi3": (t.Phi3ForCausalLM, lambda: t.Phi3Config(**SIZES, sliding_window=11), {}),
    "phi3-long": (t.Phi3ForCausalLM, lambda: t.Phi3Config(
        **{**SIZES, "num_attention_heads": 4}, original_max_position_embeddings=32,
        rope_parameters=rope("longrope", short_factor=[1.0, 1.25], long_factor=[1.5, 4.0],
                             partial_rotary_factor=0.75, original_max_position_embeddings=32)), {}),
    "smollm3": (t.SmolLM3ForCausalLM, lambda: t.SmolLM3Config(**{**SIZES, "num_hidden_layers": 5}), {}),
    "olmo2": (t.Olmo2ForCausalLM, lambda: t.Olmo2Config(**SIZES), {}),
    "olmo3": (t.Olmo3ForCausalLM, lambda: t.Olmo3Config(**{**SIZES, "num_hidden_layers": 4}, sliding_window=8),
              None),
    "olmo3-yarn": (t.Olmo3ForCausalLM, lambda: t.Olmo3Config(
        **{**WIDE_HEADS, "num_hidden_layers": 4}, sliding_window=8, rope_parameters={
            "full_attention": rope("yarn", theta=50.0, factor=4.0, beta_fast=3.0, attention_factor=1.3,
                                   original_max_position_embeddings=64),
            "sliding_attention": rope(theta=50.0)}), {}),
    "granite": (t.GraniteForCausalLM, lambda: t.GraniteConfig(
        **SIZES, embedding_multiplier=12.0, logits_scaling=8.0, residual_multiplier=0.22,
        attention_multiplier=0.3), {}),
    "stablelm": (t.StableLmForCausalLM, lambda: t.StableLmConfig(
        **{**SIZES, "hidden_size": 48}, use_qkv_bias=True, rope_parameters=rope(partial_rotary_factor=0.25)), {}),
    "stablelm-parallel": (t.StableLmForCausalLM, lambda: t.StableLmConfig(
        **{**SIZES, "hidden_size": 48}, use_parallel_residual=True,
        rope_parameters=rope(partial_rotary_factor=0.25)), {}),
    "starcoder2": (t.Starcoder2ForCausalLM, lambda: t.Starcoder2Config(**SIZES, sliding_window=9), {}),
    "gpt2": (t.GPT2LMHeadModel, lambda: t.GPT2Config(
        vocab_size=32, n_embd=24, n_layer=3, n_head=4, n_positions=96, bos_token_id=None, eos_token_id=None), None),
    "gpt-neox": (t.GPTNeoXForCausalLM, lambda: t.GPTNeoXConfig(
        **{**MULTIHEAD, "hidden_size": 48}, rope_parameters=rope(partial_rotary_factor=0.25)), {}),
    "gpt-neox-serial": (t.GPTNeoXForCausalLM, lambda: t.GPTNeoXConfig(
        **{**MULTIHEAD, "hidden_size": 48}, use_parallel_residual=False,
        rope_parameters=rope(partial_rotary_factor=0.5)), {}),
    "falcon-7b": (t.FalconForCausalLM, lambda: t.FalconConfig(
        **FALCON, multi_query=True, parallel_attn=True, bias=False, new_decoder_architecture=False), {}),
    "falcon-40b": (t.FalconForCausalLM, lambda: t.FalconConfig(
        **FALCON, num_kv_heads=2, bias=False, new_decoder_architecture=True, num_ln_in_parallel_attn=2), {}),
    "falcon-11b": (t.FalconForCausalLM, lambda: t.FalconConfig(
        **FALCON, num_kv_heads=2, bias=False, new_decoder_architecture=True, num_ln_in_parallel_attn=1), {}),
    "mixtral": (t.MixtralForCausalLM, lambda: t.MixtralConfig(
        **{**SIZES, **EXPERTS, "intermediate_size": 48}, num_local_experts=4, num_experts_per_tok=2), {}),
    "qwen2moe": (t.Qwen2MoeForCausalLM, lambda: t.Qwen2MoeConfig(
        **{**SIZES, **EXPERTS}, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16,
        shared_expert_intermediate_size=20, decoder_sparse_step=2), {}),
    "qwen3moe": (t.Qwen3MoeForCausalLM, lambda: t.Qwen3MoeConfig(
        **{**SIZES, **EXPERTS}, head_dim=8, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16,
        norm_topk_prob=True, mlp_only_layers=[1]), {}),
    "olmoe": (t.OlmoeForCausalLM, lambda: t.OlmoeConfig(
        **{**SIZES, **EXPERTS, "intermediate_size": 16}, num_experts=6, num_experts_per_tok=3), {}),
}


def spread_of(name, parameter, add_one):
    """Mean and deviation that make every tensor matter and logits lively."""
    if "norm" in name or ".ln_" in name:
        return 0.0 if name.endswith("bias") or add_one else 1.0, 0.2
    if parameter.dim() == 1:
        return 0.0, 0.3
    return 0.0, 1.0 if any(part in name for part in ("embed", "wte", "wpe")) else 1.5 / parameter.shape[-1] ** 0.5


def make(name, folder, seed, dtype, **saving):
    torch.manual_seed(seed)
    kind, config, _ = FAMILIES[name]
    model = kind(config()).eval()
    with torch.no_grad():
        for tensor, parameter in model.named_parameters():
            parameter.normal_(*spread_of(tensor, parameter, name.startswith("gemma")))
    model.to(dtype).save_pretrained(folder, **saving)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(folder, ALPHABET)
    return kind.from_pretrained(folder, dtype=torch.float32).eval()


def run(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{program.name} {' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout


def text_of(ids):
    return "".join(ALPHABET[i] for i in ids).replace("Ġ", " ").replace("Ċ", "\n")


def compare(model, folder, binaries, label):
    qm, dump, text = folder / "model.qm", folder / "logits", folder / "text"
    ids = [random.randrange(32) for _ in range(64)]
    text.write_text(text_of(ids))
    run(binaries / "convert", "-q", "--force", folder, qm)
    run(binaries / "verify", "-q", qm, "--source", folder)
    run(binaries / "evaluate", "-q", "--force", qm, "--dump-logits", dump, "--text", text, "--ctx", 64)
    expected, found = logits_of(model, ids), np.fromfile(dump, np.float32).reshape(64, -1)
    off = np.abs(found - expected).max() / (expected.max() - expected.min())
    with torch.no_grad():
        prompt = torch.tensor([ids[:40]])
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=32, do_sample=False,
                             pad_token_id=0)[0]
    said = run(binaries / "run", qm, "-q", "-p", text_of(ids[:40]), "-n", 32, "--temp", 0)
    same = said.rstrip("\n") == text_of(out[40:].tolist()).rstrip("\n")
    good = off < 1e-4 and same
    print(f"{label}: logits off by {off:.1e} of their range, continuation {'equal' if same else 'differs'}: "
          f"{'good' if good else 'BAD'}", flush=True)
    return good


def compare_all(names, binaries, seeds):
    good = True
    for name in names or FAMILIES:
        for seed in range(seeds):
            random.seed(seed)
            with tempfile.TemporaryDirectory() as scratch:
                folder = pathlib.Path(scratch)
                model = make(name, folder, seed, torch.float32)
                good &= compare(model, folder, binaries, f"{name}, seed {seed}")
                if FAMILIES[name][2] is not None:
                    config = json.loads((folder / "config.json").read_text())
                    (folder / "config.json").write_text(json.dumps(older(config, **FAMILIES[name][2])))
                    good &= compare(model, folder, binaries, f"{name}, seed {seed}, older spelling")
    return good


def golden(parent):
    for name in FAMILIES:
        folder = parent / name
        model = make(name, folder, 1, torch.float16)
        logits_of(model, GOLDEN_TOKENS).astype("<f4").tofile(folder / "logits.f32")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["random", "golden"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "bin")
    parser.add_argument("--seeds", type=int, default=3)
    a = parser.parse_args()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if a.action == "golden":
        golden(pathlib.Path(a.names[0]))
        return 0
    return 0 if compare_all(a.names, a.bin, a.seeds) else 1


if __name__ == "__main__":
    sys.exit(main())
