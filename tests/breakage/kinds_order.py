"""kinds_order: what stands in the wrong place, twice, or not at all; and what is risky."""
import re

import facts
from breaks import (Break, alone_mailers, both_in, definitions, kind, moved, pick, put_in, replaced,
                    some, spot)
from kinds_text import unused_features


# ---- order ------------------------------------------------------------------------------------

@kind("feature-after-mailer", fix=True)
def feature_after_mailer(src, rng):
    mailers = alone_mailers(src)
    if not mailers:
        return
    first, last = mailers[0].line_start, mailers[-1].line_end
    features = [c for c in src.named("FEATURE") if c.end < first]
    for c in features:
        if c.alone:
            yield moved(src, c, last, "one FEATURE")
            if len(mailers) > 1:
                yield moved(src, c, mailers[0].line_end, "between MAILERs")
    for f in some(rng, unused_features(src), 2):
        line = "FEATURE(`%s')dnl" % f
        b = put_in(src, last, "new line", line)
        b.good = [(first, first, line + src.eol)]
        yield b
    # MAILERs above all features. Variables that they read must not come below by that.
    ostype = src.named("OSTYPE")
    if features and ostype and ostype[0].alone and ostype[0].line_end <= features[0].line_start:
        to = ostype[0].line_end
        text = "".join(src.text[c.line_start:c.line_end] for c in mailers)
        defined = any(c.name == "define" and to < c.start < first for c in src.calls)
        if text.endswith("\n") and not defined:
            yield Break("MAILERs first",
                        [(to, to, text)] + [(c.line_start, c.line_end, "") for c in mailers],
                        [(0, 0)] + [c.start for c in features])


# What a MAILER reads when it is called, with a value.
READS = {"local": (("LOCAL_MAILER_PATH", "/usr/bin/deliver"), ("LOCAL_MAILER_FLAGS", "SPfhn9"),
                   ("LOCAL_MAILER_ARGS", "deliver -d $u"), ("LOCAL_SHELL_PATH", "/bin/rsh"),
                   ("LOCAL_MAILER_MAX", "1000000")),
         "smtp": (("SMTP_MAILER_MAX", "2000000"), ("SMTP_MAILER_FLAGS", "e"),
                  ("ESMTP_MAILER_ARGS", "TCP $h 2525"), ("RELAY_MAILER_ARGS", "TCP $h 587"),
                  ("SMTP_MAILER_MAXMSGS", "10"), ("RELAY_MAILER_FLAGS", "e")),
         "procmail": (("PROCMAIL_MAILER_MAX", "3000000"),
                      ("PROCMAIL_MAILER_ARGS", "procmail -Y -m $h $f $u"))}
# Which MAILER writes the mailer that MODIFY_MAILER_FLAGS names.
MAILER_OF = {"LOCAL": "local", "SHELL": "local", "SMTP": "smtp", "ESMTP": "smtp", "SMTP8": "smtp",
             "DSMTP": "smtp", "RELAY": "smtp", "PROCMAIL": "procmail", "CYRUSV2": "cyrusv2"}


def late_line(src, mailer, shape, line):
    """A line below a MAILER that should stand above it."""
    b = put_in(src, mailer.line_end, shape, line)
    b.good = [(mailer.line_start, mailer.line_start, line + src.eol)]
    return b


@kind("variable-after-mailer", fix=True)
def variable_after_mailer(src, rng):
    own_local = src.has_feature("local_lmtp") or src.has_feature("local_procmail")
    for m in alone_mailers(src):
        name = m.arg(0)
        read = READS.get(name, ())
        for c in src.calls:
            if not c.alone or c.end > m.start or c.section:
                continue
            if c.name == "define" and c.arg(0) in dict(read):
                yield moved(src, c, m.line_end, "moved")
            if c.name == "MODIFY_MAILER_FLAGS" and MAILER_OF.get(c.arg(0)) == name:
                yield moved(src, c, m.line_end, "flags moved")
        for v, value in read:
            if v not in src.mentions and not own_local:
                yield late_line(src, m, "new line", "define(`%s', `%s')dnl" % (v, value))
        if name in ("local", "smtp") and "MODIFY_MAILER_FLAGS" not in src.mentions:
            yield late_line(src, m, "flags, new line", "MODIFY_MAILER_FLAGS(`%s', `+%s')dnl" %
                            (name.upper(), pick(rng, "Ce")))


