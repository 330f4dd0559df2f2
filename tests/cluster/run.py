#!/usr/bin/env python3
"""run.py [-v] [CASE]...

samples/ldap-cluster as it is: two mail hosts and two directory servers that replicate each other, each pair in a network,
file system and host name of its own, on one cable. A directory server is stopped, killed or made to hang while mail is
sent to both hosts; what was acknowledged must be delivered once, and both hosts must decide the same.

    192.0.2.11 mx1, ldap1   192.0.2.12 mx2, ldap2   192.0.2.1 clients   198.51.100.10 somebody else's server
"""
import json
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "roles"))
from mta import Sink, until
from report import BUILD, MCF, ROOT, Failed, Report, expect, in_namespace, need_programs

SAMPLE = os.path.join(ROOT, "samples", "ldap-cluster")
MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))
CLIENTS = ["192.0.2.1", "192.168.0.5"]
PARTNER = "198.51.100.10"
ADMIN = ["-x", "-D", "cn=admin,dc=example,dc=com", "-w", "change-this-too"]
LOAD = int(os.environ.get("LOAD", "120"))  # messages of a case


class Host:
    """Number N: mxN and ldapN, 192.0.2.1N."""

    def __init__(self, n):
        self.n, self.address, self.name = n, "192.0.2.1%d" % n, "mx%d.example.com" % n
        self.ldap = "ldap://ldap%d.example.com/" % n
        self.slapd = self.mcfd = None
        self.holder = subprocess.Popen(["unshare", "-n", "-m", "-u", "sh", "-c", "echo there; exec sleep 1000000"], stdout=subprocess.PIPE,
                                       text=True)
        self.holder.stdout.readline()
        cable = "host%d" % n
        subprocess.run(["ip", "link", "del", cable], stderr=subprocess.DEVNULL)  # of one that was closed
        shell("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        shell("ip", "link", "set", cable, "master", "bridge", "up")
        self.run("sh", "-c", "hostname %s; ip link set lo up; ip addr add %s/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.1" %
                 (self.name, self.address))
        for folder in ("/run", "/var/spool", "/var/mail", "/var/lib/ldap"):
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "none", folder)
        self.run("sh", "-c", "chmod 1777 /var/mail; mkdir -p /run/slapd /var/spool/mqueue; chmod 700 /var/spool/mqueue")
        # It goes on in the background, with the pipe that we would wait for.
        subprocess.run(self.command(sys.executable, os.path.join(ROOT, "tests", "lib", "dns.py"), os.path.join(ROOT, "tests", "lib", "world", "zone")),
                       stdout=subprocess.DEVNULL, check=True)

    def command(self, *words):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "-u", *words]

    def run(self, *words, **more):
        return shell(*self.command(*words), **more)

    def start_slapd(self):
        self.slapd = subprocess.Popen(self.command("slapd", "-h", self.ldap, "-f", "/etc/ldap/slapd.conf", "-d", "0"), stderr=subprocess.DEVNULL)
        until(self.answers, 30, "slapd %d does not answer" % self.n)

    def end_slapd(self, how=signal.SIGTERM):
        # nsenter becomes slapd: it is the same process.
        self.slapd.send_signal(how)
        if how == signal.SIGSTOP:
            return
        try:
            self.slapd.wait(3)
        except subprocess.TimeoutExpired:  # it waits for the other one, which waits for it
            self.slapd.kill()
            self.slapd.wait(20)

    def answers(self):
        return subprocess.run(["ldapsearch", "-LLL", "-o", "nettimeout=2", "-H", self.ldap, *ADMIN, "-s", "base", "-b", "ou=mail,dc=example,dc=com", "dn"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode in (0, 32)

    def entries(self):
        """What the directory has, without what is each server's own."""
        p = subprocess.run(["ldapsearch", "-LLL", "-H", self.ldap, *ADMIN, "-b", "dc=example,dc=com"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
        return sorted(p.stdout.split("\n\n"))

    def start_mcfd(self):
        self.mcfd = subprocess.Popen(self.command(MCFD, "-bD", "-q1s", "-C", "/etc/mail/cluster.cf", "--log-json", "/run/mcfd.json"), stdout=subprocess.DEVNULL,
                                     stderr=open("/run/mcfd%d.log" % self.n, "wb"), stdin=subprocess.DEVNULL)
        until(self.greets, 30, lambda: "mcfd %d does not greet: %s" % (self.n, read("/run/mcfd%d.log" % self.n)))

    def greets(self):
        try:
            with smtplib.SMTP(self.address, timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def mailbox(self, user):
        return subprocess.run(self.command("sh", "-c", "cat /var/mail/%s.d/new/*" % user), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def close(self):
        for p in (self.mcfd, self.slapd, self.holder):
            if p and p.poll() is None:
                p.kill()
                p.wait()


def shell(*command, **more):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if p.returncode:
        raise Failed("%s: exit status %d\n%s" % (" ".join(command), p.returncode, p.stdout))
    return p.stdout


def read(path):
    with open(path, errors="replace") as f:
        return f.read()[-2000:]


# ---- the set-up, as the sample's README has it ---------------------------------------------

def set_up():
    shell("ip", "link", "add", "bridge", "type", "bridge")
    for address in CLIENTS + [PARTNER]:
        shell("ip", "addr", "add", address + "/24", "dev", "bridge")
    shell("ip", "link", "set", "bridge", "up")
    with open("/etc/hosts", "a") as f:
        f.write("".join("192.0.2.1%d\tmx%d.example.com\n192.0.2.1%d\tldap%d.example.com\n" % (n, n, n, n) for n in (1, 2)))
    for name in ("slapd.conf", "sendmail.schema"):
        shutil.copy(os.path.join(SAMPLE, name), "/etc/ldap/")
    with open("/etc/mail/ldap-secret", "w") as f:
        os.chmod("/etc/mail/ldap-secret", 0o600)
        f.write("change-this\n")
    # A file a message: one that waits for another's lock sleeps eight seconds.
    with open("/etc/procmailrc", "w") as f:
        f.write("DROPPRIVS=yes\nDEFAULT=/var/mail/$LOGNAME.d/\n")
    text = shell(MCF, "build", os.path.join(SAMPLE, "sendmail.mc"))
    with open("/etc/mail/cluster.cf", "w") as f:
        f.write(text + "O QueueLA=1000\nO RefuseLA=1000\nO DontProbeInterfaces=True\nO LogLevel=9\n")


class Cluster:
    def __init__(self, sink):
        self.hosts, self.sink = [Host(1), Host(2)], sink
        for h in self.hosts:
            h.start_slapd()
        # What is written to one is soon with the other.
        shell("ldapadd", "-H", self.hosts[0].ldap, *ADMIN, "-f", os.path.join(SAMPLE, "cluster.ldif"))
        self.wait_same()
        for h in self.hosts:
            h.start_mcfd()

    def wait_same(self):
        def same():
            one, two = (h.entries() for h in self.hosts)
            return len(one) > 10 and one == two
        until(same, 40, "the directories are not the same")

    def close(self):
        for h in self.hosts:
            h.close()


# ---- decisions -----------------------------------------------------------------------------

QUESTIONS = [  # client, sender, recipient, how the answer begins
    ("192.0.2.1", "a@example.net", "alice@example.com", "250"),
    ("192.0.2.1", "a@example.net", "list@example.com", "250"),
    ("192.0.2.1", "a@example.net", "everybody@mail.example.com", "250"),
    ("192.0.2.1", "a@example.net", "nosuchuser@example.com", "550 5.1.1"),
    ("192.0.2.1", "a@example.net", "info@club.example", "250"),
    ("192.0.2.1", "a@example.net", "nobody@club.example", "550 5.1.1"),
    ("192.0.2.1", "a@example.net", "x@partner.example", "250"),
    ("192.0.2.1", "a@example.net", "x@elsewhere.example.org", "550 5.7.1"),
    ("192.168.0.5", "a@example.net", "x@example.org", "250"),
    ("192.0.2.1", "a@spam.example", "alice@example.com", "550 5.7.1"),
]


def decide(host, questions=None):
    """The answers to all questions; without what is each host's own."""
    out = []
    for client, sender, recipient, _ in questions or QUESTIONS:
        with smtplib.SMTP(host.address, timeout=40, source_address=(client, 0)) as s:
            s.ehlo("client.example.net")
            code, text = s.mail(sender)
            if code == 250:
                code, text = s.rcpt(recipient)
            out.append("%d %s" % (code, text.decode("latin-1").replace(host.name, "HOST")))
    return out


def expect_same(cluster, when):
    answers = [decide(h) for h in cluster.hosts]
    expect(answers[0] == answers[1], "%s, they do not decide the same:\n%s" % (when, json.dumps(answers, indent=1)))
    for (client, sender, recipient, wanted), got in zip(QUESTIONS, answers[0]):
        expect(got.startswith(wanted), "%s: %s to %s: wanted %s, got %s" % (when, sender, recipient, wanted, got))


# ---- mail ----------------------------------------------------------------------------------

RECIPIENTS = ["list@example.com", "info@club.example", "x@partner.example"]


class Load(threading.Thread):
    """Sends messages to both hosts in turn; what a host does not take now it is offered again, as clients do."""

    def __init__(self, cluster, tag, count):
        super().__init__(daemon=True)
        self.cluster, self.tag, self.count = cluster, tag, count
        self.acknowledged, self.deferred, self.wrong, self.slowest = [], 0, [], 0.0

    def run(self):
        for n in range(self.count):
            host = self.cluster.hosts[n % 2]
            while not self.send(host, "%s-%d." % (self.tag, n)):
                self.deferred += 1
                time.sleep(0.2)

    def send(self, host, tag):
        start = time.time()
        try:
            with smtplib.SMTP(host.address, timeout=60) as s:
                refused = s.sendmail("a@example.net", RECIPIENTS, "Subject: %s\r\n\r\ntext\r\n" % tag)
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
        except smtplib.SMTPRecipientsRefused as e:
            codes = [code for code, _ in e.recipients.values()]
            if any(code >= 500 for code in codes):
                self.wrong.append(repr(e))
                return True
            # Some of them may have been taken: then it is no longer one message.
            if len(codes) < len(RECIPIENTS):
                self.wrong.append("half of it: %r" % e)
                return True
            return False
        except smtplib.SMTPResponseException as e:
            if e.smtp_code >= 500:
                self.wrong.append(repr(e))
            return e.smtp_code >= 500
        finally:
            self.slowest = max(self.slowest, time.time() - start)
        self.acknowledged.append(tag)
        return True


def count(text, tag):
    return text.count("\nSubject: %s\n" % tag)


def expect_once(cluster, tags):
    """Each acknowledged message, once at each of its recipients."""
    def whole():
        boxes = {u: "".join(h.mailbox(u) for h in cluster.hosts) for u in ("alice", "bob", "carol")}
        boxes["x@partner.example"] = "\n".join("\n" + text for to, text, *_ in cluster.sink.got)
        return boxes

    def bad():
        return [(who, tag, count(text, tag)) for who, text in whole().items() for tag in tags if count(text, tag) != 1]
    end = time.time() + 40
    while bad() and time.time() < end:
        time.sleep(0.3)
    time.sleep(0.5)  # a second copy would come now
    left = bad()
    expect(not left, "%d of %d not delivered once: %s" % (len(left), 4 * len(tags), left[:10]))


def under_load(cluster, tag, event, back, most=20):
    """event() a third of the way; back() two thirds of the way."""
    load = Load(cluster, tag, LOAD)
    load.start()
    until(lambda: len(load.acknowledged) >= LOAD // 3, 60, lambda: "mail does not flow: %s" % load.wrong[:3])
    event()
    expect_same(cluster, "with one directory server away")
    until(lambda: len(load.acknowledged) >= 2 * LOAD // 3 or load.wrong, 120, "mail does not flow on")
    back()
    load.join(120)
    expect(not load.is_alive() and not load.wrong, "refused: %s" % load.wrong[:3])
    expect(len(load.acknowledged) == LOAD, "%d of %d acknowledged" % (len(load.acknowledged), LOAD))
    expect(load.slowest < most, "a message took %.1f seconds" % load.slowest)
    expect_once(cluster, load.acknowledged)
    cluster.wait_same()
    expect_same(cluster, "afterwards")
    return load


# ---- the cases -----------------------------------------------------------------------------

def test_same_classes_as_the_reference(cluster):
    """Classes that come from the directory are what the reference finds there."""
    for host in cluster.hosts:
        answers = []
        for program in (MCFD, "/usr/sbin/sendmail"):
            questions = "$=w\n$={VirtHost}\n$=R\n"
            said = host.run(program, "-bt", "-C", "/etc/mail/cluster.cf", input=questions)
            answers.append([sorted(part.split()) for part in said.split("> ")[2:]])
        expect(answers[0] == answers[1] and "example.com" in answers[0][0] and answers[0][1] == ["club.example"] and
               "partner.example" in answers[0][2], answers)


def test_same_aliases_as_the_reference(cluster):
    """So are aliases: all values of one, one through another."""
    for host in cluster.hosts:
        answers = []
        for program in (MCFD, "/usr/sbin/sendmail"):
            said = host.run(program, "-bv", "-C", "/etc/mail/cluster.cf", "list", "everybody", "postmaster")
            answers.append(sorted(said.splitlines()))
        expect(answers[0] == answers[1] and sum("deliverable" in line for line in answers[0]) == 2, answers)


def test_decisions(cluster):
    """Both hosts decide the same of clients, senders and recipients, as the directory says."""
    expect_same(cluster, "at first")


def test_stopped(cluster):
    """A directory server is stopped while mail is sent, and started again: the other one is asked, nobody is put off."""
    h = cluster.hosts[0]
    load = under_load(cluster, "stopped", h.end_slapd, h.start_slapd, most=12)
    expect(load.deferred == 0, "%d times put off" % load.deferred)


def test_killed(cluster):
    """The same with the other one, which is killed; what is written meanwhile comes to it later."""
    h = cluster.hosts[1]

    def event():
        h.end_slapd(signal.SIGKILL)
        shell("ldapadd", "-H", cluster.hosts[0].ldap, *ADMIN, input="""dn: sendmailMTAKey=new,ou=mail,dc=example,dc=com
objectClass: sendmailMTAAliasObject
sendmailMTACluster: mail
sendmailMTAAliasGrouping: aliases
sendmailMTAKey: new
sendmailMTAAliasValue: alice
""")
    load = under_load(cluster, "killed", event, h.start_slapd, most=12)
    expect(load.deferred == 0, "%d times put off" % load.deferred)
    # The one that was away is alone now, and knows it.
    cluster.hosts[0].end_slapd()
    try:
        for host in cluster.hosts:
            got = decide(host, [("192.0.2.1", "a@example.net", "new@example.com", "250")])
            expect(got[0].startswith("250"), "a new alias, at the one that was away: %s" % got)
    finally:
        cluster.hosts[0].start_slapd()


def test_hanging(cluster):
    """A directory server that takes connections and says nothing is left for the other after the seconds of -c and -l."""
    slowest = []
    for h in cluster.hosts:  # one of them is the one that is asked
        load = under_load(cluster, "hanging-%d" % h.n, lambda: h.end_slapd(signal.SIGSTOP), lambda: h.slapd.send_signal(signal.SIGCONT), most=30)
        expect(load.deferred == 0, "%d times put off" % load.deferred)
        slowest.append(load.slowest)
    expect(max(slowest) > 1, "nobody waited for a server: %s" % slowest)


def test_both_away(cluster):
    """Without any directory nothing is refused for good, and what was taken before is delivered when one is back."""
    for h in cluster.hosts:
        h.end_slapd()
    try:
        for host in cluster.hosts:
            for got in decide(host):
                expect(got.startswith("4") or got.startswith("250"), "refused for good: %s" % got)
    finally:
        for h in cluster.hosts:
            h.start_slapd()
    load = Load(cluster, "back", 6)
    load.start()
    load.join(60)
    expect(len(load.acknowledged) == 6 and not load.wrong, load.wrong)
    expect_once(cluster, load.acknowledged)
    expect_same(cluster, "with both back")


TESTS = {name[5:]: f for name, f in list(globals().items()) if name.startswith("test_")}


def inside(given):
    report = Report("cluster", "tests/cluster/run.py {}", given.verbose)
    cluster = None
    try:
        set_up()
        sink = Sink(PARTNER)
        cluster = Cluster(sink)
    except Exception as why:
        report.fail("set-up", repr(why))
        report.close()
    for name in given.cases or TESTS:
        if name not in TESTS:
            report.fail(name, "no such case; there are: " + " ".join(TESTS))
            continue
        start = time.time()
        try:
            TESTS[name](cluster)
            report.ok("%s (%.1f seconds)" % (name, time.time() - start))
            sys.stdout.flush()
        except Exception as why:
            ended = ["mcfd %d ended: %s" % (h.n, read("/run/mcfd%d.log" % h.n)) for h in cluster.hosts if h.mcfd.poll() is not None]
            report.fail(name, "\n".join([TESTS[name].__doc__, str(why) if isinstance(why, Failed) else repr(why)] + ended))
            cluster.close()  # the next one begins with whole ones
            cluster = Cluster(sink)
    cluster.close()
    report.close()


def needs():
    need_programs("unshare", "nsenter", "ip", "sendmail", "slapd", "ldapadd", "ldapsearch", "procmail")


if __name__ == "__main__":
    in_namespace(__file__, __doc__, inside, needs)
