#!/usr/bin/env python3
"""run.py [-v]

A bare machine becomes a mail server on our own parts, as README.md tells it: no sendmail is to be seen, nor its folders, users
or queues (hide.py). From a copy of the source tree `make sendmail.cf submit.cf', `make install install-compat'; what mcfd
says that the machine lacks is done; access is edited; the server and the runner of the client queue are started. Then mail:
from a host of the own network, from a stranger, from a stranger who logs in, and from a user's shell; procmail files it by
a recipe, and Dovecot shows it by IMAP and POP3. One step builds on the other: all of them are run.
"""
import ctypes
import imaplib
import os
import poplib
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "roles"))
import hide
from mta import Sink, until
from report import BUILD, ROOT, Failed, Report, expect, in_namespace, need, need_programs

SERVER = "192.0.2.1"
DESK, STRANGER, TROUBLE, SINK = "192.168.0.5", "203.0.113.9", "203.0.113.77", "198.51.100.21"
TREE, PREFIX, WORD = "/run/tree", "/opt/mcf", "correct-horse"
STEPS = []
OUTSIDE = []  # a process in the network of all others


def step(f):
    STEPS.append(f)
    return f


def shell(command, status=0, **more):
    p = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)
    expect(p.returncode == status, "%s: exit status %d\n%s" % (command, p.returncode, p.stdout[-3000:]))
    return p.stdout


def as_user(user, command, **more):
    return shell("cd /home/{0}; setpriv --reuid {0} --regid nogroup --clear-groups env HOME=/home/{0} USER={0} LOGNAME={0} sh -c '{1}'".format(user, command), **more)


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def swaks(*words, source=STRANGER, status=0):
    p = subprocess.run(["nsenter", "-t", str(OUTSIDE[0]), "-n", "swaks", "--server", SERVER, "--local-interface", source, "--helo", "client.example.net", *words],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=40)
    expect(p.returncode == status, "swaks %s: exit status %d\n%s" % (" ".join(words), p.returncode, p.stdout[-2500:]))
    return p.stdout


# ---- the steps -------------------------------------------------------------------------------

@step
def nothing_of_sendmail_is_there(world):
    hide.hide()
    expect(not hide.left(), hide.left())
    for name in ("sendmail", "mailq", "newaliases", "makemap"):
        expect(not shutil.which(name), shutil.which(name))


@step
def make_sendmail_cf_submit_cf(world):
    os.makedirs(TREE)
    shell("tar -C %s --exclude=./build --exclude=./.git --exclude='./sendmail.cf*' --exclude='./submit.cf*' -cf - . | tar -C %s -xpf -" % (ROOT, TREE))
    said = shell("make BUILD=%s sendmail.cf submit.cf" % BUILD, cwd=TREE)
    expect("samples/centos6/sendmail.mc" in said and "samples/submission/submit.mc" in said, said)
    # What it says that comes next.
    for command in re.findall(r"install it: +sudo (install .*)$", said, re.M):
        os.makedirs("/etc/mail", exist_ok=True)
        shell(command, cwd=TREE)
    expect(os.path.exists("/etc/mail/sendmail.cf") and os.path.exists("/etc/mail/submit.cf"), said)


@step
def make_install_install_compat(world):
    said = shell("make -s BUILD=%s PREFIX=%s install install-compat" % (BUILD, PREFIX), cwd=TREE)
    os.environ["PATH"] += ":%s/bin:%s/sbin" % (PREFIX, PREFIX)
    for name in ("sendmail", "mailq", "newaliases", "makemap"):
        path = shutil.which(name)
        expect(path and os.path.realpath(path).startswith(PREFIX), "%s is %s\n%s" % (name, path, said))


@step
def make_access_db(world):
    shell("mcf init /etc/mail")
    shell("cp access local-host-names mailertable virtusertable trusted-users /etc/mail/", cwd=TREE + "/samples/centos6")
    with open("/etc/mail/access", "a") as f:
        f.write("Connect:%s\tREJECT\n" % TROUBLE)
    shell("make access.db", cwd="/etc/mail")
    shell("make", cwd="/etc/mail")
    # A text line by the old name, too: makemap hash NAME < NAME.
    shell("makemap hash mailertable < mailertable", cwd="/etc/mail")
    shell("newaliases")


@step
def what_check_says_is_done(world):
    """The hints of errors are commands; behind them it can be started."""
    for which in ("", "-Ac"):
        for _ in range(5):
            p = subprocess.run("mcfd check " + which, shell=True, stdout=subprocess.PIPE, text=True)
            errors = re.findall(r": error: .*(?:\n  .*)*?\n  hint: (.*)", p.stdout)
            if not errors:
                break
            shell(errors[0])
        expect(": error: " not in p.stdout, p.stdout)


