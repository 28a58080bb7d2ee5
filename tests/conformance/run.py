#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the ONNX backend test cases that generate.py wrote, by `strider check` under the rule of ONNX's own runner."""
import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
EXCLUDED = {
    "test_training_dropout": "random: expects NumPy's generator",
    "test_training_dropout_default": "random: expects NumPy's generator",
    "test_training_dropout_mask": "random: expects NumPy's generator",
    "test_training_dropout_default_mask": "random: expects NumPy's generator",
}
BATCH = 100


def select(args):
    order = {"plain": 0, "float": 1, "all": 2}
    for line in (HERE / "cases.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        category, case, tier, types = line.split("\t")
        # The torch and whole-model categories are taken with whatever types they have.
        if int(tier) <= args.tier and (category != "node" or order[types] <= order[args.types]):
            if not args.category or category in args.category:
                yield category, case


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strider", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--tier", type=int, default=1)
    parser.add_argument("--types", choices=("plain", "float", "all"), default="plain")
    parser.add_argument("--category", action="append")
    parser.add_argument("--json", type=pathlib.Path, help="write all verdicts here")
    parser.add_argument("options", nargs="*", help="for strider check, after --")
    args = parser.parse_args()
    counts, failures, verdicts = {}, [], []
    wanted = list(select(args))
    runnable = [(c, n) for c, n in wanted if n not in EXCLUDED]
    for category, name in wanted:
        counts.setdefault(category, {"pass": 0, "fail": 0, "excluded": 0})
        counts[category]["excluded"] += name in EXCLUDED
    for begin in range(0, len(runnable), BATCH):
        batch = runnable[begin:begin + BATCH]
        paths = [str(args.data / category / name) for category, name in batch]
        result = subprocess.run([str(args.strider), "check", "--json", "--quiet", "--rtol", "1e-3", "--atol", "1e-7", *args.options, *paths],
                                capture_output=True, text=True, check=False)
        if result.returncode not in (0, 1, 3, 4, 5):
            print(f"strider check ended with {result.returncode} among {batch[0]}...\n{result.stderr}", file=sys.stderr)
            return 1
        seen = {}
        for case in json.loads(result.stdout)["cases"]:
            path = pathlib.Path(case["path"])
            path = path.parent if path.name.startswith("test_data_set_") else path
            seen.setdefault((path.parent.name, path.name), []).append(case)
        for category, name in batch:
            sets = seen.get((category, name), [])
            good = bool(sets) and all(s["pass"] for s in sets)
            counts[category]["pass" if good else "fail"] += 1
            message = next((s["message"] for s in sets if not s["pass"]), "" if sets else "no data")
            verdicts.append({"category": category, "case": name, "pass": good, "message": message})
            if not good:
                failures.append(f"{category}/{name}: {message}")
    print(f"{'category':<20} {'pass':>6} {'fail':>6} {'excluded':>9}")
    for category, c in counts.items():
        print(f"{category:<20} {c['pass']:>6} {c['fail']:>6} {c['excluded']:>9}")
    for name in sorted(n for _, n in wanted if n in EXCLUDED):
        print(f"excluded: {name}: {EXCLUDED[name]}")
    for failure in failures:
        print("FAIL", failure)
    if args.json:
        args.json.write_text(json.dumps(verdicts, indent=1))
    total = {k: sum(c[k] for c in counts.values()) for k in ("pass", "fail", "excluded")}
    print(f"{total['pass']} passed, {total['fail']} failed, {total['excluded']} skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
