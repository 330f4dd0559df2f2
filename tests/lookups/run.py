#!/usr/bin/env python3
"""run.py [-v] [FILE[:BLOCK]]...

Lookups in maps: each *.test declares maps and asks; the reference (sendmail -bt) and we must answer
the same, value and status. README.md says how such a file is written.
"""
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from reference import SENDMAIL, ask
from report import BUILD, MCF, ROOT, Report, need, need_mcf, need_programs, need_root, options

NS = os.path.join(ROOT, "tests", "lib", "ns")
OURS = os.environ.get("LOOKUP", os.path.join(BUILD, "lookup"))
PLACE = "/run/lookups"  # the reference reads no map in a folder that others may write to
HEAD = """V10/Berkeley
Cwlocalhost
Djmail.example.com
DnMAILER-DAEMON
DZ0
O QueueDirectory=/var/spool/mqueue
O LogLevel=0
Troot
Mlocal, P=/bin/true, F=lsDFMAw5:/|@qPn, A=true
Mprog, P=/bin/true, F=l, A=true
"""
TAIL = """S0
R$*	$#local $: $1
"""
# What a program is told by an option, and ours by another word.
WORLD = {"ServiceSwitchFile": "service_switch", "HostsFile": "hosts_file",
         "UserDatabaseSpec": "userdb", "ResolverOptions": "resolver",
         "UseCompressedIPv6Addresses": "short_ipv6", "LDAPDefaultSpec": "ldap"}


class Block:
    """A title, K lines, options, and questions with what is expected of us alone, or None."""

    def __init__(self, title):
        self.title, self.lines, self.options, self.steps = title, [], [], []
        self.questions, self.expected, self.timeout = [], {}, "30000"


def read_blocks(path, folder):
    blocks, part = [], None
    with open(path, encoding="latin-1") as f:
        lines = [l.rstrip("\n").replace("DIR/", folder + "/") for l in f]
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if line.startswith("== "):
            blocks.append(Block(line[3:]))
        elif line.startswith("#") or not line:
            continue
        elif line.startswith(("%file ", "%map ")):
            end = lines.index("%end", i)
            blocks[-1].steps.append((line, "".join(l + "\n" for l in lines[i:end])))
            i = end + 1
        elif line.startswith("%"):
            blocks[-1].steps.append((line, None))
        elif line.startswith("O "):
            blocks[-1].options.append(line)
        elif line.startswith(("? ", "! ", "/mx ", "/mx-of-others ", "/canon ")):
            blocks[-1].questions.append(line)
        elif line.startswith("= "):
            blocks[-1].expected[len(blocks[-1].questions) - 1] = line[2:]
        else:
            blocks[-1].lines.append(line)
    return blocks


def write(path, text, mode=0o644):
    with open(path, "w", encoding="latin-1") as f:
        f.write(text)
    os.chmod(path, mode)


class Servers:
    """What the questions reach, started when a block names it and stopped with the file."""

    def __init__(self):
        self.running = {}

    def start(self, name, *arguments):
        self.stop(name)
        self.running[name] = subprocess.Popen(
            [sys.executable, os.path.join(HERE, name + ".py"), *arguments], stdout=subprocess.PIPE)
        need(self.running[name].stdout.readline() == b"ready\n", "the server %s" % name)

    def stop(self, name):
        p = self.running.pop(name, None)
        if p:
            p.send_signal(signal.SIGTERM)
            p.wait(timeout=10)
            p.stdout.close()

    def stop_all(self):
        for name in list(self.running):
            self.stop(name)


def prepare(block, folder, servers):
    for line, text in block.steps:
        word, *rest = line.split()
        if word == "%file":
            write(os.path.join(folder, rest[0]), text, int(rest[1], 8) if rest[1:] else 0o644)
        elif word == "%map":
            p = subprocess.run(["makemap", "-C", "/dev/null", *rest[1:-1], rest[0],
                                os.path.join(folder, rest[-1])], input=text.encode("latin-1"),
                               capture_output=True)
            need(p.returncode == 0, "a map that makemap takes: %s" % p.stderr)
        elif word == "%run":
            subprocess.run(line[5:], shell=True, cwd=folder, check=True,
                           env=dict(os.environ, MCF=MCF))
        elif word == "%timeout":
            block.timeout = rest[0]
        elif word == "%start":
            servers.start(*rest)
        elif word == "%stop":
            servers.stop(rest[0])
        else:
            need(False, "a line that is known: " + line)


def parts_of(question):
    """Name, key, arguments and default of a question as a rule asks."""
    name, _, rest = question[2:].partition(" ")
    rest, mark, default = (" " + rest).partition(" $:")
    key, *args = rest.split(" $@")
    return name, key.strip(), [a.strip() for a in args], default.strip() if mark else None