@step
def start(world):
    said = shell("mcfd start") + shell("mcfd start -Ac")
    expect("it takes mail at 0.0.0.0:25" in said and "it runs the queue" in said, said)
    said = shell("mcfd status") + shell("mcfd status -Ac")
    expect(said.count("it runs") == 2 and said.count("queue: 0 messages") == 2, said)


@step
def the_own_network_relays(world):
    swaks("--from", "alice@example.com", "--to", "somebody@example.net", "--header", "Subject: relayed", source=DESK)
    world.at_sink("relayed")


@step
def a_stranger_does_not(world):
    said = swaks("--from", "a@stranger.example", "--to", "somebody@example.net", status=24)
    expect("550 5.7.1" in said and "Relaying denied" in said, said)
    said = swaks("--from", "a@stranger.example", "--to", "alice@example.com", source=TROUBLE, status=23)
    expect(re.search(r"55[04] 5\.\d\.\d", said), "the line that was added to access has no effect\n" + said)


@step
def a_stranger_who_logs_in_relays(world):
    os.makedirs("/etc/sasl2", exist_ok=True)
    with open("/etc/sasl2/Sendmail.conf", "w") as f:
        f.write("pwcheck_method: auxprop\nauxprop_plugin: sasldb\n")
    shell("saslpasswd2 -c -p -u mail.example.com alice", input=WORD)
    login = ["--from", "alice@example.com", "--to", "somebody@example.net", "--auth-user", "alice"]
    for mech in ("CRAM-MD5", "DIGEST-MD5"):
        swaks(*login, "--auth", mech, "--auth-password", WORD, "--header", "Subject: by-" + mech)
        world.at_sink("by-" + mech)
    said = swaks(*login, "--auth", "CRAM-MD5", "--auth-password", "wrong", status=28)
    expect("535 5.7.0" in said, said)


@step
def mail_from_a_shell_is_filed_by_a_recipe(world):
    home = "/home/bob"
    with open(home + "/.procmailrc", "w") as f:
        f.write("MAILDIR=$HOME/mail\n\n:0:\n* ^Subject:.*story\nstory\n")
    os.makedirs(home + "/mail")
    shell("chown -R bob %s; chmod 755 %s; chmod 644 %s/.procmailrc" % (home, home, home))
    as_user("alice", "echo text one | mail -s \"a story\" bob")
    as_user("alice", "echo text two | mail -s \"something else\" bob")
    until(lambda: "text one" in read(home + "/mail/story"), 15, lambda: "the recipe's folder: %r; %s" % (read(home + "/mail/story"), world.state()))
    until(lambda: "text two" in read("/var/mail/bob"), 15, lambda: "the mailbox: %r; %s" % (read("/var/mail/bob"), world.state()))
    text = read(home + "/mail/story")
    expect(re.search(r"^From: .*<?alice@example\.com|^From: .*alice@mail\.example\.com", text, re.M), text)
    expect("text one" not in read("/var/mail/bob"), "it is in the mailbox, too")


@step
def mail_from_a_shell_waits_for_the_server(world):
    shell("mcfd stop")
    as_user("alice", "echo later | mail -s \"while it was away\" bob")
    until(lambda: "Total requests: 1" in shell("mailq -Ac"), 15, lambda: "it does not wait: " + world.state())
    shell("mcfd start")
    shell("sendmail -Ac -q")
    until(lambda: "later" in read("/var/mail/bob"), 15, lambda: "it does not arrive: " + world.state())
    expect("Total requests: 0" in shell("mailq -Ac") and "Total requests: 0" in shell("mailq"), world.state())


