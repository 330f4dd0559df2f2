#!/usr/bin/env python3
"""run.py [-v] [--engine COMMAND | --reference] [--write] [--list] [NAME[:TITLE]]...

Files that others could have written: what is refused, which word of DontBlameSendmail forgives it, and whether the
command that mcfd says mends it. Each *.test says what the reference (Debian's sendmail) was measured to do; README.md
says how a file is written.

  --engine COMMAND  what is run in place of build/mcfd
  --reference       the same as --engine /usr/sbin/sendmail: are the files right?
  --write           put what the engine does into the files (with --reference, then read the difference)
  --list            only name the cases
"""
import argparse
import base64
import glob
import grp
import hmac
import json
import os
import pwd
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import certificates
import logger
from inside import Inside
from reference import SENDMAIL, compile_mc
from report import BUILD, ROOT, Report, need, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
PLACE = "/run/safety"
CF, GOT = PLACE + "/t.cf", PLACE + "/got/"
WORKERS = 6
USERS = ("alice", "bob", "carol", "sales", "odd")
# What the reference has in its log that says why: the rest is not looked at.
REASON = re.compile(r"unsafe|^forward |Cannot open|WARNING|unknown user|valid shell|cannot open|out of date|[Cc]annot chroot|STARTTLS=|file .* unsafe")

# ---------------------------------------------------------------- files


class Step:
    def __init__(self, line):
        self.line, self.expected, self.says = line, [], []


class Case:
    """A row: how things are, what is asked, and what comes of it: as it is, forgiven, and mended."""

    def __init__(self, title):
        self.title, self.setup, self.ask, self.steps = title, [], "", []


class Test:
    def __init__(self, path):
        self.path, self.name, self.head, self.cases = path, os.path.basename(path)[:-5], [], []
        with open(path, encoding="latin-1") as f:
            for line in f.read().rstrip("\n").split("\n"):
                self.read(line)

    def read(self, line):
        word = line.split(" ")[0]
        if line.startswith("== "):
            self.cases.append(Case(line[3:]))
        elif not self.cases:
            self.head.append(line)
        elif word in ("sh", "then", "cf", "drop", "#"):
            self.cases[-1].setup.append(line)
        elif word == "ask":
            self.cases[-1].ask = line
            self.cases[-1].steps = [Step("")]
        elif word == "says":
            self.cases[-1].steps[-1].says.append(line[5:])
        elif word in ("with", "mend"):
            self.cases[-1].steps.append(Step(line))
        elif word in ("<", "-<", "+<"):
            self.cases[-1].steps[-1].expected.append(line)
        elif line:
            sys.exit("%s: not a line of a row: %s" % (self.path, line))

    def write(self):
        out = list(self.head)
        for c in self.cases:
            out += ["== " + c.title] + c.setup + [c.ask]
            for s in c.steps:
                out += ([s.line] if s.line else []) + ["says " + t for t in s.says] + s.expected
            out.append("")
        with open(self.path, "w", encoding="latin-1") as f:
            f.write("\n".join(out).rstrip("\n") + "\n")


def side(lines, reference):
    other = "+" if reference else "-"
    return [l.lstrip("+-") for l in lines if l[0] != other]


# ---------------------------------------------------------------- inside the namespace

RECORD = """#!/bin/sh
for u; do :; done
cat > %(got)s.$u.$$
mv %(got)s.$u.$$ %(got)s$u.$$
""" % {"got": GOT}


