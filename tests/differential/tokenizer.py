#!/usr/bin/env python3
"""Compares token ids with Hugging Face `tokenizers`. Needs the Python package tokenizers; for charsmaps also
sentencepiece and protobuf.

  tokenizer.py compare MODEL_FOLDER... --bin BIN --text FILE...
      converts each model folder and gives `run MODEL --tokenize` the first megabyte of the texts and a row of hard
      inputs made up here; then the same for tokenizers trained here on the texts, with the patterns and settings of
      well-known models
  tokenizer.py golden FOLDER --text FILE...
      writes small tokenizers, texts and their ids, which the unit tests read

BIN is the folder of the programs. Prints each difference; exits 1 if there is one.
"""

import argparse
import io
import itertools
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]


# ---- Inputs ----

def characters(categories=None):
    """Every character, or those of some general categories; surrogates have none."""
    codes = (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    return [chr(c) for c in codes if categories is None or unicodedata.category(chr(c))[0] in categories]


def mixed(rng, pieces, n):
    return "".join(rng.choice(pieces) for _ in range(n)).encode()


def hard_inputs(specials):
    rng = random.Random(20)
    contractions = [a + c for a in ("it", "IT", "we", " ", "") for c in
                    ("'s", "'S", "'t", "'T", "'re", "'RE", "'rE", "'ve", "'VE", "'m", "'M", "'ll", "'LL", "'lL", "'d", "'D",
                     "'ſ", "'x", "''s", "’s", "'", "'sad", "'reap")]
    emoji = ["👩‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇩🇪", "❤️", "👩🏾‍🚀", "😀", "1️⃣", "☃", "🫠", "🫨", "\U0001fadf"]
    cjk = list("漢字かな交じり文한국어글자，。「」、々〇三〻ｶﾅＡ１①㈠㍻") + ["\U00020000", "\U0002ebf0", "\U00031350"]
    marks = characters("M")
    combining = ["é", "e\u0301", "a\u0308\u0301", "ﬁ", "Å", "Å", "각", "\u1100\u1161\u11a8", "ḍ̇", "q\u0307\u0323",
                 "\u0344", "\u0958", "\u0958\u093c", "\U0001d15e", "\u2126", "ｶﾞ", "\u0f73\u0f71"] + rng.sample(marks, 200)
    rtl = ["שלום", "שָׁלוֹם", "مرحبا", "بِسْمِ", "\u200f", "\u202e", " ", "١٢٣", "۴۵", "،", "ـ", "\u061c"]
    spaces = [" ", "  ", "\t", "\n", "\r\n", "\r", "\v", "\f", "\x85", "\xa0", "\u1680", "\u180e", "\u2003", "\u200b",
              "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", "\x1c", "\x1f", "a", "B", "1", "!", "é", "-"]
    near = [s[:i] for s in specials for i in (1, len(s) // 2, len(s) - 1)] + [" ", "\n", "a", "_", "1", "é", "\u00a0", ".", ""]
    random_bytes = bytes(rng.randrange(256) for _ in range(40000))
    ill = [b"\xc3", b"\xc3\x28", b"\xe2\x82", b"\xe2\x28\xa1", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xff",
           b"\xc0\xaf", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"a", "é".encode(), b" ", b"\0"]
    everything = characters()
    assigned = characters("LMNPSZ")
    yield "nothing", b""
    yield "digits", mixed(rng, list("0123456789") + ["٣", "४", "²", "½", "Ⅷ", "〇", "１", " ", "a", ".", "\U0001fbf3"], 5000)
    yield "contractions", mixed(rng, contractions + [" ", "\n", "s"], 5000)
    yield "white space", mixed(rng, spaces, 10000)
    yield "runs of spaces", b"".join(b" " * rng.randrange(1, 200) + rng.choice([b"a", b"\n", b"\n\n", b"\t", b"1", b"."]) for _ in range(300))
    yield "runs of newlines", b"".join(rng.choice([b"\n", b"\r\n", b"\r"]) * rng.randrange(1, 60) + rng.choice([b"a", b" ", b" a", b"\t", b""]) for _ in range(300))
    yield "tabs and code", b"def f(x):\r\n\tif x:\n\t\treturn {\n            'a': [1,2,\t3],  # don't\n    }\n" * 30
    yield "emoji", mixed(rng, emoji + [" ", "a", "\u200d", "\ufe0f", "🏿"], 4000)
    yield "cjk", mixed(rng, cjk + [" ", "a", "1"], 6000)
    yield "combining", mixed(rng, combining + ["a", " ", "A", "\n"], 8000)
    yield "marks", mixed(rng, marks, 4000)
    yield "right to left", mixed(rng, rtl, 3000)
    yield "special tokens", mixed(rng, specials + near, 6000)
    yield "ill-formed", b"".join(rng.choice(ill) for _ in range(8000))
    yield "random bytes", random_bytes
    yield "nul", b"\0" * 300 + b"a\0b \0 \0\0c"
    yield "every character", "".join(everything).encode()
    yield "every character shuffled", "".join(rng.sample(everything, len(everything))).encode()
    yield "assigned characters", mixed(rng, assigned, 50000)
    yield "assigned characters and spaces", mixed(rng, rng.sample(assigned, 300) + [" ", " ", "\n", "'s", "a", "1"] * 20, 20000)
    yield "one letter", b"a" * 300000
    yield "one space", b" " * 300000
    yield "one mark", "́".encode() * 30000
    yield "marks that swap", ("a" + "\u0301\u0316\u0334" * 30000).encode()
    yield "one long word", bytes(rng.choice(b"etaoinshrdlu") for _ in range(200000))


def english(paths):
    data = b"".join(p.read_bytes() for p in paths)
    return [("english", data[:1000000])] if data else []


# ---- Tokenizers ----

def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(pattern, behavior, invert)


def regexes(*patterns):
    return [split(Regex(p)) for p in patterns] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def trained(texts, steps, normalizer=None, ignore_merges=False, alphabet=True, legacy_merges=False, added=(), prefix=None, size=3000):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    tokenizer.decoder = decoders.ByteLevel()
    initial = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=initial)
    lines = [line for p in texts for line in p.read_text(errors="replace").splitlines(keepends=True)]
    tokenizer.train_from_iterator(lines[:20000] + ["naïve café 漢字かな 안녕 😀 1234 \n\n\t\tx = 1;\n"] * 300, trainer)
    tokenizer.add_tokens(list(added))
    tokenizer.add_special_tokens([AddedToken("<|begin|>", special=True), AddedToken("<|end|>", special=True, normalized=False)])
    if prefix:
        template = processors.TemplateProcessing(single=f"{prefix} $A", special_tokens=[(prefix, tokenizer.token_to_id(prefix))])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    data = json.loads(tokenizer.to_str())
    if legacy_merges:
        data["model"]["merges"] = [" ".join(m) if isinstance(m, list) else m for m in data["model"]["merges"]]
    return data


FLAGS = [AddedToken("<left>", lstrip=True), AddedToken("<right>", rstrip=True), AddedToken("<both>", lstrip=True, rstrip=True),
         AddedToken("word", single_word=True), AddedToken("<raw>", normalized=False), AddedToken("  ", normalized=False),
         AddedToken("<ra", normalized=False), AddedToken("é", normalized=True), AddedToken("Å", normalized=False),
         AddedToken("\n\n\n", rstrip=True, normalized=False), AddedToken("日本", single_word=True)]


def made_up(texts):
    byte_level = pre_tokenizers.ByteLevel
    yield "gpt2", trained(texts, [byte_level(add_prefix_space=False)], legacy_merges=True)
    yield "gpt2 with prefix space", trained(texts, [byte_level(add_prefix_space=True)], added=FLAGS)
    yield "llama3", trained(texts, regexes(LLAMA3), ignore_merges=True, prefix="<|begin|>")
    yield "qwen2", trained(texts, regexes(QWEN2), normalizer=normalizers.NFC(), added=FLAGS)
    yield "cl100k", trained(texts, regexes(CL100K), normalizer=normalizers.NFD(), legacy_merges=True)
    yield "o200k", trained(texts, regexes(O200K))
    yield "deepseek", trained(texts, regexes(*DEEPSEEK), normalizer=normalizers.Sequence([]))
    yield "smollm", trained(texts, [pre_tokenizers.Digits(True), byte_level(add_prefix_space=False)], alphabet=False)
    yield "digits together", trained(texts, [pre_tokenizers.Digits(False), byte_level(add_prefix_space=True)])
    for behavior in ("removed", "isolated", "contiguous", "merged_with_previous", "merged_with_next"):
        for invert in (False, True):
            steps = [split(Regex(r"[aeiou\s]"), behavior, invert), split(" ", behavior), byte_level(False, use_regex=False)]
            yield f"{behavior}{' inverted' if invert else ''}", trained(texts, steps)
    yield "empty matches", trained(texts, [split(Regex(r"\p{N}*|(?=x)"), "merged_with_previous"), byte_level(False, use_regex=True)])


# ---- SentencePiece's ways: meta space, byte fallback, unigram ----

MARK = "\u2581"


def lines_of(texts):
    lines = [line for p in texts for line in p.read_text(errors="replace").splitlines(keepends=True)]
    return lines[:8000] + ["naïve café 漢字かな 안녕 😀 1234  \n\n\t\tx = 1;\n"] * 100


def with_bytes(data):
    """Adds <0x00> to <0xFF>, and says that they stand for what has no token."""
    vocab = data["model"]["vocab"]
    for byte in range(256):
        if isinstance(vocab, list):
            vocab.append([f"<0x{byte:02X}>", -20.0])
        else:
            vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    data["model"]["byte_fallback"] = True
    return data


def metaspaced(texts, normalizer=None, pre=None, fuse_unk=True, fallback=True, added=(), size=2000):
    """BPE over text with meta spaces, as Llama 2, Mistral, Gemma and Phi-3 have it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse_unk))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(lines_of(texts), trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                                                     special_tokens=["<unk>", "<s>", "</s>"]))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    data = json.loads(tokenizer.to_str())
    tokenizer = Tokenizer.from_str(json.dumps(with_bytes(data) if fallback else data))
    tokenizer.add_tokens(list(added))
    return json.loads(tokenizer.to_str())


def unigram(texts, pre, normalizer=None, fallback=False, size=1500):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, show_progress=False, unk_token="<unk>", special_tokens=["<unk>", "</s>"])
    tokenizer.train_from_iterator(lines_of(texts)[:4000], trainer)
    data = json.loads(tokenizer.to_str())
    return with_bytes(data) if fallback else data


def charsmap(rule=None, pairs=()):
    """The precompiled charsmap of one of SentencePiece's rules, or of pairs of texts; None where that is not installed."""
    try:
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
    except ImportError:
        return None
    with tempfile.NamedTemporaryFile("w") as table:
        spell = lambda text: " ".join(f"{ord(c):X}" for c in text)
        table.write("".join(f"{spell(a)}\t{spell(b)}\n" for a, b in pairs))
        table.flush()
        rules = {"normalization_rule_tsv": table.name} if pairs else {"normalization_rule_name": rule}
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b"] * 9), model_writer=model, vocab_size=5,
                                                 model_type="char", minloglevel=2, **rules)
    return sentencepiece_model_pb2.ModelProto.FromString(model.getvalue()).normalizer_spec.precompiled_charsmap


def charsmapped(texts):
    metaspace = pre_tokenizers.Metaspace
    for rule in ("nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf"):
        data = charsmap(rule)
        if data is None:
            print("charsmaps are left out: they need the packages sentencepiece and protobuf")
            return
        precompiled = normalizers.Precompiled(data)
        yield f"{rule}", unigram(texts, metaspace(), precompiled)
        yield f"{rule}, first", metaspaced(texts, precompiled, metaspace(MARK, "first"), added=FLAGS)
        yield f"{rule} and more", unigram(texts, metaspace(), normalizers.Sequence([
            normalizers.Strip(), precompiled, normalizers.Replace(Regex(" {2,}"), MARK)]))


def sentence_pieces(texts):
    replace = normalizers.Replace(" ", MARK)
    metaspace = pre_tokenizers.Metaspace
    yield "llama2", metaspaced(texts, normalizers.Sequence([normalizers.Prepend(MARK), replace]))
    yield "gemma", metaspaced(texts, replace, split(" ", "merged_with_previous"))
    yield "phi3", metaspaced(texts, normalizers.Sequence([normalizers.Prepend(MARK), replace]),
                             added=[AddedToken("<|user|>", rstrip=True, normalized=False), AddedToken("<|end|>", normalized=False)])
    for scheme in ("always", "first", "never"):
        for cut in (True, False):
            yield f"meta space {scheme}, {'split' if cut else 'whole'}", metaspaced(
                texts, None, metaspace(MARK, scheme, cut), added=FLAGS)
    yield "no fallback, fused", metaspaced(texts, None, metaspace(), fallback=False)
    yield "no fallback, not fused", metaspaced(texts, None, metaspace(), fuse_unk=False, fallback=False)
    yield "unigram", unigram(texts, metaspace())
    yield "unigram with bytes", unigram(texts, metaspace(), fallback=True)
    yield "unigram of T5", unigram(texts, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace()]),
                                   normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]))


