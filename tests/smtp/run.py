#!/usr/bin/env python3
"""run.py [-v] [--engine COMMAND | --reference] [--codes] [--write] [--list] [--long] [NAME[:TITLE]]...

SMTP, as it is spoken and as it is delivered. Each *.test has configurations and dialogues with what the reference
(Debian's sendmail) was measured to answer and to deliver; mcfd must do the same. README.md says how a file is written.

  --engine COMMAND  what is run in place of build/mcfd
  --reference       the same as --engine /usr/sbin/sendmail: are the files right?
  --codes           of a reply, only its code and enhanced code are compared
  --write           put what the engine says into the files (with --reference, then read the difference)
  --list            only name the cases
  --long            those that take more than half a minute, too
"""
import argparse
import base64
import difflib
import hmac
import json
import os
import pwd
import queue
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = HERE  # where the *.test are: tests/submit has its own
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import certificates
import filters
from mechanisms import cram_md5, digest_md5, encoded, scram
from inside import Inside
from reference import SENDMAIL, compile_mc, refuses
from report import BUILD, ROOT, Report, need, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
PLACE = "/run/smtp"
TLS = "/run/tls"  # keys and certificates (tests/lib/certificates.py)
WORKERS = 10  # most of the time is waiting
PORTS = (25, 2525, 2526)
CLIENTS = ["192.168.0.5", "192.168.77.1", "198.51.100.77", "203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.20",
           "203.0.113.66", "203.0.113.67", "203.0.113.68", "203.0.113.70", "203.0.113.71", "203.0.113.99", "2001:db8:1::5",
           "2001:db8::7"]
# Where mail arrives, and how that relay is not like the others. All others offer what FULL says.
FULL = ["8BITMIME", "SIZE", "DSN", "ENHANCEDSTATUSCODES"]
SINKS = {"198.51.100.%d" % n: FULL for n in (10, 20, 21, 22, 23, 24, 30, 31, 40, 50, 51, 99)}
SINKS.update({
    "2001:db8::25": FULL,
    "198.51.100.60": None,  # knows no EHLO
    "198.51.100.61": [],
    "198.51.100.62": FULL + ["PIPELINING", "DELIVERBY"],
    "198.51.100.63": ["SIZE 1000"],
    "198.51.100.64": "421 4.3.2 not now",  # the greeting
    "198.51.100.65": "554 5.7.1 not you",
    "198.51.100.66": "",  # hangs up
    "198.51.100.67": "554 5.7.1 nor you",
})
# Those that speak TLS: by whose certificate, or what they say to STARTTLS; what they offer before and behind it.
STARTS_TLS = {
    "198.51.100.80": ("relay.pem", ["STARTTLS", "8BITMIME"], FULL),
    "198.51.100.81": ("454 4.7.0 no TLS now", ["STARTTLS"] + FULL, None),
    "198.51.100.82": ("501 5.5.2 no TLS at all", ["STARTTLS"] + FULL, None),
    "198.51.100.83": ("", ["STARTTLS"] + FULL, None),  # hangs up in the handshake
    "198.51.100.84": ("250 this is no handshake", ["STARTTLS"] + FULL, None),
    "198.51.100.85": ("other.pem", ["STARTTLS", "8BITMIME"], FULL),
    "198.51.100.86": ("relay.pem", ["STARTTLS"], FULL + ["PIPELINING", "AUTH PLAIN LOGIN"]),
    "198.51.100.90": ("relay.pem", ["STARTTLS"] + FULL, ["AUTH EXTERNAL PLAIN"] + FULL),
    "198.51.100.91": (None, ["AUTH EXTERNAL PLAIN"] + FULL, None),
    "198.51.100.87": (None, ["AUTH CRAM-MD5 PLAIN LOGIN"] + FULL, None),
    "198.51.100.88": (None, ["AUTH LOGIN PLAIN"] + FULL, None),
    "198.51.100.89": (None, ["AUTH NOSUCH"] + FULL, None),
}
SINKS.update((a, offers[1]) for a, offers in STARTS_TLS.items())
# A word in an address makes a relay answer something else there.
SAYS = [("MAIL", "nosender", "550 5.7.1 not from you"), ("MAIL", "latersender", "451 4.7.1 not from you yet"),
        ("RCPT", "refused", "550 5.1.1 no such user here"), ("RCPT", "plain550", "550 no such user here"),
        ("RCPT", "deferred", "451 4.3.0 come back later"), ("RCPT", "full", "552 5.2.2 mailbox full"),
        ("RCPT", "multi", "550-5.7.1 first line\r\n550 5.7.1 second line"), ("RCPT", "moved", "551 5.1.6 try elsewhere"),
        ("RCPT", "bye421", "421 4.3.2 closing"),
        ("DATA", "nodata", "554 5.5.1 no data"), ("DATA", "laterdata", "451 4.3.0 no data yet"),
        (".", "noeom", "554 5.6.0 not this text"), (".", "latereom", "452 4.3.1 no room")]


OPTIONS = ("from", "run", "submit", "settle", "slow", "early", "before", "long")
STEPS = (">", ">-", "|", "|-", "pause", "shut", "tls")

# ---------------------------------------------------------------- texts


def raw(text):
    """Bytes of a line of a file: \\r \\n \\0 \\t \\\\ \\xNN, and {N*TEXT} for TEXT N times."""
    text = re.sub(r"\\(x[0-9A-Fa-f]{2}|[rn0t\\{])", lambda m: {"r": "\r", "n": "\n", "0": "\0", "t": "\t", "\\": "\\", "{": "\ue000"}.get(
        m.group(1)) or chr(int(m.group(1)[1:], 16)), text) if "\\" in text else text
    text = re.sub(r"\{(\d+)\*([^}]*)\}", lambda m: int(m.group(1)) * m.group(2), text)
    return text.replace("\ue000", "{").encode("latin-1")


def computed(text, challenge):
    """{64 TEXT} in base64, and {cram USER PASSWORD}, {digest USER PASSWORD REALM}, {scram HASH USER PASSWORD}: answers to the challenge."""
    def by(m):
        words = m.group(2).split(" ")
        if m.group(1) == "64":
            return encoded(raw(m.group(2)))
        if m.group(1) == "cram":
            return encoded(cram_md5(words[0], words[1], challenge))
        try:
            if m.group(1) == "digest":
                return encoded(digest_md5(words[0], words[1], challenge, words[2]))
            return encoded(scram(words[0], words[1], words[2], challenge))
        except (KeyError, ValueError):
            return "*"  # it is no challenge of that mechanism
    return re.sub(r"\{(64|cram|digest|scram) ([^}]*)\}", by, text)


