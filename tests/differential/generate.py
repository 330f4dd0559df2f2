"""generate: random .mc files that the reference compiles without an error.

write(SEED, N, FOLDER) makes N files and returns their paths; the same seed makes the
same files. What is drawn from, and the order that the language asks for, stand in the
tables below. Run alone: generate.py SEED N FOLDER.
"""
import os
import random
import sys

SYSTEMS = ["linux", "linux", "debian", "freebsd6", "openbsd", "solaris8", "bsd4.4", "gnu", "aix5",
           "hpux11", "irix6", "sunos4.1", "darwin", "svr4", "unixware7"]

# name, choices of arguments (a list), what it needs before it
FEATURES = [
    ("access_db", ["", "`hash -T<TMPF> -o /etc/mail/access'", ", `skip'", ", `skip', `lookupdotdomain'",
                   ", `relaytofulladdress'", "`hash -T<TMPF> /etc/mail/access', `lookupdotdomain'"], ()),
    ("use_cw_file", [""], ()),
    ("use_ct_file", [""], ()),
    ("no_default_msa", ["", "`dnl'"], ()),
    ("always_add_domain", ["", "`added.example'"], ()),
    ("mailertable", ["", "`hash -o /etc/mail/mailertable'"], ()),
    ("virtusertable", ["", "`hash -o /etc/mail/virtusertable'"], ()),
    ("genericstable", ["", "`hash -o /etc/mail/genericstable'"], ()),
    ("domaintable", ["", "`hash -o /etc/mail/domaintable'"], ()),
    ("authinfo", ["", "`hash -o /etc/mail/authinfo'"], ()),
    ("delay_checks", ["", "`friend'", "`hater'", "`friend', `n'"], ("access_db",)),
    ("local_procmail", ["", "`/usr/bin/procmail'", "`', `procmail -t -Y -a $h -d $u'"], ()),
    ("local_lmtp", ["", "`/usr/sbin/mail.local'"], ()),
    ("smrsh", ["", "`/usr/sbin/smrsh'"], ()),
    ("blocklist_recipients", [""], ("access_db",)),
    ("greet_pause", ["`1000'", ""], ("access_db",)),
    ("redirect", [""], ()),
    ("ratecontrol", ["", ", `terminate'"], ("access_db",)),
    ("ratecontrol", ["`nodelay'", "`nodelay', `terminate'"], ("access_db", "delay_checks")),
    ("conncontrol", ["", ", `terminate'"], ("access_db",)),
    ("conncontrol", ["`nodelay'", "`nodelay', `terminate'"], ("access_db", "delay_checks")),
    ("accept_unresolvable_domains", [""], ()),
    ("accept_unqualified_senders", [""], ()),
    ("masquerade_envelope", [""], ()),
    ("masquerade_entire_domain", [""], ()),
    ("allmasquerade", [""], ()),
    ("nocanonify", ["", "`canonify_hosts'"], ()),
    ("relay_entire_domain", [""], ()),
    ("relay_hosts_only", [""], ()),
    ("promiscuous_relay", [""], ()),
    ("dnsbl", ["`dnsbl.example'", "`dnsbl.example', `\"550 listed \" $&{client_addr}'",
               "`list2.example', `quarantine'", "`list2.example', `discard'",
               "`broken.dnsbl.example', , `t'"], ()),
    ("enhdnsbl", ["`list2.example'", "`list2.example', `\"550 listed\"', `t', `127.0.0.4.'",
                  "`dnsbl.example', `quarantine', , `127.0.0.2.'"], ()),
    ("nouucp", ["`reject'", "`nospecial'"], ()),
    ("stickyhost", [""], ()),
]

HOSTS = ["hub.example.com", "[hub.example.com]", "smart.example.org", "esmtp:[smart.example.org]",
         "relay:hub.example.com", "smtp8:smart.example.org"]
