#!/usr/bin/env python3
"""An independent reader of .qm files, written from docs/format.md and docs/types.md alone.

    qm.py FILE...                         check every rule and every digest, then list what is there
    qm.py -q FILE...                      check only; one line a file
    qm.py --tensor NAME [--rows N] FILE   print the first N rows of a tensor (default 4), decoded

Needs nothing but the standard library and the xxhash module. Exit status 0: all rules hold. 1: one does not, and the
first is named. 2: could not be read at all.
"""

import argparse
import mmap
import struct
import sys
import zlib

import xxhash

MAGIC = b"\x89QMF\r\n\x1a\n"
SECTIONS = {b"META": 3, b"BLOB": 3, b"TYPE": 3, b"TENS": 3, b"TPOS": 1, b"BDAT": 1}  # kind: flags, in order
CRITICAL, IDENTITY = 1, 2
MAX_DIRECTORY = MAX_BLOB_BYTES = 256 << 20


class Broken(Exception):
    """A rule that does not hold."""


def require(holds, sentence):
    if not holds:
        raise Broken(sentence)


def digest(data):
    return xxhash.xxh3_128_digest(data)  # canonical form already


def require_digest(data, stored, what):
    require(digest(data) == stored, f"{what} is damaged: XXH3-128 is {digest(data).hex()}, stored is {stored.hex()}")


