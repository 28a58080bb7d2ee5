# SPDX-License-Identifier: Apache-2.0
"""The cases of a suite, which operators they hold, and which of them are expected to fail; needs no package."""
from __future__ import annotations

import collections
import dataclasses
import pathlib


def find_cases(data: pathlib.Path) -> list[pathlib.Path]:
    """All folders CATEGORY/CASE with a model."""
    return sorted(model.parent for model in data.glob("*/*/model.onnx"))


# --- operators of a model, by protobuf's wire format ---

GRAPH, NODE, OP_TYPE, ATTRIBUTE, DOMAIN, BODY, BODIES = 7, 1, 4, 5, 7, 6, 11


def varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def messages(data: memoryview, *wanted: int):
    """Number and contents of the fields that hold texts or messages, of those that are wanted."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        wire, size = key & 7, 0
        if wire == 0:
            _, at = varint(data, at)
        elif wire == 2:
            size, at = varint(data, at)
            if key >> 3 in wanted:
                yield key >> 3, data[at:at + size]
        else:
            size = {1: 8, 5: 4}[wire]
        at += size


def graph_operators(graph: memoryview, found: set[str]) -> None:
    for _, node in messages(graph, NODE):
        text = {OP_TYPE: "", DOMAIN: ""}
        for number, content in messages(node, OP_TYPE, DOMAIN, ATTRIBUTE):
            if number != ATTRIBUTE:
                text[number] = bytes(content).decode()
                continue
            for _, body in messages(content, BODY, BODIES):
                graph_operators(body, found)
        domain = "" if text[DOMAIN] in ("", "ai.onnx") else f"{text[DOMAIN]}."
        found.add(domain + text[OP_TYPE])


def operators(model: pathlib.Path) -> set[str]:
    found: set[str] = set()
    for _, graph in messages(memoryview(model.read_bytes()), GRAPH):
        graph_operators(graph, found)
    return found


# --- the cases that are expected to fail ---

HEADER = """# SPDX-License-Identifier: Apache-2.0
# The cases of {name} that do not pass, each with its reason, and how many cases there are.  `tests/conformance/run.py` fails when
# a case fails that is not listed, or passes and is listed: this file may only become shorter.
"""


@dataclasses.dataclass
class Expected:
    counts: dict[str, int]     # of cases, by category
    reasons: dict[str, str]    # by CATEGORY/CASE

    @staticmethod
    def read(path: pathlib.Path | None) -> Expected:
        expected = Expected({}, {})
        for line in path.read_text().splitlines() if path and path.exists() else []:
            if line.startswith("cases: "):
                _, category, count = line.split()
                expected.counts[category] = int(count)
            elif line and not line.startswith("#"):
                name, _, reason = line.partition(": ")
                expected.reasons[name] = reason
        return expected

    def write(self, path: pathlib.Path, found: dict[pathlib.Path, str]) -> None:
        """What is listed keeps its reason."""
        lines = [f"cases: {category} {count}\n" for category, count in sorted(count_by_category(found).items())]
        for case, reason in sorted(found.items()):
            name = f"{case.parent.name}/{case.name}"
            if reason:
                lines.append(f"{name}: {self.reasons.get(name, reason[:160].rstrip())}\n")
        path.write_text(HEADER.format(name=path.stem) + "".join(lines))

    def compare(self, found: dict[pathlib.Path, str], complete: bool) -> list[str]:
        """What is not as expected; `complete`: all cases were to be run."""
        surprises = []
        names = {f"{case.parent.name}/{case.name}": reason for case, reason in found.items()}
        for name, reason in sorted(names.items()):
            if bool(reason) != (name in self.reasons):
                surprises.append(f"unexpected: {name} {'fails: ' + reason if reason else 'passes'}")
        if not complete:
            return surprises
        surprises += [f"unexpected: {name} is listed, and there is no such case" for name in self.reasons if name not in names]
        counts = count_by_category(found)
        for category in sorted(counts.keys() | self.counts.keys()) if self.counts else []:
            if counts.get(category, 0) != self.counts.get(category, 0):
                surprises.append(f"unexpected: {counts.get(category, 0)} cases in {category} instead of {self.counts.get(category, 0)}")
        return surprises


def count_by_category(found) -> dict[str, int]:
    return collections.Counter(case.parent.name for case in found)