# ---- twice ------------------------------------------------------------------------------------

SECOND = {"NUMBER": "77", "TIME": "7m", "PATH": "/etc/mail/other", "TEXT": "other.example"}
# These are read where they stand, so that two may both have an effect.
READ_EARLY = re.compile(r"_(MAILER|SHELL)_|MAIL_SETTINGS_DIR|DATABASE|CF_LEVEL|VENDOR|MAKEINFO")


def another_value(variable, value):
    of_type = facts.variable_type(variable)
    if of_type == "BOOL":
        return "False" if value.lower()[:1] in "ty" else "True"
    if variable.endswith(("_RELAY", "_HOST", "_HUB")):
        return "other.example"
    return SECOND.get(of_type)


@kind("variable-twice", lint=True)
def variable_twice(src, rng):
    for c in definitions(src, facts.VARIABLES):
        v, value = c.arg(0), c.arg(1)
        if sum(d.arg(0) == v for d in src.named("define")) > 1 or READ_EARLY.search(v) or not value:
            continue
        new = another_value(v, value)
        p = pick(rng, [p for p in src.directive_places() if p.at >= c.line_end])
        if p and new and new != value:
            yield put_in(src, p.at, "far" if p.at > c.line_end else "next line",
                         "define(`%s', `%s')dnl" % (v, new), at=[c.start])
    offset = spot(rng, src)
    if offset and not src.mentions & {"SMART_HOST", "nullclient"}:
        yield both_in(src, offset, "both new", "define(`SMART_HOST', `one.example')dnl",
                      "define(`SMART_HOST', `two.example')dnl")


@kind("feature-twice", lint=True)
def feature_twice(src, rng):
    for c in src.named("FEATURE"):
        f = c.arg(0)
        p = pick(rng, [p for p in src.directive_places() if p.at >= c.line_end])
        if p and f in facts.MAP_FEATURES and sum(d.arg(0) == f for d in src.named("FEATURE")) == 1:
            yield put_in(src, p.at, "plain", "FEATURE(`%s')dnl" % f, at=[c.start])
            yield put_in(src, p.at, "another map", "FEATURE(`%s', `hash -o /etc/mail/other')dnl" % f,
                         at=[c.start])
    offset = spot(rng, src)
    if offset and not src.client_only():
        for f in some(rng, [f for f in facts.MAP_FEATURES if not src.has_feature(f)], 1):
            yield both_in(src, offset, "both new", "FEATURE(`%s')dnl" % f,
                          "FEATURE(`%s', `hash /etc/mail/%s')dnl" % (f, f))


@kind("mailer-twice")
def mailer_twice(src, rng):
    mailers = alone_mailers(src)
    for c in mailers:
        if sum(d.arg(0) == c.arg(0) for d in src.named("MAILER")) == 1:
            yield put_in(src, mailers[-1].line_end, "again", "MAILER(`%s')dnl" % c.arg(0), at=[c.start])


@kind("ostype-twice")
def ostype_twice(src, rng):
    calls, offset = src.named("OSTYPE"), spot(rng, src)
    if offset and len(calls) == 1:
        name = pick(rng, ["solaris2", "freebsd6", "bsd4.4"])
        yield put_in(src, offset, "another", "OSTYPE(`%s')dnl" % name, at=[calls[0].start])


@kind("map-twice", lint=True)
def map_twice(src, rng):
    for start, end in src.config_lines("K"):
        name = re.match(r"K(\S+)", src.text[start:end])
        if name:
            new = src.eol + "K%s hash -o /etc/mail/other" % name.group(1)
            yield Break("existing", [(end, end, new)], [start, (0, len(src.eol))])
    if src.client_only():
        return
    yield both_in(src, len(src.text), "both new", "Kownmap hash -o /etc/mail/one",
                  "Kownmap hash -o /etc/mail/two", before=["LOCAL_CONFIG"])
    for f, name in (("access_db", "access"), ("mailertable", "mailertable"),
                    ("virtusertable", "virtuser")):
        c = src.feature(f)
        if c:
            yield put_in(src, len(src.text), "a feature's map", "K%s hash -o /etc/mail/other" % name,
                         before=["LOCAL_CONFIG"], at=[c.start])


