#!/usr/bin/env python3
"""netstrings.py ADDRESS: a map server for class socket (inet:PORT or a path), for tests.

Prints ready when it listens. The answer is by the key: see ANSWERS; any other key is NOTFOUND.
"""
import os
import signal
import socket
import socketserver
import sys

ANSWERS = {
    "ok": b"OK value", "okempty": b"OK ", "okbare": b"OK", "okblank": b"OK  two  blanks ",
    "okargs": b"OK %0-%1-%%", "oknewline": b"OK a\nb", "okeight": b"OK \xe9\x84",
    "oktokens": b"OK a@b.c<d>", "lower": b"ok value", "oktab": b"OK\tvalue", "okay": b"OKAY x",
    "notfound": b"NOTFOUND ", "notfoundtext": b"NOTFOUND not here",
    "temp": b"TEMP later", "tempbare": b"TEMP", "timeout": b"TIMEOUT slow", "perm": b"PERM never",
    "permbare": b"PERM", "unknown": b"WHAT is this", "empty": b"", "blank": b" ",
    "long": b"OK " + b"x" * 5000, "echo": None,
}
RAW = {
    "rawnolength": b"OK value,", "rawshort": b"5:OK value,", "rawlong": b"99:OK value,",
    "rawnocomma": b"8:OK value;", "rawzeros": b"0008:OK value,", "rawhuge": b"99999999:OK value,",
    "rawnegative": b"-1:OK value,", "rawcolon": b":OK value,",
}


class Handler(socketserver.BaseRequestHandler):
    def take(self):
        size = b""
        while not size.endswith(b":"):
            c = self.request.recv(1)
            if not c:
                return None
            size += c
        left, text = int(size[:-1]) + 1, b""
        while len(text) < left:
            text += self.request.recv(left - len(text))
        return text[:-1].decode("latin-1")

    def handle(self):
        while True:
            asked = self.take()
            if asked is None:
                return
            key = asked.partition(" ")[2]
            if key == "close":
                return
            if key == "silent":
                continue
            if key in RAW:
                self.request.sendall(RAW[key])
                self.request.shutdown(socket.SHUT_WR)
                return
            if key == "twopieces":
                self.request.sendall(b"8:OK")
                self.request.sendall(b" value,")
                continue
            answer = ANSWERS.get(key, b"NOTFOUND ")
            if answer is None or key.startswith("echo"):
                answer = b"OK [" + asked.encode("latin-1") + b"]"
            self.request.sendall(b"%d:%s," % (len(answer), answer))


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    kind, _, place = sys.argv[1].partition(":")
    if kind == "inet":
        base, address = socketserver.ThreadingTCPServer, ("127.0.0.1", int(place))
    elif kind == "inet6":
        base, address = socketserver.ThreadingTCPServer, ("::1", int(place))
    else:
        base, address = socketserver.ThreadingUnixStreamServer, sys.argv[1]
        if os.path.exists(address):
            os.unlink(address)

    class Server(base):
        allow_reuse_address = daemon_threads = True
        address_family = socket.AF_INET6 if kind == "inet6" else base.address_family
    with Server(address, Handler) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
