"""Address-test commands about what the dialogues turn on: rules for logins, certificates and lists."""
ASKED = ["trust_auth", "tls_client", "tls_server", "try_tls", "srv_features", "check_mail", "check_rcpt", "parse", "canonify"]
VALUES = ["bob $| bob", "OK", "NONE $| STARTTLS", "192.0.2.98", "client.example $| 192.0.2.66", "<x@foo.com>", "<u@bar.org>", "user@mail.test.example", "plus+x"]


def commands():
    out = []
    for value in VALUES:
        out += ["%s %s" % (ruleset, value) for ruleset in ASKED]
    return out
