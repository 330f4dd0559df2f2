#!/usr/bin/env python3
"""dns.py ZONE [ADDRESS [PORT]]: an authoritative name server for tests.

Returns to the caller once it answers (it goes to the background by itself).
A zone line is NAME TYPE DATA; # starts a comment. Types: A AAAA AFSDB CNAME
HINFO MX NS PTR SRV TXT, and TYPEn, whose data is hexadecimal. Three more say
how a name and everything below it misbehaves:

    NAME SERVFAIL       the server fails (a temporary error)
    NAME REFUSED        it does not want to say
    NAME SILENT         no answer at all

A name that is neither listed nor above a listed one does not exist.
*.NAME matches any name below NAME that is not listed itself.
"""
import os
import socket
import struct
import sys

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AFSDB": 18,
         "AAAA": 28, "SRV": 33}
TYPES.update(("TYPE%d" % n, n) for n in range(1, 65536))
ANY = 255
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
FAILURES = {"SERVFAIL": SERVFAIL, "REFUSED": REFUSED, "SILENT": None}


def read_zone(path):
    """{name: [(type, data)]}, and {name: a word of FAILURES}."""
    records, broken = {}, {}
    with open(path, encoding="latin-1") as f:
        for number, line in enumerate(f, 1):
            fields = line.split("#", 1)[0].split(None, 2)
            if not fields:
                continue
            name = fields[0].lower().rstrip(".")
            if len(fields) == 2 and fields[1] in FAILURES:
                broken[name] = fields[1]
            elif len(fields) == 3 and fields[1] in TYPES:
                records.setdefault(name, []).append((fields[1], fields[2].strip()))
            else:
                sys.exit("%s:%d: not a zone line: %s" % (path, number, line.rstrip()))
    return records, broken


def parents(name):
    """The name itself and everything above it."""
    labels = name.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("latin-1")
            out += bytes([len(raw)]) + raw
    return out + b"\0"


def encode_data(kind, data):
    if kind == "A":
        return socket.inet_aton(data)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, data)
    if kind in ("MX", "AFSDB"):
        preference, host = data.split()
        return struct.pack("!H", int(preference)) + encode_name(host)
    if kind == "TXT":
        # Strings are parted by " ".
        return encode_strings(data.strip('"').split('" "'))
    if kind == "HINFO":
        return encode_strings(data.split())
    if kind == "SRV":
        *numbers, host = data.split()
        return struct.pack("!HHH", *map(int, numbers)) + encode_name(host)
    if kind.startswith("TYPE"):
        return bytes.fromhex(data)
    return encode_name(data)


def encode_strings(strings):
    raw = [s.encode("latin-1") for s in strings]
    return b"".join(bytes([len(r)]) + r for r in raw)


def question(packet):
    """(name, type, the question's bytes) of a query."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    kind = struct.unpack("!H", packet[at + 1:at + 3])[0]
    return ".".join(labels).lower(), kind, packet[12:at + 5]


class Server:
    def __init__(self, zone):
        self.records, self.broken = read_zone(zone)
        # Every name on the way to a listed one exists, though it may have no records.
        self.exists = {p for name in self.records for p in parents(name)}

    def find(self, name):
        if name in self.records:
            return self.records[name]
        if name in self.exists:
            return []
        for parent in parents(name)[1:]:
            if "*." + parent in self.records:
                return self.records["*." + parent]
        return None

    def answer(self, packet):
        """The reply to a query, or None for silence."""
        name, kind, asked = question(packet)
        for parent in parents(name):
            if parent in self.broken:
                code = FAILURES[self.broken[parent]]
                return None if code is None else self.reply(packet, asked, code, [])
        answers, code, at = [], NOERROR, name
        for _ in range(8):  # a CNAME chain is never longer in a test
            found = self.find(at)
            if found is None:
                code = NOERROR if answers else NXDOMAIN
                break
            answers += [(at, t, d) for t, d in found if kind in (TYPES[t], ANY)]
            alias = [d for t, d in found if t == "CNAME"]
            if not alias or kind in (TYPES["CNAME"], ANY):
                break
            answers.append((at, "CNAME", alias[0]))
            at = alias[0].lower().rstrip(".")
        return self.reply(packet, asked, code, answers)

    @staticmethod
    def reply(packet, asked, code, answers):
        # A response, authoritative, recursion offered, the query's id and question.
        out = packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(answers), 0, 0) + asked
        for name, kind, data in answers:
            raw = encode_data(kind, data)
            out += encode_name(name) + struct.pack("!HHIH", TYPES[kind], 1, 60, len(raw)) + raw
        return out


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 53
    server = Server(sys.argv[1])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # no pipe of the caller is held open
    while True:
        packet, peer = sock.recvfrom(4096)
        try:
            out = server.answer(packet)
        except (IndexError, struct.error, ValueError) as error:
            print("dns.py: bad query from %s: %r" % (peer, error), file=sys.stderr)
            continue
        if out is not None:
            sock.sendto(out, peer)


if __name__ == "__main__":
    main()
