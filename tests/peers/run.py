#!/usr/bin/env python3
"""run.py [-v] [CASE]...

mcfd and what others have written: clients (swaks, Python's smtplib, mutt, curl) that log in and use TLS in each way that
they know, and MTAs (Postfix, the reference) that mail is relayed to and from, with TLS and a login both ways. All in one
namespace:

    192.0.2.1 mcfd (25; 587; 465: TLS at once)   192.0.2.2 the reference   192.0.2.3 Postfix
    203.0.113.9 a client that may not relay      198.51.100.31 a sink, where all mail ends that was relayed
"""
import glob
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "roles"))
import certificates
import postfix
from mta import Sink, until
from report import BUILD, MCF, Failed, Report, expect, in_namespace, need, need_programs

MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))
PLACE = "/run/peers"
OURS, THEIRS, POSTFIX, STRANGER = "192.0.2.1", "192.0.2.2", "192.0.2.3", "203.0.113.9"
SERVERS = {"mcfd": OURS, "reference": THEIRS, "postfix": POSTFIX}
WORD = "correct horse"
MECHANISMS = "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256"

MC = """divert(-1)
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `%(name)s')dnl
define(`ALIAS_FILE', `/etc/aliases')dnl
define(`confTO_IDENT', `0')dnl
define(`confPID_FILE', `%(place)s/%(engine)s.pid')dnl
define(`QUEUE_DIR', `%(place)s/%(engine)s.queue')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,GroupReadableSASLDBFile')dnl
define(`confCACERT', `%(place)s/tls/ca.pem')dnl
define(`confCACERT_PATH', `%(place)s/tls')dnl
define(`confSERVER_CERT', `%(place)s/tls/server.pem')dnl
define(`confSERVER_KEY', `%(place)s/tls/server.key')dnl
define(`confCLIENT_CERT', `%(place)s/tls/server.pem')dnl
define(`confCLIENT_KEY', `%(place)s/tls/server.key')dnl
define(`confAUTH_MECHANISMS', `%(mechanisms)s')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confREFUSE_LA', `1000')define(`confQUEUE_LA', `1000')dnl
TRUST_AUTH_MECH(`%(mechanisms)s')dnl
FEATURE(`access_db', `text -k0 -v1 -z| -T<TMPF> -o %(place)s/access')dnl
FEATURE(`mailertable', `text -k0 -v1 -z| -o %(place)s/%(engine)s.mailertable')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=MTA, Port=25, Addr=%(address)s')dnl
%(more)s
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
MORE = "DAEMON_OPTIONS(`Name=MSA, Port=587')dnl\nDAEMON_OPTIONS(`Name=TLS, Port=465, M=s')dnl"
# Who logs in at whom, and at whom the certificate has to be good.
ACCESS = "".join("AuthInfo:%s|\"U:relay\" \"P:%s\"\nTLS_Srv:%s|VERIFY\n" % (a, WORD, a) for a in SERVERS.values())


def shell(*words, **more):
    p = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    said = p.stdout.decode("latin-1")
    expect(p.returncode == 0, "%s: exit status %d\n%s" % (" ".join(words), p.returncode, said))
    return said


def listens(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


# ---- the servers -----------------------------------------------------------------------------

class World:
    def __init__(self):
        os.makedirs(PLACE, 0o755)
        os.makedirs(PLACE + "/tls")
        certificates.make(PLACE + "/tls")
        os.makedirs("/etc/sasl2", exist_ok=True)
        with open("/etc/sasl2/Sendmail.conf", "w") as f:
            f.write("pwcheck_method: auxprop\nauxprop_plugin: sasldb\n")
        for user in ("alice", "relay"):
            for realm in ("mail.example.com", "ref.example.com", "postfix.example.com"):
                shell("saslpasswd2", "-c", "-p", "-u", realm, user, input=WORD.encode())
        with open("/etc/hosts", "a") as f:
            f.write("%s\tref.example.com\n%s\tpostfix.example.com\n" % (THEIRS, POSTFIX))
        with open(PLACE + "/access", "w") as f:
            f.write(ACCESS)
        self.sink, self.running = Sink(), {}
        self.start_sendmail("mcfd", MCFD, "mail.example.com", MORE)

    def start_sendmail(self, engine, program, name, more=""):
        queue = "%s/%s.queue" % (PLACE, engine)
        os.makedirs(queue, 0o700)
        # Mail for ENGINE.example goes there, and from there to the sink.
        with open("%s/%s.mailertable" % (PLACE, engine), "w") as f:
            f.write("".join("%s.example|esmtp:[%s]\n" % (other, "198.51.100.31" if other == engine else a) for other, a in SERVERS.items()))
        text = MC % dict(name=name, engine=engine, place=PLACE, address=SERVERS[engine], more=more, mechanisms=MECHANISMS)
        with open("%s/%s.mc" % (PLACE, engine), "w") as f:
            f.write(text)
        cf = "%s/%s.cf" % (PLACE, engine)
        shell(MCF, "build", "-o", cf, "%s/%s.mc" % (PLACE, engine))
        log = open("%s/%s.log" % (PLACE, engine), "wb")
        self.running[engine] = subprocess.Popen([program, "-bD", "-q5s", "-C", cf], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(lambda: listens(SERVERS[engine], 25), 15, lambda: "%s does not listen: %s" % (engine, self.log(engine)))

    def need(self, engine):
        """Started when the first case asks for it."""
        if engine in self.running:
            return
        if engine == "reference":
            self.start_sendmail(engine, "/usr/sbin/sendmail", "ref.example.com")
            return
        self.running[engine] = postfix.start(PLACE, POSTFIX, PLACE + "/tls", WORD, {
            "mcfd.example": OURS, "reference.example": THEIRS, "postfix.example": "198.51.100.31"})
        until(lambda: listens(POSTFIX, 25), 15, lambda: "Postfix does not listen: " + self.log("postfix"))

    def log(self, engine):
        try:
            with open("%s/%s.log" % (PLACE, engine), errors="replace") as f:
                return f.read()[-1500:]
        except OSError as why:
            return repr(why)

    def got(self, tag, seconds=15):
        """The message at the sink, which has to be there once."""
        def there():
            return [text for _, text, *_ in self.sink.got if "\nSubject: %s\n" % tag in text]
        until(there, seconds, lambda: "%s does not arrive; %s" % (tag, {e: self.log(e) for e in self.running}))
        expect(len(there()) == 1, "%s arrives %d times" % (tag, len(there())))
        return there()[0]

    def close(self):
        for p in self.running.values():
            p.terminate()


def expect_received(text, pattern):
    """The uppermost Received line, folded lines as one."""
    head = re.sub(r"\n[ \t]+", " ", text.partition("\n\n")[0])
    first = next(line for line in head.split("\n") if line.startswith("Received:"))
    expect(re.search(pattern, first), "%s\nis not: %s" % (pattern, first))


# ---- clients -----------------------------------------------------------------------------------

def swaks(*words, status=0):
    p = subprocess.run(["swaks", "--local-interface", STRANGER, "--from", "a@example.net", "--helo", "client.example.net", *words],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=40)
    expect(p.returncode == status, "%s: exit status %d, wanted %d\n%s" % (" ".join(words), p.returncode, status, p.stdout[-2500:]))
    return p.stdout


def relayed(tag):
    return ["--to", "x@mcfd.example", "--header", "Subject: " + tag]


LOGIN = ["--auth-user", "alice", "--auth-password", WORD]


def client_case(tag, received, *words):
    def run(world):
        swaks("--server", OURS, *relayed(tag), *words)
        expect_received(world.got(tag), received)
    run.__doc__ = "swaks %s relays." % " ".join(w for w in words if w != WORD)
    return run


TLS = r"with ESMTPS id .*\(version=TLSv1\.\d cipher=\S+ bits=\d+ verify=NO\)"
PLAIN_A = r"\(authenticated(?: bits=\d+)?\).*with ESMTPA id"
BOTH = r"\(authenticated(?: bits=\d+)?\).*with ESMTPSA id .*\(version=TLSv1\.\d"
CASES = {}
for mech in ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"):
    CASES["swaks %s" % mech] = client_case("swaks-" + mech, PLAIN_A, "--port", "587", "--auth", mech, *LOGIN)
    CASES["swaks %s behind STARTTLS" % mech] = client_case("swaks-tls-" + mech, BOTH, "--port", "587", "--tls", "--auth", mech, *LOGIN)
CASES["swaks TLS at once"] = client_case("swaks-at-once", BOTH, "--port", "465", "--tls-on-connect", "--auth", "PLAIN", *LOGIN)
for version in ("tlsv1_2", "tlsv1_3"):
    CASES["swaks " + version] = client_case("swaks-" + version, BOTH, "--tls", "--tls-protocol", version, "--auth", "PLAIN", *LOGIN)
CASES["swaks in one go"] = client_case("swaks-pipeline", BOTH, "--pipeline", "--tls", "--auth", "PLAIN", *LOGIN)


def case(f):
    CASES[f.__name__.replace("_", " ")] = f
    return f


@case
def swaks_is_refused(world):
    """A stranger does not relay, TLS or not; nor with a wrong password, by whatever mechanism."""
    for words in ([], ["--tls"], ["--port", "465", "--tls-on-connect"]):
        said = swaks("--server", OURS, *relayed("no"), *words, status=24)
        expect("550 5.7.1" in said, said)
    for mech in ("PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"):
        said = swaks("--server", OURS, *relayed("no"), "--auth", mech, "--auth-user", "alice", "--auth-password", "wrong", status=28)
        expect("535 5.7.0" in said, said)


@case
def swaks_with_a_certificate_and_an_attachment(world):
    """A client's certificate is verified; three megabytes come over whole."""
    path = PLACE + "/attached"
    with open(path, "wb") as f:
        f.write(os.urandom(1 << 20) * 3)
    swaks("--server", OURS, *relayed("swaks-attached"), "--tls", "--tls-cert", PLACE + "/tls/client.pem", "--tls-key", PLACE + "/tls/client.pem",
          "--auth", "PLAIN", *LOGIN, "--attach", "@" + path)
    text = world.got("swaks-attached")
    expect_received(text, r"verify=OK\)")
    import email
    parts = [p for p in email.message_from_string(text).walk() if p.get_filename()]
    with open(path, "rb") as f:
        expect(parts[0].get_payload(decode=True) == f.read(), "the attachment is another one")


