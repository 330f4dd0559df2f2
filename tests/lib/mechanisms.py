"""mechanisms: what a client of AUTH says to a challenge."""
import base64
import hashlib
import hmac
import re


def encoded(data):
    return base64.b64encode(data).decode()


def cram_md5(user, password, challenge):
    return ("%s %s" % (user, hmac.new(password.encode(), challenge, "md5").hexdigest())).encode()


def digest_md5(user, password, challenge, realm, service="smtp/mail.example.com"):
    """A client's answer to DIGEST-MD5 (RFC 2831)."""
    said = dict(re.findall(r'([\w-]+)="?([^",]*)', challenge.decode("latin-1")))
    nonce, cnonce = said["nonce"], "abcdefgh"

    def md5(b):
        return hashlib.md5(b).hexdigest()
    a1 = hashlib.md5(("%s:%s:%s" % (user, realm, password)).encode()).digest() + (":%s:%s" % (nonce, cnonce)).encode()
    a2 = "AUTHENTICATE:" + service
    answer = md5(("%s:%s:00000001:%s:auth:%s" % (md5(a1), nonce, cnonce, md5(a2.encode()))).encode())
    return ('username="%s",realm="%s",nonce="%s",cnonce="%s",nc=00000001,qop=auth,digest-uri="%s",response=%s' % (
        user, realm, nonce, cnonce, service, answer)).encode()


def scram(hashed, user, password, challenge):
    """A client's second message of SCRAM (RFC 5802); its first one was n,,n=USER,r=abcdefgh."""
    said = dict(f.split("=", 1) for f in challenge.decode().split(","))
    salted = hashlib.pbkdf2_hmac(hashed, password.encode(), base64.b64decode(said["s"]), int(said["i"]))
    key = hmac.new(salted, b"Client Key", hashed).digest()
    bare = "c=biws,r=" + said["r"]
    whole = "n=%s,r=abcdefgh,%s,%s" % (user, challenge.decode(), bare)
    signature = hmac.new(hashlib.new(hashed, key).digest(), whole.encode(), hashed).digest()
    return (bare + ",p=" + encoded(bytes(a ^ b for a, b in zip(key, signature)))).encode()