def more_bytes(texts):
    """Byte-level BPE with the other pre-tokenizers and normalizers."""
    byte_level = pre_tokenizers.ByteLevel
    yield "falcon", trained(texts, [pre_tokenizers.Punctuation("contiguous"), byte_level(add_prefix_space=False),
                                    pre_tokenizers.Digits(False), split(Regex("[0-9][0-9][0-9]"))])
    yield "starcoder", trained(texts, [pre_tokenizers.Digits(True), byte_level(add_prefix_space=False)])
    yield "gpt-neox", trained(texts, [byte_level(add_prefix_space=False)], normalizer=normalizers.NFC(), added=FLAGS)
    yield "lowercase", trained(texts, [byte_level(add_prefix_space=False)],
                               normalizer=normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]))
    yield "strip", trained(texts, [byte_level(add_prefix_space=False)],
                           normalizer=normalizers.Sequence([normalizers.Strip(), normalizers.NFKC(), normalizers.Replace("a", "bb")]))
    yield "words", trained(texts, [pre_tokenizers.Whitespace(), byte_level(add_prefix_space=False, use_regex=False)])
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next"):
        yield f"punctuation {behavior}", trained(texts, [pre_tokenizers.Punctuation(behavior), byte_level(add_prefix_space=False)])
    yield "delimiter", trained(texts, [pre_tokenizers.CharDelimiterSplit("e"), byte_level(add_prefix_space=False)])


