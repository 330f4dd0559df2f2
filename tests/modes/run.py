#!/usr/bin/env python3
"""run.py [-v] [NAME]...

How mcfd is called: its modes, flags, exit codes, the queue's commands, the log, and what it says of a configuration. Where
the reference can be asked the same, it is, in the same namespace.
"""
import argparse
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import certificates
import logger
import service
from reference import SENDMAIL, compile_mc
from report import BUILD, MCF, ROOT, Report, need_mcf, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))
PLACE = "/run/modes"
CASES = {}


def case(fn):
    CASES[fn.__name__.replace("_", " ")] = fn
    return fn


# ---------------------------------------------------------------- inside the namespace

def run(engine, *words, text=""):
    p = subprocess.run([engine, *words], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30,
                       errors="replace")
    return p.returncode, p.stdout


def shell(command):
    subprocess.run(command.format(PLACE), shell=True, check=True, stdout=subprocess.DEVNULL)


def fresh(**options):
    """A .cf with an empty queue of its own; returns its path."""
    subprocess.run("rm -rf %s/q; mkdir -m 755 %s/q" % (PLACE, PLACE), shell=True, check=True)
    with open("/run/keep.cf") as f:
        lines = f.read()
    lines += "".join("O %s=%s\n" % item for item in options.items())
    with open(PLACE + "/t.cf", "w") as f:
        f.write(lines)
    return PLACE + "/t.cf"


