#!/usr/bin/python3
"""The TCP benchmark as a student writes it from the lab sheet, sections 3 to 8.

    tcp_flood.py client HOST PORT [MESSAGES] [--no-counter]
    tcp_flood.py server PORT [--once] [--no-counter]

It counts what the sheet counts, in the way the sheet says, and mends nothing: it is a witness
from outside. What is not in the sheet serves the tests: MESSAGES ends the client, --once ends
the server when its client has left, and both then print one last line; with --once the server
also says first on which port it listens, and PORT may be 0 for any. --no-counter is the program
of sections 3 to 7, before messages had counters.
"""

import socket
import struct
import sys
from datetime import datetime

MSG_SIZE = 1024
PRINT_EVERY = 100000


def client(server, port, messages, with_counter):
    client_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client_socket.connect((server, port))
    message_num = 1
    sent = 0
    while messages is None or sent < messages:
        if with_counter:
            message = bytearray(b'\0' * MSG_SIZE)
            message[:8] = struct.pack('Q', message_num)
        else:
            message = b" " * MSG_SIZE
        client_socket.send(message)
        message_num += 1
        sent += 1
    client_socket.close()
    print("sent", sent, flush=True)


def server(port, once, with_counter):
    listen_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listen_socket.bind(("0.0.0.0", port))
    listen_socket.listen()
    if once:
        print("listening", listen_socket.getsockname()[1], flush=True)
    while True:
        server_socket, client_address = listen_socket.accept()
        received = 0
        missing = 0
        iterations = 0
        missing_messages = 0
        last_num = 0
        size = 0
        start = datetime.now()
        while True:
            message = server_socket.recv(MSG_SIZE, socket.MSG_WAITALL)
            if len(message) == 0:
                break
            size += len(message)
            received += 1
            iterations += 1
            if with_counter:
                message_num = struct.unpack('Q', message[0:8])[0]
                missing += message_num - last_num - 1
                missing_messages += message_num - last_num - 1
                last_num = message_num
            if iterations % PRINT_EVERY == 0:
                now = datetime.now()
                seconds = (now - start).total_seconds()
                missing_percentage = \
                    100 * missing_messages / (iterations + missing_messages)
                print(size * 8 / seconds / 1e6, "Mbits/s,", missing_messages, "missing,",
                      missing_percentage, "%", flush=True)
                iterations = 0
                missing_messages = 0
        server_socket.close()
        if once:
            print("received", received, "missing", missing, flush=True)
            return


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    with_counter = "--no-counter" not in sys.argv
    mode = words[0]
    if mode == "client":
        client(words[1], int(words[2]), int(words[3]) if len(words) > 3 else None, with_counter)
    elif mode == "server":
        server(int(words[1]), "--once" in sys.argv, with_counter)