DEFINITIONS = [
    ("SMART_HOST", HOSTS), ("MAIL_HUB", HOSTS), ("LOCAL_RELAY", HOSTS),
    ("LUSER_RELAY", ["local:catchall", "hub.example.com", "error:5.1.1:550 Nobody"]),
    ("UUCP_RELAY", HOSTS), ("BITNET_RELAY", HOSTS), ("DECNET_RELAY", HOSTS), ("FAX_RELAY", HOSTS),
    ("confSMTP_MAILER", ["smtp", "smtp8", "esmtp", "dsmtp"]), ("confRELAY_MAILER", ["esmtp", "relay"]),
    ("confRELAY_MSG", ["550 Not through here"]), ("confREJECT_MSG", ["550 No"]),
    ("confRCPTREJ_MSG", ["550 Closed"]), ("confDOMAIN_NAME", ["mail.example.com", "$w.example.com"]),
    ("confLOG_LEVEL", ["5", "14"]), ("confTO_IDENT", ["0", "5s"]), ("confMAX_HOP", ["17"]),
    ("confPRIVACY_FLAGS", ["goaway", "authwarnings,novrfy,noexpn"]), ("confDELIVERY_MODE", ["queue"]),
    ("confAUTH_MECHANISMS", ["PLAIN LOGIN", "EXTERNAL"]), ("confAUTH_OPTIONS", ["A", "A p y"]),
    ("confCW_FILE", ["-o /etc/mail/local-host-names"]), ("confCR_FILE", ["/etc/mail/relay-domains"]),
    ("confFORWARD_PATH", ["", "$z/.forward"]), ("confOPERATORS", [".:%@!^/[]+="]),
    ("confFROM_HEADER", ["<$g>"]), ("confCF_VERSION", ["random"]), ("confTIME_ZONE", ["USE_TZ", "UTC"]),
    ("confBIND_OPTS", ["WorkAroundBrokenAAAA"]), ("confMAX_RCPTS_PER_MESSAGE", ["50"]),
    ("confLDAP_CLUSTER", ["cluster"]), ("confTRUSTED_USERS", ["trusty alice"]),
    ("ALIAS_FILE", ["/etc/mail/aliases", "/etc/mail/aliases, /etc/mail/lists"]),
    ("QUEUE_DIR", ["/var/spool/mqueue/q*"]), ("STATUS_FILE", ["/var/log/st"]),
    ("LOCAL_MAILER_FLAGS", ["Prmn9", "SPfhn9"]), ("LOCAL_MAILER_ARGS", ["mail -d $u"]),
    ("LOCAL_MAILER_MAX", ["1000000"]), ("LOCAL_SHELL_FLAGS", ["eu9"]), ("LOCAL_MAILER_CHARSET", ["utf-8"]),
    ("SMTP_MAILER_MAX", ["5000000"]), ("SMTP_MAILER_FLAGS", ["L"]), ("SMTP_MAILER_CHARSET", ["utf-8"]),
    ("ESMTP_MAILER_ARGS", ["TCP $h 2525"]), ("RELAY_MAILER_ARGS", ["TCP $h 587"]),
    ("RELAY_MAILER_FLAGS", ["W"]), ("PROCMAIL_MAILER_PATH", ["/usr/local/bin/procmail"]),
    ("PROCMAIL_MAILER_ARGS", ["procmail -m $h $f $u"]), ("CYRUSV2_MAILER_FLAGS", ["A@/:|m"]),
    ("CYRUSV2_MAILER_MAXRCPTS", ["20"]), ("confUUCP_MAILER", ["uucp-new", "uucp-dom"]),
    ("UUCP_MAILER_FLAGS", ["e"]), ("UUCP_MAX_SIZE", ["200000"]), ("UUCP_MAILER_CHARSET", ["utf-8"]),
    ("FAX_MAILER_ARGS", ["fax $u"]), ("CYRUS_MAILER_MAX", ["10000"]), ("MAIL11_MAILER_FLAGS", ["nF"]),
    ("USENET_MAILER_MAX", ["50000"]), ("MAIL_SETTINGS_DIR", ["/etc/mail/"]),
]

MACROS = [
    "MASQUERADE_AS(`masq.example')", "MASQUERADE_DOMAIN(`example.org sub.example.net')",
    "MASQUERADE_DOMAIN_FILE(`/etc/mail/masquerade-domains')", "MASQUERADE_EXCEPTION(`keep.example.org')",
    "EXPOSED_USER(`root')", "EXPOSED_USER_FILE(`/etc/mail/exposed-users')", "LOCAL_USER(`root alice')",
    "LOCAL_DOMAIN(`local.example')", "RELAY_DOMAIN(`example.org')", "RELAY_DOMAIN(`192.168.77 203.0.113.8')",
    "RELAY_DOMAIN_FILE(`/etc/mail/relay-more')", "GENERICS_DOMAIN(`gen.example all.gen.example')",
    "GENERICS_DOMAIN_FILE(`/etc/mail/generics-domains')", "VIRTUSER_DOMAIN(`shop.example plus.example')",
    "VIRTUSER_DOMAIN_FILE(`/etc/mail/virt-domains')", "CANONIFY_DOMAIN(`alias.example.net')",
    "LDAPROUTE_DOMAIN(`ldap.example')", "TRUST_AUTH_MECH(`PLAIN GSSAPI')",
    "DAEMON_OPTIONS(`Port=smtp, Name=MTA, Addr=127.0.0.1')",
    "DAEMON_OPTIONS(`Port=submission, Name=MSA, M=Ea')", "CLIENT_OPTIONS(`Family=inet, Addr=192.0.2.1')",
    "INPUT_MAIL_FILTER(`one', `S=inet:9001@localhost, F=T')",
    "INPUT_MAIL_FILTER(`two', `S=unix:/run/two.sock')", "MAIL_FILTER(`three', `S=inet:9003@localhost')",
    "QUEUE_GROUP(`slow', `P=/var/spool/mqueue/slow, I=1h')", "MODIFY_MAILER_FLAGS(`LOCAL', `+S')",
    "MODIFY_MAILER_FLAGS(`SMTP', `-m')", "MODIFY_MAILER_FLAGS(`RELAY', `mDFMuXa')",
    "undefine(`confCR_FILE')", "SITECONFIG(`none', `ourhost', `U')", "SITECONFIG(`none', `v.example.org', `V')",
    "MODIFY_MAILER_FLAGS(`UUCP', `-U')",
]

