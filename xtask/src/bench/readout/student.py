"""A rival of `bench readout`: an event builder as a student writes it, with select, struct and a dict.

student.py SOURCES BYTES

Prints the port that it listens on, then, when all sources have ended, one line of JSON.
"""

import json
import select
import socket
import struct
import sys
import time

HEAD = struct.Struct("<12sH2xQ16s")  # mark, version and so on; source; event; the rest

sources, size = int(sys.argv[1]), int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=256)
print(listener.getsockname()[1], flush=True)
connections = [listener.accept()[0] for _ in range(sources)]
buffers = {connection: b"" for connection in connections}
events, complete, first = {}, 0, None

while buffers:
    ready, _, _ = select.select(list(buffers), [], [])
    if first is None:
        first = time.monotonic()
    for connection in ready:
        data = connection.recv(65536)
        if not data:
            assert not buffers.pop(connection), "a fragment was cut"
            continue
        buffer, at = buffers[connection] + data, 0
        while len(buffer) - at >= HEAD.size + size:
            _, source, event, _ = HEAD.unpack_from(buffer, at)
            fragments = events.setdefault(event, {})
            fragments[source] = buffer[at + HEAD.size : at + HEAD.size + size]
            at += HEAD.size + size
            if len(fragments) == sources:
                del events[event]
                complete += 1
        buffers[connection] = buffer[at:]

took = time.monotonic() - first
assert not events, "an event is left open"
fragments = complete * sources
print(json.dumps({"events": complete, "fragments": fragments, "bytes": fragments * size, "seconds": took}))
