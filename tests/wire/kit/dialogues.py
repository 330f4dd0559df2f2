"""AUTH, STARTTLS, aliases, lists and .forward files: (name, client address, steps), as talk.py and whoever speaks them know it.

A step is a line, raw bytes, or (either, number of replies). A body carries tag-NAME, by which what was delivered is
matched to its dialogue."""
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import talk
from talk import encoded

ADDRESSES = ["192.0.2.%d" % n for n in (11, 12, 20, 30, 66, 98, 99, 200)] + ["192.168.0.5"]
SINKS = ["192.0.2.%d" % n for n in (11, 12, 20, 30, 98, 99)]
ALIASES = """postmaster: root
MAILER-DAEMON: postmaster
one: user
two: user, user2
far: user, u@foo.com, refused@foo.com
owner-far: user2
circle: round
round: circle
list: :include:/srv/lists/good
owner-list: far-away@foo.com
nolist: :include:/srv/lists/nosuch
open: :include:/srv/lists/open
secret: :include:/srv/lists/secret
programs: :include:/srv/lists/programs
theirs: :include:/srv/lists/theirs
run: "|exit 0"
fail: "|exit 67", user
file: /srv/box/new
root-file: /srv/box/of-root
linked: /srv/box/link
bits: /srv/box/executable
null: /dev/null
plus+x: user
plus+*: user2
self: self
escaped: \\user, user2
"""
FILES = {
    "/srv/lists/good": ("root", 0o644, "user\n# a remark\nuser2, u@foo.com\n"),
    "/srv/lists/open": ("root", 0o664, "user\n"),
    "/srv/lists/secret": ("root", 0o600, "user\n"),
    "/srv/lists/programs": ("user", 0o644, '"|exit 0"\nuser2\n'),
    "/srv/lists/theirs": ("7777", 0o644, '"|exit 0"\n'),
    "/srv/box/of-root": ("root", 0o600, ""),
    "/srv/box/executable": ("daemon", 0o700, ""),
    "/srv/user2/.forward": ("user2", 0o644, "user, \\user2\n"),
    "/srv/info2/.forward": ("info2", 0o664, "user\n"),
    "/srv/catchall/.forward": ("user", 0o644, "user\n"),
}
if os.path.basename(sys.argv[0]) == "wire_client.py" or os.environ.get("WIRE_INSIDE"):
    talk.prepare(ALIASES, FILES)
    os.symlink("/srv/box/of-root", "/srv/box/link")
    socket.socket = talk.Socket

E = "EHLO client.example"
TLS = ["STARTTLS", b"\0tls", E]


def msg(tag, head="Subject: hello\r\n", body="text\r\n"):
    return (head + "\r\n" + body + "tag-" + tag + "\r\n.\r\n").encode("latin-1")


def mail(tag, frm, *to, **more):
    return ["MAIL FROM:<%s>" % frm] + ["RCPT TO:<%s>" % t for t in to] + ["DATA", msg(tag, **more), "QUIT"]


def plain(user, password, who=""):
    return encoded(b"\0".join(x.encode() for x in (who, user, password)))


def b64(text):
    return encoded(text.encode())


def by(certificate):
    return ["STARTTLS", b"\0tls " + certificate.encode(), E]


