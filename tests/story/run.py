#!/usr/bin/env python3
"""run.py [-v] [--reference] [--keep DIR]

The story, end to end: samples/centos6/sendmail.mc is compiled, its maps are built, the
reference sendmail is started on the result in a network of its own, and mail is
sent from a host of the own network (192.168.0.5), from a stranger (203.0.113.9), and
from a stranger who logs in. Nothing of the configuration is adapted: it stands at
/etc/mail/sendmail.cf of a private /etc, and queue, mailboxes and pid file are in
private places too.

    the outside (network namespace 2)            the mail server (network namespace 1)
    192.168.0.5, 203.0.113.x: clients  --veth--  192.0.2.1: sendmail -bd, name server
    198.51.100.x: other people's servers

--reference compiles with the reference's library instead of mcf. --keep DIR copies
the .cf, the mailboxes and the daemon's log there.
"""
import argparse
import base64
import glob
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import reference
from report import MCF, ROOT, Report, need, need_mcf, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
SAMPLE = os.path.join(ROOT, "samples", "centos6")
SERVER = "192.0.2.1"
CLIENTS = ["192.168.0.5", "203.0.113.9", "203.0.113.66"]
# mx1.example.net, mx2.example.net, hub.example.com
SINKS = ["198.51.100.21", "198.51.100.22", "198.51.100.10"]
PASSWORD = "correct horse"


# ---- the outside -------------------------------------------------------------------------

class Sink(threading.Thread):
    """Somebody else's mail server: takes everything and remembers it."""

    def __init__(self, address, received):
        super().__init__(daemon=True)
        self.address, self.received = address, received
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, 25))
        self.sock.listen(5)

    def run(self):
        while True:
            peer, _ = self.sock.accept()
            with peer:
                try:
                    self.session(peer.makefile("rwb"))
                except OSError:
                    pass

    def session(self, f):
        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()
        sender, recipients = None, []
        say("220 sink ESMTP")
        for line in f:
            word = line.decode("latin-1").strip()
            verb = word[:4].upper()
            if verb == "MAIL":
                sender, recipients = word[10:], []
            elif verb == "RCPT":
                recipients.append(word[8:])
            elif verb == "DATA":
                say("354 go on")
                body = b""
                for text in f:
                    if text == b".\r\n":
                        break
                    body += text
                self.received.append({"at": self.address, "from": sender, "to": recipients,
                                      "body": body.decode("latin-1")})
            elif verb == "QUIT":
                say("221 bye")
                return
            say("250 ok")


class Client:
    """An SMTP session from one of our addresses; says keeps all replies."""

    def __init__(self, source):
        self.sock = socket.create_connection((SERVER, 25), 20, (source, 0))
        self.file = self.sock.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        lines = []
        for raw in self.file:
            lines.append(raw.decode("latin-1").rstrip())
            if lines[-1][3:4] != "-":
                break
        return "\n".join(lines)

    def say(self, text):
        self.sock.sendall(text.encode("latin-1") + b"\r\n")
        return self.reply()

    def send(self, sender, recipient, tag):
        """A whole message; the reply to its end, or the first refusal."""
        for line, wanted in (("MAIL FROM:<%s>" % sender, "250"),
                             ("RCPT TO:<%s>" % recipient, "250"), ("DATA", "354")):
            said = self.say(line)
            if not said.startswith(wanted):
                return line + ": " + said
        return self.say("From: <%s>\r\nSubject: %s\r\n\r\ntext of %s\r\n." % (sender, tag, tag))

    def login(self, user, password):
        challenge = self.say("AUTH CRAM-MD5")
        if not challenge.startswith("334 "):
            return challenge
        digest = hmac.new(password.encode(), base64.b64decode(challenge[4:]), "md5").hexdigest()
        return self.say(base64.b64encode((user + " " + digest).encode()).decode())

    def quit(self):
        self.say("QUIT")
        self.sock.close()


def wait_for(what, seconds=20):
    end = time.time() + seconds
    while not what() and time.time() < end:
        time.sleep(0.1)
    return what()


