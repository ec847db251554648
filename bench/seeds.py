#!/usr/bin/env python3
"""What the README says of thirty seeds: plays the demo with each, and counts from its summary.json.

    python3 bench/seeds.py [PROGRAM]     default: target/release/portcullis

Takes about three minutes. The numbers go by seed alone, so they are the same on every machine; a seed in which the adaptive
gate let the planted order out ends the run with exit code 1.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

SEEDS = range(1, 31)


def play(program, seed):
    with tempfile.TemporaryDirectory() as out:
        command = [program, "demo", "--headless", "--seed", str(seed), "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads((pathlib.Path(out) / "summary.json").read_text())


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/release/portcullis"
    reasons, impacts, missed = collections.Counter(), [], []
    planted_ahead, all_ahead = collections.Counter(), collections.Counter()
    for seed in SEEDS:
        summary = play(program, seed)
        planted = [order for order in summary["stopped"] if order["cl_ord_id"] == summary["planted_order"]]
        if not planted:
            missed.append(seed)
            continue
        (order,) = planted
        reasons[order["reason"]] += 1
        impacts.append(-float(order["spread"]) - float(order["walk"]))
        for mark in order["marks"]:
            planted_ahead[mark["at"]] += float(mark["net"]) > 0
        sums = collections.Counter()
        for order in summary["stopped"]:
            for mark in order["marks"]:
                sums[mark["at"]] += float(mark["net"])
        for at, total in sums.items():
            all_ahead[at] += total > 0
        print(f"seed {seed}: {reasons.most_common()}", file=sys.stderr)
    print("the adaptive gate alone stopped the planted order:", ", ".join(f"{n} {code}" for code, n in reasons.most_common()))
    if impacts:
        print(f"its impact: {min(impacts):.0f} to {max(impacts):.0f}")
        print("ahead net of impact, the planted order:", ", ".join(f"{n} at {at}" for at, n in planted_ahead.items()))
        print("ahead net of impact, all stopped orders:", ", ".join(f"{n} at {at}" for at, n in all_ahead.items()))
    if missed:
        sys.exit(f"the planted order was not stopped by the adaptive gate alone with seeds {missed}")


if __name__ == "__main__":
    main()
