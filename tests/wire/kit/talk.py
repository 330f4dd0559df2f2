"""talk: what the dialogues need beyond lines: a socket that can do AUTH and TLS, and the files of this kit's world.

prepare() gives this mount namespace an /etc of its own, with passwords, certificates, aliases and homes. Socket takes
the place of socket.socket: a line that begins with a NUL is an order to it:

  tls [NAME.pem]            the handshake, as the one of that certificate; what comes of it is a reply
  cram|digest USER PASSWORD, scram HASH USER PASSWORD
                            the answer to the challenge of the last 334
"""
import base64
import os
import re
import socket
import ssl
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
import certificates
from mechanisms import cram_md5, digest_md5, encoded, scram

REALM = "mail.test.example"
PLAIN_SOCKET = socket.socket


def shell(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepare(aliases, files):
    """files: path: (owner, mode, text); all of it is gone with the namespace."""
    shell("t=$(mktemp -d); chmod 755 $t; cp -a /etc/. $t/; mount --bind $t /etc; mount -t tmpfs -o mode=755 none /srv; "
          "rm -f /etc/sasldb2 /etc/aliases.db; mkdir -p /etc/sasl2; chmod -R go-w /etc/mail /etc/sasl2; "
          "printf 'pwcheck_method: auxprop\\n' > /etc/sasl2/Sendmail.conf")
    for user in ("alice", "bob"):
        subprocess.run(["saslpasswd2", "-c", "-p", "-u", REALM, user], input=b"secret", check=True)
    shell("chown root:root /etc/sasldb2; chmod 600 /etc/sasldb2")
    certificates.make("/etc/kit-tls")
    with open("/etc/passwd", encoding="latin-1") as f:
        text = f.read()
    with open("/etc/passwd", "w", encoding="latin-1") as f:
        f.write(re.sub(r"(?m)^((user2?|info2|catchall):.*):/tmp:", r"\1:/srv/\2:", text))
    with open("/etc/aliases", "w") as f:
        f.write(aliases)
    for user in ("user", "user2", "info2", "catchall"):
        shell("mkdir -m 755 /srv/%s; chown %s /srv/%s" % (user, user, user))
    for path, (owner, mode, text) in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        shell("chown %s %s" % (owner, path))
        os.chmod(path, mode)
    shell("/usr/sbin/makemap -C /dev/null hash /etc/aliases.x </dev/null; rm -f /etc/aliases.x.db")


class Socket(PLAIN_SOCKET):
    """As a plain one, but for orders."""

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.tls = self.coming = self.going = None
        self.said, self.last = b"", b""

    def sendall(self, data, *flags):
        if data.startswith(b"\0"):
            self.order(data[1:].decode().split())
        elif self.tls:
            self.tls.write(data)
            super().sendall(self.going.read(), *flags)
        else:
            super().sendall(data, *flags)

    def recv(self, n, *flags):
        if self.said:
            said, self.said = self.said, b""
            return said
        data = self.secret() if self.tls else super().recv(n, *flags)
        self.last = (self.last + data)[-4000:]
        return data

    def secret(self):
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                more = super().recv(65536)
                if not more:
                    return b""
                self.coming.write(more)
            except ssl.SSLError:
                return b""

    def order(self, words):
        challenge = b""
        for line in self.last.split(b"\r\n"):
            if line.startswith(b"334 "):
                challenge = base64.b64decode(line[4:] + b"==")
        if words[0] == "tls":
            self.start_tls(words[1:])
            return
        try:
            if words[0] == "cram":
                answer = cram_md5(words[1], words[2], challenge)
            elif words[0] == "digest":
                answer = digest_md5(words[1], words[2], challenge, REALM, "smtp/" + REALM)
            else:
                answer = scram(words[1], words[2], words[3], challenge)
            answer = encoded(answer)
        except (KeyError, ValueError):
            answer = "*"  # it was no challenge of that mechanism
        self.sendall(answer.encode() + b"\r\n")

    def start_tls(self, names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name in names:
            context.load_cert_chain("/etc/kit-tls/" + name)
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.coming, self.going)
        try:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    super().sendall(self.going.read())
                    more = super().recv(65536)
                    if not more:
                        raise OSError("closed")
                    self.coming.write(more)
            super().sendall(self.going.read())
            self.tls = tls
            self.said = b"250 (TLS)\r\n"
        except OSError as e:
            self.said = b"550 (no TLS)\r\n"