def outside():
    """Runs in the second network; prints a JSON list of [case, good, why]."""
    print("ready", flush=True)
    sys.stdin.readline()  # until the two networks are connected
    received, results = [], []

    def check(case, said, pattern):
        good = re.search(pattern, said, re.M) is not None
        results.append([case, good, "the server said: %s\nwanted: %s" % (said, pattern)])
        return good

    for address in SINKS:
        Sink(address, received).start()
    own = Client("192.168.0.5")
    check("it listens on the network", own.greeting, r"^220 mail\.example\.com ESMTP")
    ehlo = own.say("EHLO desk.example.com")
    check("AUTH is offered", ehlo, r"^250.AUTH .*\b(CRAM-MD5|DIGEST-MD5)\b")
    results.append(["passwords are not asked for in the clear",
                    re.search(r"^250.AUTH .*\b(PLAIN|LOGIN)\b", ehlo, re.M) is None, ehlo])
    check("VRFY tells nothing", own.say("VRFY alice"), r"^252 ")
    check("192.168.0.5 may relay", own.say("MAIL FROM:<alice@example.com>") + "\n" +
          own.say("RCPT TO:<somebody@example.net>"), r"\A250 2\.1\.0 .*\n250 2\.1\.5 .*Recipient ok")
    own.say("RSET")
    check("its message is taken", own.send("alice@example.com", "somebody@example.net", "relayed"),
          r"^250 2\.0\.0 ")
    own.say("RSET")
    check("a message for mailertable's host is taken",
          own.send("alice@example.com", "one@partner.example", "by-table"), r"^250 2\.0\.0 ")
    own.say("RSET")
    own.say("MAIL FROM:<alice@example.com>")
    check("a closed mailbox is closed for it too", own.say("RCPT TO:<closed@example.com>"),
          r"^550 5\.2\.1 .*Mailbox closed")
    own.quit()

    stranger = Client("203.0.113.9")
    stranger.say("EHLO stranger.example")
    stranger.say("MAIL FROM:<someone@stranger.example>")
    check("a stranger may not relay", stranger.say("RCPT TO:<somebody@example.net>"),
          r"^550 5\.7\.1 .*Relaying denied")
    check("nor by a percent sign", stranger.say("RCPT TO:<somebody%example.net@mail.example.com>"),
          r"^550 5\.7\.1 ")
    stranger.say("RSET")
    check("mail for a local user is taken from a stranger",
          stranger.send("someone@stranger.example", "alice@example.com", "local"), r"^250 2\.0\.0 ")
    stranger.say("RSET")
    check("and for a virtual one",
          stranger.send("someone@stranger.example", "info@example.com", "virtual"), r"^250 2\.0\.0 ")
    stranger.say("RSET")
    stranger.say("MAIL FROM:<someone@stranger.example>")
    check("but not for nobody", stranger.say("RCPT TO:<nosuchuser@example.com>"),
          r"^550 5\.1\.1 .*User unknown")
    stranger.say("RSET")
    check("a sender in the access file is refused", stranger.say("MAIL FROM:<x@spam.example>"),
          r"^550 5\.7\.1 .*Access denied")
    stranger.say("RSET")
    check("a wrong password is refused", stranger.login("alice", "wrong"), r"^535 5\.7\.0 ")
    stranger.say("MAIL FROM:<alice@example.com>")
    check("and changes nothing", stranger.say("RCPT TO:<somebody@example.net>"), r"^550 5\.7\.1 ")
    stranger.quit()

    user = Client("203.0.113.9")
    user.say("EHLO stranger.example")
    check("a user logs in", user.login("alice", PASSWORD), r"^235 2\.0\.0 ")
    check("and then relays", user.send("alice@example.com", "other@example.net", "by-login"),
          r"^250 2\.0\.0 ")
    user.quit()

    refused = Client("203.0.113.66")
    refused.say("EHLO spam.example")
    check("a client in the access file is refused", refused.greeting + "\n" +
          refused.say("MAIL FROM:<someone@example.net>"), r"^(550|554) 5\.[37]\.\d ")
    refused.quit()

    for tag, at, to in (("relayed", SINKS[0], "somebody@example.net"),
                        ("by-login", SINKS[0], "other@example.net"),
                        ("by-table", SINKS[2], "one@partner.example")):
        def here():
            return [m for m in received if "text of " + tag in m["body"]]
        wait_for(here)
        good = any(m["at"] == at and any(to in r for r in m["to"]) for m in here())
        results.append(["the message arrives: " + tag, good, "%s got: %s" %
                        (at, json.dumps(received, indent=1))])
    print(json.dumps(results), flush=True)


# ---- the server's side -------------------------------------------------------------------

def shell(*command, **more):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if p.returncode:
        raise RuntimeError("%s: exit status %d\n%s" %
                           (" ".join(command), p.returncode, p.stdout.decode("latin-1")))
    return p.stdout.decode("latin-1")


