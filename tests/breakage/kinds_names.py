"""kinds_names: names of macros, features, variables, words and options, misspelt."""
import re

import facts
from breaks import (SIMPLE, definitions, kind, misspellings, pick, put_in, replaced, simple_calls,
                    some, spot)


@kind("misspelt-macro", fix=True)
def misspelt_macro(src, rng):
    taken = src.known | facts.MACROS
    for c in src.calls:
        if c.name in SIMPLE or c.name in ("include", "divert"):
            other = [("S", c.name + "S"), ("no underscore", c.name.replace("_", "")),
                     ("hyphen", c.name.replace("_", "-"))]
            for shape, wrong in misspellings(rng, c.name, taken, other=other):
                yield replaced(shape, c.start, c.opens, wrong)
    for name, at in src.words:
        other = [("no underscore", name.replace("_", "")), ("space", name.replace("_", " "))]
        for shape, wrong in misspellings(rng, name, taken, other=other):
            yield replaced("section, " + shape, at, at + len(name), wrong)


@kind("misspelt-dnl", fix=True)
def misspelt_dnl(src, rng):
    wrongs = [("transposed", "dln"), ("dropped", "dn"), ("replaced", "dnk"), ("upper case", "DNL"),
              ("dropped first", "nl")]
    for c in src.named("define", "FEATURE", "MAILER", "OSTYPE"):
        if c.dnl and c.divert >= 0:
            shape, wrong = pick(rng, wrongs)
            yield replaced(shape, c.end, c.end + 3, wrong)
    starts = {p.at for p in src.places if p.divert >= 0}
    for start, end in src.remarks:
        if start in starts and re.fullmatch(r" # \w[^(`']*", src.text[start + 3:end]):
            yield replaced("remark", start, start + 3, pick(rng, ["dln", "dn", "ndl"]))


def misspelt_first(src, rng, macro, known, other=lambda name: ()):
    """The first argument of a macro, misspelt."""
    for c in src.named(macro):
        a = c.args[0]
        if a.value in known and (a.simple or a.bare):
            for shape, wrong in misspellings(rng, a.value, known, other=other(a.value)):
                yield replaced(shape, *a.inner, wrong, at=a.start)


@kind("misspelt-feature", fix=True)
def misspelt_feature(src, rng):
    yield from misspelt_first(src, rng, "FEATURE", facts.FEATURES, lambda name: [
        ("hyphen", name.replace("_", "-")), ("joined", name.replace("_", "")), ("plural", name + "s")])


@kind("misspelt-mailer", fix=True)
def misspelt_mailer(src, rng):
    yield from misspelt_first(src, rng, "MAILER", facts.MAILERS)


@kind("misspelt-ostype", fix=True)
def misspelt_ostype(src, rng):
    yield from misspelt_first(src, rng, "OSTYPE", facts.OSTYPES)


@kind("misspelt-domain", fix=True)
def misspelt_domain(src, rng):
    yield from misspelt_first(src, rng, "DOMAIN", facts.DOMAINS)
    offset = spot(rng, src)
    if offset and not src.named("DOMAIN") and not src.client_only():
        for shape, wrong in misspellings(rng, "generic", facts.DOMAINS):
            yield put_in(src, offset, shape + ", new line", "DOMAIN(`%s')dnl" % wrong,
                         good="DOMAIN(`generic')dnl")


@kind("misspelt-variable", fix=True)
def misspelt_variable(src, rng):
    for c in simple_calls(src, {"define", "undefine"}):
        a = c.args[0]
        if a.value not in facts.VARIABLES or not (a.simple or a.bare):
            continue
        other = []
        if a.value.startswith("conf"):
            rest = a.value[4:]
            other = [("no conf", rest), ("conf_", "conf_" + rest), ("CONF", "CONF" + rest)]
        if "_" in a.value.strip("_"):
            other.append(("joined", a.value.replace("_", "")))
        taken = facts.VARIABLES | src.mentions
        for shape, wrong in misspellings(rng, a.value, taken, case=False, other=other):
            yield replaced(shape, *a.inner, wrong, at=a.start)


# ---- words of a value -------------------------------------------------------------------------

def misspelt_words(src, rng, variable, words, line):
    """A word of a variable's value, in its definition or in a new line."""
    taken = {w.lower() for w in words} | set(words)
    for c in definitions(src, {variable}):
        a = c.args[1]
        for m in re.finditer(r"\b(%s)\b" % "|".join(words), a.value):
            s = a.inner[0] + m.start()
            for shape, wrong in misspellings(rng, m.group(1), taken, case=False):
                yield replaced(shape, s, s + len(m.group(1)), wrong)
    offset = spot(rng, src)
    if offset and not src.mentions & {variable, "DOMAIN"}:
        for word in some(rng, words, 2):
            for shape, wrong in misspellings(rng, word, taken, case=False):
                yield put_in(src, offset, shape + ", new line", line % wrong, good=line % word)


