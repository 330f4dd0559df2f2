#!/usr/bin/env python3
"""certificates.py FOLDER

Makes a small authority and what it has signed, by openssl(1): for tests with TLS. Keys and dates are fixed, so that
certificates and their fingerprints are the same in each run; they protect nothing.

  ca.pem        the authority
  server.pem    mail.example.com, and server.key
  relay.pem     mx1.example.net and others (with its key), for hosts that take mail
  client.pem    a client's, with its key; so are the next ones
  expired.pem   it is over
  revoked.pem   crl.pem says so
  odd.pem       its name has all kinds of characters
  other.pem     nobody we know has signed it
"""
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

CONFIG = """[ca]
default_ca = d
[d]
database = %(t)s/index
serial = %(t)s/serial
new_certs_dir = %(t)s
default_md = default
policy = p
email_in_dn = yes
unique_subject = no
copy_extensions = copy
crlnumber = %(t)s/number
[p]
countryName = optional
stateOrProvinceName = optional
organizationName = optional
commonName = supplied
emailAddress = optional
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:false
subjectKeyIdentifier = hash
"""
SUBJECTS = {
    "ca": "/C=DE/O=Example Authority/CN=The CA",
    "server": "/C=DE/O=Example/CN=mail.example.com",
    "relay": "/CN=mx1.example.net",
    "client": "/C=DE/ST=Berlin/O=Example (Test), Inc/CN=client.example/emailAddress=post@client.example",
    "expired": "/CN=expired.example",
    "revoked": "/CN=revoked.example",
    "odd": "/O=caf\u00e9 \\/ \\\\ ~/CN=<a> \"b\" \\+ c=d; e: (f) & 'g' {h}\t$i !%@/CN=second.example",
    "other": "/CN=other.example",
}
RELAY_NAMES = ("mx1.example.net", "tls.example", "tlsauth.example")
FROM, TO, OVER = "20200101000000Z", "20500101000000Z", "20210101000000Z"
SERIAL = "1001"


def run(*words, **more):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def key(name):
    """An Ed25519 key, of the name alone (RFC 8410)."""
    der = bytes.fromhex("302e020100300506032b657004220420") + hashlib.sha256(name.encode()).digest()
    return "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" % base64.b64encode(der).decode()


def put(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def sign(t, name, by):
    """NAME.crt in t."""
    alternatives = ["-addext", "subjectAltName=" + ",".join("DNS:" + n for n in RELAY_NAMES)] if name == "relay" else []
    put("%s/%s.key" % (t, name), key(name), 0o600)
    run("req", "-new", "-utf8", "-config", t + "/cnf", "-key", "%s/%s.key" % (t, name), "-subj", SUBJECTS[name], "-out", t + "/csr", *alternatives)
    run("ca", "-batch", "-notext", "-config", t + "/cnf", "-in", t + "/csr", "-out", "%s/%s.crt" % (t, name),
        "-startdate", FROM, "-enddate", OVER if name == "expired" else TO, "-extensions", "root" if name == by and name == "ca" else "leaf",
        "-keyfile", "%s/%s.key" % (t, by), *(["-selfsign"] if name == by else ["-cert", "%s/%s.crt" % (t, by)]))


def make(folder):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as t:
        put(t + "/cnf", CONFIG % {"t": t} + "[req]\ndistinguished_name = n\n[n]\n")
        put(t + "/index", "")
        put(t + "/serial", SERIAL + "\n")
        put(t + "/number", "01\n")
        for name in SUBJECTS:
            sign(t, name, name if name in ("ca", "other") else "ca")
        ca = ["-config", t + "/cnf", "-keyfile", t + "/ca.key", "-cert", t + "/ca.crt"]
        run("ca", *ca, "-revoke", t + "/revoked.crt")
        run("ca", *ca, "-gencrl", "-crl_lastupdate", FROM, "-crl_nextupdate", TO, "-out", t + "/crl.pem")
        for name in SUBJECTS:
            with open("%s/%s.crt" % (t, name)) as f:
                text = f.read()
            own = name not in ("ca", "server")
            put("%s/%s.pem" % (folder, name), text + (key(name) if own else ""), 0o600 if own else 0o644)
        put(folder + "/server.key", key("server"), 0o600)
        shutil.copy(t + "/crl.pem", folder + "/crl.pem")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(sys.argv[1])
