"""kinds_values: values that are no number, time, flag, port or filter."""
import re

import facts
from breaks import alone_mailers, definitions, kind, misspellings, pick, put_in, replaced, some, spot


def wrong_values(src, rng, variables, values):
    """Wrong values for variables that are defined there, and for some that are not."""
    for c in definitions(src, variables):
        for shape, value in values:
            yield replaced(shape, *c.args[1].inner, value, at=c.args[1].start)
    offset = spot(rng, src)
    for v in some(rng, [v for v in variables if v not in src.mentions], 3):
        if offset:
            shape, value = pick(rng, values)
            yield put_in(src, offset, shape + ", new line", "define(`%s', `%s')dnl" % (v, value))


@kind("bad-number")
def bad_number(src, rng):
    numbers = [v for v in facts.of_type("NUMBER") if v not in facts.SIZES]
    yield from wrong_values(src, rng, numbers, [
        ("word", "ninety"), ("letter O", "9O"), ("comma", "1,000"), ("letter l", "l2"),
        ("unit", "12 jobs"), ("approximate", "~20"), ("yes", "yes")])
    yield from wrong_values(src, rng, facts.of_type("OCTAL"), [
        ("not octal", "0698"), ("letters", "rw-r-----"), ("0o", "0o600")])


@kind("bad-size")
def bad_size(src, rng):
    yield from wrong_values(src, rng, facts.SIZES, [
        ("MB", "10MB"), ("M", "10M"), ("k", "512k"), ("words", "ten megabytes"), ("space", "10 MB"),
        ("separators", "10_000_000"), ("fraction", "1.5M")])


@kind("bad-time")
def bad_time(src, rng):
    yield from wrong_values(src, rng, facts.of_type("TIME"), [
        ("unit", "5 fortnights"), ("letter", "10x"), ("words", "five minutes"), ("hr", "1hr"),
        ("min", "30min"), ("spelt out", "5 minutes"), ("ms", "500ms"), ("letter O", "1Om")])


@kind("bad-boolean")
def bad_boolean(src, rng):
    yield from wrong_values(src, rng, facts.of_type("BOOL"), [
        ("maybe", "maybe"), ("1", "1"), ("enabled", "enabled"), ("ja", "ja"), ("0n", "0n"),
        ("not", "not")])


@kind("bad-word")
def bad_word(src, rng):
    for v, words in (("confDELIVERY_MODE", ["immediate", "quick", "xyz"]),
                     ("confERROR_MODE", ["reply", "zap"]),
                     ("confQUEUE_SORT_ORDER", ["size", "zorder"]),
                     ("confEIGHT_BIT_HANDLING", ["keep", "8bit"]),
                     ("confNO_RCPT_ACTION", ["add-nothing", "ignore"]),
                     ("confSAFE_QUEUE", ["perhaps"])):
        yield from wrong_values(src, rng, [v], [(v, w) for w in words])


# ---- flags ------------------------------------------------------------------------------------

@kind("daemon-modifier")
def daemon_modifier(src, rng):
    letter = pick(rng, facts.NO_MODIFIERS)
    for c in src.named("DAEMON_OPTIONS"):
        a = c.args[0]
        if not a.simple:
            continue
        m = re.search(r"\bM(?:odify)?=(\w+)", a.value)
        if m:
            s, e = a.inner[0] + m.start(1), a.inner[0] + m.end(1)
            yield replaced("added", e, e, letter)
            yield replaced("replaced", s, e, letter)
        else:
            yield replaced("new", a.inner[1], a.inner[1], ", M=" + letter)
    offset = spot(rng, src)
    if offset and not src.client_only():
        line = "DAEMON_OPTIONS(`Port=2525, Name=EXTRA, M=E%s')dnl"
        yield put_in(src, offset, "new line", line % letter, good=line % "")


