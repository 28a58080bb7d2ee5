#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes of memory come from checked arithmetic (src/base/size.h), never from a raw product.

Reports, in the C files of the folder SRC:
  - a product with sizeof, but in the arguments of memcpy() and its like: what these touch was taken before;
  - a product that is converted to size_t as a whole: (size_t)(a * b), which has wrapped by then;
  - a product in what becomes bytes: in `..._bytes = a * b`, and in the arguments of what takes memory.
usage: sizes.py SRC"""
import pathlib
import re
import sys

CHECKED = {"base/size.h"}  # the arithmetic itself
COPIES = re.compile(r"\b(memcpy|memmove|memset|memcmp)\s*\(")
TAKES = re.compile(r"\b((?:memory|region)_take\w*|prepare_take\w*|cpu_take\w*|region_grow)\s*\(")
# A star with spaces on both sides is a product; `T *p`, `(T *)p` and `*p` are none in this style.
PRODUCT = re.compile(r"[\w)\]] \* [\w(*&]")
# What cannot wrap: a number or a constant times sizeof, and a (double), which is a cost.
HARMLESS = re.compile(r"\b(?:\d+|[A-Z][A-Z_0-9]+) \* (?=sizeof)|\(double\)sizeof\([^()]*\)")
SIZEOF = re.compile(r"[\w)\]] \* sizeof\b|\bsizeof(?:\([^()]*\)|(?:\(\*?\w+\))? ?\*?[\w.>\[\]-]+) \* [\w(]")
WHOLE = re.compile(r"\(size_t\)\(")
BYTES = re.compile(r"\b\w*_bytes\b *[-+*]?= *([^,;]*)[,;]")


def without_comments(text):
    """The same text with comments, strings and characters as spaces, line by line."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def arguments(text, start):
    """The end of what the parenthesis before `start` encloses."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text)


def spans(text, pattern):
    return [(m.end(), arguments(text, m.end())) for m in pattern.finditer(text)]


def findings(text):
    text = HARMLESS.sub(lambda m: " " * len(m.group()), without_comments(text))
    copies = spans(text, COPIES)
    for m in SIZEOF.finditer(text):
        if not any(start <= m.start() < end for start, end in copies):
            yield m.start(), "a product with sizeof"
    for start, end in spans(text, WHOLE):
        if PRODUCT.search(text[start:end]) and not any(s <= start < e for s, e in copies):
            yield start, "a product that is converted to size_t as a whole"
    for m in BYTES.finditer(text):
        if PRODUCT.search(m.group(1)):
            yield m.start(), "bytes from a raw product"
    for start, end in spans(text, TAKES):
        if PRODUCT.search(text[start:end]):
            yield start, "memory taken by a raw product"


def main(folder):
    root = pathlib.Path(folder)
    count = 0
    for path in sorted(p for p in root.rglob("*") if p.suffix in (".c", ".h")):
        if path.relative_to(root).as_posix() in CHECKED:
            continue
        text = path.read_text()
        lines = text.splitlines()
        for line, what in sorted({(text.count("\n", 0, at) + 1, what) for at, what in findings(text)}):
            count += 1
            print(f"{path}:{line}: {what}: {lines[line - 1].strip()}")
    print(f"{count} raw sizes")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