@kind("port-twice", lint=True)
def port_twice(src, rng):
    offset = spot(rng, src)
    if src.client_only() or src.own_includes or not offset:
        return
    for c in src.named("DAEMON_OPTIONS"):
        port, address, family = facts.listener(c.arg(0))
        if not c.args[0].simple or not port.isdigit() or family != "inet":
            continue
        for shape, name in (("by number", port), ("by name", facts.SERVICES.get(port, port))):
            yield put_in(src, offset, "existing, " + shape, "DAEMON_OPTIONS(`Port=%s, Name=AGAIN%s')dnl" %
                         (name, ", Addr=" + address if address else ""), at=[c.start])
    if not src.mentions & {"DAEMON_OPTIONS", "DOMAIN"}:
        yield both_in(src, offset, "both new", "DAEMON_OPTIONS(`Port=smtp, Name=MTA')dnl",
                      "DAEMON_OPTIONS(`Port=25, Name=MTB')dnl")
        if not src.has_feature("no_default_msa"):
            yield put_in(src, offset, "the default MSA", "DAEMON_OPTIONS(`Port=587, Name=MSA2, M=Ea')dnl")


# ---- missing ----------------------------------------------------------------------------------

def taken_away(calls, about):
    yield Break("removed", [(c.line_start, c.line_end, "") for c in calls], [], about=about)
    yield Break("in a remark", [(c.start, c.start, "dnl ") for c in calls], [], about=about)


@kind("no-ostype")
def no_ostype(src, rng):
    calls = src.named("OSTYPE")
    if len(calls) == 1 and calls[0].alone and "__OSTYPE__" not in src.mentions:
        yield from taken_away(calls, r"OSTYPE")


@kind("no-mailer")
def no_mailer(src, rng):
    calls = src.named("MAILER")
    # MAILER(local) is there even if nobody names it.
    others = [c for c in calls if c.arg(0) != "local"]
    if others and all(c.alone for c in calls) and not src.client_only():
        if "MAILER_DEFINITIONS" not in src.mentions:
            yield from taken_away(calls, r"MAILER")


# A feature that does nothing, or harm, without another one.
WITHOUT = (("virtuser_entire_domain", "virtusertable"), ("generics_entire_domain", "genericstable"))


@kind("missing-need", lint=True)
def missing_need(src, rng):
    places = src.directive_places()
    offset = spot(rng, src)
    if src.client_only() or src.own_includes or not offset:
        return

    def call(f):
        return "FEATURE(`%s'%s)dnl" % (f, ", `q1'" if f == "queuegroup" else "")
    access = src.feature("access_db")
    needing = [c for c in src.named("FEATURE") if c.arg(0) in facts.NEED_ACCESS]
    unused = [f for f in facts.NEED_ACCESS if not src.has_feature(f)]
    if access and access.alone and needing:
        yield Break("access_db removed", [(access.line_start, access.line_end, "")],
                    [c.start for c in needing])
    if access:
        above = pick(rng, [p for p in places if p.at <= access.line_start])
        for f in some(rng, unused if above else [], 2):
            yield put_in(src, above.at, "above access_db", call(f))
    elif not src.has_feature("access_db"):
        for f in some(rng, unused, 3):
            yield put_in(src, offset, "without access_db", call(f))
        if not src.has_feature("greet_pause"):
            yield put_in(src, offset, "greet_pause without access_db", call("greet_pause"))
    for f, needed in WITHOUT:
        if not src.has_feature(needed) and not src.has_feature(f):
            yield put_in(src, offset, "%s without %s" % (f, needed), call(f))
    if "LUSER_RELAY" not in src.mentions and not src.has_feature("preserve_luser_host"):
        yield put_in(src, offset, "preserve_luser_host without LUSER_RELAY", call("preserve_luser_host"))