# ---- Comparing ----

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 32,
          "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 64,
          "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True, "hidden_act": "silu",
          "torch_dtype": "float16", "bos_token_id": 0, "eos_token_id": 0}


def write_checkpoint(folder, vocab):
    """One of the least size, to carry a tokenizer."""
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": [vocab, 32], "model.norm.weight": [32], layer + "input_layernorm.weight": [32],
              layer + "post_attention_layernorm.weight": [32]}
    shapes |= {f"{layer}self_attn.{m}_proj.weight": [32, 32] for m in "qkvo"}
    shapes |= {f"{layer}mlp.{m}_proj.weight": [32, 32] for m in ("gate", "up", "down")}
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(offset))
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": vocab}))


def write_model(folder, tokenizer_json):
    write_checkpoint(folder, len(tokenizer_json["model"]["vocab"]) + len(tokenizer_json["added_tokens"]))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json, ensure_ascii=False))


def difference(tokenizer, text, theirs, ours):
    at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
    around = [tokenizer.id_to_token(i) for i in theirs[max(0, at - 3):at + 5]]
    mine = [tokenizer.id_to_token(i) for i in ours[max(0, at - 3):at + 5]]
    return f"token {at} of {len(theirs)}/{len(ours)}: {around} here {mine}"


def compare(name, folder, binaries, inputs):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    specials = [t.content for t in tokenizer.get_added_tokens_decoder().values()]
    failures = n_bytes = 0
    with tempfile.TemporaryDirectory() as scratch:
        model = pathlib.Path(scratch) / "model.qm"
        subprocess.run([binaries / "convert", "-q", folder, model], check=True)
        for label, data in inputs + list(hard_inputs(specials)):
            run = subprocess.run([binaries / "run", model, "--tokenize"], input=data, capture_output=True)
            if run.returncode != 0:
                print(f"{name}: {label}: {run.stderr.decode().strip()}")
                failures += 1
                continue
            text = data.decode("utf-8", errors="replace")
            theirs, ours = tokenizer.encode(text, add_special_tokens=False).ids, list(map(int, run.stdout.split()))
            n_bytes += len(data)
            if theirs != ours:
                print(f"{name}: {label}: {difference(tokenizer, text, theirs, ours)}")
                failures += 1
    print(f"{name}: {n_bytes} bytes, {failures} differences")
    return failures


