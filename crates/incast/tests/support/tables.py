"""Holds the tables that `incast report` wrote against the records that they are of.

    python3 tables.py intervals.csv record.json...        with Python's csv
    python3 tables.py intervals.parquet record.json...    with pyarrow

Prints the number of rows when every value is as in the records, else what is not.
"""

import csv
import json
import sys

COUNTS = ["sent", "received", "unique", "duplicate", "reordered", "late", "stale", "lost"]


def expected(paths):
    rows = []
    for path in paths:
        with open(path) as file:
            record = json.load(file)
        for flow in record["flows"]:
            for interval in flow["intervals"]:
                start = flow["start_s"]
                row = {
                    "record": path,
                    "scenario": record["scenario"]["name"],
                    "variant": record["scenario"]["variant"],
                    "verdict": record["verdict"],
                    "flow": flow["name"],
                    "from": flow["from"],
                    "to": flow["to"],
                    "transport": flow["transport"],
                    "message_bytes": flow["message_bytes"],
                    "run_start_s": None if start is None else start + interval["start_s"],
                    "run_end_s": None if start is None else start + interval["end_s"],
                    "start_s": interval["start_s"],
                    "end_s": interval["end_s"],
                    "goodput_bits_per_s": interval["goodput_bits_per_s"],
                    "incast_version": record["incast"]["version"],
                }
                row.update({name: interval[name] for name in COUNTS})
                rows.append(row)
    return rows


def read_csv(path):
    whole = set(COUNTS) | {"message_bytes"}
    real = {"run_start_s", "run_end_s", "start_s", "end_s", "goodput_bits_per_s"}

    def value(name, text):
        if text == "":
            return None
        return int(text) if name in whole else float(text) if name in real else text

    with open(path, newline="") as file:
        return [{name: value(name, text) for name, text in row.items()} for row in csv.DictReader(file, strict=True)]


def read_parquet(path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    types = {field.name: field.type for field in table.schema}
    assert types["sent"] == pyarrow.uint64(), types
    assert types["lost"] == pyarrow.int64(), types
    assert types["goodput_bits_per_s"] == pyarrow.float64(), types
    assert types["flow"] == pyarrow.string(), types
    return table.to_pylist()


def main():
    table, records = sys.argv[1], sys.argv[2:]
    read = read_parquet(table) if table.endswith(".parquet") else read_csv(table)
    wanted = expected(records)
    assert len(read) == len(wanted), f"{len(read)} rows, not {len(wanted)}"
    for number, (got, want) in enumerate(zip(read, wanted)):
        assert got == want, f"row {number}: {got} is not {want}"
    print(len(read))


main()