def smtplib_client(port=587, at_once=False):
    trusted = ssl.create_default_context(cafile=PLACE + "/tls/ca.pem")
    source = {"timeout": 20, "source_address": (STRANGER, 0)}
    if at_once:
        return smtplib.SMTP_SSL(OURS, port, context=trusted, **source), trusted
    return smtplib.SMTP(OURS, port, **source), trusted


@case
def smtplib_logs_in(world):
    """Python's smtplib: each of its mechanisms, before and behind STARTTLS, and its own choice."""
    for mech in ("cram_md5", "plain", "login", None):
        for tls in (False, True):
            s, trusted = smtplib_client()
            trusted.check_hostname = False
            with s:
                if tls:
                    s.starttls(context=trusted)
                s.ehlo()
                s.user, s.password = "alice", WORD
                if mech:
                    code, said = s.auth(mech.replace("_", "-").upper(), getattr(s, "auth_" + mech), initial_response_ok=mech == "plain")
                    expect(code == 235, (mech, code, said))
                else:
                    s.login("alice", WORD)
                tag = "smtplib-%s-%s" % (mech, tls)
                s.sendmail("a@example.net", ["x@mcfd.example"], "Subject: %s\r\n\r\n.\r\n..dots\r\n.\r\ntext\r\n" % tag)
            text = world.got(tag)
            expect(text.endswith("\n\n.\n..dots\n.\ntext\n") or text.endswith("\n\n..\n...dots\n..\ntext\n"), "another text: %r" % text[-40:])
            expect_received(text, BOTH if tls else PLAIN_A)