@kind("privacy-word", fix=True)
def privacy_word(src, rng):
    yield from misspelt_words(src, rng, "confPRIVACY_FLAGS", facts.PRIVACY,
                              "define(`confPRIVACY_FLAGS', `authwarnings,%s')dnl")


@kind("dont-blame-word", fix=True)
def dont_blame_word(src, rng):
    yield from misspelt_words(src, rng, "confDONT_BLAME_SENDMAIL", facts.BLAME,
                              "define(`confDONT_BLAME_SENDMAIL', `%s')dnl")


DAEMON_LINES = (("DAEMON_OPTIONS(`%s=2525, Name=EXTRA')dnl", "Port"),
                ("DAEMON_OPTIONS(`Port=2525, %s=EXTRA')dnl", "Name"),
                ("DAEMON_OPTIONS(`Port=2525, Name=EXTRA, %s=192.0.2.1')dnl", "Addr"),
                ("DAEMON_OPTIONS(`Name=EXTRA, %s=inet, Port=2525')dnl", "Family"),
                ("CLIENT_OPTIONS(`Family=inet, %s=192.0.2.1')dnl", "Addr"))


@kind("daemon-key", fix=True, lint=True)
def daemon_key(src, rng):
    """sendmail reads a key by its first letter, so that most wrong ones work by luck."""
    for c in src.named("DAEMON_OPTIONS", "CLIENT_OPTIONS"):
        for a in c.args:
            for m in re.finditer(r"\b(Name|Port|Addr|Family)\s*=", a.value):
                for shape, wrong in misspellings(rng, m.group(1), facts.DAEMON_KEYS, case=False):
                    s = a.inner[0] + m.start()
                    yield replaced(shape, s, s + len(m.group(1)), wrong)
    offset = spot(rng, src)
    if offset and not src.client_only():
        for line, key in DAEMON_LINES:
            for shape, wrong in misspellings(rng, key, facts.DAEMON_KEYS, case=False):
                yield put_in(src, offset, shape + ", new line", line % wrong, good=line % key)


@kind("map-class", fix=True)
def map_class(src, rng):
    known = {"hash", "btree", "text", "dbm", "dn", "regexp", "ldapx", "sequencer"}
    for c in src.named("FEATURE"):
        if c.arg(0) in facts.MAP_FEATURES and len(c.args) > 1 and c.args[1].simple:
            m = re.match(r"(hash|btree|text|dbm)\b", c.args[1].value)
            if m:
                s = c.args[1].inner[0]
                for shape, wrong in misspellings(rng, m.group(1), known, case=False):
                    yield replaced(shape, s, s + m.end(), wrong)
    for start, end in src.config_lines("K"):
        m = re.match(r"K\w+\s+(hash|btree|regex|dns|ldap|sequence)\b", src.text[start:end])
        if m:
            for shape, wrong in misspellings(rng, m.group(1), known, case=False):
                yield replaced("K line, " + shape, start + m.start(1), start + m.end(1), wrong)
    offset = spot(rng, src)
    if offset and not src.client_only():
        for f in some(rng, [f for f in facts.MAP_FEATURES if not src.has_feature(f)], 2):
            line = "FEATURE(`%s', `%s -o /etc/mail/%s')dnl"
            wrong = pick(rng, ["hsah", "hahs", "haash", "hash:", "bdb"])
            yield put_in(src, offset, "new line", line % (f, wrong, f), good=line % (f, "hash", f),
                         fix=wrong != "bdb")


@kind("misspelt-option", fix=True)
def misspelt_option(src, rng):
    known = {o.lower() for o in facts.OPTIONS}
    for start, end in src.config_lines("O"):
        m = re.match(r"O\s+(\w+)\s*=", src.text[start:end])
        if m:
            for shape, wrong in misspellings(rng, m.group(1), known, case=False):
                yield replaced(shape, start + m.start(1), start + m.end(1), wrong)
    if src.client_only():
        return
    for option, value in (("LogLevel", "11"), ("MaxMessageSize", "1000000"), ("BadRcptThrottle", "3")):
        for shape, wrong in some(rng, misspellings(rng, option, known, case=False), 2):
            yield put_in(src, len(src.text), shape + ", new section", "O %s=%s" % (wrong, value),
                         good="O %s=%s" % (option, value), before=["LOCAL_CONFIG"])
