#!/usr/bin/env python3
"""A trigger algorithm: accepts events whose data have at least so many bytes.

    size_cut.py LEAST_BYTES [STREAMS]

It reads questions from its standard input and writes answers to its standard output, as described in
docs/algorithms.md. What it prints for people has to go to standard error. Accepted events are of the
output streams STREAMS: bit 0 (1) is stream 0, bit 1 (2) is stream 1, and so on.
"""

import struct
import sys

QUESTION = struct.Struct("<IBBH")  # bytes that follow, version, 0, 0
EVENT = struct.Struct("<QQIHBBBBHI")  # question, event, run, events, level, attempt, cause, 0, parts, 0
PART = struct.Struct("<HHI")  # source, state (0 there, 1 missing), bytes
ANSWER = struct.Struct("<IBBHQ")  # bytes that follow, version, 0, 0, question
VERDICT = struct.Struct("<IBBH")  # streams, verdict (0 reject, 1 accept), 0, 0
PIECE = struct.Struct("<I")  # bytes of one event in the data of a source, when they are packed


def sizes_of(body):
    """The number of the question, and the bytes of each of its events."""
    question, _event, _run, events, _level, _attempt, _cause, _, parts, _ = EVENT.unpack_from(body)
    sizes = [0] * events
    at = EVENT.size + parts * PART.size  # the data of the first part follow the table
    for part in range(parts):
        _source, _state, length = PART.unpack_from(body, EVENT.size + part * PART.size)
        if events == 1:
            sizes[0] += length
        elif length > 0:
            piece = at  # data of consecutive events, each behind its length
            for index in range(events):
                (piece_bytes,) = PIECE.unpack_from(body, piece)
                sizes[index] += piece_bytes
                piece += PIECE.size + piece_bytes
        at += length
    return question, sizes


def answer(output, question, verdicts):
    """Writes one answer, with the streams of each event: 0 rejects it."""
    output.write(ANSWER.pack(8 + 8 * len(verdicts), 1, 0, 0, question))
    for streams in verdicts:
        output.write(VERDICT.pack(streams, 1 if streams else 0, 0, 0))
    output.flush()


def main():
    least_bytes = int(sys.argv[1])
    streams = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    source, output = sys.stdin.buffer, sys.stdout.buffer
    answer(output, 0, [])  # ready
    while head := source.read(QUESTION.size):  # empty when there are no more events
        length, _version, _, _ = QUESTION.unpack(head)
        question, sizes = sizes_of(source.read(length))
        answer(output, question, [streams if size >= least_bytes else 0 for size in sizes])


if __name__ == "__main__":
    main()