@case
def smtplib_checks_the_certificate(world):
    """SMTP_SSL and starttls with the host's name checked: the certificate is mail.example.com's."""
    trusted = ssl.create_default_context(cafile=PLACE + "/tls/ca.pem")
    with smtplib.SMTP("mail.example.com", 587, timeout=20) as s:
        s.starttls(context=trusted)
        s.login("alice", WORD)
        s.sendmail("a@example.net", ["x@mcfd.example"], "Subject: smtplib-name\r\n\r\ntext\r\n")
    with smtplib.SMTP_SSL("mail.example.com", 465, timeout=20, context=trusted) as s:
        s.login("alice", WORD)
        s.sendmail("a@example.net", ["x@mcfd.example"], "Subject: smtplib-ssl\r\n\r\ntext\r\n")
    for tag in ("smtplib-name", "smtplib-ssl"):
        expect_received(world.got(tag), BOTH)


@case
def smtplib_is_told_why(world):
    """What is refused raises what smtplib has for it."""
    s, _ = smtplib_client()
    with s:
        try:
            s.login("alice", "wrong")
            raise Failed("a wrong password is taken")
        except smtplib.SMTPAuthenticationError as why:
            expect(why.smtp_code == 535, why)
        try:
            s.sendmail("a@example.net", ["x@mcfd.example"], "no")
            raise Failed("a stranger relays")
        except smtplib.SMTPRecipientsRefused as why:
            expect(why.recipients["x@mcfd.example"][0] == 550, why)
        refused = s.sendmail("a@example.net", ["alice@mail.example.com", "nosuchuser@mail.example.com"], "Subject: half\r\n\r\ntext\r\n")
        expect(list(refused) == ["nosuchuser@mail.example.com"], refused)