def shell(command):
    subprocess.run(command, shell=True, cwd="/mnt", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fresh(job, word):
    """All that there is, as the row says; word: what DontBlameSendmail has."""
    shell("""printf "/bin/sh\\n/bin/bash\\n" > /etc/shells; umount /mnt /home; mount -t tmpfs -o mode=755 none /mnt; mount -t tmpfs -o mode=755 none /home
        cp -a {0}/keep/passwd /etc/passwd; rm -rf {0}/q {0}/got {0}/t.cf* {0}/tls /etc/mail /etc/aliases* /etc/sasldb2 /var/mail/*
        cp -a {0}/keep/mail /etc/mail; cp -a {0}/keep/aliases /etc/aliases; cp -a {0}/keep/tls {0}/tls
        mkdir -m 755 {0}/q; mkdir -m 1777 {0}/got""".format(PLACE))
    for user in USERS:
        shell("mkdir -m 755 /home/%s; chown %s:%s /home/%s" % (user, user, user, user))
    with open(PLACE + "/keep/cf", encoding="latin-1") as f:
        lines = [l for l in f.read().split("\n") if not any(re.match(d, l) for d in job["drop"])]
    if job["ask"] not in ("auth", "login"):
        lines.append("O AuthMechanisms=NONE")
    lines.append("O DontBlameSendmail=safe" + ("," + word if word else ""))
    with open(CF, "w", encoding="latin-1") as f:
        f.write("\n".join(lines + job["cf"]) + "\n")
    for command in job["sh"]:
        shell(command)
    if job["ask"] == "auth":
        shell("""mkdir -p /etc/sasl2; chmod 755 /etc /etc/sasl2; echo "pwcheck_method: auxprop" > /etc/sasl2/Sendmail.conf
            printf secret | saslpasswd2 -c -p -u mail.example.com alice; chown root:root /etc/sasldb2; chmod 600 /etc/sasldb2""")
    shell("[ -e /etc/aliases.db ] || %s -bi -C %s" % (SENDMAIL, CF))
    for command in job["then"]:
        shell(command)


SAID = []  # by programs that were run for this outcome


def run(engine, *words, text="", env=None):
    p = subprocess.run(engine + list(words) + ["-C", CF], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
                       errors="replace", env=env)
    SAID.append(p.stdout)
    return p.returncode, p.stdout


class Connection:
    def __init__(self):
        end = time.time() + 5
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", 25), 8)
                break
            except OSError:
                if time.time() > end:
                    raise
                time.sleep(0.02)
        self.file = self.socket.makefile("rb")

    def reply(self):
        lines = []
        while True:
            lines.append(self.file.readline().decode("latin-1").rstrip("\r\n"))
            if not re.match(r"\d\d\d-", lines[-1]):
                return lines

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()


class Daemon:
    def __init__(self, engine):
        with open(PLACE + "/said", "w") as f:
            self.process = subprocess.Popen(engine + ["-bD", "-q1h", "-C", CF], stdin=subprocess.DEVNULL, stdout=f, stderr=f, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def same(text):
    return re.sub(r"\b[0-9A-Za-z]{8}\d{6,8}\b", "ID", text)


def delivered():
    """What has come, a line each."""
    out = []
    for name in os.listdir(GOT):
        if name.startswith("."):
            continue
        with open(GOT + name, errors="replace") as f:
            text = f.read()
        who = name.split(".")[0]
        if who == "ran":
            out.append("ran as " + " ".join(text.split()))
        elif "The following addresses had" in text:
            m = re.search(r"(?s)----- The following addresses had .*?-----\n(.*?)\n\n", text)
            out.append("bounce: " + re.sub(r"\s+", " ", m.group(1)))
            m = re.search(r"(?s)----- Transcript of session follows -----\n(.*?)\n\n", text)
            out.append("bounce: transcript: " + re.sub(r"\s+", " ", m.group(1) if m else ""))
            out.append("bounce: " + " ".join(re.findall(r"(?m)^(?:Action|Status|Diagnostic-Code): (.*)", text)))
        else:
            out.append("to " + who)
        if "ERRORTEXT" in text:
            out.append("the bounce has the text")
    for pattern in ("/mnt/box", "/mnt/?/box", "/home/*/box"):
        for path in glob.glob(pattern):
            if not os.path.exists(path):
                continue
            st = os.stat(path)
            if st.st_size:
                out.append("%s is written, %o of %s:%s" % (path, st.st_mode & 0o7777, pwd.getpwuid(st.st_uid).pw_name, grp.getgrgid(st.st_gid).gr_name))
    return sorted(out)


def ask_mail(engine, words, wanted):
    """A message from bob to these, and what becomes of it."""
    out = []
    with Daemon(engine) as d:
        try:
            c = Connection()
        except OSError:
            return ["the daemon does not start"]
        c.reply()
        try:
            for line in ["EHLO client.example", "MAIL FROM:<bob@mail.example.com>"] + ["RCPT TO:<%s>" % w for w in words] + ["DATA"]:
                said = c.say(line)
                if line.startswith("RCPT") and not said[-1].startswith("250"):
                    out += said
            if said[-1].startswith("354"):
                said = c.say("Subject: x\r\n\r\ntext\r\n.")
                out += [] if said[-1].startswith("250") else [same(l) for l in said]
            c.say("QUIT")
        except OSError as e:
            out.append("the connection ends: " + type(e).__name__)
        until, last, since = time.time() + 4, [], time.time()
        while time.time() < until:
            now = delivered()
            if now != last:
                last, since = now, time.time()
            # Nothing more is waited for where it is as it should be.
            if wanted and len(now) >= wanted - len(out) and time.time() - since > 0.1 or time.time() - since > 1.2:
                break
            time.sleep(0.03)
        queue_now = run(engine, "-bp")[1]
        out += re.findall(r"(?m)^ +\((.*)\)$", queue_now)
        out = ["waits: " + l if l in queue_now and not l[:3].isdigit() else l for l in out]
    return out + last


def ask_class(engine, words, _):
    said = run(engine, "-bt", text="$={%s}\n" % words[0])[1]
    found = re.findall(r"(?m)^(?:> )?(word\S*)$", said)
    return [" ".join(sorted(found)) or "(empty)"]


def ask_map(engine, words, _):
    said = run(engine, "-bt", text="/map %s %s\n" % (words[0], words[1]))[1]
    m = re.search(r"returns (\S+) \(0\)|no match \((\d+)\)|(not open|not found)", said)
    return [m.group(1) or (m.group(2) and "no match (%s)" % m.group(2)) or m.group(3)] if m else ["?"]


def ask_rebuild(engine, _, __):
    status, said = run(engine, "-bi")
    return ["exit %d, %s" % (status, "rebuilt" if "aliases, longest" in said else "not rebuilt")]


def ask_makemap(engine, words, _):
    """makemap of the same make: whether it makes a database of /mnt/src."""
    program = "/usr/sbin/makemap" if engine[0] == SENDMAIL else PLACE + "/makemap"
    if not os.path.lexists(PLACE + "/makemap"):
        os.symlink(os.path.join(os.path.dirname(engine[0]), "mcf"), PLACE + "/makemap")
    with open("/mnt/src", "w") as f:
        f.write("key VALUE\n")
    with open("/mnt/src") as f:
        p = subprocess.run([program, "-C", CF, "hash", words[0]], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    SAID.append(p.stdout)
    return ["exit %d" % p.returncode]


def ask_help(engine, _, __):
    said = run(engine, "-bs", text="HELP\r\nQUIT\r\n")[1]
    return ["502" if "502 5.3.0" in said else "214" if "214-" in said else "?"]


def ask_tls(engine, _, __):
    """Whether STARTTLS is offered."""
    with Daemon(engine):
        c = Connection()
        c.reply()
        return ["STARTTLS is offered" if any("STARTTLS" in l for l in c.say("EHLO client.example")) else "no STARTTLS"]


def ask_auth(engine, _, __):
    """Whether alice can log in."""
    with Daemon(engine):
        c = Connection()
        c.reply()
        offered = [l[8:] for l in c.say("EHLO client.example") if l[4:].startswith("AUTH ")]
        challenge = c.say("AUTH CRAM-MD5")[-1]
        if challenge.startswith("334 "):
            digest = hmac.new(b"secret", base64.b64decode(challenge[4:]), "md5").hexdigest()
            challenge = c.say(base64.b64encode(b"alice " + digest.encode()).decode())[-1]
        return [" ".join(sorted(offered[0].split())) if offered else "no AUTH", challenge]


HOST = []  # what a host was told that offers AUTH


def speak_as_host(c):
    f, data = c.makefile("rb"), False
    c.sendall(b"220 host ESMTP\r\n")
    for line in f:
        verb = line[:4].upper()
        if data:
            data = line.strip() != b"."
            if not data:
                c.sendall(b"250 2.0.0 taken\r\n")
            continue
        if verb == b"AUTH":
            HOST.append("logs in as " + base64.b64decode(line.split()[2]).decode().split("\0")[1])
        data = verb == b"DATA"
        c.sendall({b"EHLO": b"250-host\r\n250 AUTH PLAIN LOGIN\r\n", b"AUTH": b"235 2.0.0 good\r\n", b"DATA": b"354 go\r\n",
                   b"QUIT": b"221 2.0.0 bye\r\n"}.get(verb, b"250 2.0.0 good\r\n"))
        if verb == b"QUIT":
            break
    c.close()


def serve_host():
    listening = socket.create_server(("127.0.0.3", 25))
    while True:
        threading.Thread(target=speak_as_host, args=(listening.accept()[0],), daemon=True).start()


def ask_login(engine, _, __):
    """As whom a message is handed over to 127.0.0.3."""
    HOST[:] = []
    return ask_mail(engine, ["x@[127.0.0.3]"], 0) + (HOST or ["does not log in"])


def ask_file(engine, words, _):
    """A daemon is started; what is in the file afterwards."""
    with Daemon(engine):
        try:
            c = Connection()
            c.reply()
            c.say("QUIT")
        except OSError:
            return ["the daemon does not start"]
        time.sleep(0.1)
        try:
            return ["%s is %s" % (words[0], "written" if os.path.getsize(words[0]) else "empty")]
        except OSError:
            return ["%s is not there" % words[0]]


ASK = {"mail": ask_mail, "class": ask_class, "map": ask_map, "rebuild": ask_rebuild, "makemap": ask_makemap, "help": ask_help, "tls": ask_tls, "auth": ask_auth, "login": ask_login, "file": ask_file}


def log_lines():
    out = []
    try:
        with open(PLACE + "/syslog", errors="replace") as f:
            for line in f:
                line = re.sub(r"^<\d+>\w{3} [ \d]+ [\d:]+ (?:\S+? )?[\w./-]+\[\d+\]: ", "", line.rstrip("\n"))
                out.append(re.sub(r"^(?:[0-9A-Za-z]{8}\d{6,8}|NOQUEUE): ", "", line))
    except OSError:
        pass
    return out


def outcome(job, wanted):
    """What comes of it, the reasons in the log, and all that was said, in which commands are looked for."""
    open(PLACE + "/syslog", "w").close()
    open(PLACE + "/said", "w").close()
    words = job["ask"].split()
    SAID[:] = []
    got = ASK[words[0]](job["engine"], words[1:], wanted)
    time.sleep(0.05)
    lines = log_lines()
    reasons = []
    for l in lines:
        l = same(re.sub(r"^SYSERR\(\w+\): ", "", l))
        if REASON.search(l) and "stat=" not in l and l not in reasons and not l.startswith(CF):
            reasons.append(l)
    if not job["reference"]:
        run([job["engine"][0], "check"])
        SAID.append(open(PLACE + "/said").read())
        lines += [re.sub(r"^(?:> )?mcfd: ", "", l) for l in "\n".join(SAID).split("\n")]
    return got, reasons, "\n".join(lines)


def inside():
    """Serves rows: a line of JSON in, a line of JSON out."""
    os.makedirs(PLACE + "/keep", exist_ok=True)
    logger.start(PLACE)
    with open("/etc/passwd") as f:
        text = f.read()
    with open("/etc/passwd", "w") as f:
        f.write(re.sub(r"(?m)^(%s):(.*):/tmp:" % "|".join(USERS), r"\1:\2:/home/\1:", text) + "odd:x:4090:4090:Odd:/home/odd:/bin/false\n")
    with open("/etc/group", "a") as f:
        f.write("team:x:4100:alice\n" + "".join("%s:x:%d:\n" % (u, 4001 + i) for i, u in enumerate(USERS[:4])) + "odd:x:4090:\n")
    with open("/etc/shells", "w") as f:
        f.write("/bin/sh\n")
    shell("cp -a /etc/mail {0}/keep/mail; cp -a /etc/passwd {0}/keep/passwd; cp -a /etc/aliases {0}/keep/aliases; mount -t tmpfs none /mnt; mount -t tmpfs none /home".format(PLACE))
    certificates.make(PLACE + "/keep/tls")
    with open(PLACE + "/record", "w") as f:
        f.write(RECORD)
    os.chmod(PLACE + "/record", 0o755)
    threading.Thread(target=serve_host, daemon=True).start()
    for line in sys.stdin:
        job = json.loads(line)
        answers = []
        for step in job["steps"]:
            try:
                word, _, rest = step["line"].partition(" ")
                if word == "mend":
                    shell("rm -rf {0}/q/* {0}/got/*".format(PLACE))
                    shell(rest)
                else:
                    fresh(job, rest)
                answers.append(outcome(job, step["wanted"]))
            except Exception as e:  # the suite goes on with the next one
                answers.append([[repr(e)], [], ""])
        print(json.dumps(answers), flush=True)
    os._exit(0)


# ---------------------------------------------------------------- outside

MOVED = re.compile(r"O\s*(DaemonPortOptions|QueueDirectory|PidFile|LogLevel|DeliveryMode|StatusFile|QueueLA|RefuseLA|DontBlameSendmail|DefaultUser)\b")


def configuration():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(ROOT, "tests", "smtp", "base.mc")) as f:
            text = f.read().replace("HERE\n", "")
        with open(folder + "/t.mc", "w") as f:
            f.write("include(`/usr/share/sendmail/cf/m4/cf.m4')dnl\n" + text)
        cf = compile_mc(folder + "/t.mc")[1].decode("latin-1")
    out = []
    for line in cf.split("\n"):
        if MOVED.match(line):
            continue
        out.append(re.sub(r"P=[^,]+", "P=%s/record" % PLACE, line, count=1) if line.startswith("Mlocal,") else line)
    return "\n".join(out + ["O DaemonPortOptions=Port=25,Addr=127.0.0.1,Name=MTA", "O QueueDirectory=%s/q" % PLACE, "O PidFile=%s/pid" % PLACE,
                            "O DontProbeInterfaces=True", "O QueueLA=1000", "O RefuseLA=1000", "O DeliveryMode=interactive", "O LogLevel=9",
                            "O DefaultUser=daemon:daemon"])


class Worker(Inside):
    def __init__(self, cf):
        command = [NS, "sh", "-c", 'mkdir -p %s/keep && printf %%s "$0" > %s/keep/cf && exec "$@"' % (PLACE, PLACE), cf,
                   sys.executable, os.path.realpath(__file__), "--inside"]
        super().__init__(command)

    def run(self, case, given):
        job = {"engine": given.engine.split(), "reference": given.reference, "ask": case.ask[4:],
               "steps": [{"line": s.line, "wanted": 0 if given.write else sum(not l.startswith("< log: ") for l in side(s.expected, given.reference))}
                         for s in case.steps]}
        for kind in ("sh", "then", "cf", "drop"):
            job[kind] = [l.split(" ", 1)[1].replace("\\t", "\t") for l in case.setup if l.split(" ")[0] == kind]
        job["cf"] = [l for line in job["cf"] for l in line.split("\\N")]
        try:
            return self.ask(job)
        except (OSError, ValueError) as e:
            why = self.why(e, 800)
            return [[[why], [], ""] for _ in case.steps]


def judge(case, answers, reference):
    wrong = []
    command = next((s.line[5:] for s in case.steps if s.line.startswith("mend ")), None)
    for step, (got, reasons, said) in zip(case.steps, answers):
        wanted = side(step.expected, reference)
        outcome_wanted = [l[2:] for l in wanted if not l.startswith("< log: ")]
        if got != outcome_wanted:
            wrong += ["%s: expected %r" % (step.line or "as it is", outcome_wanted), "    measured %r" % (got,)]
        for l in wanted:
            if l.startswith("< log: ") and l[7:] not in reasons and (
                    reference or not any(s.startswith(l[7:]) for s in said.split("\n"))):
                wrong += ["%s: the log lacks %s" % (step.line or "as it is", l[7:]), "    it has %r" % (reasons,)]
        if reference:
            continue
        wrong += ["%s: nobody says %s" % (step.line or "as it is", t) for t in step.says if t not in said]
        if not step.line and command and not re.search(r"(?m)(^|\W)%s($|[ ;,\"])" % re.escape(command), said):
            wrong += ["nobody is told: " + command] + ["    " + l for l in said.split("\n") if "mend" in l or "hint" in l][:6]
        if step.line.startswith("mend ") and command in said:
            wrong.append("it is still told: " + command)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--engine", default=os.environ.get("MCFD", os.path.join(BUILD, "mcfd")))
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    if given.inside:
        inside()
    if given.reference:
        given.engine = SENDMAIL
    given.reference = given.engine.split()[0] == SENDMAIL
    wanted = [c.partition(":")[::2] for c in given.cases]
    tests = [Test(os.path.join(HERE, f)) for f in sorted(os.listdir(HERE)) if f.endswith(".test") and (not wanted or f[:-5] in [w[0] for w in wanted])]
    jobs = [(t, c) for t in tests for c in t.cases if not wanted or any(n == t.name and title in ("", c.title) for n, title in wanted)]
    if given.list:
        print("\n".join("%s:%s" % (t.name, c.title) for t, c in jobs))
        return
    need_root()
    need_programs("sendmail", "makemap", "unshare", "ip", "m4")
    need(os.access(given.engine.split()[0], os.X_OK), "the program %s: run make" % given.engine)
    report = Report("safety", "tests/safety/run.py '{}'", given.verbose)
    cf, waiting, done = configuration(), queue.Queue(), [queue.Queue(1) for _ in jobs]
    for n, job in enumerate(jobs):
        waiting.put((n, job))

    def work():
        worker = Worker(cf)
        while True:
            try:
                n, (_, c) = waiting.get_nowait()
            except queue.Empty:
                break
            done[n].put(worker.run(c, given))
        worker.close()
    for _ in range(min(WORKERS, len(jobs))):
        threading.Thread(target=work).start()
    for (t, c), result in zip(jobs, done):
        answers = result.get()
        if given.write:
            for s, (got, reasons, _) in zip(c.steps, answers):
                s.expected = ["< " + l for l in got] + ["< log: " + l for l in reasons]
        else:
            wrong = judge(c, answers, given.reference)
            report.check("%s:%s" % (t.name, c.title), not wrong, "\n".join(w[:400] for w in wrong))
    if given.write:
        for t in tests:
            t.write()
        return
    report.close()


if __name__ == "__main__":
    main()
