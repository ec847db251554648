#!/usr/bin/env python3
"""What of a user's files two builds of the product write alike: the table of bench/README.md.

    python3 bench/same_files.py OLD NEW [DATA]     two programs, and the folder of real captures where there is one

Both simulate three markets and replay them with their orders; both replay the real captures. Captures that the old one made are
what both replay. Files are compared field by field, by the columns that both have. Wants pyarrow, for features.parquet.
"""

import collections
import csv
import json
import pathlib
import subprocess
import sys
import tempfile

import pyarrow.parquet

MARKETS = {"flash-crash": [], "calm": ["--minutes", "2"], "feed-gap": []}
REAL = {
    "nasdaq": ("itch50", "itch/12302019_SNIPPET.NASDAQ_ITCH50"),
    "iex": ("deep", "iex/DEEP10_20231002_0734.pcap.gz"),
    "amzn-1": ("lobster", "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_1.zip"),
    "amzn-5": ("lobster", "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"),
}
TABLES = "bbo,depth,features,scores,limits,verdicts"
# Of these every column is compared by itself, in order: the model and its time of scoring are others, and hide what is the same.
BY_COLUMN = {"verdicts.csv", "limits.csv", "scores.csv"}


def run(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def table(path):
    """Columns by name, each a list."""
    if path.suffix == ".parquet":
        read = pyarrow.parquet.read_table(path)
        # Numbers that are none are alike.
        return {name: list(map(repr, read[name].to_pylist())) for name in read.column_names}
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, f"{path}.{key}" if path else key)
    else:
        yield path, value


def compare(name, old, new, said):
    """Notes how one output of both compares."""
    if old.suffix in (".csv", ".parquet"):
        before, after = table(old), table(new)
        both = [column for column in before if column in after]
        lengths = [len(next(iter(side.values()), [])) for side in (before, after)]
        said[name]["rows"] += lengths[0]
        said[name]["rows, new"] += lengths[1]
        for column in sorted(after.keys() - before.keys()):
            said[name][f"new column {column}"] += 1
        for column in sorted(before.keys() - after.keys()):
            said[name][f"lost column {column}"] += 1
        if old.name in BY_COLUMN:
            for column in both:
                said[name][f"{column} differs"] += sum(a != b for a, b in zip(before[column], after[column]))
        else:
            # Of what both have: a row more or less does not make those behind it other ones.
            old_rows, new_rows = (collections.Counter(zip(*(side[column] for column in both))) for side in (before, after))
            said[name]["rows of the old alone"] += (old_rows - new_rows).total()
            said[name]["rows of the new alone"] += (new_rows - old_rows).total()
    else:
        before, after = (dict(leaves(json.loads(path.read_text()))) for path in (old, new))
        for key in before.keys() & after.keys():
            said[name][f"{key} differs"] += before[key] != after[key]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    programs = dict(zip(("old", "new"), sys.argv[1:3]))
    data = pathlib.Path(sys.argv[3]) if len(sys.argv) == 4 else None
    said = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch)
        inputs = {}
        for market, more in MARKETS.items():
            for side, program in programs.items():
                run(program, "scenario", market, *more, "--out", out / side / "scenario" / market)
            made = out / "old" / "scenario" / market
            inputs[market] = ("itch50", made / f"{market}.pcap", ["--orders", made / "orders.csv"])
        if data:
            inputs |= {name: (feed, data / path, []) for name, (feed, path) in REAL.items()}
        for name, (feed, path, more) in inputs.items():
            for side, program in programs.items():
                run(program, "replay", path, "--feed", feed, *more, "--write", TABLES, "--out", out / side / "replay" / name)
        for old in sorted(path for path in (out / "old").rglob("*") if path.is_file()):
            new = out / "new" / old.relative_to(out / "old")
            part = old.relative_to(out / "old").parts[0]
            name = f"{part}: {old.suffix or old.name}" if part == "scenario" else old.name
            if old.suffix == ".hlog":
                continue  # times of this machine
            if not new.exists():
                said[name]["files missing"] += 1
            elif part == "scenario":
                said[name]["files"] += 1
                said[name]["files differ"] += old.read_bytes() != new.read_bytes()
            else:
                compare(f"{old.parent.name}: {name}", old, new, said)
    for name, counts in sorted(said.items()):
        print(f"{name}: " + ", ".join(f"{key} {count}" for key, count in counts.items() if count))


if __name__ == "__main__":
    main()