@case
def mutt(world):
    """mutt by SMTP: each of its mechanisms, SCRAM too, behind STARTTLS; and TLS at once."""
    with open(PLACE + "/ca", "w") as f:
        shutil.copyfile(PLACE + "/tls/ca.pem", f.name)
    for mech, url in [(m, "smtp://alice@mail.example.com:587/") for m in ("plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256")] + \
                     [("plain", "smtps://alice@mail.example.com:465/")]:
        tag = "mutt-%s-%s" % (mech, url[:5].strip(":"))
        with open(PLACE + "/muttrc", "w") as f:
            f.write('set from="a@example.net"\nset smtp_url="%s"\nset smtp_pass="%s"\nset smtp_authenticators="%s"\nset ssl_starttls=yes\nset ssl_force_tls=yes\n'
                    'set certificate_file="%s/ca"\nunset ssl_usesystemcerts\nset copy=no\nset record=""\n' % (url, WORD, mech, PLACE))
        p = subprocess.run(["mutt", "-n", "-F", PLACE + "/muttrc", "-s", tag, "--", "x@mcfd.example"], input=b"text of mutt\n", stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=40, env=dict(os.environ, HOME=PLACE, TERM="dumb"))
        expect(p.returncode == 0, "%s: %s" % (tag, p.stdout))
        text = world.got(tag)
        expect("text of mutt" in text, text)
        expect_received(text, BOTH)


@case
def mutt_and_python_by_the_sendmail_command(world):
    """mutt's own way, and what programs do: sendmail -oi -oem, sendmail -t -i, with the daemon's queue."""
    sendmail, body = PLACE + "/sendmail", "text\n.\n..\nFrom here\n"
    os.symlink(MCFD, sendmail)
    with open(PLACE + "/muttrc", "w") as f:
        f.write('set from="a@example.net"\nset use_envelope_from=yes\nset sendmail="%s -Am -C %s/mcfd.cf -oi -oem"\nset copy=no\nset record=""\n' % (sendmail, PLACE))
    p = subprocess.run(["mutt", "-n", "-F", PLACE + "/muttrc", "-s", "mutt-sendmail", "--", "x@mcfd.example"], input=body.encode(), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=40, env=dict(os.environ, HOME=PLACE, TERM="dumb"))
    expect(p.returncode == 0, p.stdout)
    text = "Subject: sendmail-t\nTo: x@mcfd.example\nBcc: y@mcfd.example\n\n" + body
    subprocess.run([sendmail, "-Am", "-C", PLACE + "/mcfd.cf", "-t", "-i", "-f", "a@example.net"], input=text.encode(), check=True, timeout=40)
    until(lambda: sum("\nSubject: sendmail-t\n" in t for _, t, *_ in world.sink.got) == 2, 15, lambda: "not twice: %r" % world.sink.got[-3:])
    for tag, got in [("mutt-sendmail", world.got("mutt-sendmail")), ("sendmail-t", world.sink.got[-1][1])]:
        expect(re.sub(r"(?m)^\.(?=\.)", "", got.partition("\n\n")[2]).rstrip("\n") == body.rstrip("\n"), "%s: another text: %r" % (tag, got))
        expect("Bcc:" not in got and "y@" not in got.partition("\n\n")[0], got)


