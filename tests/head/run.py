#!/usr/bin/env python3
"""run.py [-v] [-s] [FILE[:TITLE]]...

Heads of messages: each *.test gives messages to the reference (Debian's sendmail) and to
build/head_test, with the same configuration; what is delivered must be the same bytes, but for
dates and ids. README.md says how a file is written. -s shows what the reference delivers.
"""
import argparse
import copy
import difflib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from reference import SENDMAIL
from report import BUILD, MCF, ROOT, Report, need, need_mcf, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
OURS = os.environ.get("HEAD_TEST", os.path.join(BUILD, "head_test"))
PLACE = "/run/head"
SINKS = ["198.51.100.%d" % n for n in (10, 20, 21, 22, 23, 24, 30, 31, 40, 50, 51, 99)]
# Places that a test must move, and what would only cost time.
MOVED = re.compile(r"O\s*(DaemonPortOptions|QueueDirectory|StatusFile|PidFile|LogLevel|RunAsUser|"
                   r"TrustedUser|DeliveryMode|RefuseLA|QueueLA|MinFreeBlocks|ControlSocketName|"
                   r"HostStatusDirectory|DontBlameSendmail|Timeout.ident|DefaultUser|"
                   r"SafeFileEnvironment|ServerCertFile|ServerKeyFile|CACertFile|CACertPath|"
                   r"ClientCertFile|ClientKeyFile|InputMailFilters|AliasFile|SuperSafe)\b|X")
TAIL = ["O QueueDirectory=%s/q" % PLACE, "O LogLevel=0", "O DeliveryMode=interactive",
        "O DontBlameSendmail=safe,GroupWritableDirPathSafe", "O SuperSafe=false", ""]