# ---- Golden files ----

GOLDEN_TEXTS = ["", "a", " a", "Hello world", "I'm here, WE'RE there; they'LL 'tis", "It'ſ odd", "1 12 123 1234 12345",
                "naïve café", "nai\u0308ve cafe\u0301 A\u030a", "a\u0316\u0301 a\u0301\u0316 q\u0307\u0323", "가각 \u1100\u1161\u11a8",
                "  two  three   ", "\t\tif x:\r\n\n\n  y\n \n", "\u00a0nbsp\u2003em\u3000wide\u180emong\x85nel", "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈",
                "漢字かな交じり文、한국어", "שָׁלוֹם مرحبا ١٢٣", "²½Ⅷ٣", "\U0001fae8\U0001e5d0\U00011f04\U00011de3\u0897", "\0a\0",
                "<|begin|>Hi<|end|> <|begin |> <|end", "x <left> y <right> z <both> .", "word wordy sword word.", "a<raw>b<ra>c",
                "\n\n\n \n\n\n\nx", "Å Å A\u030a 日本 日本語", "<|end|><|end|>", "don't<|end|>'t"]
GOLDEN_BYTES = [b"\xc3(\xe2\x82 \xed\xa0\x80", b"\xf0\x9f\x98\xf4\x90\x80\x80\xff", b"ab\xf0\x9f\x98\x80\xf0\x9f"]


