#!/usr/bin/python3
"""Sends UDP datagrams of 1024 bytes with exactly these counters, in this order.

    arrivals.py HOST PORT COUNTER...

A receiver is then asked what it makes of them: of 1 2 3 5 5 6, that 4 is lost and 5 came twice.
"""

import socket
import struct
import sys

MSG_SIZE = 1024

if __name__ == "__main__":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((sys.argv[1], int(sys.argv[2])))
    for counter in sys.argv[3:]:
        message = bytearray(b'\0' * MSG_SIZE)
        message[:8] = struct.pack('Q', int(counter))
        sock.send(message)
    print("sent", len(sys.argv) - 3, flush=True)