SECTIONS = [
    "LOCAL_CONFIG\nDXa value\nCYone two\nKlocalmap hash -o /etc/mail/localmap\nHX-Own: $X",
    "LOCAL_RULE_0\nR$* < @ special.example. > $*\t$#error $@ 5.1.2 $: \"550 Closed\"",
    "LOCAL_RULE_1\nR$* < @ sender.example > $*\t$1 < @ example.org > $2",
    "LOCAL_RULE_2\nR$* < @ recipient.example > $*\t$1 < @ example.net > $2",
    "LOCAL_RULE_3\nR$* < @ three.example > $*\t$1 < @ example.org > $2",
    "LOCAL_NET_CONFIG\nR$* < @ $+ .near.example. > $*\t$#esmtp $@ $2.near.example $: $1 < @ $2.near.example. > $3",
    "LOCAL_RULESETS\nSLocal_check_mail\nR$* bad $*\t$#error $@ 5.7.1 $: \"550 Bad\"",
    "LOCAL_RULESETS\nSLocal_check_rcpt\nR$* spamtrap $*\t$#discard $: discard",
    "LOCAL_RULESETS\nSLocal_check_relay\nR$* $| 203.0.113.200\t$#error $@ 5.7.1 $: \"550 No\"",
    "LOCAL_UUCP\nR$+ < @ near . UUCP . > $*\t$#smtp $@ near.example $: $1",
    "LOCAL_CONFIG\nCUhost x\nCYnear\nCVa\nCPUUCP",
    "LOCAL_TRY_TLS\nR$* notls.example $*\t$#error $@ 5.7.1 $: \"550 No TLS\"",
]

MAILERS = [["local", "smtp"], ["smtp"], ["smtp", "procmail"], ["local", "smtp", "procmail", "cyrusv2"],
           ["smtp", "cyrusv2"], ["smtp", "uucp"], ["uucp"], ["uucp", "smtp"], ["smtp", "mail11", "uucp"],
           ["smtp", "usenet", "fax", "pop"], ["smtp", "cyrus", "phquery", "qpage"], ["mail11", "fax"]]


def one(r):
    lines = ["VERSIONID(`random')dnl", "OSTYPE(`%s')dnl" % r.choice(SYSTEMS)]
    kind = r.random()
    if kind < 0.05:
        return lines + ["FEATURE(`nullclient', `%s')dnl" % r.choice(HOSTS[:2])]
    if kind < 0.10:
        return lines + ["FEATURE(`msp'%s)dnl" % r.choice(["", ", `[127.0.0.1]'", ", `[127.0.0.1]', `MSA'"])]
    if r.random() < 0.2:
        lines.append("DOMAIN(`generic')dnl")
    for name, values in r.sample(DEFINITIONS, r.randrange(0, 12)):
        lines.append("define(`%s', `%s')dnl" % (name, r.choice(values)))
    seen = []

    def add(feature):
        name, choices, needs = feature
        if name in seen:
            return
        for need in needs:
            add(next(f for f in FEATURES if f[0] == need))
        seen.append(name)
        arguments = r.choice(choices)
        lines.append("FEATURE(`%s'%s)dnl" % (name, ", " + arguments if arguments else ""))
    for feature in r.sample(FEATURES, r.randrange(0, 14)):
        add(feature)
    lines += [m + "dnl" for m in r.sample(MACROS, r.randrange(0, 9))]
    lines += ["MAILER(`%s')dnl" % m for m in r.choice(MAILERS)]
    if r.random() < 0.3:  # read late, so that it may be said late
        name, values = r.choice(DEFINITIONS[:12])
        lines.append("define(`%s', `%s')dnl" % (name, r.choice(values)))
    return lines + r.sample(SECTIONS, r.randrange(0, 4))


def write(seed, count, folder):
    os.makedirs(folder, exist_ok=True)
    r = random.Random(seed)
    paths = []
    for i in range(count):
        path = os.path.join(folder, "random-%d-%03d.mc" % (seed, i))
        with open(path, "w", encoding="latin-1") as f:
            f.write("\n".join(one(r)) + "\n")
        paths.append(path)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    print("\n".join(write(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