def golden_kinds(texts):
    byte_level = pre_tokenizers.ByteLevel
    yield "gpt2", trained(texts, [byte_level(True)], legacy_merges=True, added=FLAGS, size=400)
    yield "llama3", trained(texts, regexes(LLAMA3), ignore_merges=True, prefix="<|begin|>", size=400)
    yield "qwen2", trained(texts, regexes(QWEN2), normalizer=normalizers.NFC(), added=FLAGS, size=400)
    yield "o200k", trained(texts, regexes(O200K), size=400)
    yield "smollm", trained(texts, [pre_tokenizers.Digits(True), byte_level(False)], alphabet=False, size=200)
    replace = normalizers.Replace(" ", MARK)
    yield "llama2", metaspaced(texts, normalizers.Sequence([normalizers.Prepend(MARK), replace]), added=FLAGS, size=300)
    yield "gemma", metaspaced(texts, replace, split(" ", "merged_with_previous"), size=300)
    yield "metaspace", metaspaced(texts, None, pre_tokenizers.Metaspace(MARK, "first"), added=FLAGS, fallback=False, size=300)
    yield "unigram", unigram(texts, pre_tokenizers.Metaspace(), normalizers.NFKC(), size=300)
    pairs = [("é", "e"), ("e\u0301", "e"), ("é\u0301", "EE"), ("ﬁ", "fi"), ("\u3000", " "), ("\u0301", ""),
             ("ab", "b"), ("日", "day "), ("\u2003", " ")]
    yield "charsmap", unigram(texts, pre_tokenizers.Metaspace(), normalizers.Precompiled(charsmap(pairs=pairs)), size=300)


def write_golden(folder, texts):
    for name, data in golden_kinds(texts):
        tokenizer = Tokenizer.from_str(json.dumps(data))
        cases = []
        for data_bytes in [t.encode() for t in GOLDEN_TEXTS] + GOLDEN_BYTES:
            case = {"hex": data_bytes.hex()}
            for key, plain in (("ids", False), ("plain", True)):
                tokenizer.encode_special_tokens = plain
                case[key] = tokenizer.encode(data_bytes.decode("utf-8", errors="replace"), add_special_tokens=False).ids
            cases.append(case)
        with open(folder / f"{name}.json", "w") as file:
            lines = ",\n".join(json.dumps(case) for case in cases)
            file.write(f'{{"tokenizer": {json.dumps(data)},\n"cases": [\n{lines}\n]}}\n')


def run_compare(arguments):
    failures = 0
    for folder in arguments.models:
        failures += compare(folder.name, folder, arguments.bin, english(arguments.text))
    for name, data in itertools.chain(made_up(arguments.text), more_bytes(arguments.text), sentence_pieces(arguments.text),
                                      charsmapped(arguments.text)):
        with tempfile.TemporaryDirectory() as scratch:
            write_model(pathlib.Path(scratch), data)
            failures += compare(name, pathlib.Path(scratch), arguments.bin, english(arguments.text))
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    to_compare, golden = commands.add_parser("compare"), commands.add_parser("golden")
    to_compare.add_argument("models", type=pathlib.Path, nargs="*")
    to_compare.add_argument("--bin", type=pathlib.Path, required=True)
    golden.add_argument("folder", type=pathlib.Path)
    for command in (to_compare, golden):
        command.add_argument("--text", type=pathlib.Path, nargs="+", required=True)
    arguments = parser.parse_args()
    if arguments.command == "golden":
        write_golden(arguments.folder, arguments.text)
    else:
        sys.exit(1 if run_compare(arguments) else 0)


if __name__ == "__main__":
    main()