@step
def dovecot_shows_it(world):
    os.makedirs("/run/dovecot-etc")
    with open("/run/dovecot-etc/dovecot.conf", "w") as f:
        f.write("base_dir = /run/dovecot\nprotocols = imap pop3\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\nlog_path = /run/dovecot.log\n"
                "default_internal_user = daemon\ndefault_internal_group = daemon\ndefault_login_user = nobody\nmail_access_groups = mail\n"
                "mail_location = mbox:~/mail:INBOX=/var/mail/%%u\npassdb {\n  driver = static\n  args = password=%s\n}\nuserdb {\n  driver = passwd\n}\n" % WORD)
    world.dovecot = subprocess.Popen(["dovecot", "-F", "-c", "/run/dovecot-etc/dovecot.conf"], stdout=subprocess.DEVNULL, stderr=open("/run/dovecot.err", "wb"))

    def said():
        return "Dovecot: " + read("/run/dovecot.err") + read("/run/dovecot.log")

    def connected():
        try:
            return imaplib.IMAP4("127.0.0.1")
        except OSError:
            return None
    imap = until(connected, 10, said)
    try:
        imap.login("bob", WORD)
        for folder, wanted in (("INBOX", ("text two", "later")), ("story", ("text one",))):
            status, (number,) = imap.select(folder, readonly=True)
            expect(status == "OK" and int(number) == len(wanted), "%s: %s %s" % (folder, status, number))
            for n, text in enumerate(wanted, 1):
                expect(text in imap.fetch(str(n), "(RFC822)")[1][0][1].decode(), "another message in " + folder)
        imap.logout()
        pop = poplib.POP3("127.0.0.1")
        pop.user("bob")
        pop.pass_(WORD)
        expect(pop.stat()[0] == 2, pop.stat())
        expect("text two" in b"\n".join(pop.retr(1)[1]).decode(), "POP3 shows another message")
        pop.quit()
    except (imaplib.IMAP4.error, poplib.error_proto) as why:
        raise Failed("%r\n%s" % (why, said()))


@step
def stop(world):
    for words in ("stop", "stop -Ac"):
        expect("has ended" in shell("mcfd " + words), words)
    shell("mcfd status", status=3)
    expect(not hide.left() or all("/etc/mail" in p or os.path.realpath(p).startswith(PREFIX) for p in hide.left()), hide.left())


@step
def uninstall_compat(world):
    shell("make -s PREFIX=%s uninstall-compat" % PREFIX, cwd=TREE)
    for name in ("sendmail", "mailq", "newaliases", "makemap"):
        expect(not shutil.which(name), shutil.which(name))


# ---- the world -------------------------------------------------------------------------------

class World:
    def __init__(self):
        self.dovecot = None
        self.connect()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/home"], check=True)
        for user in ("alice", "bob"):
            os.makedirs("/home/" + user)
        with open("/etc/passwd") as f:
            text = re.sub(r"(?m)^((alice|bob):.*):/tmp:", r"\1:/home/\2:", f.read())
        with open("/etc/passwd", "w") as f:
            f.write(text)
        shell("chown alice /home/alice; chown bob /home/bob")

    def connect(self):
        """The network outside: clients, and somebody else's server; one cable."""
        self.far = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo there; exec sleep 1000000"], stdout=subprocess.PIPE, text=True)
        self.far.stdout.readline()
        OUTSIDE.append(self.far.pid)
        shell("ip link add inside type veth peer name outside netns %d && ip addr add %s/32 dev inside && ip link set inside up && ip route add default dev inside" %
              (self.far.pid, SERVER))
        inside = "".join("ip addr add %s/32 dev outside; " % a for a in (DESK, STRANGER, TROUBLE, SINK))
        shell("nsenter -t %d -n sh -c 'ip link set lo up; %s ip link set outside up; ip route add %s/32 dev outside'" % (self.far.pid, inside, SERVER))

        def bind():  # a network is a thread's
            with open("/proc/%d/ns/net" % self.far.pid) as f:
                expect(ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0) == 0, "setns")
            self.sink = Sink(SINK)
        thread = threading.Thread(target=bind)
        thread.start()
        thread.join()

    def at_sink(self, tag):
        until(lambda: any("\nSubject: %s\n" % tag in text for _, text, *_ in self.sink.got), 15, lambda: "%s does not arrive; %s" % (tag, self.state()))

    def state(self):
        """For whoever looks for what is wrong."""
        return subprocess.run("mailq -v; mailq -Ac -v; mcfd status; mcfd status -Ac", shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True).stdout

    def close(self):
        self.far.kill()
        if self.dovecot:
            self.dovecot.terminate()
            self.dovecot.wait(10)


def inside(given):
    report = Report("bare", "tests/bare/run.py -v  # {}", given.verbose)
    world = World()
    for f in STEPS:
        name = f.__name__.replace("_", " ")
        begin = time.time()
        try:
            f(world)
            report.ok("%s (%.1f seconds)" % (name, time.time() - begin))
        except Exception as why:
            report.fail(name, why if isinstance(why, Failed) else repr(why))
            break  # what comes next builds on it
        sys.stdout.flush()
    world.close()
    report.close()


def needs():
    need_programs("unshare", "nsenter", "ip", "make", "swaks", "mail", "procmail", "saslpasswd2", "dovecot", "setpriv", "useradd")
    need(os.access(os.path.join(BUILD, "mcfd"), os.X_OK), "mcfd: run make")


if __name__ == "__main__":
    in_namespace(__file__, __doc__, inside, needs)