def ask_reference(block, folder):
    cf, commands = [HEAD] + [o + "\n" for o in block.options] + [l + "\n" for l in block.lines], []
    cf.append(TAIL)
    for n, q in enumerate(block.questions):
        if n in block.expected:
            continue
        if q.startswith("? "):
            commands.append("/map " + q[2:])
            continue
        if q.startswith("/"):
            commands.append(q)
            continue
        cf.append("SAsk%d\nR$*\t$: <$(%s$)>\n" % (n, q[2:] + " "))
        commands.append("Ask%d x" % n)
    path = os.path.join(folder, "ask.cf")
    write(path, "".join(cf))
    answers, _ = ask(path, commands, timeout=50)
    asked = [n for n in range(len(block.questions)) if n not in block.expected]
    said = {n: essence_of(block.questions[n], a) for n, a in zip(asked, answers)}
    return [block.expected.get(n, said.get(n, "no answer")) for n in range(len(block.questions))]


def essence_of(question, answer):
    """The answer without the messages on the way."""
    answer = answer.rstrip("\n")
    if question.startswith("/"):
        return answer.partition(" returns ")[2].replace("\n", "").strip()
    if question.startswith("? "):
        name, key = question[2:].split(" ", 1)
        m = re.search(r"(Map named .*)$", answer) or \
            re.search(r"map_lookup: .*?(returns .*|no match) (\(\d+\))$", answer, re.S)
        return (m.group(1) + (" " + m.group(2) if m.re.groups > 1 else "") if m
                else answer).replace("\n", "\\n")
    m = re.search(r"returns: <(.*)>$", answer, re.M)
    failed = re.search(r"^== Ruleset .* status (\d+)", answer, re.M)
    value = re.sub(r" ", "", m.group(1).replace("$|", "\x9b")) if m else answer
    return value + (" [%s]" % failed.group(1) if failed else "")


def ask_ours(block):
    given = [["S", "host", "mail.example.com"], ["S", "timeout", block.timeout]]
    for line in block.options:
        name, value = line[2:].split("=", 1)
        if name.split(".")[0] in WORLD:
            given.append(["S", WORLD[name.split(".")[0]], value])
    given += [[l] for l in block.lines if l.startswith("K")]
    for q in block.questions:
        if q.startswith("? "):
            given.append(["M", *q[2:].split(" ", 1)])
        elif q.startswith("/"):
            given.append(["X", *q[1:].split(" ", 1)])
        else:
            name, key, args, default = parts_of(q)
            given.append(["R", name, "-" if default is None else "=" + default, key, *args])
    p = subprocess.run([OURS], input="".join("\x1f".join(g) + "\n" for g in given).encode("latin-1"),
                       capture_output=True, timeout=50)
    need(p.returncode == 0, "an end without a crash: %d %s" % (p.returncode, p.stderr))
    answers, more = [], []
    for line in p.stdout.decode("latin-1").split("\n")[:-1]:
        if line.startswith(("macro ", "log ")):
            continue
        q = block.questions[len(answers)]
        if not q.startswith("! "):
            answers.append(essence_of(q, line))
        else:
            m = re.match(r"(.*?)( \[75\])?$", line)
            answers.append(m.group(1).replace(" ", "") + (m.group(2) or ""))
    return answers


def run_block(report, name, block, folder, servers):
    prepare(block, folder, servers)
    theirs, ours = ask_reference(block, folder), ask_ours(block)
    why = []
    if len(ours) != len(block.questions):
        why.append("%d questions, %d answers" % (len(block.questions), len(ours)))
    for q, wanted, o in zip(block.questions, theirs, ours):
        if wanted != o:
            why.append("%s\n  wanted: %r\n  ours:   %r" % (q, wanted, o))
        elif report.verbose:
            print("        %-40s %r" % (q, o))
    report.check("%s:%s" % (name, block.title), not why, "\n".join(why))


def inside(given):
    """In the namespaces."""
    report = Report("lookups", "tests/lookups/run.py '{}'", given.verbose)
    names = sorted(f[:-5] for f in os.listdir(HERE) if f.endswith(".test"))
    chosen = [c.partition(":")[::2] for c in given.cases] or [(n, "") for n in names]
    write("/etc/resolv.conf", "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n")
    subprocess.run([sys.executable, os.path.join(ROOT, "tests", "lib", "dns.py"),
                    os.path.join(HERE, "zone"), "127.0.0.53"], check=True)
    for name, title in chosen:
        folder, servers = os.path.join(PLACE, name), Servers()
        if name not in names:
            report.fail(name, "no such file; there are: " + " ".join(names))
            continue
        os.makedirs(folder)
        try:
            for block in read_blocks(os.path.join(HERE, name + ".test"), folder):
                if title in ("", block.title):
                    run_block(report, name, block, folder, servers)
        finally:
            servers.stop_all()
            shutil.rmtree(folder)
    report.close()


def main():
    given = options(__doc__)
    if os.environ.get("LOOKUPS_INSIDE"):
        inside(given)
    need_root()
    need_programs("sendmail", "makemap", "slapd", "slapadd", "unshare", "ip")
    need_mcf()
    need(os.access(OURS, os.X_OK), "the program %s: run make %s" % (OURS, OURS))
    os.environ["LOOKUPS_INSIDE"] = "yes"
    os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), *sys.argv[1:]])


if __name__ == "__main__":
    main()