RECORD = """#!/bin/sh
f=$(mktemp %s/got/XXXXXX)
{ for a; do printf "[%%s]" "$a"; done; echo; cat; } > $f.tmp
mv $f.tmp $f.local
rm -f $f
""" % PLACE
SAME = [  # what no two runs have in common
    (re.compile(r"[A-Z][a-z]{2}, +\d+ [A-Z][a-z]{2} 20[2-9]\d \d\d:\d\d:\d\d (?:[-+]\d{4}(?: \(\w+\))?|GMT)"),
     "DATE"),
    (re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d 20[2-9]\d"), "CTIME"),
    (re.compile(r"\b8\.17\.1\.9(/Debian-[\w.+]+)?"), "VERSION"),
    (re.compile(r"\b[0-9A-Za-z]{8}[0-9]{6,8}\b"), "ID"),
    (re.compile(r"<\d{12}\.ID@"), "<STAMP.ID@"),
]


def same(text):
    for pattern, by in SAME:
        text = pattern.sub(by, text)
    return text


def raw(text):
    """\\r \\n \\0 \\t \\\\ \\xNN, and {N*TEXT} for TEXT N times."""
    text = re.sub(r"\\(x[0-9A-Fa-f]{2}|[rn0t\\{])",
                  lambda m: {"r": "\r", "n": "\n", "0": "\0", "t": "\t", "\\": "\\",
                             "{": "\x01"}.get(m.group(1)) or chr(int(m.group(1)[1:], 16)), text)
    text = re.sub(r"\{(\d+)\*([^}]*)\}", lambda m: int(m.group(1)) * m.group(2), text)
    return text.replace("\x01", "{").encode("latin-1")


class Case:
    def __init__(self, file, title, config):
        self.name, self.title, self.config, self.sample = "%s:%s" % (file, title), title, config, None
        self.sender, self.rcpts, self.command, self.lines = "sender@example.net", [], None, []

    def message(self):
        return b"".join(raw(l) + b"\n" for l in self.lines)


class Config:
    def __init__(self, title):
        self.title, self.samples, self.cf, self.flags, self.drop, self.mailers = title, [], [], [], [], []


def read(path):
    """Cases of a file: "=== title" begins a configuration, "== title" a case."""
    name, cases, config, case = os.path.basename(path)[:-5], [], None, None
    for line in open(path, encoding="latin-1").read().split("\n"):
        if line.startswith("=== "):
            config, case = Config(line[4:]), None
        elif line.startswith("== "):
            case = Case(name, line[3:], config)
            cases.append(case)
        elif line.startswith("|"):
            case.lines.append(line[2:])
        elif not line or line.startswith("#") or config is None:
            continue
        else:
            word, _, rest = line.partition(" ")
            if case is None:
                if word == "sample":
                    config.samples = rest.split()
                else:
                    {"cf": config.cf, "flags": config.flags, "drop": config.drop,
                     "mailer": config.mailers}[word].append(rest)
            elif word == "from":
                case.sender = rest
            elif word == "to":
                case.rcpts += rest.split()
            elif word == "command":
                case.command = rest.split("|") if rest else []
            else:
                raise ValueError(line)
    out = []
    for c in cases:
        for sample in c.config.samples:
            one = copy.copy(c)
            one.sample = sample
            if len(c.config.samples) > 1:
                one.name += " (%s)" % sample
            out.append(one)
    return out


def compiled(sample, cache={}):
    """The .cf of a sample."""
    if sample not in cache:
        mc = os.path.join(ROOT, "samples", sample + ("" if sample.endswith(".mc") else "/sendmail.mc"))
        cache[sample] = subprocess.run([MCF, "build", mc], capture_output=True,
                                       check=True).stdout.decode("latin-1")
    return cache[sample]


def adapted(case):
    """Its .cf, with local mailers that record."""
    config, out, skip = case.config, [], False
    for l in re.sub(r"(?m)^(M.*(?:\n[\t ].*)*)", lambda m: re.sub(r"\n[\t ]+", " ", m.group(1)),
                    compiled(case.sample)).split("\n"):
        skip = bool(MOVED.match(l) or any(l.startswith(d) for d in config.drop)) or \
            (skip and l[:1] in " \t")
        if skip:
            continue
        m = re.match(r"M(\w+),", l)
        if m and m.group(1) in ("local", "prog", "procmail", "cyrus", "cyrusv2"):
            l = re.sub(r"P=[^,]+", "P=%s/record" % PLACE, l, count=1)
        for f in config.flags if m else []:  # flags NAME +X -Y
            name, *changes = f.split()
            for c in changes if name == m.group(1) else []:
                if c[0] == "+":
                    l = re.sub(r"F=", "F=" + c[1:], l, count=1)
                elif c[0] == "-":
                    l = re.sub(r"F=([^,]*)", lambda x: "F=" + x.group(1).translate(
                        {ord(y): None for y in c[1:]}), l, count=1)
                else:
                    l = re.sub(r"(, *\s*)%s=[^,]*" % c[0], "", l).rstrip().rstrip(",") + ", " + c.replace("_", " ")
        out.append(l)
    out += ["M" + m.replace("RECORD", PLACE + "/record") for m in config.mailers]
    return "\n".join(out + config.cf + TAIL)

# ---------------------------------------------------------------- inside the namespaces


got, lock = [], threading.Lock()


def sink(c):
    f, envelope = c.makefile("rwb", buffering=0), []

    def say(s):
        c.sendall(s.encode() + b"\r\n")
    try:
        say("220 sink ESMTP")
        while True:
            l = f.readline()
            if not l:
                return
            t = l.decode("latin-1").strip()
            v = t.upper()
            if v.startswith("EHLO"):
                say("250-sink\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
            elif v.startswith("MAIL"):
                envelope = [re.sub(r">.*", ">", t)]
                say("250 2.0.0 ok")
            elif v.startswith("RCPT"):
                envelope.append(re.sub(r">.*", ">", t))
                say("250 2.1.5 ok")
            elif v.startswith("DATA"):
                say("354 go")
                b = b""
                while not b.endswith(b"\r\n.\r\n") and b != b".\r\n":
                    b += f.readline()
                text = re.sub(r"(?m)^\.", "", b[:-3].decode("latin-1").replace("\r\n", "\n"))
                with lock:
                    got.append("".join("[%s]" % e for e in envelope) + "\n" + text)
                say("250 2.0.0 taken")
            elif v.startswith("QUIT"):
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")
    except OSError:
        pass
    finally:
        c.close()


def serve(ip):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((ip, 25))
    s.listen(50)
    while True:
        threading.Thread(target=sink, args=(s.accept()[0],), daemon=True).start()


def talk(case, cf, message):
    """Hands the message over with SMTP; the replies that refuse something."""
    p = subprocess.Popen([SENDMAIL, "-bs", "-C", cf], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = []

    def reply(line=None):
        try:
            if line is not None:
                p.stdin.write(line + b"\r\n")
                p.stdin.flush()
        except BrokenPipeError:
            return ""
        l = p.stdout.readline().decode("latin-1")
        while l[3:4] == "-":
            l = p.stdout.readline().decode("latin-1")
        if l[:1] in "45":
            said.append(l.rstrip())
        return l
    reply()
    reply(b"EHLO client.example")
    reply(b"MAIL FROM:<%s>" % raw(case["sender"]))
    for r in case["rcpts"]:
        reply(b"RCPT TO:<%s>" % raw(r))
    if reply(b"DATA").startswith("354"):
        reply(re.sub(rb"(?m)^\.", b"..", message).replace(b"\n", b"\r\n") + b".")
    reply(b"QUIT")
    try:
        p.stdin.close()
    except BrokenPipeError:
        pass
    p.wait(timeout=20)
    p.stdout.close()
    return "\n".join(said)


def deliver(case, cf):
    """What the reference delivers of a case, and what it says."""
    got.clear()
    for f in os.listdir(PLACE + "/got"):
        os.remove(PLACE + "/got/" + f)
    message = case["message"].encode("latin-1")
    if case["command"] is None:
        said = talk(case, cf, message)
    else:
        p = subprocess.run([SENDMAIL, "-i", "-C", cf, "-f", case["sender"]] + case["command"] +
                           case["rcpts"], input=message, capture_output=True)
        said = (p.stdout + p.stderr).decode("latin-1")
    for f in os.listdir(PLACE + "/got"):
        if f.endswith(".local"):
            with open(PLACE + "/got/" + f, encoding="latin-1", newline="") as text:
                got.append(text.read())
    for f in os.listdir(PLACE + "/q"):
        with open(PLACE + "/q/" + f, encoding="latin-1") as left:
            said += "".join("\nleft: " + l for l in re.findall(r"(?m)^M.*", left.read()))
        os.remove(PLACE + "/q/" + f)
    return {"got": sorted(got), "said": said}


def ours(case, cf):
    args = [OURS, "-C", cf, "-f", case["sender"]]
    if case["command"] is None:
        args += ["-s", "client.example"]
    else:
        args += case["command"]
    p = subprocess.run(args + case["rcpts"], input=case["message"].encode("latin-1"),
                       capture_output=True)
    out = p.stdout.decode("latin-1")
    said = p.stderr.decode("latin-1")
    if p.returncode < 0:
        said += "signal %d" % -p.returncode
    return {"got": sorted(t for t in out.split("\f\n") if t), "said": said}


def inside():
    work = json.load(sys.stdin)
    for ip in SINKS:
        subprocess.run(["ip", "addr", "add", ip + "/32", "dev", "lo"], check=True)
        threading.Thread(target=serve, args=(ip,), daemon=True).start()
    os.makedirs(PLACE + "/q")
    os.chmod(PLACE + "/q", 0o700)
    os.mkdir(PLACE + "/got")
    os.chmod(PLACE + "/got", 0o1777)
    with open(PLACE + "/record", "w") as f:
        f.write(RECORD)
    os.chmod(PLACE + "/record", 0o755)
    for case in work:
        cf = PLACE + "/%d.cf" % case["id"]
        with open(cf, "w", encoding="latin-1") as f:
            f.write(case["cf"])
        answer = {"reference": deliver(case, cf)}
        if case["ours"]:
            answer["ours"] = ours(case, cf)
        print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-s", "--show", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    if given.inside:
        return inside()
    need_root()
    need_programs("unshare", "ip", "sendmail")
    need_mcf()
    cases = []
    for name in sorted(f for f in os.listdir(HERE) if f.endswith(".test")):
        cases += read(os.path.join(HERE, name))
    if given.cases:
        cases = [c for c in cases if any(c.name == w or c.name.startswith(w + ":") for w in given.cases)]
    show = given.show
    need(show or os.access(OURS, os.X_OK), "the program %s: run make" % OURS)
    work = [{"id": i, "cf": adapted(c), "sender": c.sender, "rcpts": c.rcpts,
             "command": c.command, "message": c.message().decode("latin-1"), "ours": not show}
            for i, c in enumerate(cases)]
    p = subprocess.Popen([NS, sys.executable, os.path.realpath(__file__), "--inside"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=lambda: (p.stdin.write(json.dumps(work).encode()), p.stdin.close()),
                     daemon=True).start()
    sys.stdout.reconfigure(line_buffering=True)
    report = Report("head", "tests/head/run.py '{}'", given.verbose)
    for case in cases:
        line = p.stdout.readline()
        if not line:
            report.fail(case.name, "the world ended")
            break
        answer = json.loads(line)
        reference = same("\f\n".join(answer["reference"]["got"]))
        if show:
            print("=====", case.name)
            print(re.sub(r"[^\x20-\x7e\n]", lambda m: "\\x%02x" % ord(m.group()), reference))
            print("said:", answer["reference"]["said"])
            continue
        found = same("\f\n".join(answer["ours"]["got"]))
        if not reference:  # not delivered: what was said counts
            reference = "\n".join(re.findall(r"(?m)^[45]\d\d .*", answer["reference"]["said"]))
            found += "\n".join(re.findall(r"(?m)^[45]\d\d .*", answer["ours"]["said"]))
        diff = "\n".join(difflib.unified_diff(repr_lines(reference), repr_lines(found),
                                              "reference", "ours", lineterm="", n=1))
        report.check(case.name, reference == found, diff + "\n" + answer["ours"]["said"])
    p.wait()
    if not show:
        report.close()


def repr_lines(text):
    return [repr(l)[1:-1] for l in text.split("\n")]


if __name__ == "__main__":
    main()