@kind("mailer-flag", lint=True)
def mailer_flag(src, rng):
    letter = pick(rng, facts.NO_FLAGS)
    flags = [c for c in src.named("MODIFY_MAILER_FLAGS") if len(c.args) > 1 and c.args[1].simple]
    flags += [c for c in definitions(src) if re.fullmatch(r"\w+_(MAILER|SHELL)_FLAGS", c.arg(0))]
    for c in flags:
        i = c.args[1].inner[1]
        yield replaced("variable" if c.name == "define" else "added", i, i, letter)
    offset = spot(rng, src)
    if not offset or not alone_mailers(src):
        return
    for shape, new in (("plus", "+" + letter), ("minus", "-" + letter),
                       ("with good ones", "+E" + letter)):
        name = pick(rng, ["LOCAL", "SMTP", "ESMTP", "RELAY"])
        yield put_in(src, offset, shape, "MODIFY_MAILER_FLAGS(`%s', `%s')dnl" % (name, new))
    for v, good in (("LOCAL_MAILER_FLAGS", "Prmn9"), ("SMTP_MAILER_FLAGS", "e")):
        if v not in src.mentions:
            yield put_in(src, offset, "variable, new line", "define(`%s', `%s')dnl" % (v, good + letter),
                         good="define(`%s', `%s')dnl" % (v, good))


@kind("modify-mailer", lint=True)
def modify_mailer(src, rng):
    """MODIFY_MAILER_FLAGS of a mailer that does not exist: it does nothing."""
    offset = spot(rng, src)
    if not offset or not alone_mailers(src):
        return
    names = [("lower case", "smtp"), ("lower case", "local"), ("no mailer", "FOO"),
             ("suffix", "SMTP_MAILER")]
    for good in ("LOCAL", "SMTP"):
        names += misspellings(rng, good, facts.MODIFY_NAMES, case=False)[:3]
    for shape, name in names:
        yield put_in(src, offset, shape, "MODIFY_MAILER_FLAGS(`%s', `+9')dnl" % name)


# ---- listeners, filters, arguments ------------------------------------------------------------

@kind("bad-port")
def bad_port(src, rng):
    for c in src.named("DAEMON_OPTIONS"):
        m = re.search(r"\bPort=(smtp|submission|\d+)\b", c.arg(0))
        if m and c.args[0].simple:
            s, e = c.args[0].inner[0] + m.start(1), c.args[0].inner[0] + m.end(1)
            wrong = {"smtp": "smpt", "submission": "submision"}.get(m.group(1), "70025")
            yield replaced("existing", s, e, wrong)
    offset = spot(rng, src)
    if offset and not src.client_only():
        line = "DAEMON_OPTIONS(`Port=%s, Name=EXTRA')dnl"
        for shape, port in (("misspelt", "smpt"), ("misspelt", "submision"), ("too high", "70025"),
                            ("letter O", "2O25")):
            yield put_in(src, offset, shape + ", new line", line % port, good=line % "2525")


@kind("bad-filter")
def bad_filter(src, rng):
    offset = spot(rng, src)
    if not offset or src.client_only():
        return
    for shape, equates in (("no socket", "F=T, T=S:1m"), ("flag", "S=local:/run/own.sock, F=Z"),
                           ("timeout", "S=local:/run/own.sock, T=Q:1m"),
                           ("protocol", "S=tcp:8891@localhost"), ("key", "X=local:/run/own.sock"),
                           ("time unit", "S=inet:8891@localhost, T=S:1x")):
        yield put_in(src, offset, shape, "INPUT_MAIL_FILTER(`ownfilter', `%s')dnl" % equates)


@kind("missing-argument")
def missing_argument(src, rng):
    required = ("dnsbl", "enhdnsbl", "rhsbl", "nullclient", "nouucp")
    for c in src.named("FEATURE"):
        if c.arg(0) in required and len(c.args) > 1:
            yield replaced(c.arg(0), c.args[0].quoted_end, c.end - 1, "", at=c.start)
    offset = spot(rng, src)
    if offset and not src.client_only():
        for f in ("dnsbl", "enhdnsbl", "nouucp"):
            if not src.has_feature(f):
                yield put_in(src, offset, f + ", new line", "FEATURE(`%s')dnl" % f)


@kind("no-include")
def no_include(src, rng):
    for c in src.named("include"):
        if "cf.m4" not in c.arg(0) and c.args[0].simple and c.divert >= 0:
            i = c.args[0].inner[1]
            yield replaced("existing", i, i, "x", at=c.start)
    offset = spot(rng, src)
    if offset:
        yield put_in(src, offset, "new line", "include(`/etc/mail/no-such-file.m4')dnl")