def shown(data):
    """raw's inverse, of one line."""
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    text = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t").replace("\0", "\\0")
    text = re.sub(r"[^\x20-\x7e]", lambda m: "\\x%02x" % ord(m.group()), text)
    text = re.sub(r"\{(?=\d+\*)", r"\\{", text)
    text = re.sub(r"(\\x..|\\[rnt0\\]|[^\\{}])\1{39,}", lambda m: "{%d*%s}" % (len(m.group(0)) // len(m.group(1)), m.group(1)), text)
    return text[:-1] + "\\x20" if text.endswith(" ") else text


SAME = [  # what no two runs have in common
    (re.compile(r"[A-Z][a-z]{2}, +\d+ [A-Z][a-z]{2} 202\d \d\d:\d\d:\d\d (?:[-+]\d{4}(?: \(\w+\))?|GMT)"), "DATE"),
    (re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d 202\d"), "CTIME"),
    (re.compile(r"(?<=\d )[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?= )"), "TIME"),
    (re.compile(r"[\w.]*/?\b8\.17\.1\.9(?:/8\.17\.1\.9)?(?:/Debian-[\w.+]+)?"), "VERSION"),
    (re.compile(r"(2\.0\.0 )\S+( Message accepted)"), r"\1ID\2"),
    (re.compile(r"(?<=\bid )[0-9A-Za-z]{9,20}\b"), "ID"),
    (re.compile(r"\b[0-9A-Za-z]{8}[0-9]{6,8}\b"), "ID"),
    (re.compile(r"(?<=\./[dq]f)[0-9A-Za-z]{8}\d{6}\b"), "ID"),
    (re.compile(r"(?<=t\.cf:)\d+:\d+"), "N"),
    (re.compile(r"<\d{12}\.ID@"), "<STAMP.ID@"),
    (re.compile(r"ID\.\d{9,11}/"), "ID.N/"),
    (re.compile(r"^(@> MAIL .*SIZE=)\d+"), r"\1N"),
    (re.compile(r"^(@> MAIL .*BY=)-?\d+"), r"\1N"),
    (re.compile(r"^334 [A-Za-z0-9+/=]{24,}"), "334 (a challenge)"),
    (re.compile(r"(?<=\\t)t=\d{10};"), "t=TIME;"),
    (re.compile(r"\bheader\.b=[A-Za-z0-9+/]{8}"), "header.b=SIGNATURE"),
    (re.compile(r"^(@: \\t(?:b=| ))[A-Za-z0-9+/=]{20,}$"), r"\1SIGNATURE"),
]


def same(text):
    if os.environ.get("SMTP_RAW"):
        return text
    for pattern, by in SAME:
        text = pattern.sub(by, text)
    return text


USUAL = ["< 250-ENHANCEDSTATUSCODES", "< 250-PIPELINING", "< 250-EXPN", "< 250-VERB", "< 250-8BITMIME", "< 250-SIZE", "< 250-DSN", "< 250-ETRN",
         "< 250-DELIVERBY", "< 250 HELP"]


def fold(lines):
    """The keywords of EHLO that nobody has asked to change, in one line, and those that may come before the last two."""
    out, i, more = [], 0, 0
    while i < len(lines):
        if lines[i:i + len(USUAL) - 2] == USUAL[:-2]:
            more = sum(l.startswith(("< 250-AUTH ", "< 250-STARTTLS")) for l in lines[i:i + len(USUAL)])
        end = i + len(USUAL) + more
        extra = lines[i + len(USUAL) - 2:end - 2]
        usual = lines[i:i + len(USUAL) - 2] + lines[end - 2:end] == USUAL
        out.append("< 250 (%s)" % "; ".join(["the usual keywords"] + [l[6:] for l in extra]) if usual else lines[i])
        i = end if usual else i + 1
        more = 0
    return out


def count_replies(lines):
    return sum(not re.match(r"< \d\d\d-", l) for l in lines)


def essence(line):
    """A reply's code and enhanced code; of a keyword of EHLO, all."""
    m = re.match(r"< (\d{3})([ -])(\d\.\d{1,3}\.\d{1,3} )?", line)
    return m.group() if m and (m.group(3) or m.group(1) != "250") else line

# ---------------------------------------------------------------- files

def side(lines, reference):
    """What one of the two says: lines with a - before them are the reference's alone, with a + mcfd's."""
    other = "+" if reference else "-"
    return [l[1:] if l[0] in "+-" else l for l in lines if l[0] != other]


class Dialogue:
    def __init__(self, title):
        self.title, self.lines, self.expected, self.options, self.begun = title, [], [], {}, False
        self.script, self.events = [], []  # what filters say, and what they are told

    def steps(self):
        return [l for l in self.lines if l[0] == "<<" or l[0].split(" ")[0] in STEPS]

    def spec(self, reference):
        return {"title": self.title, "options": self.options, "script": self.script,
                "deliveries": sum(l.startswith("@ ") for l in side(self.expected, reference)),
                "steps": [[line, count_replies(side(replies, reference))] for line, replies in self.steps()]}

    def take(self, results, delivered, events, reference):
        """What was measured, where it is not what stands there."""
        for step, got in zip(self.steps(), results):
            if side(step[1], reference) != got:
                step[1] = got
        if sorted(split_deliveries(side(self.expected, reference))) != sorted(delivered):
            self.expected = [l for one in delivered for l in one]
        if side(self.events, reference) != events:
            self.events = events


class Configuration:
    def __init__(self, title):
        self.title, self.lines, self.dialogues = title, [], []
        self.mc, self.cf, self.sample, self.files, self.drop, self.ipv6, self.shell, self.auth = [], [], None, {}, [], False, [], False
        self.msp, self.msp_mc, self.msp_cf, self.daemon = None, [], [], False
        self.filters = {}


class Test:
    """A file: what it says first, and its configurations."""

    def __init__(self, path):
        self.path, self.name, self.head, self.configurations = path, os.path.basename(path)[:-5], [], []
        with open(path, encoding="latin-1") as f:
            lines = f.read().rstrip("\n").split("\n")
        configuration, dialogue, file = None, None, None
        for line in lines:
            if file is not None:
                configuration.lines.append(line)
                if line == "@end":
                    file = None
                else:
                    file.append(line)
            elif line.startswith("=== "):
                configuration, dialogue = Configuration(line[4:]), None
                self.configurations.append(configuration)
            elif configuration is None:
                self.head.append(line)
            elif line.startswith("== "):
                dialogue = Dialogue(line[3:])
                configuration.dialogues.append(dialogue)
            elif dialogue is not None:
                self.read_step(dialogue, line)
            else:
                configuration.lines.append(line)
                word, _, rest = line.partition(" ")
                if word == "mc":
                    configuration.mc.append(rest.replace("\\t", "\t"))
                elif word == "cf":
                    configuration.cf.append(rest.replace("\\t", "\t").replace("\\N", "\n"))
                elif word == "drop":
                    configuration.drop.append(rest)
                elif word == "msp":
                    configuration.msp = rest
                elif word == "msp-mc":
                    configuration.msp_mc.append(rest)
                elif word == "msp-cf":
                    configuration.msp_cf.append(rest.replace("\\t", "\t"))
                elif word == "sample":
                    configuration.sample = rest
                elif word == "sh":
                    configuration.shell.append(rest)
                elif word == "auth":
                    configuration.auth = True
                elif word == "daemon":
                    configuration.daemon = True
                elif word == "filter":
                    name, _, where = rest.partition(" ")
                    configuration.filters[name] = where
                elif word == "ipv6":
                    configuration.ipv6 = True
                elif word == "@file":
                    file = configuration.files[rest] = []
                elif line and not line.startswith("#"):
                    sys.exit("%s: not a line of a configuration: %s" % (path, line))

        for c in self.configurations:
            for d in c.dialogues:
                if not d.begun:
                    d.lines.append(["<<", []])

    def read_step(self, dialogue, line):
        """dialogue.lines: [what the file says, [what is read after it]]; the line "<<" is the start of the talk."""
        if not line:
            return
        word, _, rest = line.partition(" ")
        if word in OPTIONS:
            dialogue.options[word] = rest
            dialogue.lines.append([line, []])
            return
        if word == "!":
            dialogue.script.append(rest)
            return
        if word.lstrip("+-") == "%":
            dialogue.events.append(line)
            return
        if word == "#":
            dialogue.lines.append([line, []])
            return
        if word.lstrip("+-")[:1] == "@":
            dialogue.expected.append(line)
            return
        if not dialogue.begun:
            dialogue.begun = True
            dialogue.lines.append(["<<", []])
        if word in ("<", "-<", "+<"):
            last = next(l for l in reversed(dialogue.lines) if not l[0].startswith("#"))
            last[1].append(line)
        elif word in STEPS:
            dialogue.lines.append([line, []])
        else:
            sys.exit("%s: not a step: %s" % (self.path, line))

    def write(self):
        out = list(self.head)
        for c in self.configurations:
            out += ["=== " + c.title] + c.lines
            for d in c.dialogues:
                out += ["== " + d.title] + ["! " + l for l in d.script]
                for line, replies in d.lines:
                    out += ([] if line == "<<" else [line]) + replies
                out += d.events + d.expected + [""]
        with open(self.path, "w", encoding="latin-1") as f:
            f.write("\n".join(out).rstrip("\n") + "\n")


# ---------------------------------------------------------------- inside the namespace

class Sinks:
    """Hosts that take mail, and keep a record of what they were told."""

    def __init__(self):
        self.lock, self.got, self.failed, self.once, self.now = threading.Lock(), [], set(), set(), 0
        for address in SINKS:
            for port in PORTS:
                s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port))
                s.listen(50)
                threading.Thread(target=self.serve, args=(s, address, port), daemon=True).start()

    def serve(self, listening, address, port):
        while True:
            c = listening.accept()[0]
            threading.Thread(target=self.talk, args=(c, address, port), daemon=True).start()

    def keep(self, lines, done):
        with self.lock:
            if not done:
                key = (self.now, *map(same, lines))
                if key in self.failed:
                    return  # the next try of what has failed before
                self.failed.add(key)
            self.got.append([time.time(), lines])

    def start_tls(self, c, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/run/keep/tls/" + certificate)
        context.load_verify_locations("/run/keep/tls/ca.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        c = context.wrap_socket(c, server_side=True)
        names = dict(pair for rdn in (c.getpeercert() or {}).get("subject", ()) for pair in rdn)
        return c.makefile("rb"), c, " (TLS%s)" % (" by " + names["commonName"] if names else "")

    def log_in(self, words, f, say):
        """AUTH as a server: who logged in how."""
        def ask(text):
            say("334 " + encoded(text))
            return base64.b64decode(f.readline().strip() + b"==")
        mechanism = words[1].upper()
        if mechanism == "PLAIN":
            said = base64.b64decode(words[2]) if len(words) > 2 else ask(b"")
            what = said.decode("latin-1").replace("\0", "/")
        elif mechanism == "LOGIN":
            what = (base64.b64decode(words[2]) if len(words) > 2 else ask(b"Username:")).decode("latin-1") + "/" + ask(b"Password:").decode("latin-1")
        elif mechanism == "EXTERNAL":
            said = base64.b64decode(words[2] + "==") if len(words) > 2 and words[2] != "=" else b"" if len(words) > 2 else ask(b"")
            what = said.decode("latin-1") + "/secret"
        elif mechanism == "CRAM-MD5":
            user, _, digest = ask(b"<1@sink>").decode("latin-1").partition(" ")
            good = digest == hmac.new(b"secret", b"<1@sink>", "md5").hexdigest()
            what = user + ("/secret" if good else "/?")
        else:
            what = "?"
        good = what.endswith("/secret")
        say("235 2.7.0 welcome" if good else "454 4.7.0 not now" if what.endswith("/later") else "535 5.7.8 wrong password")
        return "AUTH %s %s%s" % (mechanism, what, "" if good else " refused")

    def talk(self, c, address, port):
        try:
            self.converse(c, address, port)
        except OSError:
            pass
        finally:
            c.close()

    def converse(self, c, address, port):
        offers, tls, user = SINKS[address], STARTS_TLS.get(address), ""
        head = "@ relay %s%s" % (address, "" if port == 25 else " port %d" % port)

        def say(text):
            c.sendall(text.encode() + b"\r\n")
        if isinstance(offers, str):
            say(offers) if offers else None
            self.keep([head, "@> " + (offers or "(hangs up)")], False)
            return
        say("220 sink ESMTP" if offers is not None else "220 sink SMTP")
        f, lines, hello, failed = c.makefile("rb"), [], "", False
        while True:
            line = f.readline()
            if not line:
                break
            text = line.decode("latin-1").rstrip("\r\n")
            verb = text[:4].upper()
            if verb == "EHLO":
                say("250-sink\r\n" + "".join("250-%s\r\n" % o for o in offers) + "250 HELP" if offers is not None else "500 what?")
                hello = ""
            elif verb == "STAR" and tls and tls[0] is not None:
                if tls[0].startswith(("4", "5")):
                    lines = [head, "@> STARTTLS", "@< " + tls[0]]
                    say(tls[0])
                    continue
                say("220 2.0.0 go ahead")
                if not tls[0].endswith(".pem"):
                    self.keep([head, "@> STARTTLS", "@< " + (tls[0] or "(hangs up)")], False)
                    say(tls[0]) if tls[0] else None
                    return
                f, c, by = self.start_tls(c, tls[0])
                offers, head = tls[2], head + by
            elif verb == "AUTH":
                user = self.log_in(text.split(" "), f, say)
                lines = [head, "@> " + user]
                if user.endswith("refused"):
                    self.keep(lines, False)
                head = head.partition(" (AUTH")[0] + " (%s)" % user
            elif verb == "HELO":
                hello = " (HELO)"
                say("250 sink")
            elif verb in ("MAIL", "RCPT", "DATA"):
                if verb == "MAIL":
                    if lines:
                        self.keep(lines, False)
                    lines = [head + hello]
                said = next((r for v, w, r in SAYS if v == verb and w in (text if verb != "DATA" else " ".join(lines))), None)
                lines.append("@> " + shown(text))
                if verb == "RCPT" and "once" in text and text not in self.once:
                    self.once.add(text)
                    said = "451 4.3.0 once more"
                if said:
                    lines.append("@< " + said.replace("\r\n", " / "))
                    say(said)
                    if said.startswith("421"):
                        break
                elif verb != "DATA":
                    say("250 2.1.0 ok")
                elif not any(l.startswith("@> RCPT") for l in lines) or all(
                        lines[i + 1:i + 2] and lines[i + 1].startswith("@<") for i, l in enumerate(lines) if l.startswith("@> RCPT")):
                    say("503 5.5.1 no recipient")
                else:
                    say("354 go")
                    data = b""
                    while not (data.endswith(b"\r\n.\r\n") or data == b".\r\n"):
                        more = f.readline()
                        if not more:
                            lines.append("@> (the connection ends in the message)")
                            self.keep(lines, False)
                            return
                        data += more
                    said = next((r for v, w, r in SAYS if v == "." and any(w in l for l in lines)), None)
                    lines += ["@: " + shown(l) if l else "@:" for l in data[:-3].decode("latin-1").split("\r\n")[:-1]]
                    if said:
                        lines.append("@< " + said)
                    self.keep(lines, not said)
                    lines = []
                    say(said or "250 2.0.0 taken")
            elif verb == "RSET" or verb == "QUIT":
                if lines:
                    self.keep(lines, False)
                lines = []
                say("221 2.0.0 bye" if verb == "QUIT" else "250 2.0.0 reset")
                if verb == "QUIT":
                    return
            else:
                say("500 5.5.1 what?")
        if lines:
            self.keep(lines, False)


RECORD = """#!/bin/sh
f=%s/got/$$
{ for a; do printf '%%s\\0' "$a"; done; echo; cat; } > $f.tmp
mv $f.tmp $f.done
case "$*" in *says-*) echo "the mailer has something to say";; esac
case "$*" in *exit-*) x="${*##*exit-}"; exit ${x%%%%[!0-9]*};; *exit[0-9]*) x="${*##*exit}"; exit ${x%%%%[!0-9]*};; esac
exit 0
""" % PLACE


def quoted(word):
    return '"%s"' % word if word == "" or " " in word else word


def take_local(got):
    """What the recorder has written since."""
    folder = PLACE + "/got/"
    for name in os.listdir(folder):
        if name.endswith(".done"):
            when = os.stat(folder + name).st_mtime
            with open(folder + name, "rb") as f:
                data = f.read()
            os.unlink(folder + name)
            words, _, text = data.partition(b"\n")
            lines = ["@ %s " % ("again" if b"exit7" in words else "local") + " ".join(quoted(shown(w)) for w in words.split(b"\0")[:-1])]
            body = text.decode("latin-1").split("\n")
            if body[-1] == "":
                body.pop()
            else:
                body.append("(no newline at the end)")
            lines += ["@: " + shown(l) if l else "@:" for l in body]
            got.append([when, lines])


class Talk:
    """One dialogue, over a socket or with a program."""

    def __init__(self, engine, dialogue, write):
        self.dialogue, self.write, self.buffer, self.closed, self.patience = dialogue, write, b"", False, 12.0 if not write or "slow" in dialogue["options"] else 5.0
        o = dialogue["options"]
        self.process, self.grouped = None, False
        self.plain = "run" in o and "-bs" not in o["run"]  # its lines are no replies
        self.challenge = b""  # what the last 334 said
        if "run" in o:
            mine, theirs = socket.socketpair()
            self.socket = mine
            self.process = subprocess.Popen(engine + [w.replace("CF", PLACE + "/t.cf") for w in o["run"].split()], stdin=theirs, stdout=theirs,
                                            stderr=subprocess.STDOUT, start_new_session=True)
            theirs.close()
        else:
            address, _, port = o.get("from", "127.0.0.1").partition(" port ")
            self.socket = connect(address, int(port or 25))
            if "early" in o:  # does not wait for the greeting
                self.socket.sendall(raw(o["early"]) + b"\r\n")

    def read(self):
        """One reply, as lines; None if there is none."""
        while True:
            lines = self.buffer.split(b"\n")
            for i, line in enumerate(lines[:-1]):
                if self.plain or not re.match(rb"\d\d\d-", line):
                    self.buffer = b"\n".join(lines[i + 1:])
                    if line.startswith(b"334 "):
                        try:
                            self.challenge = base64.b64decode(line[4:])
                        except ValueError:
                            pass
                    return ["< " + shown(same(l.decode("latin-1"))) for l in [x[:-1] if x.endswith(b"\r") else x + b"(bare newline)" * (
                        not self.plain) for x in lines[:i + 1]]]
            if self.closed:
                return None
            self.socket.settimeout(self.patience)
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                return None
            except OSError:
                more = b""
            if not more:
                self.closed = True
                if self.buffer:
                    self.buffer += b"(no newline)\n"
                    continue
                return ["< (closed)"] if not self.process else None
            self.buffer += more

    def replies(self, wanted):
        out = []
        if self.write:
            first = self.read()
            while first is not None:
                out += first
                keep, self.patience = self.patience, 0.4 if self.grouped else 0.12
                first = self.read()
                self.patience = keep
            return fold(out)
        while wanted > 0:
            one = self.read()
            if one is None:
                self.patience = 1.0
                break
            out += one
            wanted -= 1
        return fold(out)

    def start_tls(self, words):
        """tls [NAME.pem] [TLSv1.2 | ...]: the handshake, as the one of that certificate; what is found out about it is not part of the file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for word in words:
            if word.endswith(".pem"):
                context.load_cert_chain("%s/%s" % (TLS, word))
            else:
                context.maximum_version = getattr(ssl.TLSVersion, word.replace(".", "_"))
        try:
            self.socket.settimeout(self.patience)
            self.socket = context.wrap_socket(self.socket, do_handshake_on_connect=False)
            self.socket.do_handshake()
        except OSError as e:
            self.buffer += ("(no TLS: %s)\n" % type(e).__name__).encode()

    def go(self):
        out, waiting = [], b""
        for line, wanted in self.dialogue["steps"]:
            word, _, rest = line.partition(" ")
            if word == "pause":
                time.sleep(float(rest))
            elif word == "tls":
                self.start_tls(rest.split())
            elif word in ("|", "|-"):
                waiting += raw(rest) + (b"\r\n" if word == "|" else b"")
            elif word in (">", ">-"):
                waiting += raw(computed(rest, self.challenge)) + (b"\r\n" if word == ">" else b"")
                self.grouped = waiting.count(b"\n") > 1
                try:
                    self.socket.sendall(waiting)
                except OSError:
                    pass
                waiting = b""
            elif word == "shut":
                try:
                    self.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
            silent = word in ("|", "|-", "tls") or word in (">-", "pause") and not wanted
            if word in (">-", "pause") and self.write:
                keep, self.patience = self.patience, 0.3
                out.append(self.replies(wanted))
                self.patience = keep
            else:
                out.append([] if silent else self.replies(wanted))
        if self.process:
            self.socket.shutdown(socket.SHUT_WR)
            self.patience = 20.0
            while True:
                more = self.read()
                if more is None:
                    break
                out[-1] += more
            try:
                status = self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                status = "none: it did not end"
            out[-1].append("< (exit %s)" % status)
        self.socket.close()
        return out


HOMES = "/run/home"
DEAD = (HOMES + "/root", HOMES + "/alice", HOMES + "/bob", "/var/spool/dead")


def submit(engine, dialogue):
    """A message on standard input of the engine; what it said, and how it ended."""
    words = shlex.split(dialogue["options"]["submit"])
    user = "root"
    if words[:1] == ["as"]:
        user, words = words[1], words[2:]
    words = [PLACE + "/t.cf" if w == "CF" else re.sub(r"\{(\d+)\*([^}]*)\}", lambda m: int(m.group(1)) * m.group(2), w) for w in words]
    text = b""
    for line, _ in dialogue["steps"]:
        word, _, rest = line.partition(" ")
        text += raw(rest) + b"\n" if word == "|" else raw(rest) if word == "|-" else b""
    home = "%s/%s" % (HOMES, user)
    environment = {"PATH": os.environ["PATH"], "HOME": home, "LOGNAME": user, **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}
    command = [PLACE + "/sendmail"] + engine[1:] + words  # a name that means a mode
    if user != "root":
        number = str(pwd.getpwnam(user).pw_uid)
        command = ["setpriv", "--reuid", number, "--regid", number, "--clear-groups"] + command
    with tempfile.TemporaryFile() as f, tempfile.TemporaryFile() as out:
        f.write(text)
        f.seek(0)
        p = subprocess.Popen(command, stdin=f, stdout=out, stderr=subprocess.STDOUT, cwd=home, env=environment, start_new_session=True)
        try:
            status = p.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            status = "none: it did not end"
        out.seek(0)
        lines = out.read().decode("latin-1").split("\n")
    last = lines.pop()
    said = ["< " + shown(same(l)) for l in lines + [last + "(no newline)"] * bool(last)] + ["< (exit %s)" % status]
    return [[] for _ in dialogue["steps"][:-1]] + [said]


def take_dead_letters(got):
    """Messages that were kept for their sender."""
    for folder in DEAD:
        path = folder + "/dead.letter"
        if os.path.isfile(path) and not os.path.islink(path):
            when = os.stat(path).st_mtime
            with open(path, encoding="latin-1") as f:
                lines = f.read().split("\n")
            os.unlink(path)
            body = lines.index("") if "" in lines else len(lines)  # a head is there as it was given, or as it would be delivered
            got.append([when, ["@ " + path, "@: " + shown(lines[0])] + ["@: " + shown(l) if l else "@:" for l in lines[body:-1]]])


def connect(source, port=25):
    six = ":" in source
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
    s.settimeout(5)
    s.bind((source, 0))
    s.connect(("::1" if six else "127.0.0.1", port))
    return s


def give_homes():
    """Whoever submits mail has a home, in which a letter may be kept that cannot be sent."""
    with open("/etc/passwd") as f:
        text = f.read()
    for user in ("root", "alice", "bob"):
        home = "%s/%s" % (HOMES, user)
        os.makedirs(home)
        shutil.chown(home, user)
        text = re.sub(r"(?m)^(%s:.*):/\w+:" % user, r"\1:%s:" % home, text)
    with open("/etc/passwd", "w") as f:
        f.write(text)


def prepare():
    """What all configurations have in common, once a namespace."""
    with open("/etc/passwd", "a") as f:
        f.write("".join("exit%d:x:%d:%d:Ends with %d:/tmp:/bin/sh\n" % (n, 4100 + n, 4100 + n, n) for n in range(64, 79)))
    with open("/etc/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.2\noptions timeout:1 attempts:1\n")
    os.mkdir("/run/keep")
    # A /dev of our own: the system's log is nobody's to take.
    subprocess.run("d=/run/keep/dev; mkdir $d; mount -t tmpfs -o mode=755 tmpfs $d; for f in null zero random urandom full tty; do touch $d/$f; "
                   "mount --bind /dev/$f $d/$f; done; mkdir $d/shm; ln -s /proc/self/fd $d/fd; mount --rbind $d /dev", shell=True, check=True)
    with open("/run/keep/zone", "w") as f:
        for name in (os.path.join(HERE, "..", "lib", "world", "zone"), os.path.join(HERE, "zone")):
            with open(name) as z:
                f.write(z.read())
    subprocess.run([sys.executable, os.path.join(HERE, "..", "lib", "dns.py"), "/run/keep/zone", "127.0.0.2"], check=True)
    certificates.make("/run/keep/tls")
    if os.path.basename(TESTS) == "submit":
        give_homes()
    shutil.copytree("/etc/mail", "/run/keep/mail")
    shutil.copy("/etc/aliases", "/run/keep/aliases")


def place(job):
    """The files of one configuration."""
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(PLACE + "/q", mode=0o755)
    os.makedirs(PLACE + "/got")
    os.chmod(PLACE + "/got", 0o1777)
    shutil.rmtree(TLS, ignore_errors=True)
    shutil.copytree("/run/keep/tls", TLS)
    with open(PLACE + "/t.cf", "w", encoding="latin-1") as f:
        f.write(job["cf"])
    with open(PLACE + "/record", "w") as f:
        f.write(RECORD)
    os.chmod(PLACE + "/record", 0o755)
    for name in os.listdir("/etc/mail"):
        os.unlink("/etc/mail/" + name)
    shutil.copytree("/run/keep/mail", "/etc/mail", dirs_exist_ok=True)
    os.chmod("/etc/mail", 0o755)
    for name, text in job["files"].items():
        with open("/etc/mail/" + name, "w", encoding="latin-1") as f:
            f.write(text)
        if os.path.exists("/run/keep/mail/%s.db" % name):
            os.unlink("/etc/mail/%s.db" % name)
            subprocess.run("makemap -C /dev/null hash /etc/mail/%s < /etc/mail/%s" % (name, name), shell=True, check=True)
    if job["msp"]:
        with open("/etc/mail/submit.cf", "w", encoding="latin-1") as f:
            f.write(job["msp"])
        os.mkdir(PLACE + "/mq")
        shutil.chown(PLACE + "/mq", "smmsp", "smmsp")
        os.chmod(PLACE + "/mq", 0o770)
        os.mkdir(PLACE + "/mq.drop")  # as mcfd makes it when root starts it
        shutil.chown(PLACE + "/mq.drop", "smmsp", "smmsp")
        os.chmod(PLACE + "/mq.drop", 0o3733)
    shutil.copy("/run/keep/aliases", "/etc/aliases")
    with open("/etc/aliases", "a") as f:
        f.write(job["aliases"])
    shutil.copy("/etc/aliases", "/etc/mail/aliases")  # where some of the samples have it
    shutil.rmtree("/etc/mail/sasl", ignore_errors=True)
    if job["auth"]:
        os.makedirs("/etc/sasl2", exist_ok=True)
        with open("/etc/sasl2/Sendmail.conf", "w") as f:
            f.write("pwcheck_method: auxprop\n")
        for user in ("alice", "bob"):
            subprocess.run(["saslpasswd2", "-c", "-p", "-u", "mail.example.com", user], input=b"secret", check=True)
    if any(w.startswith("made by") for w in job["filters"].values()):
        subprocess.run(["cc", "-o", PLACE + "/filter", os.path.join(HERE, "..", "milter", "filter.c"), "-lmilter", "-lpthread"], check=True)
        os.makedirs(PLACE + "/f")
    for command in ["sendmail -bi -C %s/t.cf" % PLACE] + job["shell"]:
        subprocess.run(command, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


LOG = []


def inside():
    """Serves configurations: a line of JSON in, a line of JSON out."""
    prepare()
    LOG.append(filters.Log(r"[Mm]ilter"))
    sinks = Sinks()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            place(job)
            answer = run_dialogues(job, sinks)
        except Exception as e:  # the suite goes on with the next one
            answer = {"error": repr(e), "results": [None] * len(job["dialogues"]), "delivered": [[]] * len(job["dialogues"]),
                      "events": [[]] * len(job["dialogues"]), "took": [0] * len(job["dialogues"])}
        print(json.dumps(answer), flush=True)
    os._exit(0)


def run_dialogues(job, sinks):
    with sinks.lock:
        sinks.got, sinks.failed, sinks.once = [], set(), set()
    engine, local = job["engine"], []
    log = open(PLACE + "/log", "wb")
    os.symlink(engine[0] if os.path.isabs(engine[0]) else os.path.abspath(engine[0]), PLACE + "/sendmail")
    mta, error = None, ""
    asked = filters.Filters(job["filters"], raw, shown)
    if job["daemon"] or not all("run" in d["options"] or "submit" in d["options"] for d in job["dialogues"]):
        mta = subprocess.Popen(engine + ["-bD", job["queue"], "-C", PLACE + "/t.cf"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                               start_new_session=True)
        if not listens(mta, job["cf"]):
            error = "it does not listen: " + open(PLACE + "/log", errors="replace").read()[-500:]
        if job["filters"]:  # they heard of that connection, too
            time.sleep(0.2)
            asked.end(), LOG[0].take()
    results, took, events = [None] * len(job["dialogues"]), [0] * len(job["dialogues"]), [[] for _ in job["dialogues"]]

    def run(i, d):
        time.sleep(float(d["options"].get("before", 0)))
        start = time.time()
        try:
            if "submit" in d["options"]:
                results[i] = submit(engine, d)
                take_dead_letters(local)
            else:
                results[i] = Talk(engine, d, job["write"]).go()
        except OSError as e:
            results[i] = [["< (no connection: %s)" % type(e).__name__]]
        took[i] = time.time() - start
    threads = []
    owners = []  # [when a dialogue began, its number]
    if not error:
        for i, d in enumerate(job["dialogues"]):
            if "slow" in d["options"]:
                threads.append(threading.Thread(target=run, args=(i, d)))
                threads[-1].start()
        for i, d in enumerate(job["dialogues"]):
            if "slow" in d["options"]:
                continue
            owners.append([time.time(), i])
            sinks.now = i
            with sinks.lock:
                before = len(sinks.got) + len(local)
            asked.begin(d["script"])
            run(i, d)
            start = time.time()
            settle(d, job["write"], sinks, local, before)
            took[i] += time.time() - start
            if job["filters"]:
                events[i] = [same(l) for l in asked.end() + LOG[0].take()]
        for t in threads:
            t.join()
    if mta:
        try:
            os.killpg(mta.pid, signal.SIGTERM)
        except ProcessLookupError:
            error = error or "the daemon has ended: " + open(PLACE + "/log", errors="replace").read()[-500:]
        try:
            mta.wait(3)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(mta.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    asked.close()
    take_local(local)
    delivered = [[] for _ in job["dialogues"]]
    tags = {t: i for i, d in enumerate(job["dialogues"]) for t in re.findall(r"tag-[\w-]+", json.dumps(d["steps"]))}
    with sinks.lock:
        got = sorted(sinks.got + local)
    seen = set()
    for when, lines in got:
        if lines[0].startswith("@ again"):  # a program that failed: as it was called first
            lines[0] = "@ local" + lines[0][7:]
            if tuple(lines) in seen:
                continue
            seen.add(tuple(lines))
        m = re.search(r"tag-[\w-]+", "\n".join(lines))
        at = tags.get(m.group()) if m else None
        if at is None:
            at = max([o for o in owners if o[0] <= when + 0.002] or [[0, 0]])[1]
        delivered[at].append([same(l) for l in lines])
    return {"error": error, "results": results, "delivered": delivered, "events": events, "took": took}


def listens(mta, cf):
    """Whether all its ports are open."""
    ports = re.findall(r"(?m)^O DaemonPortOptions=Port=(\d+),Addr=([\d.:]+)", cf)
    end = time.time() + 5
    while ports and time.time() < end and mta.poll() is None:
        try:
            s = socket.create_connection((ports[0][1], int(ports[0][0])), 1)
            s.close()
            ports.pop(0)
        except OSError:
            time.sleep(0.03)
    return not ports


def settle(dialogue, write, sinks, local, before):
    """Waits until what the dialogue brings about has come about."""
    given = float(dialogue["options"].get("settle", 0))

    def count():
        take_local(local)
        with sinks.lock:
            return len(sinks.got) + len(local) - before
    if write:
        last, since = -1, time.time()
        while time.time() - since < max(0.8, given):
            now = count()
            if now != last:
                last, since = now, time.time()
            time.sleep(0.05)
        return
    end = time.time() + max(3.0, given + 3.0)
    while count() < dialogue["deliveries"] and time.time() < end:
        time.sleep(0.01)
    time.sleep(0.05)


# ---------------------------------------------------------------- outside

# What a test must move: the queue, the address, whatever needs a key, a socket or another user.
MOVED = re.compile(r"O\s*(?:DaemonPortOptions|QueueDirectory|StatusFile|PidFile|LogLevel|RunAsUser|TrustedUser|DeliveryMode|RefuseLA|"
                   r"QueueLA|MinFreeBlocks|SharedMemoryKey|ControlSocketName|HostStatusDirectory|ConnectionRateThrottle|MaxDaemonChildren|"
                   r"DontBlameSendmail|DefaultUser|SafeFileEnvironment|ServerCertFile|ServerKeyFile|CACertFile|CACertPath|"
                   r"ClientCertFile|ClientKeyFile|InputMailFilters|DontProbeInterfaces|ClientPortOptions|DHParameters|AuthMechanisms|Timeout\.ident)\b|X")


COMPILED, COMPILING = {}, threading.Lock()


def compiled(text):
    """The .cf of an .mc; many configurations have the same."""
    with COMPILING:
        if text not in COMPILED:
            with tempfile.TemporaryDirectory() as folder:
                with open(folder + "/t.mc", "w", encoding="latin-1") as f:
                    f.write(text)
                COMPILED[text] = compile_mc(folder + "/t.mc")
        return COMPILED[text]


def configure(test, c):
    """The .cf that a configuration means."""
    path = os.path.join(ROOT, c.sample, "sendmail.mc") if c.sample else os.path.join(HERE, "base.mc")
    if c.sample and c.sample.endswith(".mc"):
        path = os.path.join(ROOT, c.sample)
    with open(path, encoding="latin-1") as f:
        text = f.read()
    lines = "\n".join(c.mc)
    text = text.replace("HERE\n", lines + "\n") if not c.sample else re.sub(r"^(?=MAILER\()", lambda m: lines + "\n", text, count=1, flags=re.M)
    status, cf, said = compiled(text if "cf.m4'" in text else "include(`/usr/share/sendmail/cf/m4/cf.m4')dnl\n" + text)
    if refuses(status, said):
        raise ValueError("%s: %s: %s" % (test.path, c.title, said.decode("latin-1")))
    out = []
    for line in cf.decode("latin-1").split("\n"):
        if MOVED.match(line) or any(re.match(d, line) for d in c.drop):
            continue
        if re.match(r"M(?:local|prog|procmail|cyrus\w*),", line):
            line = re.sub(r"P=[^,]+", "P=%s/record" % PLACE, line, count=1)
        out.append(line)
    out += ["O DaemonPortOptions=Port=25,Addr=127.0.0.1,Name=MTA"]
    if c.ipv6:
        out += ["O DaemonPortOptions=Port=25,Addr=::1,Family=inet6,Name=MTA6"]
    out += ["O QueueDirectory=%s/q" % PLACE, "O PidFile=%s/pid" % PLACE, "O LogLevel=0", "O DontProbeInterfaces=True", "O QueueLA=1000", "O RefuseLA=1000",
            "O DeliveryMode=interactive", "O Timeout.ident=0s", "O DontBlameSendmail=safe,GroupWritableDirPathSafe"]
    if not c.auth:
        out += ["O AuthMechanisms=NONE"]
    return "\n".join(out + c.cf) + "\n"


MSP = """OSTYPE(`linux')dnl
HERE
FEATURE(`msp', MSA)dnl
"""


def configure_msp(test, c):
    """The submit.cf of a configuration that says where the MSA is; "": it has none."""
    if not c.msp:
        return ""
    text = "include(`/usr/share/sendmail/cf/m4/cf.m4')dnl\n" + MSP.replace("HERE", "\n".join(c.msp_mc)).replace("MSA", c.msp)
    status, cf, said = compiled(text)
    if refuses(status, said):
        raise ValueError("%s: %s: %s" % (test.path, c.title, said.decode("latin-1")))
    out = [l for l in cf.decode("latin-1").split("\n") if not re.match(r"O\s*(QueueDirectory|StatusFile|PidFile|LogLevel|QueueLA|RefuseLA|Timeout.ident)\b", l)]
    out += ["O QueueDirectory=%s/mq" % PLACE, "O PidFile=%s/msp.pid" % PLACE, "O LogLevel=0", "O QueueLA=1000", "O RefuseLA=1000", "O Timeout.ident=0s"]
    return "\n".join(out + c.msp_cf) + "\n"


class Worker(Inside):
    """A namespace in which configurations are run, one after the other."""

    def __init__(self, raw_text):
        command = [NS]
        for a in list(SINKS) + CLIENTS:
            command += ["-a", a + ("/128" if ":" in a else "/32")]
        super().__init__(command + [sys.executable, os.path.realpath(sys.argv[0]), "--inside"] + ["--raw"] * raw_text)

    def run(self, test, c, dialogues, given):
        nothing = {"results": [None] * len(dialogues), "delivered": [[]] * len(dialogues), "events": [[]] * len(dialogues),
                   "took": [0] * len(dialogues)}
        try:
            cf, msp = configure(test, c), configure_msp(test, c)
        except ValueError as e:
            return {"error": str(e), **nothing}
        files = {}
        if c.sample and not c.sample.endswith(".mc"):
            folder = os.path.join(ROOT, c.sample)
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding="latin-1") as f:
                    files[name] = f.read()
        files.update((name, "\n".join(lines) + "\n") for name, lines in c.files.items() if name != "aliases")
        job = {"cf": cf, "engine": given.engine.split(), "write": given.write, "aliases": "\n".join(c.files.get("aliases", [])) + "\n",
               "queue": next((w for w in c.shell if w.startswith("-q")), "-q2s"), "files": files,
               "auth": c.auth, "filters": c.filters, "daemon": c.daemon, "msp": msp, "shell": [w for w in c.shell if not w.startswith("-q")], "dialogues": [d.spec(given.reference) for d in dialogues]}
        try:
            return self.ask(job)
        except (OSError, ValueError) as e:
            return {"error": self.why(e, 1500), **nothing}


def takes(dialogues):
    """About how many seconds."""
    waits = [float(d.options.get("before", 0)) + 10 for d in dialogues if "slow" in d.options]
    return max(waits, default=0) + 0.2 * len(dialogues) + sum(float(d.options.get("settle", 0)) for d in dialogues)


def split_deliveries(lines):
    out = []
    for line in lines:
        if line.startswith("@ "):
            out.append([])
        out[-1].append(line)
    return out


def differences(wanted, got, codes):
    if codes:
        wanted, got = [essence(l) for l in wanted], [essence(l) for l in got]
    return [] if wanted == got else [l for l in difflib.unified_diff(wanted, got, "expected", "measured", n=1, lineterm="") if not l.startswith("@@")]


def judge(report, name, d, results, delivered, events, given, totals):
    diff = differences(side(d.events, given.reference), events, False)
    wrong = ["filters:"] + diff[2:] if diff else []
    for i, (line, wanted) in enumerate(d.steps()):
        wanted = side(wanted, given.reference)
        got = results[i] if results and i < len(results) else ["< (not asked)"]
        if wanted or got:
            totals["replies"][1] += 1
            diff = differences(wanted, got, given.codes)
            totals["codes"][1] += 1
            totals["codes"][0] += not differences(wanted, got, True)
            totals["replies"][0] += not diff
            if diff:
                wrong += ["after: " + line[:100]] + diff[2:]
    wanted, got = sorted(split_deliveries(side(d.expected, given.reference))), sorted(delivered)
    same_ones = 0
    rest = list(got)
    for w in list(wanted):
        if w in rest:
            rest.remove(w)
            wanted.remove(w)
            same_ones += 1
    totals["deliveries"][0] += same_ones
    totals["deliveries"][1] += same_ones + max(len(wanted), len(rest))
    for i in range(max(len(wanted), len(rest))):
        w, g = wanted[i] if i < len(wanted) else [], rest[i] if i < len(rest) else []
        wrong += ["delivery:"] + differences(w, g, False)[2:]
    report.check(name, not wrong, "\n".join(w[:220] for w in wrong[:40 if not given.verbose else 400]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--engine", default=os.environ.get("MCFD", os.path.join(BUILD, "mcfd")))
    parser.add_argument("--reference", "--reference-only", action="store_true")
    parser.add_argument("--codes", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    if given.raw:  # nothing is normalised: to look at
        os.environ["SMTP_RAW"] = "yes"
    if given.inside:
        inside()
    if given.reference:
        given.engine = SENDMAIL
    given.reference = given.engine.split()[0] == SENDMAIL
    wanted = [c.partition(":")[::2] for c in given.cases]
    tests = [Test(os.path.join(TESTS, f)) for f in sorted(os.listdir(TESTS)) if f.endswith(".test")
             and (not wanted or f[:-5] in [w[0] for w in wanted])]
    jobs = []
    for t in tests:
        for c in t.configurations:
            chosen = [d for d in c.dialogues if (given.long or "long" not in d.options or (t.name, d.title) in wanted)
                      and (not wanted or any(n == t.name and title in ("", d.title, c.title) for n, title in wanted))]
            if chosen:
                jobs.append((t, c, chosen))
    if given.list:
        for t, c, chosen in jobs:
            for d in chosen:
                print("%s:%s" % (t.name, d.title))
        return
    need_root()
    need_programs("sendmail", "makemap", "unshare", "ip", "m4")
    need(os.access(given.engine.split()[0], os.X_OK), "the program %s: run make" % given.engine)
    name = os.path.basename(TESTS)
    report = Report(name, "tests/%s/run.py '{}'" % name, given.verbose)
    totals = {"codes": [0, 0], "replies": [0, 0], "deliveries": [0, 0]}
    waiting, done = queue.Queue(), [queue.Queue(1) for _ in jobs]
    for n, job in sorted(enumerate(jobs), key=lambda j: -takes(j[1][2])):  # the longest first
        waiting.put((n, job))

    def work():
        worker = Worker(given.raw)
        while True:
            try:
                n, (t, c, chosen) = waiting.get_nowait()
            except queue.Empty:
                break
            done[n].put(worker.run(t, c, chosen, given))
        worker.close()
    for _ in range(min(WORKERS, len(jobs))):
        threading.Thread(target=work).start()
    times = []
    for (t, c, chosen), result in zip(jobs, done):
        r = result.get()
        if given.write and r["error"]:
            print("%s: %s: %s" % (t.name, c.title, r["error"]))
            continue
        for d, results, delivered, events, took in zip(chosen, r["results"], r["delivered"], r["events"], r["took"]):
            times.append((took, "%s:%s" % (t.name, d.title)))
            if given.write:
                d.take(results, delivered, events, given.reference)
            elif r["error"]:
                report.fail("%s:%s" % (t.name, d.title), r["error"])
            else:
                judge(report, "%s:%s" % (t.name, d.title), d, results, delivered, events, given, totals)
    if given.verbose:
        print("slowest: " + ", ".join("%s %.1f s" % (n, s) for s, n in sorted(times, reverse=True)[:25]))
    if given.write:
        for t in tests:
            t.write()
        return
    print("; ".join("%s %d of %d" % (k, *v) for k, v in totals.items()))
    report.close()


if __name__ == "__main__":
    main()