@case
def curl(world):
    """curl: TLS that is demanded, TLS at once, and mechanisms by name."""
    path = PLACE + "/curl"
    for url, words in (("smtp://mail.example.com:587", ["--ssl-reqd"]), ("smtps://mail.example.com:465", []),
                       ("smtp://mail.example.com:587", ["--ssl-reqd", "--login-options", "AUTH=CRAM-MD5"]),
                       ("smtp://mail.example.com:587", ["--ssl-reqd", "--login-options", "AUTH=LOGIN"]),
                       ("smtp://mail.example.com:587", ["--login-options", "AUTH=DIGEST-MD5"])):
        tag = "curl-" + (words[-1] if words else "at-once").strip("-").replace("=", "-")
        with open(path, "w") as f:
            f.write("Subject: %s\r\n\r\ntext\r\n" % tag)
        shell("curl", "-sS", "--url", url + "/client.example.net", *words, "--cacert", PLACE + "/tls/ca.pem", "--user", "alice:" + WORD, "--mail-from",
              "a@example.net", "--mail-rcpt", "x@mcfd.example", "-T", path)
        expect_received(world.got(tag), BOTH if "--ssl-reqd" in words or url.startswith("smtps") else PLAIN_A)


# ---- peers -------------------------------------------------------------------------------------

SECURED = {
    "mcfd": r"\(authenticated(?: bits=\d+)?\) by mail\.example\.com .*with ESMTPSA id .*\(version=TLSv1\.\d cipher=\S+ bits=\d+ verify=OK\)",
    "reference": r"\(authenticated(?: bits=\d+)?\) by ref\.example\.com .*with ESMTPSA id .*\(version=TLSv1\.\d cipher=\S+ bits=\d+ verify=OK\)",
    "postfix": r"using TLSv1\.\d with cipher .*Client CN \"mail\.example\.com\".*verified OK.*Authenticated sender: relay.*by postfix\.example\.com .*with ESMTPSA id",
}
BODY = "".join(["text\n", ".\n", "..\n", "from here\n", "From there\n", "x" * 900 + "\n", "tab\tand blank \n", "\n", "--\n"])


def hop_case(first, last):
    def run(world):
        world.need(first)
        world.need(last)
        tag = "from-%s-to-%s" % (first, last)
        with open(PLACE + "/body", "w") as f:
            f.write("Subject: %s\nFrom: a@example.net\nTo: x@%s.example\nX-Long: %s\n\n%s" % (tag, last, "word " * 60, BODY))
        swaks("--server", SERVERS[first], "--to", "x@%s.example" % last, "--tls", "--auth", "PLAIN", *LOGIN, "--data", "@" + PLACE + "/body")
        text = world.got(tag)
        expect_received(text, SECURED[last])
        expect(text.count("\nReceived: ") + text.startswith("Received: ") == 2, "not by two hosts:\n" + text)
        body = re.sub(r"(?m)^\.\.", ".", text.partition("\n\n")[2])
        expect(body.rstrip("\n") == BODY.rstrip("\n"), "the text is another one:\n%r" % body)
        # What it is worth: without a login nobody relays there.
        said = swaks("--server", SERVERS[last], "--to", "x@%s.example" % last, "--tls", status=24)
        expect(re.search(r"5[05]4 5\.7\.1|550 5\.7\.1", said), said)
    run.__doc__ = "Mail goes from %s to %s, over TLS with both certificates verified, and behind a login." % (first, last)
    return run


for other in ("reference", "postfix"):
    CASES["mcfd to " + other] = hop_case("mcfd", other)
    CASES[other + " to mcfd"] = hop_case(other, "mcfd")


def inside(given):
    report = Report("peers", "tests/peers/run.py '{}'", given.verbose)
    world = None
    try:
        world = World()
    except Exception as why:
        report.fail("set-up", why if isinstance(why, Failed) else repr(why))
        report.close()
    for name in given.cases or CASES:
        if name not in CASES:
            report.fail(name, "no such case; there are: " + ", ".join(CASES))
            continue
        try:
            CASES[name](world)
            report.ok(name)
        except Exception as why:
            logs = ["%s: %s" % (e, world.log(e)) for e in world.running if e in name]
            report.fail(name, "\n".join([CASES[name].__doc__, str(why) if isinstance(why, Failed) else repr(why)] + logs))
        sys.stdout.flush()
    world.close()
    report.close()


def needs():
    need_programs("unshare", "ip", "sendmail", "saslpasswd2", "openssl", "swaks", "mutt", "curl")
    need(glob.glob("/usr/lib/*/sasl2/libscram.so*"), "SASL's mechanisms: run tools/deps.sh test")
    need(os.path.isdir(postfix.ROOT), "Postfix, unpacked: run tools/deps.sh test")


if __name__ == "__main__":
    in_namespace(__file__, __doc__, inside, needs, (OURS, THEIRS, POSTFIX, STRANGER, "198.51.100.31"))