@kind("filter-unlisted", lint=True)
def filter_unlisted(src, rng):
    if src.client_only() or src.own_includes:
        return
    listed = "confINPUT_MAIL_FILTERS" in src.mentions
    for c in src.named("INPUT_MAIL_FILTER"):
        if not listed:
            yield replaced("INPUT_ dropped", c.start, c.start + len("INPUT_"), "")
    offset = spot(rng, src)
    if offset:
        yield put_in(src, offset, "MAIL_FILTER, new line",
                     "MAIL_FILTER(`ownfilter', `S=local:/run/ownfilter.sock, F=T')dnl")
        if not listed and "INPUT_MAIL_FILTER" not in src.mentions:
            yield put_in(src, offset, "listed but not there",
                         "define(`confINPUT_MAIL_FILTERS', `nosuchfilter')dnl")


# ---- old names, and what is risky -------------------------------------------------------------

# What stands in the place of an old variable; None: nothing, or it depends.
OLD_VARIABLES = (("confDAEMON_OPTIONS", "Port=2525, Name=OLD",
                  "DAEMON_OPTIONS(`Port=2525, Name=OLD')dnl"),
                 ("confCLIENT_OPTIONS", "Family=inet", "CLIENT_OPTIONS(`Family=inet')dnl"),
                 ("confAUTO_REBUILD", "True", None), ("confREAD_TIMEOUT", "5m", None),
                 ("confDEF_GROUP_ID", "1", None), ("confUNSAFE_GROUP_WRITES", "True", None),
                 ("confMESSAGE_TIMEOUT", "5d/4h", None))


@kind("deprecated", fix=True, lint=True)
def deprecated(src, rng):
    c = src.feature("blocklist_recipients")
    if c:
        yield replaced("blacklist_recipients", *c.args[0].inner, "blacklist_recipients", at=c.start)
    offset = spot(rng, src)
    if not offset or src.client_only():
        return
    if not src.has_feature("rbl"):
        yield put_in(src, offset, "rbl", "FEATURE(`rbl')dnl", fix=False)
    if not src.has_feature("tls_failures") and "confTLS_FALLBACK_TO_CLEAR" not in src.mentions:
        yield put_in(src, offset, "tls_failures", "FEATURE(`tls_failures')dnl",
                     good="define(`confTLS_FALLBACK_TO_CLEAR', `true')dnl")
    for v, value, good in OLD_VARIABLES:
        if not src.mentions & {v, v.replace("conf", "")}:
            yield put_in(src, offset, v, "define(`%s', `%s')dnl" % (v, value), good=good, fix=bool(good))


@kind("loopback-only", lint=True)
def loopback_only(src, rng):
    if src.client_only() or src.own_includes:
        return
    calls = src.named("DAEMON_OPTIONS")
    if calls and all(c.args[0].simple and facts.listener(c.arg(0))[1:] == (None, "inet") for c in calls):
        yield Break("all", [(c.args[0].inner[1],) * 2 + (", Addr=127.0.0.1",) for c in calls],
                    [c.start for c in calls])
    offset = spot(rng, src)
    if offset and not src.mentions & {"DAEMON_OPTIONS", "DOMAIN"}:
        for shape, options in (("address", "Port=smtp, Addr=127.0.0.1, Name=MTA"),
                               ("no blanks", "Port=smtp,Addr=127.0.0.1,Name=MTA"),
                               ("name", "Name=MTA, Addr=localhost, Port=25"),
                               ("IPv6", "Family=inet6, Addr=::1, Name=MTA")):
            yield put_in(src, offset, shape, "DAEMON_OPTIONS(`%s')dnl" % options)


@kind("promiscuous-relay")
def promiscuous_relay(src, rng):
    offset = spot(rng, src)
    if offset and not src.has_feature("promiscuous_relay") and not src.client_only():
        yield put_in(src, offset, "quoted", "FEATURE(`promiscuous_relay')dnl")
        yield put_in(src, offset, "bare", "FEATURE(promiscuous_relay)")