AWAY, HOME = "192.0.2.200", "127.0.0.1"
GOOD = "AUTH PLAIN " + plain("alice", "secret")
DIALOGUES = [
    # AUTH
    ("plain", AWAY, [E, GOOD] + mail("plain", "alice@foo.com", "u@foo.com")),
    ("plainlater", AWAY, [E, "AUTH PLAIN", plain("alice", "secret")] + mail("plainlater", "alice@foo.com", "u@bar.org")),
    ("login", AWAY, [E, "AUTH LOGIN", b64("bob"), b64("secret")] + mail("login", "x@foo.com", "u@foo.com")),
    ("loginatonce", AWAY, [E, "AUTH LOGIN " + b64("bob"), b64("secret"), "QUIT"]),
    ("cram", AWAY, [E, "AUTH CRAM-MD5", b"\0cram alice secret"] + mail("cram", "x@foo.com", "u@foo.com")),
    ("cramwrong", AWAY, [E, "AUTH CRAM-MD5", b"\0cram alice wrong"] + mail("cramwrong", "x@foo.com", "u@foo.com")),
    ("cramnobody", AWAY, [E, "AUTH CRAM-MD5", b"\0cram carol secret", "QUIT"]),
    ("digest", AWAY, [E, "AUTH DIGEST-MD5", b"\0digest alice secret", ""] + mail("digest", "x@foo.com", "u@foo.com")),
    ("digestwrong", AWAY, [E, "AUTH DIGEST-MD5", b"\0digest alice wrong", "QUIT"]),
    ("scram", AWAY, [E, "AUTH SCRAM-SHA-256 " + b64("n,,n=alice,r=abcdefgh"), b"\0scram sha256 alice secret", ""] + mail("scram", "x@foo.com", "u@foo.com")),
    ("scramwrong", AWAY, [E, "AUTH SCRAM-SHA-256 " + b64("n,,n=alice,r=abcdefgh"), b"\0scram sha256 alice wrong", "QUIT"]),
    ("plainwrong", AWAY, [E, "AUTH PLAIN " + plain("alice", "wrong"), "AUTH PLAIN " + plain("nobody", "secret"), GOOD, "QUIT"]),
    ("plainas", AWAY, [E, "AUTH PLAIN " + plain("alice", "secret", "bob"), "QUIT"]),
    ("cancelled", AWAY, [E, "AUTH LOGIN", "*", "AUTH PLAIN", "*", "AUTH CRAM-MD5", "*", GOOD, "QUIT"]),
    ("nobase64", AWAY, [E, "AUTH PLAIN !!!", "AUTH LOGIN", "!!!", "AUTH PLAIN =", "AUTH", "AUTH ", "AUTH NOSUCH", "AUTH PLAIN a b", "QUIT"]),
    ("twice", AWAY, [E, GOOD, GOOD, "RSET", GOOD, E, GOOD, "QUIT"]),
    ("behindmail", AWAY, [E, "MAIL FROM:<alice@foo.com>", GOOD, "RSET", GOOD, "MAIL FROM:<alice@foo.com>", "QUIT"]),
    ("withouthello", AWAY, [GOOD, "HELO x", GOOD, "QUIT"]),
    ("authparameter", AWAY, [E, "MAIL FROM:<a@foo.com> AUTH=<>", "RSET", "MAIL FROM:<a@foo.com> AUTH=a@foo.com", "RSET", "MAIL FROM:<a@foo.com> AUTH=", "RSET",
                             "MAIL FROM:<a@foo.com> AUTH=a+2Bb", "RSET", "MAIL FROM:<a@foo.com> AUTH=a+zzb", "RSET", GOOD, "MAIL FROM:<a@foo.com> AUTH=bob",
                             "RSET", "MAIL FROM:<a@foo.com> AUTH=<> AUTH=<>", "QUIT"]),
    ("relaydenied", AWAY, [E, "MAIL FROM:<a@foo.com>", "RCPT TO:<u@nosuch.org>", "RSET", GOOD, "MAIL FROM:<a@foo.com>", "RCPT TO:<u@bar.org>", "QUIT"]),
    # STARTTLS
    ("tls", AWAY, [E] + TLS + mail("tls", "x@foo.com", "one@mail.test.example")),
    ("tlsauth", AWAY, [E] + TLS + [GOOD] + mail("tlsauth", "x@foo.com", "u@foo.com")),
    ("authtls", AWAY, [E, GOOD] + TLS + ["MAIL FROM:<x@foo.com>", "RCPT TO:<u@bar.org>", "QUIT"]),
    ("tlstwice", AWAY, [E] + TLS + ["STARTTLS", "NOOP", "QUIT"]),
    ("tlsparameter", AWAY, [E, "STARTTLS now", "STARTTLS", b"\0tls", "NOOP", E, "QUIT"]),
    ("tlsbehindmail", AWAY, [E, "MAIL FROM:<x@foo.com>", "STARTTLS", "RCPT TO:<one@mail.test.example>", "RSET", "STARTTLS", b"\0tls", "RCPT TO:<one@mail.test.example>", E, "QUIT"]),
    ("tlspipelined", AWAY, [E, b"STARTTLS\r\nNOOP\r\nRSET\r\n", b"\0tls", E, "QUIT"]),
    ("tlsnohello", AWAY, ["STARTTLS", b"\0tls", "MAIL FROM:<x@foo.com>", E, "QUIT"]),
    ("nohandshake", AWAY, [E, "STARTTLS", b"NOOP this is no handshake\r\n"]),
    ("certificate", AWAY, [E] + by("client.pem") + mail("certificate", "x@foo.com", "u@bar.org")),
    ("expired", AWAY, [E] + by("expired.pem") + ["MAIL FROM:<x@foo.com>", "RCPT TO:<u@bar.org>", "QUIT"]),
    ("stranger", AWAY, [E] + by("other.pem") + ["MAIL FROM:<x@foo.com>", "RCPT TO:<u@bar.org>", "QUIT"]),
    ("revoked", AWAY, [E] + by("revoked.pem") + ["MAIL FROM:<x@foo.com>", "RCPT TO:<u@bar.org>", "QUIT"]),
    ("odd", AWAY, [E] + by("odd.pem") + ["MAIL FROM:<x@foo.com>", "RCPT TO:<u@bar.org>", "QUIT"]),
    ("needstls", "192.0.2.98", [E, "MAIL FROM:<x@foo.com>"] + TLS + ["MAIL FROM:<x@foo.com>", "QUIT"]),
    ("needscertificate", "192.0.2.99", [E] + TLS + ["MAIL FROM:<x@foo.com>", "QUIT"]),
    ("hascertificate", "192.0.2.99", [E] + by("client.pem") + ["MAIL FROM:<x@foo.com>", "QUIT"]),
    ("notls", "192.0.2.66", [E, "STARTTLS", "QUIT"]),
    # aliases
    ("one", HOME, [E] + mail("one", "x@foo.com", "one")),
    ("two", HOME, [E] + mail("two", "x@foo.com", "two", "ONE@mail.test.example")),
    ("far", HOME, [E] + mail("far", "x@foo.com", "far")),
    ("circles", HOME, [E, "MAIL FROM:<x@foo.com>", "RCPT TO:<circle>", "RCPT TO:<self>", "RCPT TO:<escaped>", "DATA", msg("circles"), "QUIT"]),
    ("detail", HOME, [E] + mail("detail", "x@foo.com", "plus+x", "plus+y", "plus", "user+z")),
    ("direct", HOME, [E, "MAIL FROM:<x@foo.com>", 'RCPT TO:<"|exit 0">', "RCPT TO:</srv/box/new>", 'RCPT TO:<":include:/srv/lists/good">', "RCPT TO:<\\user>", "QUIT"]),
    ("expn", HOME, [E, "EXPN two", "EXPN list", "EXPN nosuch", "VRFY one", "VRFY user2", "EXPN user2", "QUIT"]),
    # lists and .forward files
    ("list", HOME, [E] + mail("list", "x@foo.com", "list")),
    ("lists", HOME, [E, "MAIL FROM:<x@foo.com>", "RCPT TO:<nolist>", "RCPT TO:<open>", "RCPT TO:<secret>", "RCPT TO:<theirs>", "RCPT TO:<programs>", "DATA", msg("lists"), "QUIT"]),
    ("forward", HOME, [E] + mail("forward", "x@foo.com", "user2")),
    ("openforward", HOME, [E] + mail("openforward", "x@foo.com", "info2")),
    ("theirforward", HOME, [E] + mail("theirforward", "x@foo.com", "catchall")),
    # programs and files
    ("run", HOME, [E] + mail("run", "x@foo.com", "run", "null")),
    ("fail", HOME, [E] + mail("fail", "u@foo.com", "fail")),
    ("files", HOME, [E] + mail("files", "u@foo.com", "root-file", "linked", "bits")),
]