def align(offset, to):
    return -(-offset // to) * to


# ---- Records ----


class Records:
    """A payload being taken apart."""

    def __init__(self, kind, data):
        self.kind, self.data, self.at = kind.decode(), bytes(data), 0

    def take(self, size):
        require(size <= len(self.data) - self.at, f"section {self.kind} ends in the middle of a record")
        self.at += size
        return self.data[self.at - size : self.at]

    def numbers(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def u32(self):
        return self.numbers("I")[0]

    def u64(self):
        return self.numbers("Q")[0]

    def count(self, limit, what):
        n = self.u32()
        require(n <= limit, f"has {n} {what}, the limit is {limit}")
        return n

    def name(self, before, what):
        data = self.take(self.u32())
        require(1 <= len(data) <= 255, f"the name of a {what} is {len(data)} bytes long")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Broken(f"the name of a {what} is not UTF-8: {data!r}") from None
        require(not any(c < " " or "\x7f" <= c <= "\x9f" for c in text), f"the name of a {what} has controls: {data!r}")
        require(before is None or before.encode() < data, f"{what} '{text}' stands behind '{before}'")
        return text

    def attributes(self, what):
        before = -1
        for _ in range(self.u32()):
            kind, flags, size = self.numbers("III")
            self.take(size)
            require(kind > before, f"attributes of {what} do not rise")
            require(not flags & CRITICAL, f"{what} needs attribute {kind}, which is unknown")
            before = kind

    def end(self):
        require(self.at == len(self.data), f"section {self.kind} has bytes behind its last record")


# ---- The file ----


class Model:
    def __init__(self, data):
        self.data = data
        self.read_frame()
        sections = self.read_sections()
        self.read_metadata(sections[b"META"])
        self.read_blobs(sections[b"BLOB"], sections[b"BDAT"])
        self.read_types(sections[b"TYPE"])
        self.read_tensors(sections[b"TENS"], sections[b"TPOS"])
        self.check_data()

    def read_frame(self):
        data, size = self.data, len(self.data)
        require(size >= 160, f"is {size} bytes, too short for header and footer")
        header, footer = data[:64], data[size - 96 :]
        require(header[:8] == MAGIC, "does not begin with the magic")
        require_digest(header[:48], header[48:], "the header")
        self.major, self.minor, _, self.compatible, incompatible = struct.unpack_from("<HHIQQ", header, 8)
        require(self.major == 1, f"is of version {self.major}.{self.minor}; this reader knows version 1")
        require(incompatible == 0, f"needs features {incompatible:#x}, which are unknown")

        require(footer[88:] == MAGIC[::-1], "does not end with the end magic")
        require_digest(footer[:72], footer[72:88], "the footer")
        self.begin, n, file_size = struct.unpack_from("<QQQ", footer)
        require(file_size == size, f"is {size} bytes, the footer says {file_size}")
        require(n <= MAX_DIRECTORY, f"the directory is {n} bytes, the limit is {MAX_DIRECTORY}")
        require(
            self.begin >= 64 and self.begin % 64 == 0 and n % 8 == 0 and self.begin + n + 96 == size,
            f"the directory, {n} bytes at {self.begin}, does not reach to the footer",
        )
        self.directory, self.id = data[self.begin : self.begin + n], footer[40:56]
        require_digest(self.directory, footer[24:40], "the directory")

    def read_sections(self):
        found, identity, at, expected = {}, b"", 0, list(SECTIONS)
        while at < len(self.directory):
            require(len(self.directory) - at >= 32, "the directory ends in the middle of a section's header")
            header = self.directory[at : at + 32]
            kind, flags, size = struct.unpack_from("<4sIQ", header)
            require(all(0x20 <= c <= 0x7E for c in kind), f"a section's kind is not printable: {kind!r}")
            end = at + 32 + size
            at = align(end, 8)
            require(at <= len(self.directory), f"section {kind.decode()} reaches beyond the directory")
            payload = self.directory[end - size : end]
            require_digest(payload, header[16:], f"section {kind.decode()}")
            require(not any(self.directory[end:at]), f"the padding behind section {kind.decode()} is not zero")
            if flags & IDENTITY:
                identity += header
            if kind not in SECTIONS:
                require(not flags & CRITICAL, f"needs section {kind.decode()}, which is unknown")
                continue
            require(expected and kind == expected.pop(0), f"section {kind.decode()} is out of order")
            require(flags == SECTIONS[kind], f"section {kind.decode()} has flags {flags:#x}")
            found[kind] = payload
        require(not expected, f"has no section {b''.join(expected[:1]).decode()}")
        require(digest(identity) == self.id, f"the sections make model id {digest(identity).hex()}, not {self.id.hex()}")
        return found

    def read_metadata(self, payload):
        records, key = Records(b"META", payload), None
        self.metadata = {}
        for _ in range(records.count(65536, "metadata items")):
            key = records.name(key, "metadata key")
            kind, size = records.numbers("II")
            value = records.take(size)
            if 1 <= kind <= 7:
                self.metadata[key] = self.decode_value(key, kind, value)
        records.end()

    @staticmethod
    def decode_value(key, kind, value):
        wrong = f"metadata '{key}' is no value of kind {kind} in {len(value)} bytes"
        if kind == 5:
            try:
                text = value.decode("utf-8")
            except UnicodeDecodeError:
                raise Broken(f"the text of metadata '{key}' is not UTF-8") from None
            require("\0" not in text, f"the text of metadata '{key}' has a NUL")
            return text
        if kind == 1:
            require(value in (b"\0", b"\1"), wrong)
            return value == b"\1"
        require(len(value) == 8 or (kind >= 6 and len(value) % 8 == 0), wrong)
        numbers = struct.unpack(f"<{len(value) // 8}{'QqdxQd'[kind - 2]}", value)
        require(kind not in (4, 7) or all(abs(x) < float("inf") for x in numbers), f"metadata '{key}' is not finite")
        return list(numbers) if kind >= 6 else numbers[0]

    def read_blobs(self, descriptions, packed):
        records, name, described, total = Records(b"BLOB", descriptions), None, [], 0
        for _ in range(records.count(4096, "blobs")):
            name = records.name(name, "blob")
            require(name[0] != "." and not set(name) & set("/\\"), f"blob '{name}' leads out of a folder")
            size, stored_digest = records.numbers("Q16s")
            total += size
            require(total <= MAX_BLOB_BYTES, f"blob '{name}' takes the blobs over {MAX_BLOB_BYTES} bytes")
            described.append((name, size, stored_digest))
        records.end()
        records, self.blobs = Records(b"BDAT", packed), {}
        placements = [records.numbers("IQ") for _ in described]
        for (name, size, stored_digest), (codec, stored) in zip(described, placements):
            raw = self.unpack(name, size, codec, records.take(stored))
            require_digest(raw, stored_digest, f"blob '{name}'")
            self.blobs[name] = raw
        records.end()

    @staticmethod
    def unpack(name, size, codec, stored):
        require(codec in (0, 1), f"blob '{name}' has codec {codec}, which is unknown")
        if codec == 0:
            require(len(stored) == size, f"blob '{name}' has {size} bytes, stored are {len(stored)}")
            return stored
        require(size < 1032 * (len(stored) + 1), f"blob '{name}' cannot have {size} bytes, stored in {len(stored)}")
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(stored, size + 1)
        except zlib.error as error:
            raise Broken(f"blob '{name}' is no zlib stream: {error}") from None
        whole = inflater.eof and not inflater.unused_data and len(raw) == size
        require(whole, f"blob '{name}' is not one zlib stream of {size} bytes")
        return raw

    def read_types(self, payload):
        records, name, self.types = Records(b"TYPE", payload), None, []
        for _ in range(records.count(4096, "types")):
            name = records.name(name, "type")
            rows, cols, size = records.numbers("III")
            records.attributes(f"type '{name}'")
            require(1 <= rows <= 65536 and 1 <= cols <= 65536, f"type '{name}' has blocks of {rows} by {cols}")
            require(1 <= size <= 1 << 20, f"type '{name}' has blocks of {size} bytes")
            known = KNOWN_TYPES.get(name, (rows, cols, size))[:3]
            require((rows, cols, size) == known, f"type '{name}' is {rows} by {cols} in {size}, known is {known}")
            self.types.append((name, rows, cols, size))
        records.end()

    def read_tensors(self, payload, offsets):
        records, name, self.tensors = Records(b"TENS", payload), None, {}
        for _ in range(records.count(1000000, "tensors")):
            name = records.name(name, "tensor")
            self.tensors[name] = self.read_tensor(records, f"tensor '{name}'")
        records.end()
        records = Records(b"TPOS", offsets)
        for tensor in self.tensors.values():
            tensor["offset"] = records.u64()
        records.end()

    def read_tensor(self, records, what):
        index, n = records.numbers("II")
        require(index < len(self.types), f"{what} is of type number {index}")
        require(1 <= n <= 4, f"{what} has {n} dimensions")
        dims = records.numbers(f"{n}Q")
        size, stored_digest = records.numbers("Q16s")
        records.attributes(what)
        require(all(dims), f"{what} is empty")
        name, panel_rows, block_cols, block_bytes = self.types[index]
        require(n > 1 or panel_rows == 1, f"{what} has one dimension, type '{name}' needs more")
        rows, cols = 1, dims[-1]
        for dim in dims[:-1]:
            rows *= dim
        expected = -(-rows // panel_rows) * -(-cols // block_cols) * block_bytes
        require(rows * cols < 1 << 63 and expected < 1 << 63, f"{what} has a shape beyond any file's size")
        require(size == expected, f"{what} has {size} bytes, its shape calls for {expected}")
        return {"type": name, "dims": dims, "rows": rows, "cols": cols, "size": size, "digest": stored_digest}

    def check_data(self):
        end = 64
        for name, tensor in sorted(self.tensors.items(), key=lambda item: item[1]["offset"]):
            place = align(end, 4096 if tensor["size"] >= 65536 else 64)
            require(tensor["offset"] == place, f"tensor '{name}' begins at {tensor['offset']}, its place is {place}")
            require(place + tensor["size"] <= self.begin, f"tensor '{name}' reaches into the directory")
            self.require_zero(end, place)
            end = place + tensor["size"]
            require_digest(self.data[place:end], tensor["digest"], f"tensor '{name}'")
        require(align(end, 64) == self.begin, f"the last tensor ends at {end}, the directory begins at {self.begin}")
        self.require_zero(end, self.begin)

    def require_zero(self, begin, end):
        require(not any(self.data[begin:end]), f"the padding from {begin} to {end} is not zero")

    def decode(self, name, n_rows):
        tensor = self.tensors[name]
        require(tensor["type"] in KNOWN_TYPES, f"tensor '{name}' is of type {tensor['type']}, which is not decoded here")
        panel_rows, block_cols, block_bytes, decode_block = KNOWN_TYPES[tensor["type"]]
        blocks_across = -(-tensor["cols"] // block_cols)
        for first in range(0, min(n_rows, tensor["rows"]), panel_rows):
            begin = tensor["offset"] + first // panel_rows * blocks_across * block_bytes
            rows = [[] for _ in range(panel_rows)]
            for at in range(begin, begin + blocks_across * block_bytes, block_bytes):
                for row, values in zip(rows, decode_block(self.data[at : at + block_bytes])):
                    row += values
            for row in rows[: min(n_rows, tensor["rows"]) - first]:
                yield row[: tensor["cols"]]


# ---- Types, from docs/types.md: rows and columns and bytes of a block, and its weights row by row ----


def decode_q8(block):
    scales = struct.unpack_from("<16e", block)
    weights = struct.unpack_from("<512b", block, 32)
    return [[scales[r] * weights[64 * (c // 4) + 4 * r + c % 4] for c in range(32)] for r in range(16)]


def decode_q4(block):
    scales = struct.unpack_from("<16e", block)

    def weight(r, c):
        byte = block[32 + 64 * (c // 8) + 4 * r + c % 4]
        return (byte >> 4 if c % 8 >= 4 else byte & 15) - 8

    return [[scales[r] * weight(r, c) for c in range(32)] for r in range(16)]


def decode_plain(form):
    return lambda block: [list(struct.unpack(form, block))]


KNOWN_TYPES = {
    "f32": (1, 1, 4, decode_plain("<f")),
    "f16": (1, 1, 2, decode_plain("<e")),
    "bf16": (1, 1, 2, lambda block: [list(struct.unpack("<f", b"\0\0" + block))]),
    "q8": (16, 32, 544, decode_q8),
    "q4": (16, 32, 288, decode_q4),
}


# ---- What is printed ----


def shorten(value, limit=60):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "..."


def list_model(path, model):
    print(f"{path}: .qm {model.major}.{model.minor}, model id {model.id.hex()}, {len(model.data)} bytes")
    for key, value in model.metadata.items():
        print(f"  {key:40} {shorten(value)}")
    for name, raw in model.blobs.items():
        print(f"  {name:40} {len(raw)} bytes")
    for name, tensor in model.tensors.items():
        shape = " x ".join(map(str, tensor["dims"]))
        print(f"  {name:40} {tensor['type']:6} {shape:>16} {tensor['size']:>12} bytes at {tensor['offset']}")


def print_rows(model, name, n_rows):
    require(name in model.tensors, f"has no tensor '{name}'")
    for row in model.decode(name, n_rows):
        print(" ".join(f"{x:.9g}" for x in row))


def read_file(path):
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""


def main():
    parser = argparse.ArgumentParser(description="Checks and lists .qm files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("-q", "--quiet", action="store_true", help="one line a file")
    parser.add_argument("--tensor", metavar="NAME", help="print rows of this tensor")
    parser.add_argument("--rows", type=int, default=4, metavar="N", help="how many (default 4)")
    options = parser.parse_args()
    for path in options.files:
        try:
            model = Model(read_file(path))
            if options.tensor:
                print_rows(model, options.tensor, options.rows)
            elif options.quiet:
                print(f"{path}: good, model id {model.id.hex()}")
            else:
                list_model(path, model)
        except Broken as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"{path}: {error.strerror}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
