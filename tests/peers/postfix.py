"""postfix: a Postfix that was unpacked, not installed, on an address of its own, with TLS and SASL both ways."""
import os
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
# By tools/deps.sh; it cannot be installed beside sendmail.
ROOT = os.path.realpath(os.environ.get("POSTFIX", os.path.join(HERE, "..", "..", "build", "unpacked", "postfix")))
SERVICES = """smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
"""
MAIN = """compatibility_level = 3.6
queue_directory = %(here)s/queue
data_directory = %(here)s/data
command_directory = %(root)s/usr/sbin
daemon_directory = %(root)s/usr/lib/postfix/sbin
shlib_directory = %(root)s/usr/lib/postfix
meta_directory = %(here)s/etc
import_environment = MAIL_CONFIG LD_LIBRARY_PATH=%(root)s/usr/lib/postfix
maillog_file = %(log)s
maillog_file_prefixes = /run
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example.com
mydestination =
mynetworks =
alias_maps =
inet_interfaces = %(address)s
inet_protocols = ipv4
smtp_bind_address = %(address)s
transport_maps = texthash:%(here)s/etc/transport
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_authenticated_header = yes
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = %(tls)s/server.pem
smtpd_tls_key_file = %(tls)s/server.key
smtpd_tls_CAfile = %(tls)s/ca.pem
smtpd_tls_ask_ccert = yes
smtpd_tls_received_header = yes
smtp_tls_policy_maps = texthash:%(here)s/etc/policy
smtp_tls_CAfile = %(tls)s/ca.pem
smtp_tls_cert_file = %(tls)s/server.pem
smtp_tls_key_file = %(tls)s/server.key
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:%(here)s/etc/passwords
smtp_sasl_security_options = noanonymous
"""


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def start(place, address, tls, word, routes):
    """routes: domain -> address. Whoever is not the sink is logged in at, and has the certificate of mail.example.com. Gives the process."""
    here = place + "/postfix"
    with open("/etc/passwd", "a") as f:
        f.write("postfix:x:990:990::/:/bin/false\n")
    with open("/etc/group", "a") as f:
        f.write("postfix:x:990:\npostdrop:x:991:\n")
    for folder in ("etc", "data", "queue"):
        os.makedirs("%s/%s" % (here, folder))
    for folder in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
        os.makedirs("%s/queue/%s" % (here, folder))
        os.chown("%s/queue/%s" % (here, folder), 990, 0)
    for folder, mode, uid, gid in (("maildrop", 0o1730, 990, 991), ("public", 0o2710, 990, 991), ("pid", 0o755, 0, 0)):
        os.makedirs("%s/queue/%s" % (here, folder))
        os.chown("%s/queue/%s" % (here, folder), uid, gid)
        os.chmod("%s/queue/%s" % (here, folder), mode)
    os.chown(here + "/data", 990, 990)
    put(here + "/etc/main.cf", MAIN % dict(here=here, root=ROOT, log=place + "/postfix.log", address=address, tls=tls))
    put(here + "/etc/master.cf", SERVICES)
    put(here + "/etc/transport", "".join("%s smtp:[%s]\n" % r for r in routes.items()))
    peers = [a for a in routes.values() if not a.startswith("198.51.100.")]
    put(here + "/etc/policy", "".join("[%s] secure match=mail.example.com\n" % a for a in peers))
    put(here + "/etc/passwords", "".join("[%s] relay:%s\n" % (a, word) for a in peers))
    os.chown("/etc/sasldb2", 0, 990)  # SASL's usual database, for all three
    os.chmod("/etc/sasldb2", 0o640)
    env = dict(os.environ, MAIL_CONFIG=here + "/etc", MAIL_LOGTAG="postfix", LD_LIBRARY_PATH=ROOT + "/usr/lib/postfix")
    return subprocess.Popen([ROOT + "/usr/lib/postfix/sbin/master", "-c", here + "/etc", "-d"], env=env, stdout=subprocess.DEVNULL,
                            stderr=open(place + "/postfix.log", "ab"), stdin=subprocess.DEVNULL)
