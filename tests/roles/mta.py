"""mta: a mcfd in a namespace of its own, with a recorder behind its local mailers and a sink for what it relays."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from report import BUILD, MCF, expect

MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))
PLACE = "/run/roles"
SINK = "198.51.100.31"  # takes mail for example.org
MC = """divert(-1)
divert(0)dnl
OSTYPE(`linux')dnl
define(`ALIAS_FILE', `/etc/aliases')dnl
define(`confTO_IDENT', `0')dnl
define(`confCR_FILE', `-o /etc/mail/relay-domains')dnl
HERE
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
# What is there when it is called .done is whole as far as it was given.
RECORD = """#!/bin/sh
f=$(mktemp %s/got/XXXXXXXXXX)
for to; do :; done
read up idle < /proc/uptime
{ echo "$to $up"; cat; } > $f
mv $f $f.done
""" % PLACE


def compiled(mc):
    path = PLACE + "/t.mc"
    with open(path, "w") as f:
        f.write(MC.replace("HERE", mc))
    p = subprocess.run([MCF, "build", path], capture_output=True, text=True)
    expect(p.returncode == 0, "the .mc is not compiled: " + p.stderr)
    return p.stdout


class Mta:
    def __init__(self, mc="", cf=(), queue=PLACE + "/q", size=None, arguments=("-bD", "-q1s"), binary=MCFD):
        self.arguments, self.binary, self.process, self.queue = list(arguments), binary, None, queue
        for folder in (PLACE, PLACE + "/got"):
            os.makedirs(folder, exist_ok=True)
        os.chmod(PLACE + "/got", 0o1777)
        os.makedirs(queue, exist_ok=True)
        if size:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=700" % size, "none", queue], check=True)
        with open(PLACE + "/record", "w") as f:
            f.write(RECORD)
        os.chmod(PLACE + "/record", 0o755)
        self.lines = []
        for line in compiled(mc).split("\n"):
            if re.match(r"O\s*(DaemonPortOptions|QueueDirectory|PidFile|QueueLA|RefuseLA)\b", line):
                continue
            if re.match(r"M(local|prog),", line):
                line = re.sub(r"P=[^,]+", "P=%s/record" % PLACE, line, count=1)
            self.lines.append(line)
        self.options = ["DaemonPortOptions=Port=25,Addr=127.0.0.1,Name=MTA", "QueueDirectory=" + queue, "PidFile=%s/pid" % PLACE,
                        "QueueLA=1000", "RefuseLA=1000"] + list(cf)
        self.write_cf()
        self.log = open(PLACE + "/log", "ab")

    def write_cf(self, more=()):
        with open(PLACE + "/t.cf", "w") as f:
            f.write("\n".join(self.lines + ["O " + o for o in self.options] + list(more)) + "\n")

    def command(self):
        return [self.binary] + self.arguments + ["-C", PLACE + "/t.cf"]

    def start(self, wait=True, **how):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True, **how)
        if wait:
            greeted(10, self.said)
        return self

    def said(self):
        with open(PLACE + "/log", errors="replace") as f:
            return f.read()[-2000:]

    def stop(self, seconds=15):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(seconds)

    def roles(self):
        """Process numbers by role: what they gave up tells which is which."""
        return roles_of(self.process.pid)

    def all_roles(self, seconds=3):
        return until(lambda: (lambda r: r if len(r) == 3 else None)(self.roles()), seconds, "the roles are not all there")


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def is_alive(pid):
    try:
        return status_of(pid)["State"][0] != "Z"
    except (OSError, KeyError):
        return False


def children(pid):
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if status_of(int(name))["PPid"] == str(pid):
                    out.append(int(name))
            except (OSError, KeyError):
                pass
    return sorted(out)


def roles_of(parent):
    roles = {}
    for pid in children(parent):
        try:
            if status_of(pid).get("Seccomp", "0").strip() != "2":
                continue  # it has not begun, or is a child for a program
            root, folder = os.readlink("/proc/%d/root" % pid), os.readlink("/proc/%d/cwd" % pid)
        except OSError:
            continue
        roles["front" if root.endswith(" (deleted)") else "store" if folder.endswith("mcfd.queue") else "policy"] = pid
    return roles


def until(what, seconds, why):
    """The first thing that is not false."""
    end = time.time() + seconds
    while True:
        got = what()
        if got:
            return got
        expect(time.time() < end, why() if callable(why) else why)
        time.sleep(0.02)


class Client:
    """SMTP by hand."""

    def __init__(self, timeout=10, address="127.0.0.1"):
        self.socket = socket.create_connection((address, 25), timeout)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        """The reply's last line; "" at the end of input."""
        while True:
            line = self.file.readline().decode("latin-1").rstrip("\r\n")
            if line[3:4] != "-":
                return line

    def say(self, line):
        self.socket.sendall(line.encode("latin-1") + b"\r\n")
        return self.reply()

    def send(self, to, text, sender="a@example.net"):
        """Replies, up to the first that is no consent."""
        said = []
        for line in ["HELO client.example.net", "MAIL FROM:<%s>" % sender] + ["RCPT TO:<%s>" % r for r in to] + ["DATA"]:
            said.append(self.say(line))
            if said[-1][:1] not in ("2", "3"):
                return said
        said.append(self.say(text + "\r\n."))
        return said

    def close(self):
        self.file.close()
        self.socket.close()


def greeted(seconds, why=lambda: "nobody greets"):
    """Waits until somebody greets; the seconds that it took."""
    start = time.time()

    def once():
        try:
            c = Client(seconds)
        except OSError:
            return False
        c.close()
        return c.greeting.startswith("220")
    until(once, seconds, lambda: "nobody greets after %s seconds: %s" % (seconds, why()))
    return time.time() - start


def locals_got():
    """(recipient, message, when it was there, when that began) of each message that a local mailer has."""
    out, boot = [], time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for name in os.listdir(PLACE + "/got"):
        if name.endswith(".done"):
            path = "%s/got/%s" % (PLACE, name)
            with open(path, encoding="latin-1") as f:
                first, _, text = f.read().partition("\n")
            to, up = first.split()
            out.append((to, text, os.stat(path).st_mtime, boot + float(up)))
    return out


class Sink:
    """Takes mail for others: (recipient, message, when it was there, when that began)."""

    def __init__(self, address=SINK):
        self.got, self.listening = [], socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind((address, 25))
        self.listening.listen(100)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c = self.listening.accept()[0]
            threading.Thread(target=self.talk, args=(c,), daemon=True).start()

    def talk(self, c):
        to, f = [], c.makefile("rb")
        try:
            c.sendall(b"220 sink ESMTP\r\n")
            for line in iter(f.readline, b""):
                verb = line[:4].upper()
                if verb == b"MAIL":
                    to, begin = [], time.time()
                if verb == b"RCPT":
                    to.append(re.search(rb"<([^@>]*)", line).group(1).decode())
                if verb == b"DATA":
                    c.sendall(b"354 go\r\n")
                    text = b""
                    while not text.endswith(b"\r\n.\r\n"):
                        more = f.readline()
                        if not more:
                            return
                        text += more
                    end = time.time()
                    self.got += [(r, text[:-3].decode("latin-1").replace("\r\n", "\n"), end, begin) for r in to]
                c.sendall(b"221 2.0.0 bye\r\n" if verb == b"QUIT" else b"250 2.0.0 ok\r\n")
                if verb == b"QUIT":
                    return
        except OSError:
            pass
        finally:
            c.close()
