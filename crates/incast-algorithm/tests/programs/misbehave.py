"""Algorithms that do something wrong at one event, for tests. Otherwise they accept for stream 1.

    misbehave.py WHAT EVENT
"""

import os
import signal
import struct
import subprocess
import sys
import time

WHAT, WRONG = sys.argv[1], int(sys.argv[2])
SOURCE, OUTPUT = sys.stdin.buffer, sys.stdout.buffer


def answer(question, verdicts):
    OUTPUT.write(struct.pack("<IIQ", 8 + 8 * len(verdicts), 1, question))
    OUTPUT.write(b"".join(struct.pack("<II", streams, verdict) for streams, verdict in verdicts))
    OUTPUT.flush()


def misbehave(question):
    """Says whether the event is answered as if nothing were."""
    if WHAT == "exit":
        sys.exit(3)
    elif WHAT == "raise":
        raise ValueError("no track found")
    elif WHAT == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif WHAT == "hang":
        time.sleep(3600)
    elif WHAT == "hang with children":
        subprocess.Popen(["sleep", "3600"])
        time.sleep(3600)
    elif WHAT == "memory":
        # More than it may have, in steps.
        hoard = []
        while True:
            hoard.append(bytearray(1 << 24))
    elif WHAT == "no memory status":
        sys.exit(12)
    elif WHAT == "print":
        print("event", question, flush=True)
    elif WHAT == "old answer":
        answer(question - 1, [(2, 1)])
    elif WHAT == "no streams":
        answer(question, [(0, 1)])
    elif WHAT == "unknown verdict":
        answer(question, [(2, 7)])
    elif WHAT == "too many verdicts":
        answer(question, [(2, 1), (2, 1)])
    elif WHAT == "two answers":
        OUTPUT.write(struct.pack("<IIQII", 16, 1, question, 2, 1) * 2)
        OUTPUT.flush()
    elif WHAT == "part of an answer":
        OUTPUT.write(struct.pack("<IIQI", 16, 1, question, 2))
        OUTPUT.flush()
        time.sleep(3600)
    elif WHAT == "endless answer":
        while True:
            OUTPUT.write(bytes(1 << 16))
    elif WHAT == "close":
        os.close(1)
        time.sleep(3600)
    elif WHAT == "stderr flood":
        for _ in range(200):
            os.write(2, b"x" * 65536)
        os.write(2, b"\nthe end\n")
        return True
    elif WHAT == "endless stderr":
        while True:
            os.write(2, b"x" * 65536)
    elif WHAT == "unasked":
        answer(question, [(2, 1)])
        # Read together with the answer it would be a wrong answer.
        time.sleep(0.5)
        answer(question, [(2, 1)])
        # Its name tells when it has been said.
        open(os.environ["SAID"], "x").close()
    elif WHAT == "answer and exit":
        answer(question, [(2, 1)])
        sys.exit(0)
    return False


if WHAT == "exit at start":
    print("no geometry", file=sys.stderr)
    sys.exit(2)
if WHAT == "silent":
    time.sleep(3600)
if WHAT == "shout":
    print("hello", flush=True)
if WHAT == "slow start":
    time.sleep(1.2)

answer(0, [])
while head := SOURCE.read(8):
    length = struct.unpack_from("<I", head)[0]
    question, event = struct.unpack("<QQ", SOURCE.read(16))
    is_wrong = event == WRONG or WHAT == "always exit"
    if is_wrong and WHAT == "always exit":
        sys.exit(4)
    if is_wrong and WHAT == "stop reading":
        time.sleep(3600)
    if is_wrong and WHAT == "answer and stop reading":
        answer(question, [(2, 1)])
        time.sleep(3600)
    SOURCE.read(length - 16)
    if not is_wrong or misbehave(question):
        answer(question, [(2, 1)])