def compile_sample(by_reference, target):
    source = os.path.join(SAMPLE, "sendmail.mc")
    if by_reference:
        status, text, said = reference.compile_mc(source)
        with open(target, "wb") as f:
            f.write(text)
        return status, said.decode("latin-1")
    p = subprocess.run([MCF, "build", "-o", target, source], capture_output=True)
    return p.returncode, (p.stdout + p.stderr).decode("latin-1")


def set_up_logins():
    os.makedirs("/etc/sasl2", exist_ok=True)
    with open("/etc/sasl2/Sendmail.conf", "w") as f:
        f.write("pwcheck_method: auxprop\nauxprop_plugin: sasldb\n")
    shell("saslpasswd2", "-p", "-c", "-u", "mail.example.com", "alice", input=PASSWORD.encode())


def connect(pid):
    """A cable between this network and the one of process pid."""
    shell("ip", "link", "add", "inside", "type", "veth", "peer", "name", "outside",
          "netns", str(pid))
    shell("ip", "addr", "add", SERVER + "/32", "dev", "inside")
    shell("ip", "link", "set", "inside", "up")
    shell("ip", "route", "add", "default", "dev", "inside")
    there = ["nsenter", "-t", str(pid), "-n", "ip"]
    shell(*there, "link", "set", "lo", "up")
    for address in CLIENTS + SINKS:
        shell(*there, "addr", "add", address + "/32", "dev", "outside")
    shell(*there, "link", "set", "outside", "up")
    shell(*there, "route", "add", SERVER + "/32", "dev", "outside")


def read(path):
    try:
        with open(path, encoding="latin-1") as f:
            return f.read()
    except OSError as error:
        return "(%s)" % error


def inside(options):
    report = Report("story", "tests/story/run.py -v  # {}", options.verbose)
    cf = "/etc/mail/sendmail.cf"
    status, said = compile_sample(options.reference, cf)
    report.check("the sample compiles", status == 0 and ": error:" not in said,
                 "exit status %d\n%s" % (status, said))
    if report.failed:
        report.close()
    shell("newaliases")
    set_up_logins()
    log = open("/run/daemon.log", "wb")
    daemon = subprocess.Popen(["sendmail", "-bD", "-q1h", "-X", "/run/traffic.log"],
                              stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    far = subprocess.Popen(["unshare", "-n", sys.executable, os.path.realpath(__file__),
                            "--part", "outside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True)
    try:
        assert far.stdout.readline() == "ready\n"
        connect(far.pid)

        def listening():
            return re.search(r"^ *\d+: 00000000:0019 \S+ 0A ", read("/proc/net/tcp"), re.M)
        wait_for(lambda: listening() or daemon.poll() is not None)
        good = report.check("sendmail runs on it, on every interface", listening() is not None,
                            "exit status %s\n%s" % (daemon.poll(), read("/run/daemon.log")))
        if not good:
            report.close()
        results, _ = far.communicate("go\n", timeout=120)
        for case, good, why in json.loads(results):
            report.check(case, good, why)
        for tag in ("local", "virtual"):
            wait_for(lambda: "text of " + tag in read("/var/mail/alice"))
            report.check("procmail delivers the message: " + tag,
                         "text of " + tag in read("/var/mail/alice"),
                         "alice's mailbox: %s\nthe queue: %s" %
                         (read("/var/mail/alice"),
                          [read(q) for q in glob.glob("/var/spool/mqueue/qf*")]))
        log.flush()
        said = read("/run/daemon.log").strip()
        report.check("the daemon complains of nothing", not said, said)
    except (subprocess.TimeoutExpired, ValueError, RuntimeError, AssertionError) as error:
        report.fail("the story runs to its end", "%r\n%s" % (error, read("/run/daemon.log")))
    finally:
        far.kill()
        daemon.terminate()
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
            for f in [cf, "/run/daemon.log", "/run/traffic.log", *glob.glob("/var/mail/*")]:
                if os.path.exists(f):
                    shutil.copy(f, options.keep)
    report.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--part", choices=("inside", "outside"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "outside":
        outside()
    elif options.part == "inside":
        inside(options)
    else:
        need_root()
        need_programs("unshare", "nsenter", "ip", "sendmail", "makemap", "procmail", "saslpasswd2")
        need(glob.glob("/usr/lib/*/sasl2/libcrammd5.so*"), "SASL's mechanisms: run tools/deps.sh test")
        if not options.reference:
            need_mcf()
        os.execv(NS, [NS, "-m", SAMPLE, sys.executable, os.path.realpath(__file__),
                      "--part", "inside"] + sys.argv[1:])


if __name__ == "__main__":
    main()