def speak(engine, cf, *lines, flags=()):
    """SMTP on standard input, command by command."""
    p = subprocess.Popen([engine, "-bs", *flags, "-C", cf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    replies, data = [], False

    def reply():
        while True:
            line = p.stdout.readline()
            replies.append(line.rstrip("\r\n"))
            if not re.match(r"\d\d\d-", line):
                return line
    reply()
    for line in lines:
        p.stdin.write(line + "\r\n")
        p.stdin.flush()
        if data and line != ".":
            continue
        data = reply().startswith("354")
    p.stdin.close()
    p.wait(20)
    return p.returncode, replies


MAIL = ("HELO client.example", "MAIL FROM:<u@example.net>", "RCPT TO:<alice>", "DATA", "Subject: a", "", "text", ".", "QUIT")


def same(text):
    text = re.sub(r"\b[0-9A-Za-z]{8}\d{6,8}\b", "ID", text)
    text = re.sub(r"\w{3} \w{3} +\d+ \d\d:\d\d|\w{3} +\d+ \d\d:\d\d(:\d\d)?", "TIME", text)
    text = re.sub(r"<\d{12}\.", "<TIME.", text)
    return re.sub(r"pri=\d+|(?<= ) *\d+(?= TIME)", "N", text)


def alike(what, ours, theirs):
    return "" if ours == theirs else "%s\nmcfd: %r\nthe reference: %r" % (what, ours, theirs)


@case
def wrong_flags():
    cf = fresh()
    out = []
    for words in (["-bZ"], ["-bz"], ["-Y"], ["-qx"], ["-V"], ["-bv"]):
        ours, theirs = run(MCFD, "-C", cf, *words), run(SENDMAIL, "-C", cf, *words)
        strip = [re.sub(r"^\S*/(mcfd|sendmail)?:? ?", "", t[1].replace(MCFD, "").replace(SENDMAIL, "")).strip(": \n") for t in (ours, theirs)]
        out.append(alike(words, (ours[0], strip[0]), (theirs[0], strip[1])))
    out.append("" if run(MCFD, "-C", cf, "-bp", "-bs")[0] == 64 else "-bp and -bs together are taken")
    return "\n".join(filter(None, out))


@case
def no_configuration():
    ours, theirs = run(MCFD, "-bv", "-C", "/nonexist.cf", "alice"), run(SENDMAIL, "-bv", "-C", "/nonexist.cf", "alice")
    return alike("-C /nonexist.cf", ours, theirs)


@case
def the_queue_as_mailq_shows_it():
    out = []
    for words in (["-bp"], ["-bp", "-v"], ["-bp", "-qSexample"], ["-bp", "-q!Sexample"], ["-bp", "-qRnobody"], ["-bp", "-qQ"]):
        shown = []
        for engine in (MCFD, SENDMAIL):
            cf = fresh(DeliveryMode="queueonly")
            speak(engine, cf, *MAIL)
            status, text = run(engine, "-C", cf, *words)
            shown.append((status, same(text)))
        out.append(alike(words, *shown))
    return "\n".join(filter(None, out))


@case
def orders_with_and_without_a_daemon():
    cf = fresh(DeliveryMode="queueonly")
    status, replies = speak(MCFD, cf, *MAIL)
    if not any("Message accepted" in r for r in replies):
        return "the message is not taken: %r" % replies
    out = []

    def expect(wanted, *words):
        got = run(MCFD, *words, "-C", cf)
        if got[1].strip() != wanted:
            out.append("%s: %r" % (words, got))

    def states():
        return [(m["held"], m["quarantine"]) for m in json.loads(run(MCFD, "queue", "list", "--json", "-C", cf)[1])]
    for daemon in (False, True):
        d = subprocess.Popen([MCFD, "-bD", "-C", cf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if daemon else None
        for _ in range(50 if daemon else 0):
            if os.path.exists(PLACE + "/q/mcfd.control"):
                break
            subprocess.run(["sleep", "0.1"])
        expect("0 messages", "queue", "hold", "sender", "nobody")
        expect("1 message", "queue", "hold", "all")
        expect("1 message", "queue", "quarantine", "looks odd", "not", "sender", "nobody")
        if states() != [(True, "looks odd")]:
            out.append("held, in quarantine: %r" % states())
        expect("1 message", "queue", "quarantine", "", "quarantine", "odd")
        expect("1 message", "queue", "release", "recipient", "alice")
        if states() != [(False, "")]:
            out.append("released: %r" % states())
        if daemon:
            expect("1 message", "queue", "remove", "all")
            d.terminate()
            d.wait(20)
    if run(MCFD, "queue", "hold", "-C", cf)[0] != 64:
        out.append("hold of nothing is taken")
    if "Total requests: 0" not in run(MCFD, "-bp", "-C", cf)[1]:
        out.append("it is not removed")
    return "\n".join(out)


@case
def a_submission_program_is_no_daemon():
    cf = fresh(UseMSP="True")
    out = []
    for words in (["-bD"], ["-bd", "-q1h"]):
        ours, theirs = run(MCFD, *words, "-C", cf), run(SENDMAIL, *words, "-C", cf)
        out.append(alike(words, ours, (theirs[0], theirs[1].removeprefix("550 "))))
    return "\n".join(filter(None, out))


@case
def what_is_refused():
    cf = fresh(SSLEngine="pkcs11")
    out = []
    status, text = run(MCFD, "-bD", "-C", cf)
    if status != 78 or "SSLEngine" not in text or not re.search(r"t\.cf:\d+:1: error", text) or "--without-SSLEngine" not in text:
        out.append("it starts, or does not say why not: %d %s" % (status, text))
    status, text = run(MCFD, "-bs", "--without-SSLEngine", "-C", cf)
    if status:
        out.append("--without: %d %s" % (status, text))
    return "\n".join(out)


@case
def filters_that_are_not_there():
    out = []
    for line, text, hint in (("S=local:/run/nosuch, F=T", "/run/nosuch: No such file or directory: until it is there mail is refused for now", "ls -l /run/nosuch"),
                             ("S=local:/etc/passwd", "/etc/passwd: no socket: until it is there it is not asked", "ls -l /etc/passwd"),
                             ("S=inet:1@nosuch.invalid, F=R", "nosuch.invalid: .*: until it is there mail is rejected", "getent ahosts nosuch.invalid"),
                             ("S=inet:1@127.0.0.1, F=4", "", "")):
        cf = fresh(InputMailFilters="one")
        with open(cf, "a") as f:
            f.write("Xone, %s\nXother, S=/run/other\n" % line)
        findings = [x for x in json.loads(run(MCFD, "check", "--json", "-C", cf)[1])["findings"] if x["id"] == "machine" and "filter" in x["text"]]
        if [bool(re.fullmatch("filter one: " + text, x["text"]) and hint in x["hint"]) for x in findings] != ([True] if text else []):
            out.append("%s: %r" % (line, findings))
    return "\n".join(out)


@case
def queue_groups_outside_of_the_queue():
    out = []
    for path, starts in (("/q/slow", True), ("/q", True), ("/q/", True), ("/queue", False), ("/other", False), ("slow", False)):
        cf = fresh()
        whole = PLACE + path if path[0] == "/" else path
        if starts:
            subprocess.run(["mkdir", "-p", whole], check=True)
        with open(cf, "a") as f:
            f.write("Qslow, P=%s, I=1h\n" % whole)
        for engine in (MCFD, SENDMAIL):
            status, text = run(engine, "-bs", "-C", cf)
            if (status == 0) != starts or not starts and (status != 78 or path not in text):
                out.append("%s, P=%s: exit %d, %s" % (engine, whole, status, text))
    return "\n".join(out)


@case
def check_says_what_is_missing():
    cf = fresh(DefaultUser="nosuch:nosuch")
    with open(cf, "a") as f:
        f.write("Kgone hash /etc/mail/gone\nKold hash /etc/mail/access\n")
    os.utime("/etc/mail/access.db", (1, 1))
    status, text = run(MCFD, "check", "-C", cf)
    wanted = ["/etc/mail/gone.db: No such file", "/etc/mail/access.db is older than", "there is no user nosuch", "there is no group nosuch"]
    out = ["not said: " + w for w in wanted if w not in text] + (["exit %d" % status] if status != 1 else [])
    rows = json.loads(run(MCFD, "check", "--json", "--all", "-C", cf)[1])
    names = {r["name"] for r in rows["rows"] if r["kind"] == "option"}
    with open(os.path.join(ROOT, "lib", "model", "options.def")) as f:
        known = set(re.findall(r"^OPTION(?:_ELSEWHERE)?\((\w+), ", f.read(), re.M))
    out += ["no row of option " + n for n in sorted(known - names)] + ["a row of no option: " + n for n in sorted(names - known)]
    return "\n".join(out)


TLS = [("ServerCertFile", "server.pem"), ("ServerKeyFile", "server.key"), ("ClientCertFile", "client.pem"), ("ClientKeyFile", "client.pem"),
       ("CACertFile", "ca.pem"), ("CACertPath", "")]
BROKEN = {  # what is done, what check says then, and whether the hint is a command that mends it
    "rm -rf {0}/q": ("{0}/q: No such file or directory", True),
    "chmod 757 {0}/q": ("{0}/q can be written by everybody", True),
    "chgrp 8 {0}/q; chmod 775 {0}/q": ("{0}/q can be written by its group", True),
    "rm /etc/mail/access.db": ("/etc/mail/access.db: No such file", True),
    "touch -d 'now + 1 hour' /etc/mail/access": ("/etc/mail/access.db is older than /etc/mail/access", False),
    "chmod 666 /etc/mail/access.db": ("/etc/mail/access.db can be written by others", True),
    "touch -d 2001-01-01 /etc/aliases.db": ("/etc/aliases.db is older than /etc/aliases", True),
    "rm /etc/aliases.db": ("/etc/aliases.db: No such file", True),
    "chmod -x {0}/record": ("{0}/record: Permission denied", True),
    "chmod 640 {0}/tls/server.key": ("STARTTLS is not offered: file {0}/tls/server.key unsafe: Group readable file", True),
    "chmod 664 {0}/tls/server.pem": ("STARTTLS is not offered: file {0}/tls/server.pem unsafe: Group writable file", True),
    "chown 8 {0}/tls/ca.pem": ("STARTTLS is not offered: file {0}/tls/ca.pem unsafe: Permission denied", True),
    "chmod 777 {0}/tls": ("STARTTLS is not offered: file {0}/tls/server.pem unsafe: World writable directory", True),
    "chmod 604 {0}/tls/client.pem": ("file {0}/tls/client.pem unsafe: World readable file", True),
    "hostname short": ("short is no full host name", False),
    "hostname gone.nowhere.example": ("gone.nowhere.example has no address", False),
    "echo nameserver 127.0.0.3 >/etc/resolv.conf; hostname gone.nowhere.example": ("no name server answers", False)}


@case
def check_and_its_commands():
    """Each is said within a second, and the command that is said with it mends it."""
    cf, out = fresh(), []
    with open(cf, "a") as f:
        f.write("Kaccess hash /etc/mail/access\nO AliasFile=/etc/aliases\n")
        f.write("".join("O %s=%s/tls/%s\n" % (option, PLACE, name) for option, name in TLS))
    certificates.make(PLACE + "/tls")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.3", 53))
    keep = "cp -a /etc/mail/access /etc/mail/access.db /etc/aliases /etc/aliases.db /etc/resolv.conf {0}/kept; cp -a {0}/tls {0}/kept; " \
           "hostname > {0}/kept/name"
    back = "cd {0}/kept; rm -rf {0}/tls; cp -a tls {0}; cp -a access access.db /etc/mail; cp -a aliases aliases.db /etc; cat resolv.conf >/etc/resolv.conf; hostname -F name; " \
           "mkdir -p {0}/q; chgrp 0 {0}/q; chmod 755 {0}/q {0}/record"
    shell("mkdir -p {0}/kept; : > /etc/aliases; touch -d 2002-01-01 /etc/aliases")
    run(MCFD, "-bi", "-C", cf)
    shell(keep)

    def said():
        start = time.time()
        findings = json.loads(run(MCFD, "check", "--json", "-C", cf)[1])["findings"]
        return [f for f in findings if f["id"] == "machine"], time.time() - start
    usual = {f["text"] for f in said()[0]}
    for broken, (wanted, mends) in BROKEN.items():
        shell(broken)
        findings, took = said()
        if took > 1:  # somebody else had the machine, perhaps
            took = min(took, said()[1])
        hit = [f for f in findings if wanted.format(PLACE) in f["text"]]
        if not hit or took > 1 or not hit[0]["hint"]:
            out.append("%s: %.1f s, %r" % (broken, took, findings))
        elif mends:
            shell("PATH=%s:$PATH; %s" % (BUILD, hit[0]["hint"]))
            findings = said()[0]
            if not {f["text"] for f in findings} <= usual:
                out.append("%s: %s does not mend it: %r" % (broken, hit[0]["hint"], findings))
        shell(back)
    with open(cf, "a") as f:
        f.write("O DaemonPortOptions=Port=25,Addr=127.0.0.1,Name=MTA\n")
    taken = socket.create_server(("127.0.0.1", 25))
    findings, took = said()
    if took > 1 or not [f for f in findings if "port 25 of 127.0.0.1: Address already in use; who has it: ss -ltnp" in f["text"]]:
        out.append("port 25: %.1f s, %r" % (took, findings))
    start = time.time()
    status, text = run(MCFD, "-bd", "-C", cf)
    if status != 71 or time.time() - start > 1.5 or "Address already in use" not in text:
        out.append("start: %.1f s, %d %s" % (time.time() - start, status, text))
    taken.close()
    return "\n".join(out)


@case
def lines_of_the_log():
    """As programs that read logs look for them."""
    got = []
    for engine in (MCFD, SENDMAIL):
        cf = fresh(LogLevel="9", DeliveryMode="interactive")
        open(PLACE + "/syslog", "w").close()
        speak(engine, cf, *MAIL[:1], "MAIL FROM:<u@nosuch.invalid>", "MAIL FROM:<a@@b>", *MAIL[1:2], "RCPT TO:<nosuchuser>", "RCPT TO:<a@@b>", "VRFY alice", "EXPN nosuch",
              "ETRN example.net", "RSET", *MAIL[1:3], "RCPT TO:<x@example.org>", *MAIL[3:])
        subprocess.run(["sleep", "0.5"])
        with open(PLACE + "/syslog") as f:
            lines = [same(re.sub(r"^<(\d+)>.*?\]: ", r"\1 ", l)) for l in f if re.search(r"from=<u@ex.*msgid|: to=|ruleset=|[.]{3} |VRFY|EXPN|ETRN", l)]
        got.append(sorted(lines))  # deliveries go their own ways
    return alike("the lines", *got)


@case
def lines_of_the_log_of_submissions():
    got = []
    for engine in (MCFD, SENDMAIL):
        cf = fresh(LogLevel="9", DeliveryMode="interactive")
        open(PLACE + "/syslog", "w").close()
        for words in (["alice"], ["-f", "joe@example.org", "alice"], ["x@example.org"], ["-oem", "nosuchuser"], ["-odq", "alice", "bob"]):
            run(engine, "-bm", "-C", cf, *words, text="Subject: a\n\ntext\n")
        subprocess.run(["sleep", "0.5"])
        with open(PLACE + "/syslog") as f:
            lines = [same(re.sub(r"^<(\d+)>.*?\]: ", r"\1 ", l)) for l in f if re.search(r": (from|to)=", l)]
        # The reference says of a user of this system who he is, and what is queued; of a user there is not, the mailer.
        lines = [re.sub(r"ctladdr=[^,]*, |(?<=nosuchuser, delay=00:00:00, )mailer=local, ", "", l) for l in lines if "stat=queued" not in l]
        got.append(sorted(re.sub(r"size=\d+", "size=N", l) for l in lines))
    return alike("the lines", *got)


@case
def standard_input_and_rights_that_are_not_there():
    out = []
    cf = fresh(DeliveryMode="queueonly")
    for engine in (MCFD, SENDMAIL):  # standard input is closed: an empty message
        p = subprocess.run(["sh", "-c", '"$0" -bm -C "$1" alice <&-', engine, cf], capture_output=True, text=True)
        if p.returncode or p.stderr:
            out.append("%s without standard input: %d %s" % (engine, p.returncode, p.stderr))
    # Whoever makes it setgid gives nobody anything by that.
    shell("cp %s {0}/mcfd-g; chgrp smmsp {0}/mcfd-g; chmod 2755 {0}/mcfd-g; echo Dsecret >{0}/secret.cf; chgrp smmsp {0}/secret.cf; chmod 640 {0}/secret.cf" % MCFD)
    p = subprocess.run(["setpriv", "--reuid", "4001", "--regid", "4001", "--clear-groups", PLACE + "/mcfd-g", "-bv", "-C", PLACE + "/secret.cf", "x"],
                       capture_output=True, text=True)
    if p.returncode != 72 or "Permission denied" not in p.stdout:
        out.append("setgid: %d %s" % (p.returncode, p.stdout + p.stderr))
    ours, theirs = (run(engine, "-bv", "-n", "-C", cf, "root") for engine in (MCFD, SENDMAIL))
    out.append(alike("-bv -n", ours, theirs))
    return "\n".join(filter(None, out))


@case
def tls_and_logins_in_the_log():
    got = []
    certificates.make(PLACE + "/tls")
    os.makedirs("/etc/sasl2", exist_ok=True)
    with open("/etc/sasl2/Sendmail.conf", "w") as f:
        f.write("pwcheck_method: auxprop\n")
    subprocess.run(["saslpasswd2", "-c", "-p", "-u", "mail.example.com", "alice"], input=b"secret", check=True)
    for engine in (MCFD, SENDMAIL):
        cf = fresh(LogLevel="9", AuthMechanisms="CRAM-MD5 PLAIN", **{option: PLACE + "/tls/" + name for option, name in TLS})
        open(PLACE + "/syslog", "w").close()
        daemon = subprocess.Popen([engine, "-bD", "-q1h", "-C", cf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            for files in ({}, {"certfile": PLACE + "/tls/client.pem"}):
                with connected() as s:
                    s.ehlo("client.example")
                    s.starttls(**files)
                    s.ehlo("client.example")
                    s.login("alice", "secret")
                    s.quit()
            time.sleep(0.3)
        finally:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
        with open(PLACE + "/syslog") as f:
            got.append([re.sub(r"^<(\d+)>.*?\]: ", r"\1 ", l) for l in f if re.search("(STARTTLS|AUTH)=server, relay", l)])
    return alike("the lines", *got) or ("" if len(got[0]) == 4 else "%r" % got)


def connected():
    for _ in range(100):
        try:
            return smtplib.SMTP("127.0.0.1", 25, timeout=10)
        except OSError:
            time.sleep(0.05)
    raise OSError("nobody listens")


@case
def all_that_is_said_in_a_file():
    """-X: what came and what went, line by line."""
    got = []
    for engine in (MCFD, SENDMAIL):
        cf = fresh(DeliveryMode="queueonly")
        path = PLACE + "/said." + os.path.basename(engine)
        speak(engine, cf, *MAIL, flags=("-X", path))
        with open(path, newline="\n") as f:
            lines = [re.sub(r"^\d{5} ", "", same(re.sub(r" ESMTP .*", " ESMTP", l))) for l in f]
        got.append([re.sub(r"ID Message", "Message", l) for l in lines])
        if engine == MCFD and os.stat(path).st_mode & 0o77:
            return "others may read the file"
    status, text = run(MCFD, "-bs", "-C", fresh(), "-X", "/nosuch/said")
    if (status, text) != (73, "mcfd: cannot open /nosuch/said: No such file or directory\n"):
        return "no file to write: %d %s" % (status, text)
    return alike("the file", *got)


@case
def one_process_behind_the_other():
    """Who comes while another one ends, and still has the queue, waits for it."""
    cf, out = fresh(DeliveryMode="queueonly"), []
    for n in range(1, 61):
        speak(MCFD, cf, *MAIL)
        if n % 2:
            continue
        status, text = run(MCFD, "-bp", "-C", cf)
        if status or "Total requests: %d\n" % n not in text:
            out.append("%d: %d %r" % (n, status, text[-200:]))
    return "\n".join(out)


@case
def one_queue_id():
    """What rules see as $i, what the log calls a ruling's message, what the client hears, and what the queue has."""
    cf = fresh(DeliveryMode="queueonly", LogLevel="9")
    with open(cf, "a") as f:
        f.write("Scheck_eom\nR$*\t\t$#error $@ quarantine $: $&i\n")
    status, replies = speak(MCFD, cf, *MAIL, flags=["--log-json=" + PLACE + "/ids.json"])
    with open(PLACE + "/ids.json") as f:
        events = [json.loads(line) for line in f]
    queue = json.loads(run(MCFD, "queue", "list", "--json", "-C", cf)[1])
    ids = [re.search(r"250 2.0.0 (\S+) ", "\n".join(replies)).group(1), queue[0]["id"], queue[0]["quarantine"]]
    ids += [e["id"] for e in events if e["event"] in ("ruling", "from")]
    return "" if len(ids) == 5 and len(set(ids)) == 1 else repr((ids, events))


DECIDING = """OSTYPE(`linux')define(`ALIAS_FILE', `/etc/aliases')dnl
define(`QUEUE_DIR', `{0}/q')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confDONT_BLAME_SENDMAIL', `safe,GroupWritableDirPathSafe')dnl
define(`LOCAL_MAILER_PATH', `{0}/record')dnl
FEATURE(`access_db', `hash -T<TMPF> {0}/access')dnl
FEATURE(`blocklist_recipients')dnl
FEATURE(`mailertable', `hash {0}/mailertable')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_RULESETS
SLocal_check_rcpt
R$* own $*	$#error $@ 5.7.1 $: "550 own rule"
""".format(PLACE)
DECIDED = {  # what was said, what the log says of it: ruleset, where the line comes from, entry of a map
    "MAIL FROM:<bad@example.net>": ("check_mail", r"rulesets/.*:\d+$", "access", "From:bad@example.net"),
    "MAIL FROM:<odd@example.net>": ("check_mail", r"rulesets/.*:\d+$", "access", "From:odd@example.net"),
    "MAIL FROM:<u@nosuch.invalid>": ("check_mail", r"rulesets/.*:\d+$", None, None),
    "RCPT TO:<closed>": ("check_rcpt", r"rulesets/.*:\d+$", "access", "To:closed@"),
    "RCPT TO:<x@shut.example>": ("parse", r"rulesets/.*:\d+$", "mailertable", "shut.example"),
    "RCPT TO:<own>": ("check_rcpt", r"t\.mc:13$", None, None),
    "RCPT TO:<x@routed.example>": ("parse", r"rulesets/.*:\d+$", "mailertable", "routed.example"),
    "RCPT TO:<alice>": ("parse", r"rulesets/.*:\d+$", None, None)}


@case
def what_decided():
    """Each decision is logged with the ruleset, the .mc line or the library's, and the entry of the map that it went by."""
    for name, text in (("t.mc", DECIDING), ("mailertable", "routed.example\tlocal:alice\nshut.example\terror:5.7.1:550 shut\n"),
                       ("access", 'From:bad@example.net\tREJECT\nFrom:odd@example.net\tQUARANTINE:odd\nTo:closed@\tERROR:"550 closed"\n')):
        with open(PLACE + "/" + name, "w") as f:
            f.write(text)
    subprocess.run("rm -rf {0}/q; mkdir -m 755 {0}/q; rm -f {0}/*.json; for m in access mailertable; do {1} map build {0}/$m < {0}/$m; done".format(PLACE, MCF), shell=True,
                   check=True, stderr=subprocess.DEVNULL)
    cf, out = PLACE + "/decided.cf", []
    subprocess.run([MCF, "build", "-o", cf, "--map", cf + ".map", PLACE + "/t.mc"], check=True)
    open(PLACE + "/syslog", "w").close()
    mails = list(DECIDED)[:3]
    lines = [mails[0], mails[2], mails[1]] + list(DECIDED)[3:]
    speak(MCFD, cf, MAIL[0], *lines[:2], "MAIL FROM:<u@example.net>", *lines[3:], *MAIL[3:-1], lines[2], "QUIT", flags=["--log-json=" + PLACE + "/decided.json"])
    with open(PLACE + "/decided.json") as f:
        events = [json.loads(line) for line in f]
    with open(PLACE + "/syslog") as f:
        syslog = f.read()
    for said, (ruleset, source, name, key) in DECIDED.items():
        address = re.search("<(.*)>", said).group(1)
        got = [e for e in events if e["event"] in ("ruling", "route", "refused") and address in (e.get("to") or e.get("address") or e["arg1"])]
        if len(got) != 1 or got[0]["ruleset"] != ruleset or not re.search(source, got[0]["source"]) or (got[0].get("map"), got[0].get("key")) != (name, key):
            out.append("%s: %r" % (said, got))
        elif ruleset != "parse" and not re.search("ruleset=%s, arg1=<%s>.*, source=%s%s" % (
                ruleset, re.escape(address), re.escape(got[0]["source"]), ", map=%s, key=%s$" % (name, key) if name else "$"), syslog, re.M):
            out.append("syslog has no line of %s: %s" % (said, syslog))
    return "\n".join(out)


@case
def a_log_that_is_started_anew():
    """What a daemon says is not lost when the system's log has another socket than when it began."""
    cf = fresh(LogLevel="9", DeliveryMode="queueonly")
    d = subprocess.Popen([MCFD, "-bD", "-C", cf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(PLACE + "/q/mcfd.control"):
        time.sleep(0.05)
    logger.start(PLACE)
    open(PLACE + "/syslog", "w").close()
    speak(MCFD, cf, MAIL[0], "MAIL FROM:<u@nosuch.invalid>", *MAIL[1:])
    c = socket.create_connection(("127.0.0.1", 25))
    f = c.makefile("rb")
    for line in (b"HELO x", b"MAIL FROM:<v@nosuch.invalid>", b"QUIT"):
        f.readline()
        c.sendall(line + b"\r\n")
    f.read()
    time.sleep(0.3)
    d.terminate()
    d.wait(20)
    with open(PLACE + "/syslog") as f:
        said = f.read()
    return "" if "from=<u@example.net>" in said and "arg1=<v@nosuch.invalid>" in said else said


def inside(names):
    logger.start(PLACE)
    with open(PLACE + "/record", "w") as f:
        f.write("#!/bin/sh\ncat >/dev/null\n")
    os.chmod(PLACE + "/record", 0o755)
    for name in names:
        try:
            why = CASES[name]()
        except Exception as e:
            why = repr(e)
        print(json.dumps([name, why]), flush=True)
    os._exit(0)


service.cases(case, run, fresh, speak, MAIL, MCFD, SENDMAIL, PLACE)


# ---------------------------------------------------------------- outside

def configuration():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(ROOT, "tests", "smtp", "base.mc")) as f:
            text = f.read().replace("HERE\n", "")
        with open(folder + "/t.mc", "w") as f:
            f.write(text)
        cf = compile_mc(folder + "/t.mc")[1].decode("latin-1")
    out = []
    for line in cf.split("\n"):
        if re.match(r"O\s*(DaemonPortOptions|QueueDirectory|PidFile|LogLevel|DeliveryMode|StatusFile|QueueLA|RefuseLA|DefaultUser)\b", line):
            continue
        if re.match(r"M(?:local|prog|procmail|cyrus\w*),", line):
            line = re.sub(r"P=[^,]+", "P=%s/record" % PLACE, line, count=1)
        out.append(line)
    return "\n".join(out + ["O DaemonPortOptions=Port=25,Addr=127.0.0.1,Name=MTA", "O QueueDirectory=%s/q" % PLACE, "O PidFile=%s/pid" % PLACE,
                            "O DontProbeInterfaces=True", "O QueueLA=1000", "O RefuseLA=1000", "O DontBlameSendmail=safe,GroupWritableDirPathSafe", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    names = given.cases or list(CASES)
    if given.inside:
        inside(names)
    need_root()
    need_mcf()
    need_programs("sendmail", "makemap", "unshare", "ip", "m4")
    report = Report("modes", "tests/modes/run.py '{}'", given.verbose)
    with tempfile.NamedTemporaryFile("w", suffix=".cf") as f:
        f.write(configuration())
        f.flush()
        command = [NS, "sh", "-c", 'cat > /run/keep.cf && exec "$@"', "sh", sys.executable, os.path.realpath(__file__), "--inside", *names]
        with open(f.name) as cf:
            p = subprocess.run(command, stdin=cf, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = {}
    for line in p.stdout.splitlines():
        name, why = json.loads(line)
        told[name] = why
    for name in names:
        why = told.get(name, "it did not end: " + p.stderr[-500:])
        report.check(name, not why, why)
    report.close()


if __name__ == "__main__":
    main()
