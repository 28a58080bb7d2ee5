# SPDX-License-Identifier: Apache-2.0
"""One peer, one network, one number of threads, one process: prints a JSON object."""
import json
import pathlib
import resource
import sys
import time

BEGIN = time.perf_counter()

from engines import ENGINES  # noqa: E402
from networks import find_networks  # noqa: E402


def largest_difference(outputs, expected) -> float:
    """The largest difference over the largest output; outputs may come in any order and with any batch dimension."""
    import numpy

    worst = 0.0
    for reference in expected:
        candidates = [numpy.abs(o.reshape(reference.shape) - reference).max() for o in outputs if o.size == reference.size]
        if not candidates:
            raise RuntimeError("an output is missing")
        worst = max(worst, float(min(candidates) / numpy.abs(reference).max()))
    return worst


def main(folder, name, engine, threads, seconds, warmup):
    network = find_networks(pathlib.Path(folder), [name])[0]
    x = network.read("input", 0)
    expected = network.outputs()
    begin = time.perf_counter()
    run = ENGINES[engine](network, int(threads))
    loaded = time.perf_counter()
    outputs = run(x)
    first = time.perf_counter()
    difference = largest_difference(outputs, expected)
    for _ in range(int(warmup)):
        run(x)
    times = []
    start = time.perf_counter()
    while time.perf_counter() - start < float(seconds) or len(times) < 5:
        before = time.perf_counter()
        run(x)
        times.append((time.perf_counter() - before) * 1e3)
    times.sort()
    return {"p50_ms": times[len(times) // 2], "min_ms": times[0], "load_ms": (loaded - begin) * 1e3,
            "first_output_ms": (first - begin) * 1e3,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6, "difference": difference}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
