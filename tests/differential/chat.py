#!/usr/bin/env python3
"""Compares chat templates, run by infer/jinja, with Python's jinja2 as transformers sets it up.

  chat.py templates FOLDER... --render BIN
      renders every *.jinja below the folders, and every chat_template of a tokenizer_config.json, with a row of
      conversations: texts must be equal byte for byte, or both must refuse; what only we refuse is listed with our
      sentence
  chat.py random N --render BIN [--seed S]
      the same with N small templates made up here: operators, filters, tests, methods, slices, loops, white space

  chat.py golden tests/golden/jinja/cases.json
      writes what jinja2 makes of each template there, null where it refuses, which the unit test reads

BIN is $(BUILD)/tests/differential/render. Exits 1 if a text differs, or if we render what jinja2 refuses. Needs
transformers (for its environment) and jinja2.
"""

import argparse
import collections
import datetime
import json
import pathlib
import random
import subprocess
import sys

import jinja2
from transformers.utils import chat_template_utils

NOW = 1753000000  # a Sunday: 20 Jul 2025


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)


chat_template_utils.datetime = Clock


class Renderer:
    """Our interpreter, one request a line; provenance comes back with each text."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, template, own, outside):
        request = {"template": template, "own": own, "outside": outside, "now": NOW}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline()
        if not reply:
            sys.exit(f"the renderer died of: {json.dumps(request)}")
        return json.loads(reply)


def expected(template, variables):
    """What jinja2 makes of it: (text, None) or (None, sentence)."""
    try:
        compiled = chat_template_utils._cached_compile_jinja_template(template)
        return compiled.render(**json.loads(json.dumps(variables))), None
    except Exception as error:  # templates fail in as many ways as Python has
        return None, f"{type(error).__name__}: {error}"


# ---- Real templates ----

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Weather <here> & \"now\"",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": "The city"},
            "days": {"type": "integer", "description": "How many", "enum": [1, 2, 3]},
            "exact": {"type": ["boolean", "null"], "default": None}},
            "required": ["city"]},
        "return": {"type": "string", "description": "Weather"}}},
    {"type": "function", "function": {
        "name": "ping", "description": "Pings", "parameters": {"type": "object", "properties": {}}}},
]
DOCUMENTS = [{"doc_id": 1, "title": "A title", "text": "Once"}, {"doc_id": 2, "title": "B", "text": "Zwölf\n"}]


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, call_id="abc123def"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def conversations():
    user, other = message("user", "Hello, who are you?"), message("user", "Näm 漢字 👩‍👩‍👧\u2028<|im_end|></s>[INST]")
    answer = message("assistant", "I am a model.\n\n")
    thought = message("assistant", "<think>\nHm, hm.\n</think>\n\nIt is 4.")
    system = message("system", "Be  brief.\n")
    yield "one turn", {"messages": [user]}
    yield "system", {"messages": [system, user]}
    yield "turns", {"messages": [user, answer, other]}
    yield "system and turns", {"messages": [system, other, answer, user, thought, other]}
    yield "ends with an answer", {"messages": [system, user, answer]}
    yield "white space", {"messages": [message("system", "  "), message("user", "\n\t x \u00a0 \u3000")]}
    yield "empty", {"messages": [message("user", "")]}
    yield "empty system and answer", {"messages": [message("system", ""), user, message("assistant", ""), user]}
    yield "no messages", {"messages": []}
    yield "two of the user", {"messages": [user, other]}
    yield "begins with an answer", {"messages": [answer, user]}
    yield "system late", {"messages": [user, answer, system, user]}
    yield "unknown role", {"messages": [message("narrator", "Once"), user]}
    yield "developer", {"messages": [message("developer", "Be brief."), user]}
    yield "no content", {"messages": [{"role": "user"}]}
    yield "null content", {"messages": [user, message("assistant", None), user]}
    yield "parts", {"messages": [message("system", [{"type": "text", "text": "Be brief."}]), message("user", [
        {"type": "text", "text": "What is"}, {"type": "image"}, {"type": "text", "text": "this?"}])]}
    yield "thinking", {"messages": [user, thought, other], "enable_thinking": True}
    yield "no thinking", {"messages": [user, thought, other], "enable_thinking": False}
    yield "thoughts apart", {"messages": [user, message("assistant", "4.", reasoning_content="Hm.", thinking="Hm."),
                                          other]}
    yield "tools", {"messages": [system, user], "tools": TOOLS}
    yield "tools, no system", {"messages": [user, answer, other], "tools": TOOLS}
    calls = [call("get_weather", {"city": "Köln", "days": 2, "exact": True, "x": [1.5, None, {"a": "b\n"}]})]
    result = message("tool", "{\"sky\": \"grey\"}", name="get_weather", tool_call_id="abc123def")
    yield "tool calls", {"messages": [user, message("assistant", None, tool_calls=calls), result], "tools": TOOLS}
    yield "tool calls answered", {"messages": [
        system, user, message("assistant", "", tool_calls=calls), result, answer, other], "tools": TOOLS}
    twice = [call("ping", {}, "a" * 9), call("get_weather", {"city": "<Bonn>"}, "b" * 9)]
    yield "two calls", {"messages": [
        user, message("assistant", "So:", tool_calls=twice), message("tool", "pong", name="ping", tool_call_id="a" * 9),
        message("tool", "rain", name="get_weather", tool_call_id="b" * 9)], "tools": TOOLS}
    as_text = [call("get_weather", json.dumps({"city": "Rom"}))]
    yield "arguments as text", {"messages": [user, message("assistant", "", tool_calls=as_text), result], "tools": TOOLS}
    yield "documents", {"messages": [user], "documents": DOCUMENTS}
    yield "a date", {"messages": [system, user], "date_string": "1 Jan 2026"}
    yield "builtin tools", {"messages": [system, user], "builtin_tools": ["wolfram", "brave_search"]}


TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def templates_of(folders):
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*.jinja")):
            yield str(path), path.read_bytes().decode()
        for path in sorted(pathlib.Path(folder).rglob("tokenizer_config.json")):
            stored = json.loads(path.read_text(encoding="utf-8")).get("chat_template") or []
            for entry in [{"name": "", "template": stored}] if isinstance(stored, str) else stored:
                yield f"{path} {entry['name']}", entry["template"]


class Tally:
    """Counts verdicts, and keeps what only we refuse by sentence."""

    def __init__(self):
        self.counts, self.refused, self.bad = collections.Counter(), collections.Counter(), 0

    def judge(self, name, ours, text, sentence):
        if "error" in ours and text is not None:
            self.counts["refused by us alone"] += 1
            self.refused[name] += 1
        elif "error" in ours:
            self.counts["both refuse"] += 1
        elif text == ours["text"]:
            self.counts["equal"] += 1
        else:
            self.bad += 1
            print(f"DIFFERENT: {name}\n  jinja2: {sentence or text!r}\n  ours:   {ours['text']!r}")

    def report(self):
        for what, n in self.refused.most_common():
            print(f"only we refuse ({n} times): {what}")
        print(f"{self.bad} different, " + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items())))
        return 1 if self.bad else 0


def check_provenance(name, ours):
    """A piece that stands in no template must have come from outside: here, the characters 漢字."""
    at = ours.get("text", "").find("漢字")
    if at >= 0:
        start = len(ours["text"][:at].encode())
        if ours["outside"][start:start + 6] != "111111":
            print(f"PROVENANCE: {name}")
            return 1
    return 0


def compare_templates(renderer, folders):
    tally, n, whole = Tally(), 0, 0
    for path, template in templates_of(folders):
        n += 1
        refused = tally.counts["refused by us alone"] + tally.bad
        for what, variables in conversations():
            for prompt in (True, False):
                given = {"tools": None, "documents": None, **variables, "add_generation_prompt": prompt}
                own = {**TOKENS, "add_generation_prompt": prompt}
                outside = {name: value for name, value in given.items() if name not in own}
                text, sentence = expected(template, {**own, **given})
                ours = renderer.render(template, own, outside)
                name = f"{path}: {ours['error']}" if "error" in ours else f"{path}, {what}"
                tally.judge(name, ours, text, sentence)
                tally.bad += check_provenance(name, ours)
        whole += refused == tally.counts["refused by us alone"] + tally.bad
    print(f"{n} templates, {whole} of them without a difference or a refusal that jinja2 doesn't have")
    return tally.report()


# ---- Random templates ----

VARIABLES = {
    "t": "Hello, World", "u": "  Zwölf\tBoxkämpfer\n\njagen  ", "w": "aXbXc", "z": "", "k": "漢字 👩‍👩‍👧 é\u2028x",
    "h": "<b a='x'>&amp;</b>", "q": "it's \"so\" \\ \x7f\x01", "n": 3, "m": -7, "o": 0, "big": 2 ** 40, "f": 2.5,
    "g": -0.1, "e": 1e22, "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "s": ["b", "A", "c", "a"],
    "x": [1, "a", None, [2.5, True], {"k": "v"}], "empty": [], "d": {"a": 1, "b": "two", "c": [1, 2]}, "void": {},
    "rows": [{"role": "user", "n": 2, "sub": {"k": "x"}}, {"role": "tool", "n": 1}, {"role": "user", "n": 3}],
}
OF_KIND = {
    "str": ["t", "u", "w", "z", "k", "h", "q"], "int": ["n", "m", "o", "big"], "float": ["f", "g", "e"],
    "bool": ["yes", "no"], "list": ["l", "s", "x", "empty", "rows"], "dict": ["d", "void"],
    "any": ["nil", "missing", "t", "n", "l", "d"],
}
KINDS = list(OF_KIND)


class Writer:
    """Expressions of a wished-for kind, mostly, and statements around them."""

    def __init__(self, rng):
        self.rng = rng
        self.loops = 0

    def one(self, *choices):
        return self.rng.choice(choices)

    def expression(self, kind, depth):
        if self.rng.random() < 0.04:
            kind = self.one(*KINDS)
        if depth == 0 or self.rng.random() < 0.2:
            return self.leaf(kind)
        if self.rng.random() < 0.1:
            return self.general(kind, depth - 1)
        return getattr(self, "make_" + kind)(depth - 1)

    def leaf(self, kind):
        literals = {
            "str": [repr("a"), '"X"', "'\\n'", "'b, c'", "'é'", '"<|im_end|>"', "''", "'%s-%s'", "'{}{}'", "' '"],
            "int": ["0", "1", "2", "-1", "10", "007"[2:]], "float": ["1.5", "0.1", "1e3", "-2.0", "1e-7"],
            "bool": ["true", "false", "True"], "list": ["[]", "[1, 2, 3]", "['a', 'b']", "(1, 'x')", "range(4)"],
            "dict": ["{}", "{'a': 1, 'b': [2]}", "{1: 'x'}"], "any": ["none", "None", "missing", "missing.a"],
        }
        return self.one(*literals[kind], *OF_KIND[kind])

    def general(self, kind, depth):
        e = self.expression
        return self.one(
            lambda: f"({e(kind, depth)} if {e('bool', depth)} else {e(kind, depth)})",
            lambda: f"({e(kind, depth)} if {e('bool', depth)})",
            lambda: f"({e('any', depth)} or {e(kind, depth)})",
            lambda: f"({e(kind, depth)} and {e(kind, depth)})",
            lambda: f"({e('any', depth)} | default({e(kind, depth)}{self.one('', ', true')}))",
            lambda: f"[{e(kind, depth)}, {e(kind, depth)}][{self.one('0', '1', '-1')}]",
            lambda: f"({e('list', depth)} | {self.one('first', 'last', 'min', 'max', 'sum')})",
            lambda: f"""{{'a': {e(kind, depth)}}}.{self.one('a', 'b', "get('a')")}""",
            lambda: f"{e('list', depth)}[{e('int', depth)}]",
            lambda: f"{e('dict', depth)}[{e('str', depth)}]",
        )()

    def make_any(self, depth):
        return self.expression(self.one(*KINDS), depth)

    def make_bool(self, depth):
        e = self.expression
        tests = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float",
                 "boolean", "true", "false", "callable", "odd", "even", "upper", "lower", "escaped", "divisibleby 2",
                 "divisibleby(3)", "in [1, 'a']", "eq 1", "gt 0", "lt 2", "ne 'a'"]
        compare = self.one("==", "!=", "<", "<=", ">", ">=")
        kind = self.one("int", "str", "list", "float")
        method = self.one("startswith", "endswith")
        return self.one(
            lambda: f"({e('any', depth)} is {self.one('', 'not ')}{self.one(*tests)})",
            lambda: f"({e(kind, depth)} {compare} {e(kind, depth)})",
            lambda: f"({e('int', depth)} {compare} {e('float', depth)} {self.one('<', '==')} {e('int', depth)})",
            lambda: f"({e('str', depth)} {self.one('in', 'not in')} {e('str', depth)})",
            lambda: f"({e('any', depth)} {self.one('in', 'not in')} {self.one(e('list', depth), e('dict', depth))})",
            lambda: f"(not {e('bool', depth)})",
            lambda: f"({e('bool', depth)} {self.one('and', 'or')} not {e('any', depth)})",
            lambda: f"""{e('str', depth)}.{method}({self.one(e('str', depth), "('a', 'H')")})""",
            lambda: f"{e('str', depth)}.is{self.one('digit', 'alpha', 'alnum', 'space', 'upper', 'lower')}()",
        )()

    def make_int(self, depth):
        e = self.expression
        call = self.one("find", "rfind", "count", "index", "rindex")
        return self.one(
            lambda: f"({e('int', depth)} {self.one('+', '-', '*', '//', '%', '**')} {self.one(e('int', depth), '2', '3')})",
            lambda: f"{self.one('-', '+')}{e('int', depth)}",
            lambda: f"{e(self.one('str', 'list', 'dict', 'any'), depth)} | {self.one('length', 'count')}",
            lambda: f"({e(self.one('str', 'float', 'any'), depth)} | int{self.one('', '(5)')})",
            lambda: f"({e('int', depth)} | abs)",
            lambda: f"{e('str', depth)}.{call}({e('str', depth)}{self.one('', ', 1', ', -3, -1', ', 2, 1', ', 99')})",
            lambda: f"{e('list', depth)}.{self.one('count', 'index')}({e('any', depth)})",
        )()

    def make_float(self, depth):
        e = self.expression
        return self.one(
            lambda: f"({e('float', depth)} {self.one('+', '-', '*', '/', '%')} {self.one(e('int', depth), e('float', depth))})",
            lambda: f"({e('int', depth)} / {self.one(e('int', depth), '3', '4')})",
            lambda: f"({e(self.one('str', 'int', 'any'), depth)} | float)",
        )()

    def bounds(self, depth):
        part = lambda: self.one("", "", "1", "-1", "2", "-2", "0", "99", "-99", self.expression("int", depth))
        return f"{part()}:{part()}" + self.one("", "", ":", ":-1", ":2", ":-2")

    def make_str(self, depth):
        e = self.expression
        strip = self.one("strip", "lstrip", "rstrip")
        case = self.one("upper", "lower", "title", "capitalize")
        return self.one(
            lambda: f"({e('str', depth)} + {e('str', depth)})",
            lambda: f"({e('any', depth)} ~ {e('any', depth)} ~ {e('str', depth)})",
            lambda: f"({e('str', depth)} * {self.one('2', '0', '3', '-1')})",
            lambda: f"{e('str', depth)}[{self.bounds(depth)}]",
            lambda: f"{e('str', depth)}[{e('int', depth)}]",
            lambda: f"{e('str', depth)}.{strip}({self.one('', e('str', depth), 'none')})",
            lambda: f"{e('str', depth)}.{case}()",
            lambda: f"({e(self.one('str', 'any'), depth)} | {self.one('string', 'trim', case, 'escape', 'e', 'safe')})",
            lambda: f"{e('str', depth)}.replace({e('str', depth)}, {e('str', depth)}{self.one('', ', 1', ', 0', ', -1')})",
            lambda: f"({e('str', depth)} | replace({e('str', depth)}, {e('any', depth)}))",
            lambda: f"{e('str', depth)}.remove{self.one('prefix', 'suffix')}({e('str', depth)})",
            lambda: f"{e('str', depth)}.join({self.one(e('list', depth), 's', 's[1:]')})",
            lambda: f"({e('list', depth)} | join({self.one('', e('str', depth))}))",
            lambda: f"({e('any', depth)} | tojson{self.one('', '(indent=2)', '(ensure_ascii=true)', '(sort_keys=true)')})",
            lambda: f"""({self.one("'%s-%s'", "'%r %d'")} | format({e('any', depth)}, {e('int', depth)}))""",
            lambda: f"('%s: %s %%' % ({e('any', depth)}, {e('any', depth)}))",
            lambda: f"""{self.one("'{} {}'", "'{0}{1}{0}'", "'{{}}{}'")}.format({e('any', depth)}, {e('int', depth)})""",
            lambda: f"""({e('str', depth)} | indent{self.one('', '(2)', '(2, true)', '(1, false, true)', "('> ')")})""",
        )()

    def make_list(self, depth):
        e = self.expression
        test = self.one("'string'", "'number'", "'eq', 1", "'in', 'abc'", "'defined'")
        by = self.one("'role'", "'n'", "'sub.k'", "'role', 'equalto', 'user'", "'n', 'gt', 1", "'x', 'defined'")
        return self.one(
            lambda: f"[{e('any', depth)}, {e('any', depth)}]",
            lambda: f"({e('list', depth)} + {e('list', depth)})",
            lambda: f"{e('list', depth)}[{self.bounds(depth)}]",
            lambda: f"{e('str', depth)}.{self.one('split', 'rsplit')}({self.one('', e('str', depth), e('str', depth) + ', 1')})",
            lambda: f"""{e('str', depth)}.{self.one('splitlines()', 'splitlines(true)', "partition('X')", "rpartition('X')")}""",
            lambda: f"({e(self.one('str', 'list', 'dict'), depth)} | list)",
            lambda: f"({e('list', depth)} | reverse | list)",
            lambda: f"({e('list', depth)} | sort{self.one('', '(reverse=true)', '(case_sensitive=true)')})",
            lambda: f"({e('list', depth)} | unique | list)",
            lambda: f"({e('list', depth)} | {self.one('select', 'reject')}({self.one('', test)}) | list)",
            lambda: f"(rows | {self.one('selectattr', 'rejectattr')}({by}) | list)",
            lambda: f"""(rows | map(attribute={self.one("'role'", "'sub.k'", "'n', default=9")}) | list)""",
            lambda: f"""({e('list', depth)} | map({self.one("'string'", "'upper'", "'length'", "'default', 1")}) | list)""",
            lambda: f"{e('dict', depth)}.{self.one('items', 'keys', 'values')}() | list",
            lambda: f"({e('dict', depth)} | {self.one('items | list', 'dictsort', 'dictsort(reverse=true)', 'list')})",
            lambda: f"""(rows | sort(attribute={self.one("'n'", "'role'")}))""",
            lambda: f"range({self.one('', '1, ', '5, ')}{e('int', depth)}{self.one('', '', ', -1')}) | list",
        )()

    def make_dict(self, depth):
        e = self.expression
        return self.one(
            lambda: f"{{{e(self.one('str', 'int'), depth)}: {e('any', depth)}, 'z': {e('any', depth)}}}",
            lambda: f"dict({self.one('', 'd', e('dict', depth))})",
            lambda: f"dict(a={e('any', depth)})",
            lambda: f"rows[{self.one('0', '1', '-1')}]",
        )()

    # Statements

    def tag(self, inside):
        begin, end = self.one("", "", "", "-", "+"), self.one("", "", "", "-")
        return f"{{%{begin}{self.one(' ', '', '  ')}{inside} {end}%}}"

    def data(self):
        return "".join(self.one("a", " ", "  ", "\n", "\t", "é", "{", "}", "\r\n", "b\n", " \n ", "#", "%", "x: ")
                       for _ in range(self.rng.randrange(4)))

    def body(self, depth):
        return "".join(self.data() + self.statement(depth) for _ in range(self.rng.randrange(1, 3))) + self.data()

    def output(self):
        begin, end = self.one("", "", "-", "+"), self.one("", "", "-")
        return f"{{{{{begin} {self.expression(self.one(*KINDS), self.rng.randrange(4))} {end}}}}}"

    def statement(self, depth):
        if depth == 0:
            return self.output()
        return self.one(self.output, self.output, self.comment, self.if_, self.for_, self.for_, self.set, self.set_block,
                        self.macro, self.namespace, self.with_, self.filter, self.jump, self.raw, self.generation,
                        lambda: self.output())() if depth else ""

    def name(self):
        return self.one("v", "v2", "t", "n", "l")

    def comment(self):
        return f"{{#{self.one('', '-')} {self.data()} {self.one('', '-', '+')}#}}"

    def if_(self):
        parts = [self.tag(f"if {self.expression('bool', 2)}"), self.body(1)]
        if self.rng.random() < 0.4:
            parts += [self.tag(f"elif {self.expression('any', 1)}"), self.body(1)]
        if self.rng.random() < 0.5:
            parts += [self.tag("else"), self.body(1)]
        return "".join(parts + [self.tag("endif")])

    def for_(self):
        loop = "".join(self.one("", f"{{{{ loop.{name} }}}},") for name in
                       ("index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"))
        head = self.one(f"for v in {self.expression('list', 2)}", f"for v, v2 in {self.expression('dict', 1)}.items()",
                        f"for v in {self.expression('list', 1)} if {self.one('v', 'v is string', 'loop is defined', 'v > 1')}",
                        f"for v in {self.expression('str', 1)}", f"for v in {self.expression('any', 1)}")
        self.loops += 1
        parts = [self.tag(head), loop, self.body(1)]
        self.loops -= 1
        if self.rng.random() < 0.3:
            parts += [self.tag("else"), self.body(1)]
        return "".join(parts + [self.tag("endfor")])

    def jump(self):
        if not self.loops:
            return self.output()
        return self.tag(f"if {self.expression('bool', 1)}") + self.tag(self.one("break", "continue")) + self.tag("endif")

    def set(self):
        return self.tag(self.one(f"set {self.name()} = {self.expression('any', 2)}",
                                 f"set v, v2 = {self.one('1, 2', 's[:2]', self.expression('list', 1))}"))

    def set_block(self):
        return self.tag(f"set {self.name()}{self.one('', ' | upper', ' | trim | length')}") + self.body(0) + self.tag("endset")

    def macro(self):
        parameters = self.one("", "a", "a, b=1", "a, b=t, c=a")
        call = self.one("p()", "p(1)", "p(1, 2)", "p(a=n)", "p(b=2, a='x')", "p(1, c=2)", "p(t)|length")
        return (self.tag(f"macro p({parameters})") + self.data() + "{{ a }}{{ b }}" + self.body(1) + self.tag("endmacro") +
                f"{{{{ {call} }}}}")

    def namespace(self):
        return (self.tag(f"set ns = namespace(v={self.expression('any', 1)})") + self.tag("for i in l") +
                self.tag(f"set ns.v = {self.one('i', 'ns.v ~ i', self.expression('any', 1))}") + self.tag("endfor") +
                "{{ ns.v }}{{ ns.other }}")

    def with_(self):
        return self.tag(f"with v = {self.expression('any', 1)}, v2 = v") + "{{ v }}{{ v2 }}" + self.body(0) + self.tag("endwith")

    def filter(self):
        return self.tag(f"""filter {self.one('upper', 'trim', "replace('a', 'b')", 'indent(1) | upper')}""") + \
            self.body(0) + self.tag("endfilter")

    def raw(self):
        return f"{{%{self.one('', '-', '+')} raw {self.one('', '-')}%}}{self.data()}{{{{ x }}}}" \
               f"{{%{self.one('', '-', '+')} endraw {self.one('', '-', '+')}%}}"

    def generation(self):
        loops, self.loops = self.loops, 0
        text = self.tag("generation") + self.body(1) + self.tag("endgeneration")
        self.loops = loops
        return text


def compare_random(renderer, n, seed):
    tally = Tally()
    for i in range(n):
        template = Writer(random.Random(f"{seed}.{i}")).body(2)
        text, sentence = expected(template, VARIABLES)
        ours = renderer.render(template, {}, VARIABLES)
        name = ours["error"].split(": ", 2)[-1] if "error" in ours else repr(template)
        tally.judge(name, ours, text, sentence)
    print(f"{n} templates")
    return tally.report()


def write_golden(path):
    golden = json.loads(path.read_text(encoding="utf-8"))
    for case in golden["cases"]:
        case["text"] = expected(case["template"], golden["variables"])[0]
    path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    templates = commands.add_parser("templates")
    templates.add_argument("folders", nargs="+")
    made_up = commands.add_parser("random")
    made_up.add_argument("n", type=int)
    made_up.add_argument("--seed", type=int, default=1)
    commands.add_parser("golden").add_argument("file", type=pathlib.Path)
    for command in (templates, made_up):
        command.add_argument("--render", required=True)
    options = parser.parse_args()
    if options.command == "golden":
        return write_golden(options.file)
    renderer = Renderer(options.render)
    if options.command == "random":
        sys.exit(compare_random(renderer, options.n, options.seed))
    sys.exit(compare_templates(renderer, options.folders))


main()
