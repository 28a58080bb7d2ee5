#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs all cases of an ONNX backend test suite by `strider check`, under the rule of ONNX's own runner.

DATA holds CATEGORY/CASE/{model.onnx, test_data_set_*}, as generate.py writes it or Debian's libonnx-testdata has it.  No case
is left out.  The file --expected names the cases that do not pass, and how many there are: a case that fails and is not in
it, passes and is in it, or is missing makes the exit status 1.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys

from suite import Expected, find_cases, operators

TOLERANCE = {"rtol": 1e-3, "atol": 1e-7}
BATCH = 100
SECONDS = 120


def tolerance(case: pathlib.Path) -> tuple[float, float]:
    """What the case's data.json overrides, as onnx's loader reads it."""
    about = case / "data.json"
    given = json.loads(about.read_text()) if about.exists() else {}
    return tuple(given.get(key, default) for key, default in TOLERANCE.items())


def check(strider: pathlib.Path, options: list[str], limits: tuple[float, float], cases: list[pathlib.Path]) -> list[dict] | str:
    """The program's verdicts, or why there are none."""
    rtol, atol = limits
    command = [str(strider), "check", "--json", "--quiet", "--rtol", str(rtol), "--atol", str(atol), *options, *map(str, cases)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"it took more than {SECONDS} seconds"
    try:
        return json.loads(result.stdout)["cases"]
    except (ValueError, KeyError):
        lines = result.stderr.strip().splitlines()
        return f"the program ended with {result.returncode}: {lines[-1] if lines else 'no message'}"


def why_not(sets: list[dict]) -> str:
    """"" where all data sets of a case pass."""
    if not sets:
        return "no data"
    for verdict in sets:
        if not verdict["pass"]:
            return " ".join(verdict["message"].split()) or "no message"
        if verdict["not_compared"]:
            return f"more outputs than expected: {', '.join(verdict['not_compared'])}"
    return ""


def run_batch(strider, options, limits, cases, reasons) -> None:
    found = check(strider, options, limits, cases)
    if isinstance(found, str) and len(cases) > 1:
        for case in cases:
            run_batch(strider, options, limits, [case], reasons)
        return
    if isinstance(found, str):
        reasons[cases[0]] = found
        return
    sets = collections.defaultdict(list)
    for verdict in found:
        path = pathlib.Path(verdict["path"])
        sets[path.parent if path.name.startswith("test_data_set_") else path].append(verdict)
    for case in cases:
        reasons[case] = why_not(sets[case])


def run_all(strider, options, cases) -> dict[pathlib.Path, str]:
    """Why each case does not pass; "" for those that do."""
    groups, reasons = collections.defaultdict(list), {}
    for case in cases:
        groups[tolerance(case)].append(case)
    for limits, group in groups.items():
        for begin in range(0, len(group), BATCH):
            run_batch(strider, options, limits, group[begin:begin + BATCH], reasons)
    return reasons


# --- report ---

def print_categories(reasons) -> None:
    counts = collections.defaultdict(lambda: [0, 0])
    for case, reason in reasons.items():
        counts[case.parent.name][bool(reason)] += 1
    print(f"{'category':<20} {'cases':>6} {'pass':>6} {'fail':>6}")
    for category, (passed, failed) in sorted(counts.items()):
        print(f"{category:<20} {passed + failed:>6} {passed:>6} {failed:>6}")
    print(f"{'all':<20} {len(reasons):>6} {sum(c[0] for c in counts.values()):>6} {sum(c[1] for c in counts.values()):>6}")


def print_operators(reasons) -> None:
    counts = collections.defaultdict(lambda: [0, 0])
    for case, reason in reasons.items():
        for name in operators(case / "model.onnx"):
            counts[name][0] += not reason
            counts[name][1] += 1
    print("\noperator: cases in which it occurs that pass, of all")
    entries = [f"{name} {passed}/{total}" for name, (passed, total) in sorted(counts.items())]
    columns, width = 3, max(map(len, entries), default=0) + 2
    height = -(-len(entries) // columns)
    for row in range(height):
        print("".join(entry.ljust(width) for entry in entries[row::height]).rstrip())


def print_failures(reasons, expected) -> None:
    print()
    for case, reason in sorted(reasons.items()):
        name = f"{case.parent.name}/{case.name}"
        if reason:
            print(f"FAIL{' (as listed)' if name in expected.reasons else ''} {name}: {reason}")
        elif name in expected.reasons:
            print(f"PASS, though it is listed as failing: {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strider", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--expected", type=pathlib.Path, help="the cases that do not pass; none where it is not given")
    parser.add_argument("--update", action="store_true", help="write --expected anew from what fails now")
    parser.add_argument("--match", default="", help="only cases whose CATEGORY/CASE contains this; nothing is asked of the others")
    parser.add_argument("--json", type=pathlib.Path, help="write all verdicts here")
    parser.add_argument("options", nargs="*", help="for strider check, after --")
    args = parser.parse_args()
    cases = [case for case in find_cases(args.data) if args.match in f"{case.parent.name}/{case.name}"]
    reasons = run_all(args.strider, args.options, cases)
    expected = Expected.read(args.expected)
    print_categories(reasons)
    print_operators(reasons)
    print_failures(reasons, expected)
    if args.json:
        verdicts = [{"category": c.parent.name, "case": c.name, "pass": not r, "message": r} for c, r in reasons.items()]
        args.json.write_text(json.dumps(verdicts, indent=1))
    if args.update:
        expected.write(args.expected, reasons)
        return 0
    surprises = expected.compare(reasons, complete=not args.match)
    for surprise in surprises:
        print(surprise, file=sys.stderr)
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
