#!/usr/bin/env python3
"""Compares token ids of tokenizer.model with those of the library sentencepiece. Needs the Python packages sentencepiece,
protobuf, and tokenizers (for the inputs of tokenizer.py).

  tokenizer_model.py compare [FILE...] --bin BIN --text FILE...
      gives `run MODEL --tokenize` texts made up by tokenizer.py, with each tokenizer.model given and with models that
      are trained here on the texts, of both kinds and many options
  tokenizer_model.py golden FOLDER --text FILE...
      writes small models, texts and their ids, which the unit tests read

BIN is the folder of the programs. Prints each difference; exits 1 if there is one.
"""

import argparse
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from tokenizer import GOLDEN_BYTES, GOLDEN_TEXTS, english, hard_inputs, lines_of, write_checkpoint

SCRIPTS = ["naïve café Ångström ﬁ ½ ㎏ Ａｂ", "Привет, мир! Съешь ещё этих мягких французских булок", "Γειά σου Κόσμε", "Բարեւ աշխարհ",
           "გამარჯობა მსოფლიო", "שלום עולם מְנֻקָּד", "مرحبا بالعالم ١٢٣", "नमस्ते दुनिया", "ওহে বিশ্ব", "ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ", "હેલો વર્લ્ડ",
           "வணக்கம் உலகம்", "హలో ప్రపంచం", "ഹലോ ലോകം", "สวัสดีชาวโลก", "ສະບາຍດີ", "မင်္ဂလာပါ", "សួស្តី​ពិភពលោក", "ሰላም ልዑል", "漢字かな交じり文、中文，한국어",
           "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ 😀 🫨", "def f(x):\n\tif x > 1:\n\t\treturn [x ** 2, 'a']  # ok\r\n\n    return {}\n", "   a  b   c    \t\t\n\n"]
SYMBOLS = ["<|user|>", "<|end|>", "<|end|>x", "ing", "Å", "日本", "a b", "  ", "<sep"]

KINDS = {
    "plain": {},
    "bytes": {"byte_fallback": True},
    "llama": {"byte_fallback": True, "split_digits": True, "normalization_rule_name": "identity",
              "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True},
    "nfkc": {"normalization_rule_name": "nfkc"},
    "folded": {"normalization_rule_name": "nmt_nfkc_cf", "byte_fallback": True},
    "identity": {"normalization_rule_name": "identity"},
    "symbols": {"user_defined_symbols": SYMBOLS, "byte_fallback": True, "control_symbols": ["<mask>", "<pad>"]},
    "symbols, spaces kept": {"user_defined_symbols": SYMBOLS, "remove_extra_whitespaces": False},
    "no prefix": {"add_dummy_prefix": False, "byte_fallback": True},
    "spaces behind": {"treat_whitespace_as_suffix": True},
    "spaces behind, kept": {"treat_whitespace_as_suffix": True, "remove_extra_whitespaces": False},
    "words joined": {"split_by_whitespace": False, "split_by_unicode_script": False, "split_by_number": False},
}


# ---- Models ----

def train(texts, kind, size, **options):
    model = io.BytesIO()
    lines = [line[:-1] for line in lines_of(texts)] + [line for text in SCRIPTS for line in text.split("\n")] * 20
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, model_type=kind, vocab_size=size,
                                             hard_vocab_limit=False, minloglevel=2,
                                             **{"character_coverage": 0.999} | options)
    return model.getvalue()


