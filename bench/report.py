# SPDX-License-Identifier: Apache-2.0
"""Tables and a plot from measured results.  A figure of an engine is the lowest of its rounds' medians: what disturbs a shared
machine only ever adds time."""
import json
import math
import pathlib
import subprocess
import sys


def best(entry, key="p50_ms"):
    return min((r[key] for r in entry["rounds"]), default=None) if entry and "problem" not in entry else None


def line(results, network, threads, engines) -> str:
    cells = [f"{e} {best(results[(network, threads, e)]) or float('nan'):.2f}" for e in engines]
    return f"{network} {threads}: " + "  ".join(cells)


def peak_of(strider, threads: int) -> float:
    model = pathlib.Path(__file__).resolve().parents[1] / "models" / "digits" / "digits.onnx"
    text = subprocess.run([strider, "profile", model, "--json", "--seconds", "0.1", "--threads", str(threads)], check=True,
                          capture_output=True, text=True).stdout
    return json.loads(text)["peak_gflops"]


def rows(measured):
    """(network, threads, {engine: entry}), in the order of measuring."""
    table = {}
    for entry in measured["results"]:
        table.setdefault((entry["network"], entry["threads"]), {})[entry["engine"]] = entry
    return [(network, threads, engines) for (network, threads), engines in table.items()]


def cell(value, digits=2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def markdown(measured) -> str:
    engines = list(dict.fromkeys(entry["engine"] for entry in measured["results"]))
    peers = [e for e in engines if e != "strider"]
    out = [f"{measured['cpu']}, {measured['cpus']} CPUs, {measured['date']}; {measured['rounds']} rounds, lowest of the rounds' medians.", ""]
    for threads in dict.fromkeys(t for _, t, _ in rows(measured)):
        peak = measured["peak_gflops"][str(threads)]
        out += [f"### {threads} thread{'s' if threads > 1 else ''}: latency in ms (measured peak {peak:.0f} GFLOP/s)", "",
                "| network | " + " | ".join(engines) + " | Strider / best peer | share of the peak |", "|---" * (len(engines) + 3) + "|"]
        ratios = []
        for network, t, entries in rows(measured):
            if t != threads:
                continue
            times = {e: best(entries.get(e)) for e in engines}
            fastest = min((times[p] for p in peers if times[p]), default=None)
            ratio = times["strider"] / fastest if fastest and times["strider"] else None
            ratios += [ratio] if ratio else []
            macs = entries["strider"]["rounds"][0]["macs"] if times["strider"] else 0
            share = f"{100 * 2e-6 * macs / times['strider'] / peak:.0f} %" if times["strider"] else ""
            out.append(f"| {network} | " + " | ".join(cell(times[e]) for e in engines) + f" | {cell(ratio)} | {share} |")
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
        out += [f"| geometric mean | {' | ' * (len(engines) - 1)} | {cell(mean)} | |", ""]
    for key, title, digits in (("load_ms", "load, ms (Strider plans and packs in its first session: plan_ms in the JSON)", 0),
                               ("first_output_ms", "to the first output, ms (Strider: a whole process; peers: without Python's start)", 0),
                               ("peak_rss_mb", "peak memory, MB (peers: with Python and NumPy)", 0),
                               ("difference", "largest difference to the reference over the largest output", None)):
        first = rows(measured)[0][1]
        out += [f"### {title}, {first} thread", "", "| network | " + " | ".join(engines) + " |", "|---" * (len(engines) + 1) + "|"]
        for network, t, entries in rows(measured):
            if t == first:
                values = [best(entries.get(e), key) for e in engines]
                out.append(f"| {network} | " + " | ".join("" if v is None else f"{v:.1e}" if digits is None else cell(v, digits) for v in values) + " |")
        out.append("")
    problems = [f"- {e['network']}, {e['engine']}: {e['problem']}" for e in measured["results"] if "problem" in e]
    return "\n".join(out + (["Left out:", *problems, ""] if problems else []))


def plot(measured, path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    engines = list(dict.fromkeys(entry["engine"] for entry in measured["results"]))
    counts = list(dict.fromkeys(t for _, t, _ in rows(measured)))
    figure, axes = pyplot.subplots(len(counts), 1, figsize=(10, 3.2 * len(counts)), squeeze=False)
    for axis, threads in zip(axes[:, 0], counts):
        chosen = [(n, e) for n, t, e in rows(measured) if t == threads]
        for i, engine in enumerate(engines):
            heights = [(best(e.get(engine)) or math.nan) / (best(e["strider"]) or math.nan) for _, e in chosen]
            axis.bar([x + i * 0.8 / len(engines) for x in range(len(chosen))], heights, 0.8 / len(engines), label=engine)
        axis.set_xticks([x + 0.4 for x in range(len(chosen))], [n for n, _ in chosen], rotation=20, ha="right")
        axis.set_ylabel("latency, Strider = 1")
        axis.set_title(f"{threads} thread{'s' if threads > 1 else ''}, {measured['cpu']}")
        axis.axhline(1, color="black", linewidth=0.6)
        axis.legend(ncols=len(engines), fontsize="small")
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    results = pathlib.Path(sys.argv[1])
    plot(json.loads(results.read_text()), results.with_suffix(".svg"))