def without_training(model):
    """Without the options of training that encoding does not look at, such as the name of the file of rules."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    spec = sentencepiece_model_pb2.TrainerSpec()
    for field in ("model_type", "byte_fallback", "treat_whitespace_as_suffix"):
        setattr(spec, field, getattr(proto.trainer_spec, field))
    proto.trainer_spec.CopyFrom(spec)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString()


def trained(texts):
    for kind in ("bpe", "unigram"):
        for name, options in KINDS.items():
            yield f"{kind}, {name}", train(texts, kind, 1500, **options)


# ---- Comparing ----

def mixed(texts):
    """Every script, code, spaces and bytes, in one text."""
    for _, data in english(texts):
        parts = [data[i:i + 2000] for i in range(0, 600000, 2000)]
        extra = [text.encode() for text in SCRIPTS] + [bytes(range(256)), b" " * 37, b"\n\n\n", b"\t \t"]
        yield "mixed", b"".join(part + extra[i % len(extra)] + extra[i * 7 % len(extra)] for i, part in enumerate(parts))


def difference(library, theirs, ours):
    at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
    around, mine = ([library.id_to_piece(i) for i in ids[max(0, at - 3):at + 5]] for ids in (theirs, ours))
    return f"token {at} of {len(theirs)}/{len(ours)}: {around} here {mine}"


def compare(name, model, binaries, texts):
    library = sentencepiece.SentencePieceProcessor(model_proto=model)
    failures = n_bytes = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder, converted = pathlib.Path(scratch), pathlib.Path(scratch) / "model.qm"
        write_checkpoint(folder, library.vocab_size())
        (folder / "tokenizer.model").write_bytes(model)
        subprocess.run([binaries / "convert", "-q", folder, converted], check=True)
        for label, data in english(texts) + list(mixed(texts)) + list(hard_inputs(SYMBOLS)):
            run = subprocess.run([binaries / "run", converted, "--tokenize"], input=data, capture_output=True)
            text = data.decode("utf-8", errors="replace")
            theirs, ours = library.encode(text), list(map(int, run.stdout.split()))
            n_bytes += len(data)
            if theirs != ours:
                print(f"{name}: {label}: {run.stderr.decode().strip() or difference(library, theirs, ours)}")
                failures += 1
    print(f"{name}: {n_bytes} bytes, {failures} differences", flush=True)
    return failures


def refused(texts, kind, binaries):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        write_checkpoint(folder, 1000)
        (folder / "tokenizer.model").write_bytes(train(texts, kind, 200))
        run = subprocess.run([binaries / "convert", "-q", folder, folder / "model.qm"], capture_output=True)
        print(f"{kind}: {run.stderr.decode().strip()}")
        return run.returncode != 2


# ---- Golden files ----

GOLDEN_KINDS = {
    "llama": ("bpe", KINDS["llama"]),
    "symbols": ("bpe", {"user_defined_symbols": SYMBOLS, "control_symbols": ["<mask>"], "add_dummy_prefix": False}),
    "behind": ("unigram", {"treat_whitespace_as_suffix": True, "byte_fallback": True}),
    "unigram": ("unigram", {"user_defined_symbols": SYMBOLS, "normalization_rule_name": "identity"}),
}
GOLDEN_RULES = [("é", "e"), ("e\u0301", "e"), ("ﬁ", "fi"), ("\u3000", " "), ("\u200b", ""), ("\t", " "), ("ab", "b"), ("½", " 1/2 ")]


def write_golden(folder, texts):
    with tempfile.NamedTemporaryFile("w") as rules:
        spell = lambda text: " ".join(f"{ord(c):X}" for c in text)
        rules.write("".join(f"{spell(a)}\t{spell(b)}\n" for a, b in GOLDEN_RULES))
        rules.flush()
        for name, (kind, options) in GOLDEN_KINDS.items():
            if "normalization_rule_name" not in options:
                options = options | {"normalization_rule_tsv": rules.name}
            model = train(texts, kind, 450 if "byte_fallback" in options else 200, character_coverage=0.98, **options)
            model = without_training(model)
            library = sentencepiece.SentencePieceProcessor(model_proto=model)
            (folder / f"{name}.model").write_bytes(model)
            data = [text.encode() for text in GOLDEN_TEXTS] + GOLDEN_BYTES
            cases = [{"hex": d.hex(), "ids": library.encode(d.decode("utf-8", errors="replace"))} for d in data]
            (folder / f"{name}.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")


def run_compare(arguments):
    failures = sum(compare(path.name, path.read_bytes(), arguments.bin, arguments.text) for path in arguments.models)
    failures += sum(compare(name, model, arguments.bin, arguments.text) for name, model in trained(arguments.text))
    return failures + sum(refused(arguments.text, kind, arguments.bin) for kind in ("char", "word"))


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
