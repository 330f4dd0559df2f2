"""breaks: the ways in which people break an .mc file.

A kind is a function that yields Breaks of one Source. A Break is one mistake: edits of
the file's text, and the places (the very lines) where somebody would have to mend it.
All that is drawn by lot comes from the rng that is passed in.
"""
import re

import facts
from source import Place

KINDS = {}


def kind(name, fix=False, lint=False):
    """fix: there is one right answer. lint: the .cf need not differ."""
    def keep(f):
        KINDS[name] = f
        f.fix, f.lint = fix, lint
        return f
    return keep


class Break:
    """edits: [(start, end, new text)], in order, of the good file. at: places of the very
    line, each an offset in the good text, or (number of the edit, offset in its new text).
    good: edits that give the file as it should be, where that is not the good file itself.
    about: a pattern; then any place will do and a finding must say it."""

    def __init__(self, shape, edits, at, good=(), about=None, fix=True):
        self.shape, self.edits, self.at = shape, sorted(edits, key=lambda e: e[:2]), at
        self.good, self.about, self.fix = sorted(good), about, fix


def apply(text, edits, at=()):
    """The edited text, and the line numbers of the places."""
    out, starts, done = [], [], 0
    for start, end, new in edits:
        out.append(text[done:start])
        starts.append(sum(map(len, out)))
        out.append(new)
        done = end
    out.append(text[done:])
    broken = "".join(out)
    lines = set()
    for place in at:
        if isinstance(place, tuple):
            offset = starts[place[0]] + place[1]
        else:
            shift = 0
            for (start, end, new), begin in zip(edits, starts):
                if end <= place:
                    shift += len(new) - (end - start)
                elif start <= place:
                    place = start
            offset = place + shift
        lines.add(broken.count("\n", 0, offset) + 1)
    return broken, lines


def insert(src, place, *lines):
    """An edit that puts lines in."""
    lead = "" if place.at == 0 or src.text[place.at - 1] == "\n" else src.eol
    return (place.at, place.at, lead + "".join(l + src.eol for l in lines))


def at_end(src, *lines):
    lead = "" if src.text.endswith("\n") else src.eol
    return (len(src.text), len(src.text), lead + "".join(l + src.eol for l in lines))


def line_in(edit, text):
    """The place of text in the new text of the edit numbered 0."""
    return (0, edit[2].index(text))


def pick(rng, things):
    things = list(things)
    return things[rng.randrange(len(things))] if things else None


def some(rng, things, n):
    things = list(things)
    return [things[i] for i in sorted(rng.sample(range(len(things)), min(n, len(things))))]


NEAR = dict(zip("abcdefghijklmnopqrstuvwxyz", "svdrwdhgujkmnbpowtayibcuxs"))


def misspellings(rng, word, taken, case=True, other=()):
    """[(shape, wrong word)]; none of them is in taken."""
    letters = [i for i, c in enumerate(word) if c.isalnum()]
    out = []
    swaps = [i for i in letters if i + 1 in letters and word[i] != word[i + 1]]
    if swaps:
        i = pick(rng, swaps)
        out.append(("transposed", word[:i] + word[i + 1] + word[i] + word[i + 2:]))
    i = pick(rng, letters)
    out.append(("dropped", word[:i] + word[i + 1:]))
    out.append(("dropped last", word[:-1]))
    i = pick(rng, letters)
    out.append(("doubled", word[:i] + word[i] + word[i:]))
    i = pick(rng, [i for i in letters if word[i].lower() in NEAR] or letters)
    new = NEAR.get(word[i].lower(), "7")
    out.append(("replaced", word[:i] + (new.upper() if word[i].isupper() else new) + word[i + 1:]))
    if case:
        for shape, wrong in (("lower case", word.lower()), ("upper case", word.upper()),
                             ("capitalized", word.capitalize())):
            out.append((shape, wrong))
    out += other
    seen = {word}
    good = []
    for shape, wrong in out:
        if wrong and wrong not in taken and wrong not in seen:
            seen.add(wrong)
            good.append((shape, wrong))
    return good


SIMPLE = facts.MACROS | {"define", "undefine"}


def simple_calls(src, names=None):
    """Calls that these tests know how to break: ours, with arguments, not nested."""
    return [c for c in src.calls if c.name in (names or SIMPLE) and c.args and c.name != "VERSIONID"]


def fresh_features(src):
    return [f for f in ("redirect", "always_add_domain", "use_cw_file", "relay_entire_domain", "nouucp",
                        "accept_unqualified_senders", "masquerade_envelope")
            if not src.has_feature(f)]


# ---- quotes and parentheses ----------------------------------------------------------------

@kind("unclosed-quote", fix=True)
def unclosed_quote(src, rng):
    for c in simple_calls(src) + src.named("VERSIONID"):
        for n, a in enumerate(c.args):
            if a.simple:
                yield Break("first argument" if n == 0 else "later argument",
                            [(a.quoted_end - 1, a.quoted_end, "")], [a.start])


@kind("unclosed-parenthesis", fix=True)
def unclosed_parenthesis(src, rng):
    for c in simple_calls(src) + src.named("VERSIONID"):
        yield Break("with dnl" if c.dnl else "without dnl", [(c.end - 1, c.end, "")], [c.start, c.end])


@kind("extra-parenthesis", fix=True)
def extra_parenthesis(src, rng):
    for c in simple_calls(src):
        # The class macros take the rest of their line away.
        if c.name in ("define", "FEATURE", "MAILER", "OSTYPE") and c.divert >= 0:
            yield Break("closing", [(c.end, c.end, ")")], [c.end])
        if c.args[0].simple:
            yield Break("opening", [(c.opens, c.opens, "(")], [c.start])


@kind("space-before-parenthesis", fix=True)
def space_before_parenthesis(src, rng):
    for c in simple_calls(src):
        yield Break("space", [(c.opens, c.opens, " ")], [c.start])


@kind("missing-open-parenthesis", fix=True)
def missing_open_parenthesis(src, rng):
    for c in simple_calls(src):
        if c.args[0].simple:
            yield Break("none", [(c.opens, c.opens + 1, "")], [c.start])
            yield Break("space", [(c.opens, c.opens + 1, " ")], [c.start])


@kind("missing-comma", fix=True)
def missing_comma(src, rng):
    for c in simple_calls(src):
        if len(c.args) > 1 and c.args[0].simple and c.args[1].simple:
            a, b = c.args[0].quoted_end, c.args[1].start
            if "\n" in src.text[a:b]:
                continue
            for shape, new in (("space", " "), ("equals", " = "), ("dot", ". "), ("semicolon", "; ")):
                yield Break(shape, [(a, b, new)], [c.start])


@kind("wrong-quotes", fix=True)
def wrong_quotes(src, rng):
    for c in simple_calls(src):
        for n, a in enumerate(c.args):
            if not a.simple or not a.value or "\n" in a.value or '"' in a.value:
                continue
            place = [a.start]
            s, e = a.start, a.quoted_end
            yield Break("'x'", [(s, s + 1, "'")], place)
            yield Break("`x`", [(e - 1, e, "`")], place)
            yield Break("typographic", [(s, s + 1, "\xe2\x80\x98"), (e - 1, e, "\xe2\x80\x99")], place)
            yield Break("acute", [(s, s + 1, "\xc2\xb4"), (e - 1, e, "\xc2\xb4")], place)
            text = c.name in ("define", "undefine") and facts.MESSAGES.search(c.arg(0))
            if n == 0 or c.name == "define" and not text and " " not in a.value:
                yield Break('"x"', [(s, s + 1, '"'), (e - 1, e, '"')], place)
                yield Break("typographic double",
                            [(s, s + 1, "\xe2\x80\x9c"), (e - 1, e, "\xe2\x80\x9d")], place)
        if len(c.args) > 1 and all(a.simple and a.value
                                   for a in c.args) and "\n" not in src.text[c.start:c.end]:
            yield Break("'x' throughout", [(a.start, a.start + 1, "'") for a in c.args], [c.start])


@kind("missing-open-quote", fix=True)
def missing_open_quote(src, rng):
    for c in simple_calls(src):
        for n, a in enumerate(c.args):
            if a.simple and a.value and "\n" not in a.value:
                yield Break("first argument" if n == 0 else "later argument",
                            [(a.start, a.start + 1, "")], [a.start])


APOSTROPHES = (("one", "550 Don't send this here"), ("comma", "550 We don't relay, sorry"),
               ("two", "550 It's not ours, that's all"), ("parenthesis", "550 Can't relay (no login)"),
               ("possessive", "550 Not this host's users"), ("before a macro",
                                                             "550 Don't relay, define it"))


@kind("apostrophe", lint=True)
def apostrophe(src, rng):
    for c in src.named("VERSIONID"):
        if c.args and c.args[0].simple and c.divert >= 0:
            s, e = c.args[0].inner
            for shape, new in (("in VERSIONID", "Bob's server"),
                               ("in VERSIONID, comma", "don't edit, ask Bob")):
                yield Break(shape, [(s, e, new)], [s], good=[(s, e, new.replace("'", ""))])
    for p in some(rng, src.directive_places(), 2):
        for shape, text in APOSTROPHES:
            v = pick(rng, ["confREJECT_MSG", "confRELAY_MSG", "confSMTP_LOGIN_MSG"])
            if v in src.mentions:
                continue
            e = insert(src, p, "define(`%s', `%s')dnl" % (v, text))
            yield Break(shape, [e], [line_in(e, "define")],
                        good=[insert(src, p, "define(`%s', `%s')dnl" % (v, text.replace("'", "")))])
        if not src.has_feature("dnsbl") and not src.client_only():
            e = insert(src, p, "FEATURE(`dnsbl', `dnsbl.example.net', `\"550 You're listed\"')dnl")
            yield Break("dnsbl", [e], [line_in(e, "FEATURE")],
                        good=[(e[0], e[0], e[2].replace("u're", "u are"))])
    for c in simple_calls(src, {"define"}):
        a = c.args[-1]
        if len(c.args) == 2 and a.simple and facts.MESSAGES.search(c.arg(0)) and " " in a.value:
            i = a.inner[0] + a.value.index(" ")
            yield Break("existing", [(i, i, "'s")], [i])


# ---- comments and prose ---------------------------------------------------------------------

@kind("live-comment", lint=True)
def live_comment(src, rng):
    for p in some(rng, src.directive_places(), 4):
        f = pick(rng, fresh_features(src))
        texts = [("MAILER", "# MAILER(`%s') is not wanted here" % pick(rng, ["uucp", "procmail"])),
                 ("OSTYPE", "# was OSTYPE(`solaris2') before"),
                 ("no quotes", "#MASQUERADE_AS(old.example)dnl"),
                 ("DAEMON_OPTIONS", "# DAEMON_OPTIONS(`Port=2525, Name=OLD')")]
        if f:
            texts += [("FEATURE", "# See FEATURE(`%s') in the manual" % f),
                      ("hashed", "#FEATURE(`%s')dnl" % f),
                      ("FEATURE, no quotes", "# FEATURE(%s) may be used too" % f)]
        if "confLOG_LEVEL" not in src.mentions:
            texts.append(("define", "# For more, define(`confLOG_LEVEL', `20')dnl"))
        if "MASQUERADE_AS" in src.mentions:
            texts = [t for t in texts if t[0] != "no quotes"]
        if re.search(r"MAILER\(`?(uucp|procmail)", src.live):
            texts = [t for t in texts if t[0] != "MAILER"]
        for shape, text in texts:
            e = insert(src, p, text)
            yield Break(shape, [e], [line_in(e, "#")])
    for p in some(rng, [p for p in src.directive_places() if p.divert == 0], 2):
        e = insert(src, p, pick(rng,
                                ["# LOCAL_CONFIG would begin the local lines",
                                 "# Rules go below LOCAL_RULE_0",
                                      "# see LOCAL_RULESETS"]))
        yield Break("section", [e], [line_in(e, "#")])
    for c in simple_calls(src):
        # A directive that somebody thinks is now out of force.
        if c.alone and c.divert >= 0 and "\n" not in src.text[c.start:c.end] and c.start == c.line_start:
            yield Break("directive hashed out", [(c.start, c.start, pick(rng, ["#", "# ", "##"]))],
                        [c.start])


@kind("comment-quote")
def comment_quote(src, rng):
    for p in some(rng, [p for p in src.directive_places()], 4):
        following = [c for c in src.calls if c.start >= p.at]
        if not following or not any(q.at > p.at for q in src.places):
            continue
        for shape, text in (("lone", "# the old name was `mailhost"),
                            ("for an apostrophe", "# don`t touch the next lines"),
                            ("at the end", "# features `"), ("two", "# here we list `all` features")):
            e = insert(src, p, text)
            yield Break(shape, [e], [line_in(e, "#")])
        later = [q for q in src.places if q.at > following[0].end]
        if later:
            q = pick(rng, later[:4])
            yield Break("pair", [insert(src, p, "# as the `manual page"),
                                 insert(src, q, "# of sendmail' says")], [(0, 0)])


PROSE = """This host relays for the laboratory.
Do not edit this file by hand.
Here come the features of this site
Our mail server, see the wiki
Remember to rebuild the maps
Sendmail reads this at start
Features:
Mail goes to the hub of the department
Create the maps first
Kept for the old clients
Options for TLS are below
Please ask Bob before a change
Virtual domains
Edit with care
Queue settings
Xerox printers send through this host
Lines below are generated
Generated by ansible
Not used any more
Add your own rules here
Joe added this on Monday
Use the smart host only at night
We take mail for three domains
Based on the vendor's file
It is the backup server
Yes, this is needed
---- features ----
// the mail hub
/* limits */
; limits
1. Limits
=== Mailers ===
<b>mailers</b>
* relaying
listens on all interfaces
enabled by default
set by ansible, 2019-05-01
TODO: check this
mailers follow
smart host = mail.example.com
SMART_HOST=mail.example.com
confLOG_LEVEL=9
Port 25 is open
>>>>>>> master
Cwhat is this for
Don't touch""".splitlines()
PROSE_TWO = ("Below are the settings", "that the lab needs.")


@kind("prose")
def prose(src, rng):
    places = src.text_places()
    if not places:
        return
    sections = [p for p in places if p.section]
    plain = [p for p in places if not p.section and p.at]
    for n, text in enumerate(some(rng, PROSE, 16)):
        # Words that m4 would expand make another text of it.
        if set(re.findall(r"\w+", text)) & facts.BARE_WORDS:
            continue
        where = [("top", places[:1] if places[0].at == 0 else []), ("between", plain),
                 ("section", sections)][n % 3]
        p = pick(rng, where[1])
        if p:
            e = insert(src, p, text)
            yield Break(where[0], [e], [(0, len(e[2]) - len(text) - len(src.eol))])
    p = pick(rng, plain)
    if p:
        e = insert(src, p, *PROSE_TWO)
        yield Break("two lines", [e], [line_in(e, "Below"), line_in(e, "that")])
    for c in src.named("define", "FEATURE"):
        if c.alone and c.divert >= 0:
            yield Break("behind",
                        [(c.end, c.line_end, " " + pick(rng,
                                                        ["for the lab", "until May",
                                                         "see the wiki"]) + src.eol)], [c.end])


# ---- misspelt names ---------------------------------------------------------------------------

@kind("misspelt-macro", fix=True)
def misspelt_macro(src, rng):
    taken = src.known | facts.MACROS
    for c in src.calls:
        if c.name in SIMPLE or c.name in ("include", "divert"):
            for shape, wrong in misspellings(rng, c.name, taken,
                                             other=[("S", c.name + "S"),
                                                    ("no underscore", c.name.replace("_", "")),
                                                                        ("hyphen",
                                                                         c.name.replace("_",
                                                                                        "-"))]):
                yield Break(shape, [(c.start, c.opens, wrong)], [c.start])
    for name, at in src.words:
        for shape, wrong in misspellings(rng, name, taken,
                                         other=[("no underscore", name.replace("_", "")),
                                                ("space", name.replace("_", " "))]):
            yield Break("section, " + shape, [(at, at + len(name), wrong)], [at])


@kind("misspelt-dnl", fix=True)
def misspelt_dnl(src, rng):
    for c in simple_calls(src, {"define", "FEATURE", "MAILER", "OSTYPE"}):
        if c.dnl and c.divert >= 0:
            shape, wrong = pick(rng, [("transposed", "dln"), ("dropped", "dn"),
                                      ("replaced", "dnk"), ("upper case", "DNL"), ("dropped first",
                                                                                   "nl")])
            yield Break(shape, [(c.end, c.end + 3, wrong)], [c.end])
    inside = [p.at for p in src.places if p.divert >= 0]
    for s, e in src.remarks:
        body = src.text[s + 3:e]
        if s in inside and re.match(r" # \w",
                                    body) and "(" not in body and "`" not in body and "'" not in body:
            yield Break("remark", [(s, s + 3, pick(rng, ["dln", "dn", "ndl"]))], [s])


@kind("misspelt-feature", fix=True)
def misspelt_feature(src, rng):
    for c in src.named("FEATURE"):
        a = c.args[0]
        if a.value in facts.FEATURES and (a.simple or a.bare):
            other = [("hyphen", a.value.replace("_", "-")), ("joined", a.value.replace("_", "")),
                     ("plural", a.value + "s")]
            for shape, wrong in misspellings(rng, a.value, facts.FEATURES, other=other):
                yield Break(shape, [(a.inner[0], a.inner[1], wrong)], [a.start])


@kind("misspelt-variable", fix=True)
def misspelt_variable(src, rng):
    for c in simple_calls(src, {"define", "undefine"}):
        a = c.args[0]
        if a.value in facts.VARIABLES and (a.simple or a.bare):
            other = []
            if a.value.startswith("conf"):
                other = [("no conf", a.value[4:]), ("conf_", "conf_" + a.value[4:]),
                         ("CONF", "CONF" + a.value[4:])]
            if "_" in a.value.strip("_"):
                other.append(("joined", a.value.replace("_", "")))
            for shape, wrong in misspellings(rng, a.value, facts.VARIABLES | src.mentions,
                                             case=False, other=other):
                yield Break(shape, [(a.inner[0], a.inner[1], wrong)], [a.start])


@kind("misspelt-mailer", fix=True)
def misspelt_mailer(src, rng):
    for c in src.named("MAILER"):
        a = c.args[0]
        if a.value in facts.MAILERS and (a.simple or a.bare):
            for shape, wrong in misspellings(rng, a.value, facts.MAILERS, other=[("mail", "e" + a.value)]):
                yield Break(shape, [(a.inner[0], a.inner[1], wrong)], [a.start])


@kind("misspelt-ostype", fix=True)
def misspelt_ostype(src, rng):
    for c in src.named("OSTYPE", "DOMAIN"):
        a = c.args[0]
        known = facts.OSTYPES if c.name == "OSTYPE" else facts.DOMAINS
        if a.value in known and (a.simple or a.bare):
            for shape, wrong in misspellings(rng, a.value, known):
                yield Break(c.name + " " + shape, [(a.inner[0], a.inner[1], wrong)], [a.start])


def changed_or_new(src, rng, macro, patterns, lines):
    """(the edits' pieces) of a wrong word: in a call that stands there, or in a new line.
    patterns: words that may be replaced; lines: texts for a new line, with %s for the word."""
    for c in src.named(macro):
        for a in c.args:
            for m in re.finditer(patterns, a.value):
                yield c, a.inner[0] + m.start(1), a.inner[0] + m.end(1), m.group(1), None
    for p in some(rng, src.directive_places(), 1):
        for line, word in lines:
            yield None, None, None, word, (p, line)


def wrong_word(src, rng, macro, patterns, lines, words, case=False):
    for c, s, e, word, new in changed_or_new(src, rng, macro, patterns, lines):
        for shape, wrong in misspellings(rng, word, words, case=case):
            if new:
                edit = insert(src, new[0], new[1] % wrong)
                yield Break(shape + ", new line", [edit], [line_in(edit, new[1] % wrong)],
                            good=[insert(src, new[0], new[1] % word)])
            else:
                yield Break(shape, [(s, e, wrong)], [s])


DAEMON_KEYS = {"Name", "Port", "Addr", "Family", "Modify", "Listen", "InputMailFilters",
               "SndBufSize", "RcvBufSize",
               "N", "P", "A", "F", "M", "L", "I", "S", "R"}


@kind("daemon-key", fix=True, lint=True)
def daemon_key(src, rng):
    lines = [("DAEMON_OPTIONS(`%s=2525, Name=EXTRA')dnl", "Port"),
             ("DAEMON_OPTIONS(`Port=2525, %s=EXTRA')dnl", "Name"),
             ("DAEMON_OPTIONS(`Port=2525, Name=EXTRA, %s=192.0.2.1')dnl", "Addr"),
             ("DAEMON_OPTIONS(`Name=EXTRA, %s=inet, Port=2525')dnl", "Family"),
             ("CLIENT_OPTIONS(`Family=inet, %s=192.0.2.1')dnl", "Addr")]
    if src.client_only():
        lines = []
    for macro in ("DAEMON_OPTIONS", "CLIENT_OPTIONS"):
        yield from wrong_word(src, rng, macro, r"(?<![\w])(Name|Port|Addr|Family)\s*=",
                              [l for l in lines if l[0].startswith(macro)], DAEMON_KEYS)


@kind("daemon-modifier")
def daemon_modifier(src, rng):
    for c in src.named("DAEMON_OPTIONS"):
        a = c.args[0]
        if not a.simple:
            continue
        m = re.search(r"\bM(?:odify)?=(\w+)", a.value)
        letter = pick(rng, facts.NO_MODIFIERS)
        if m:
            yield Break("added", [(a.inner[0] + m.end(), a.inner[0] + m.end(), letter)],
                        [a.inner[0] + m.end()])
            yield Break("replaced", [(a.inner[0] + m.start(1), a.inner[0] + m.end(1), letter)],
                        [a.inner[0] + m.start(1)])
        else:
            yield Break("new", [(a.inner[1], a.inner[1], ", M=" + letter)], [a.start])
    p = pick(rng, src.directive_places())
    if p and not src.client_only():
        letter = pick(rng, facts.NO_MODIFIERS)
        e = insert(src, p, "DAEMON_OPTIONS(`Port=2525, Name=EXTRA, M=E%s')dnl" % letter)
        yield Break("new line", [e], [line_in(e, "DAEMON")],
                    good=[(e[0], e[0], e[2].replace("M=E" + letter, "M=E"))])


@kind("bad-port")
def bad_port(src, rng):
    for c in src.named("DAEMON_OPTIONS"):
        m = re.search(r"\bPort=(smtp|submission|\d+)\b", c.arg(0))
        if m and c.args[0].simple:
            s, e = c.args[0].inner[0] + m.start(1), c.args[0].inner[0] + m.end(1)
            wrong = {"smtp": "smpt", "submission": "submision"}.get(m.group(1), "70025")
            yield Break("existing", [(s, e, wrong)], [s])
    p = pick(rng, src.directive_places())
    if p and not src.client_only():
        for shape, port in (("misspelt", "smpt"), ("misspelt", "submision"), ("too high", "70025"),
                            ("letter O", "2O25")):
            e = insert(src, p, "DAEMON_OPTIONS(`Port=%s, Name=EXTRA')dnl" % port)
            yield Break(shape + ", new line", [e], [line_in(e, "DAEMON")],
                        good=[insert(src, p, "DAEMON_OPTIONS(`Port=2525, Name=EXTRA')dnl")])


@kind("privacy-word", fix=True)
def privacy_word(src, rng):
    for c in simple_calls(src, {"define"}):
        if c.arg(0) == "confPRIVACY_FLAGS" and len(c.args) > 1:
            a = c.args[1]
            for m in re.finditer(r"\b(%s)\b" % "|".join(facts.PRIVACY), a.value):
                s = a.inner[0] + m.start()
                for shape, wrong in misspellings(rng, m.group(1), facts.PRIVACY, case=False):
                    yield Break(shape, [(s, s + len(m.group(1)), wrong)], [s])
    if "confPRIVACY_FLAGS" not in src.mentions:
        for p in some(rng, src.directive_places(), 1):
            for word in some(rng, facts.PRIVACY, 2):
                for shape, wrong in misspellings(rng, word, facts.PRIVACY, case=False):
                    line = "define(`confPRIVACY_FLAGS', `authwarnings,%s')dnl"
                    e = insert(src, p, line % wrong)
                    yield Break(shape + ", new line", [e], [line_in(e, "define")],
                                good=[insert(src, p, line % word)])


@kind("dont-blame-word", fix=True)
def dont_blame_word(src, rng):
    known = {w.lower() for w in facts.BLAME}
    for c in simple_calls(src, {"define"}):
        if c.arg(0) == "confDONT_BLAME_SENDMAIL" and len(c.args) > 1:
            a = c.args[1]
            for m in re.finditer(r"\b(%s)\b" % "|".join(facts.BLAME), a.value):
                s = a.inner[0] + m.start()
                for shape, wrong in misspellings(rng, m.group(1), known, case=False):
                    yield Break(shape, [(s, s + len(m.group(1)), wrong)], [s])
    if "confDONT_BLAME_SENDMAIL" not in src.mentions and "DOMAIN" not in src.mentions:
        for p in some(rng, src.directive_places(), 1):
            for word in some(rng, facts.BLAME, 2):
                for shape, wrong in misspellings(rng, word, known, case=False):
                    line = "define(`confDONT_BLAME_SENDMAIL', `%s')dnl"
                    e = insert(src, p, line % wrong)
                    yield Break(shape + ", new line", [e], [line_in(e, "define")],
                                good=[insert(src, p, line % word)])


@kind("mailer-flag", lint=True)
def mailer_flag(src, rng):
    if src.client_only():
        return
    letter = pick(rng, facts.NO_FLAGS)
    for c in src.named("MODIFY_MAILER_FLAGS"):
        if len(c.args) > 1 and c.args[1].simple:
            yield Break("added", [(c.args[1].inner[1], c.args[1].inner[1], letter)], [c.args[1].start])
    for c in src.named("define"):
        if re.fullmatch(r"(LOCAL|SMTP|RELAY)_(MAILER|SHELL)_FLAGS",
                        c.arg(0)) and len(c.args) > 1 and c.args[1].simple:
            yield Break("variable", [(c.args[1].inner[1], c.args[1].inner[1], letter)], [c.args[1].start])
    p = pick(rng, src.directive_places())
    if not p or not src.named("MAILER"):
        return
    for shape, flags in (("plus", "+" + letter), ("minus", "-" + letter),
                         ("among good ones", "+E" + letter)):
        name = pick(rng, ["LOCAL", "SMTP", "ESMTP", "RELAY"])
        e = insert(src, p, "MODIFY_MAILER_FLAGS(`%s', `%s')dnl" % (name, flags))
        yield Break(shape, [e], [line_in(e, "MODIFY")])
    for v in ("LOCAL_MAILER_FLAGS", "SMTP_MAILER_FLAGS"):
        if v not in src.mentions:
            e = insert(src, p, "define(`%s', `%s')dnl" % (v, "Prmn9" + letter if v[0] == "L" else letter))
            yield Break("variable, new line", [e], [line_in(e, "define")])


@kind("modify-mailer", lint=True)
def modify_mailer(src, rng):
    """MODIFY_MAILER_FLAGS of a mailer that does not exist: it does nothing."""
    p = pick(rng, src.directive_places())
    if not p or not src.named("MAILER"):
        return
    for shape, name in [("lower case", "smtp"), ("lower case", "local"), ("no mailer", "FOO"),
                        ("suffix", "SMTP_MAILER")] + \
            misspellings(rng, "LOCAL", facts.MODIFY_NAMES, case=False)[:3] + misspellings(rng,
                                                                                          "SMTP", facts.MODIFY_NAMES, case=False)[:3]:
        e = insert(src, p, "MODIFY_MAILER_FLAGS(`%s', `+9')dnl" % name)
        yield Break(shape, [e], [line_in(e, "MODIFY")])


# ---- values --------------------------------------------------------------------------------------

def wrong_values(src, rng, variables, values):
    """Wrong values for variables that are defined there, and for some that are not."""
    for c in src.named("define"):
        if c.arg(0) in variables and len(c.args) > 1 and (c.args[1].simple or c.args[1].bare):
            for shape, value in values:
                yield Break(shape, [(c.args[1].inner[0], c.args[1].inner[1], value)], [c.args[1].start])
    places = src.directive_places()
    for v in some(rng, [v for v in variables if v not in src.mentions], 3):
        p = pick(rng, places)
        if p:
            shape, value = pick(rng, values)
            e = insert(src, p, "define(`%s', `%s')dnl" % (v, value))
            yield Break(shape + ", new line", [e], [line_in(e, "define")])


@kind("bad-number")
def bad_number(src, rng):
    yield from wrong_values(src, rng, [v for v in facts.of_type("NUMBER") if v not in facts.SIZES],
                            [("word", "ninety"), ("letter O", "9O"), ("comma", "1,000"),
                             ("letter l", "l2"), ("unit", "12 jobs"),
                             ("approximate", "~20"), ("bool", "yes")])
    yield from wrong_values(src, rng, facts.of_type("OCTAL"),
                            [("not octal", "0698"), ("letters", "rw-r-----"), ("0o", "0o600")])


@kind("bad-size")
def bad_size(src, rng):
    yield from wrong_values(src, rng, facts.SIZES,
                            [("MB", "10MB"), ("M", "10M"), ("k", "512k"),
                             ("words", "ten megabytes"),
                                                    ("space", "10 MB"), ("separators",
                                                                         "10_000_000"), ("fraction", "1.5M")])


@kind("bad-time")
def bad_time(src, rng):
    yield from wrong_values(src, rng, facts.of_type("TIME"),
                            [("unit", "5 fortnights"), ("letter", "10x"), ("words", "five minutes"),
                                                              ("hr", "1hr"), ("min",
                                                                              "30min"), ("spelt out", "5 minutes"),
                                                              ("ms", "500ms"), ("letter O", "1Om")])


@kind("bad-boolean")
def bad_boolean(src, rng):
    yield from wrong_values(src, rng, facts.of_type("BOOL"),
                            [("maybe", "maybe"), ("1", "1"), ("enabled", "enabled"), ("ja", "ja"),
                                                              ("0n", "0n"), ("negated", "not")])


@kind("bad-word")
def bad_word(src, rng):
    for v, words in (("confDELIVERY_MODE", ["immediate", "quick", "xyz"]),
                     ("confERROR_MODE", ["reply", "zap"]),
                     ("confQUEUE_SORT_ORDER", ["size", "zorder"]), ("confEIGHT_BIT_HANDLING",
                                                                    ["keep", "8bit"]),
                     ("confNO_RCPT_ACTION", ["add-nothing", "ignore"]), ("confSAFE_QUEUE", ["perhaps"]),
                     ("confDH_PARAMETERS", ["4"])):
        if v in src.mentions and not any(c.arg(0) == v for c in src.named("define")):
            continue
        if v != "confDH_PARAMETERS":
            yield from wrong_values(src, rng, [v], [(v, w) for w in words])


@kind("map-class", fix=True)
def map_class(src, rng):
    for c in src.named("FEATURE"):
        if c.arg(0) in facts.MAP_FEATURES and len(c.args) > 1 and c.args[1].simple:
            m = re.match(r"(hash|btree|text|dbm)\b", c.args[1].value)
            if m:
                s = c.args[1].inner[0]
                for shape, wrong in misspellings(rng, m.group(1), {"hash", "btree", "text", "dbm"},
                                                 case=False):
                    yield Break(shape, [(s, s + len(m.group(1)), wrong)], [s])
    for s, e in src.config_lines("K"):
        m = re.match(r"K(\w+)\s+(hash|btree|regex|dns|ldap|sequence)\b", src.text[s:e])
        if m:
            for shape, wrong in misspellings(rng, m.group(2),
                                             {"dn", "regexp", "ldapx", "sequencer"}, case=False):
                yield Break("K line, " + shape, [(s + m.start(2), s + m.end(2), wrong)], [s])
    p = pick(rng, src.directive_places())
    if p and not src.client_only():
        for f in some(rng, [f for f in facts.MAP_FEATURES[:5] if not src.has_feature(f)], 2):
            wrong = pick(rng, ["hsah", "hahs", "bdb", "hash:", "haash"])
            line = "FEATURE(`%s', `%s -o /etc/mail/%s')dnl"
            e = insert(src, p, line % (f, wrong, f))
            yield Break("new line", [e], [line_in(e, "FEATURE")],
                        good=[insert(src, p, line % (f, "hash", f))], fix=False)


@kind("missing-argument")
def missing_argument(src, rng):
    for c in src.named("FEATURE"):
        if c.arg(0) in ("dnsbl", "enhdnsbl", "rhsbl", "nullclient", "nouucp") and len(c.args) > 1:
            yield Break(c.arg(0), [(c.args[0].quoted_end, c.end - 1, "")], [c.start])
    p = pick(rng, src.directive_places())
    if p and not src.client_only():
        for f in ("dnsbl", "enhdnsbl", "nouucp"):
            if not src.has_feature(f):
                e = insert(src, p, "FEATURE(`%s')dnl" % f)
                yield Break(f + ", new line", [e], [line_in(e, "FEATURE")])


# ---- order, twice, missing -----------------------------------------------------------------------

def moved(src, call, to):
    """Edits that take the line of a call away and put it in at an offset."""
    text = src.text[call.line_start:call.line_end]
    if not text.endswith("\n"):
        text += src.eol
    lead = "" if to == 0 or src.text[to - 1] == "\n" else src.eol
    edits = [(call.line_start, call.line_end, ""), (to, to, lead + text)]
    return edits, (1 if to >= call.line_end else 0, len(lead) + call.start - call.line_start)


def alone_mailers(src):
    return [c for c in src.named("MAILER") if c.alone]


@kind("feature-after-mailer", fix=True)
def feature_after_mailer(src, rng):
    mailers = alone_mailers(src)
    if not mailers:
        return
    first, last = mailers[0].line_start, mailers[-1].line_end
    for c in src.named("FEATURE"):
        if c.alone and c.end < first:
            edits, at = moved(src, c, last)
            yield Break("one FEATURE", edits, [at])
            if len(mailers) > 1 and mailers[1].start > mailers[0].line_end - 1:
                edits, at = moved(src, c, mailers[0].line_end)
                yield Break("between MAILERs", edits, [at])
    features = [c for c in src.named("FEATURE") if c.end < first and c.section == ""]
    ostype = src.named("OSTYPE")
    if features and ostype and ostype[0].alone and ostype[0].end < features[0].start:
        to = ostype[0].line_end
        if to <= features[0].line_start and not any(c.name == "define" and to < c.start < first
                                                    for c in src.calls):
            text = "".join(src.text[c.line_start:c.line_end] for c in mailers)
            if text.endswith("\n"):
                edits = [(to, to, text)] + [(c.line_start, c.line_end, "") for c in mailers]
                yield Break("MAILERs first", edits, [(0, 0)] + [c.start for c in features],
                            fix=len(features) > 0)
    for f in some(rng, fresh_features(src) if not src.client_only() else [], 2):
        line = "FEATURE(`%s')dnl" % f
        e = insert(src, Place(last, "", 0), line)
        yield Break("new line", [e], [line_in(e, line)], good=[(first, first, line + src.eol)])


READS = {"local": (("LOCAL_MAILER_PATH", "/usr/bin/deliver"), ("LOCAL_MAILER_FLAGS", "SPfhn9"),
                   ("LOCAL_MAILER_ARGS", "deliver -d $u"),
                   ("LOCAL_SHELL_PATH", "/bin/rsh"), ("LOCAL_MAILER_MAX", "1000000")),
         "smtp": (("SMTP_MAILER_MAX", "2000000"), ("SMTP_MAILER_FLAGS", "e"),
                  ("ESMTP_MAILER_ARGS", "TCP $h 2525"),
                  ("RELAY_MAILER_ARGS", "TCP $h 587"), ("SMTP_MAILER_MAXMSGS",
                                                        "10"), ("RELAY_MAILER_FLAGS", "e")),
         "procmail": (("PROCMAIL_MAILER_MAX", "3000000"),
                      ("PROCMAIL_MAILER_ARGS", "procmail -Y -m $h $f $u"))}


# Which MAILER writes the mailer that MODIFY_MAILER_FLAGS names.
MAILER_OF = {"LOCAL": "local", "SHELL": "local", "SMTP": "smtp", "ESMTP": "smtp", "SMTP8": "smtp",
             "DSMTP": "smtp",
             "RELAY": "smtp", "PROCMAIL": "procmail", "CYRUSV2": "cyrusv2"}


@kind("variable-after-mailer", fix=True)
def variable_after_mailer(src, rng):
    mailers = alone_mailers(src)
    for c in src.named("define"):
        if not c.alone or c.section:
            continue
        for m in mailers:
            if c.end < m.start and c.arg(0) in [v for v, _ in READS.get(m.arg(0), ())]:
                edits, at = moved(src, c, m.line_end)
                yield Break("moved", edits, [at])
    for c in src.named("MODIFY_MAILER_FLAGS"):
        for m in mailers:
            if c.alone and c.end < m.start and m.arg(0) == MAILER_OF.get(c.arg(0)):
                edits, at = moved(src, c, m.line_end)
                yield Break("flags moved", edits, [at])
    for m in mailers:
        for v, value in READS.get(m.arg(0), ()):
            if v not in src.mentions and not src.has_feature("local_lmtp") and not src.has_feature("local_procmail"):
                line = "define(`%s', `%s')dnl" % (v, value)
                e = insert(src, Place(m.line_end, "", 0), line)
                yield Break("new line", [e], [line_in(e, line)],
                            good=[(m.line_start, m.line_start, line + src.eol)])
        if m.arg(0) in ("local", "smtp") and "MODIFY_MAILER_FLAGS" not in src.mentions:
            line = "MODIFY_MAILER_FLAGS(`%s', `+%s')dnl" % (m.arg(0).upper(), pick(rng, "Ce"))
            e = insert(src, Place(m.line_end, "", 0), line)
            yield Break("flags, new line", [e], [line_in(e, line)],
                        good=[(m.line_start, m.line_start, line + src.eol)])


SECOND = {"NUMBER": "77", "TIME": "7m", "BOOL": None, "PATH": "/etc/mail/other", "TEXT": "other.example"}


@kind("variable-twice", lint=True)
def variable_twice(src, rng):
    defines = src.named("define")
    for c in defines:
        v = c.arg(0)
        if (v not in facts.VARIABLES or sum(1 for d in defines if d.arg(0) == v) > 1
            or len(c.args) < 2 or not c.args[1].simple
                or re.search(r"_(MAILER|SHELL)_|MAIL_SETTINGS_DIR|DATABASE|CF_LEVEL|VENDOR|MAKEINFO", v) or not c.args[1].value):
            continue
        t = facts.variable_type(v)
        old = c.args[1].value
        if t == "BOOL":
            value = "False" if old.lower()[:1] in "ty" else "True"
        elif v.endswith(("_RELAY", "_HOST", "_HUB")):
            value = "other.example"
        else:
            value = SECOND.get(t)
        if value is None or value == old:
            continue
        places = [p for p in src.directive_places() if p.at >= c.line_end]
        p = pick(rng, places)
        if p:
            e = insert(src, p, "define(`%s', `%s')dnl" % (v, value))
            yield Break("far" if p.at > c.line_end else "next line", [e], [c.start, line_in(e, "define")])
    if "SMART_HOST" not in src.mentions and "nullclient" not in src.mentions:
        p = pick(rng, src.directive_places())
        if p:
            e = insert(src, p, "define(`SMART_HOST', `one.example')dnl",
                       "define(`SMART_HOST', `two.example')dnl")
            yield Break("both new", [e], [line_in(e, "define"), line_in(e, "define(`SMART_HOST', `two")])


@kind("feature-twice", lint=True)
def feature_twice(src, rng):
    for c in src.named("FEATURE"):
        if c.arg(0) in facts.MAP_FEATURES and sum(1 for d in src.named("FEATURE")
                                                  if d.arg(0) == c.arg(0)) == 1:
            p = pick(rng, [p for p in src.directive_places() if p.at >= c.line_end])
            if p:
                e = insert(src, p, "FEATURE(`%s')dnl" % c.arg(0))
                yield Break("plain", [e], [c.start, line_in(e, "FEATURE")])
                e = insert(src, p, "FEATURE(`%s', `hash -o /etc/mail/other')dnl" % c.arg(0))
                yield Break("another map", [e], [c.start, line_in(e, "FEATURE")])
    p = pick(rng, src.directive_places())
    if p and not src.client_only():
        for f in some(rng, [f for f in facts.MAP_FEATURES[:5] if not src.has_feature(f)], 1):
            e = insert(src, p, "FEATURE(`%s')dnl" % f, "FEATURE(`%s', `hash /etc/mail/%s')dnl" % (f, f))
            yield Break("both new", [e], [line_in(e, "FEATURE"), (0, e[2].rindex("FEATURE"))])


@kind("mailer-twice")
def mailer_twice(src, rng):
    for c in alone_mailers(src):
        if sum(1 for d in src.named("MAILER") if d.arg(0) == c.arg(0)) == 1:
            last = alone_mailers(src)[-1]
            e = insert(src, Place(last.line_end, "", 0), "MAILER(`%s')dnl" % c.arg(0))
            yield Break("again", [e], [c.start, line_in(e, "MAILER")])


@kind("ostype-twice")
def ostype_twice(src, rng):
    for c in src.named("OSTYPE"):
        p = pick(rng, src.directive_places())
        if p and len(src.named("OSTYPE")) == 1:
            e = insert(src, p, "OSTYPE(`%s')dnl" % pick(rng, ["solaris2", "freebsd6", "bsd4.4"]))
            yield Break("another", [e], [c.start, line_in(e, "OSTYPE")])


@kind("map-twice", lint=True)
def map_twice(src, rng):
    for s, e in src.config_lines("K"):
        name = re.match(r"K(\S+)", src.text[s:e])
        if name:
            new = (e, e, src.eol + "K%s hash -o /etc/mail/other" % name.group(1))
            yield Break("existing", [new], [s, (0, len(src.eol))])
    if src.client_only():
        return
    e = at_end(src, "LOCAL_CONFIG", "Kownmap hash -o /etc/mail/one", "Kownmap hash -o /etc/mail/two")
    yield Break("both new", [e], [line_in(e, "Kownmap"), (0, e[2].rindex("Kownmap"))])
    for f, m in (("access_db", "access"), ("mailertable", "mailertable"), ("virtusertable", "virtuser")):
        c = src.feature(f)
        if c:
            e = at_end(src, "LOCAL_CONFIG", "K%s hash -o /etc/mail/other" % m)
            yield Break("a feature's map", [e], [c.start, line_in(e, "K" + m)])


@kind("no-ostype")
def no_ostype(src, rng):
    calls = src.named("OSTYPE")
    if len(calls) == 1 and calls[0].alone and "__OSTYPE__" not in src.mentions:
        c = calls[0]
        yield Break("removed", [(c.line_start, c.line_end, "")], [], about=r"OSTYPE")
        yield Break("in a remark", [(c.start, c.start, "dnl ")], [], about=r"OSTYPE")


@kind("no-mailer")
def no_mailer(src, rng):
    calls = src.named("MAILER")
    if calls and all(c.alone
                     for c in calls) and not src.client_only() and src.mentions.isdisjoint({"MAILER_DEFINITIONS"}):
        yield Break("removed", [(c.line_start, c.line_end, "") for c in calls], [], about=r"MAILER")
        yield Break("in a remark", [(c.start, c.start, "dnl ") for c in calls], [], about=r"MAILER")


@kind("missing-need", lint=True)
def missing_need(src, rng):
    if src.client_only() or src.own_includes:
        return
    access = src.feature("access_db")
    needing = [c for c in src.named("FEATURE") if c.arg(0) in facts.NEED_ACCESS]
    if access and access.alone and needing:
        yield Break("access_db removed", [(access.line_start, access.line_end, "")],
                    [c.start for c in needing])
    places = src.directive_places()
    p = pick(rng, places)
    if not p:
        return
    if not src.has_feature("access_db"):
        for f in some(rng, facts.NEED_ACCESS, 3):
            extra = "" if f != "queuegroup" else ", `q1'"
            e = insert(src, p, "FEATURE(`%s'%s)dnl" % (f, extra))
            yield Break("without access_db", [e], [line_in(e, "FEATURE")])
        if not src.has_feature("greet_pause"):
            e = insert(src, p, "FEATURE(`greet_pause')dnl")
            yield Break("greet_pause without access_db", [e], [line_in(e, "FEATURE")])
    elif access:
        before = [q for q in places if q.at <= access.start]
        q = pick(rng, before)
        for f in some(rng, [f for f in facts.NEED_ACCESS if not src.has_feature(f)], 2):
            if q:
                e = insert(src, q, "FEATURE(`%s'%s)dnl" % (f, "" if f != "queuegroup" else ", `q1'"))
                yield Break("before access_db", [e], [line_in(e, "FEATURE")])
    for f, needed in (("virtuser_entire_domain", "virtusertable"),
                      ("generics_entire_domain", "genericstable")):
        if not src.has_feature(needed) and not src.has_feature(f):
            e = insert(src, p, "FEATURE(`%s')dnl" % f)
            yield Break("%s without %s" % (f, needed), [e], [line_in(e, "FEATURE")])
    if "LUSER_RELAY" not in src.mentions and not src.has_feature("preserve_luser_host"):
        e = insert(src, p, "FEATURE(`preserve_luser_host')dnl")
        yield Break("preserve_luser_host without LUSER_RELAY", [e], [line_in(e, "FEATURE")])


@kind("deprecated", fix=True, lint=True)
def deprecated(src, rng):
    c = src.feature("blocklist_recipients")
    if c:
        yield Break("blacklist_recipients",
                    [(c.args[0].inner[0], c.args[0].inner[1], "blacklist_recipients")], [c.start])
    p = pick(rng, src.directive_places())
    if not p or src.client_only():
        return
    if not src.has_feature("rbl"):
        e = insert(src, p, "FEATURE(`rbl')dnl")
        yield Break("rbl", [e], [line_in(e, "FEATURE")], fix=False)
    if not src.has_feature("tls_failures") and "confTLS_FALLBACK_TO_CLEAR" not in src.mentions:
        e = insert(src, p, "FEATURE(`tls_failures')dnl")
        yield Break("tls_failures", [e], [line_in(e, "FEATURE")],
                    good=[insert(src, p, "define(`confTLS_FALLBACK_TO_CLEAR', `true')dnl")])
    for v, value, good in (("confDAEMON_OPTIONS", "Port=2525, Name=OLD",
                            "DAEMON_OPTIONS(`Port=2525, Name=OLD')dnl"),
                           ("confCLIENT_OPTIONS", "Family=inet", "CLIENT_OPTIONS(`Family=inet')dnl"),
                           ("confAUTO_REBUILD", "True", None), ("confREAD_TIMEOUT", "5m",
                                                                None), ("confDEF_GROUP_ID", "1",
                                                                        None),
                           ("confUNSAFE_GROUP_WRITES", "True", None), ("confMESSAGE_TIMEOUT",
                                                                       "5d/4h", None)):
        if v not in src.mentions and v.replace("conf", "") not in src.mentions:
            e = insert(src, p, "define(`%s', `%s')dnl" % (v, value))
            yield Break(v, [e], [line_in(e, "define")], good=[insert(src, p, good)]
                        if good else [], fix=bool(good))


# ---- rules -------------------------------------------------------------------------------------------

def with_rules(src, rng, lines):
    """A new ruleset at the end of the file that calls are made to, with these rules."""
    if src.client_only():
        return None
    section = pick(rng, [("LOCAL_RULESETS", "SOwnCheck"), ("LOCAL_RULE_0",), ("LOCAL_RULE_3",)])
    return at_end(src, *section, *lines)


@kind("spaces-for-tabs", fix=True)
def spaces_for_tabs(src, rng):
    for s, e in src.rules():
        tab = src.text.index("\t", s)
        tabs = re.match(r"\t+", src.text[tab:]).end()
        for shape, new in (("eight", "        "), ("one", " "), ("four", "    ")):
            yield Break(shape, [(tab, tab + tabs, new)], [s])
    for rule in ("R$* < @ closed.example. > $*%s$#error $@ 5.1.2 $: \"550 Closed\"",
                 "R$+%s$: $1 . home.example"):
        e = with_rules(src, rng, [rule % pick(rng, ["   ", "        ", " "])])
        if e:
            yield Break("new section", [e], [(0, e[2].index("R$"))],
                        good=[(e[0], e[1], re.sub(r" +(?=\$#|\$:)", "\t", e[2], count=1))])


BAD_RULES = (
    ("map without $)", "R$+\t$: $( %s $1"), ("map without name",
                                             "R$+\t$: $( $)"), ("host without $]", "R$+\t$: $[ $1"),
    ("$) alone", "R$+\t$: $1 $)"), ("$] alone", "R$+\t$: $1 $]"), ("call without name", "R$+\t$: $>"),
    ("call of a pattern", "R$+\t$: $> $1"), ("number too high", "R$+ . $+\t$: $1 . $9"),
    ("number too high by one", "R$+ @ $-\t$1 . $3"), ("$@ in the middle", "R$+\t$1 $@ $1"),
    ("$: in the middle", "R$+\t$1 $: $1"), ("$# in the middle", "R$+\t$1 $#local $: $1"),
    ("unbalanced <", "R$+ < @ one.example\t$1"), ("unbalanced >", "R$+ @ one.example >\t$1"),
    ("open quote", "R$+\t$#error $@ 5.7.1 $: \"550 No"),
    ("$ and a blank", "R$ +\t$1"), ("wildcard on the right", "R$+\t$: $+ . example"), ("$0",
                                                                                       "R$+\t$: $0 . example"))


@kind("bad-rule")
def bad_rule(src, rng):
    for s, e in src.rules():
        rule = src.text[s:e]
        for token, shape in (("$)", "$) removed"), ("$]", "$] removed")):
            if token in rule:
                i = s + rule.index(token)
                yield Break(shape, [(i, i + 2, "")], [s])
        m = re.search(r"\$([1-9])\b", rule[rule.index("\t"):])
        if m:
            i = s + rule.index("\t") + m.start(1)
            yield Break("number raised", [(i, i + 1, "9")], [s])
        m = re.search(r"\$>(\w+)", rule)
        if m:
            yield Break("name removed", [(s + m.start(1), s + m.end(1), "")], [s])
        if rule.index("\t") > rule.find(">") > 0 and rule[rule.find(">") - 1] != "$":
            i = s + rule.find(">")
            yield Break("> removed", [(i, i + 1, "")], [s])
    for shape, rule in BAD_RULES:
        e = with_rules(src, rng, [rule.replace("%s", "dequote")])
        if e:
            yield Break(shape, [e], [(0, e[2].index("\nR$") + 1)])


@kind("undefined-ruleset")
def undefined_ruleset(src, rng):
    for s, e in src.rules():
        m = re.search(r"\$>(\w+)", src.text[s:e])
        if m:
            yield Break("existing", [(s + m.start(1), s + m.end(1), m.group(1) + "x")], [s])
    for shape, rule in (("right side", "R$+\t$: $>NoSuch $1"),
                        ("misspelt", "R$+\t$: $>Canonfiy2 $1"), ("number", "R$+\t$@ $>77 $1"),
                        ("after a host", "R$+ < @ a.example >\t$: $1 < $>OwnLookup a.example >")):
        e = with_rules(src, rng, [rule])
        if e:
            yield Break(shape, [e], [(0, e[2].index("\nR$") + 1)])


@kind("undefined-map")
def undefined_map(src, rng):
    for s, e in src.rules():
        m = re.search(r"\$\(\s*(\w+)", src.text[s:e])
        if m:
            yield Break("existing", [(s + m.start(1), s + m.end(1), m.group(1) + "x")], [s])
    for shape, rule in (("right side", "R$+\t$: $( nosuch $1 $)"),
                        ("with default", "R$+\t$: $( ownmap $1 $: none $)"),
                        ("two arguments", "R$+ @ $+\t$: $( aces $1 $@ $2 $: none $)")):
        e = with_rules(src, rng, [rule])
        if e:
            yield Break(shape, [e], [(0, e[2].index("\nR$") + 1)])


@kind("undefined-class", lint=True)
def undefined_class(src, rng):
    for shape, rule in (("long name", "R$* $={NoSuch} $*\t$@ OK"), ("not in class", "R$~{NoSuch}\t$@ OK"),
                        ("one letter", "R$+ . $=Q\t$: $1")):
        e = with_rules(src, rng, [rule])
        if e:
            yield Break(shape, [e], [(0, e[2].index("\nR$") + 1)])


BAD_LINES = (("no brace", "C{Own mail.example"), ("no brace", "D{own_name a value"),
             ("no class", "Kownmap"),
             ("no colon", "HX-Own a value"), ("no equals", "O LogLevel"), ("unknown letter",
                                                                           "Zmail.example"),
             ("unknown letter", "w mail.example"), ("no name", "D"), ("blank first in O", "OLogLevel=9"),
             ("ruleset without name", "S"), ("rule without ruleset", "R$+\t$1"))


@kind("bad-config-line")
def bad_config_line(src, rng):
    if src.client_only():
        return
    for shape, line in BAD_LINES:
        e = at_end(src, "LOCAL_CONFIG", line)
        yield Break(shape, [e], [(0, e[2].rindex(line))])
    for letter in "CDF":
        for s, e in src.config_lines(letter):
            brace = src.text.find("}", s, e)
            if brace > 0:
                yield Break("} removed", [(brace, brace + 1, "")], [s])


@kind("misspelt-option", fix=True)
def misspelt_option(src, rng):
    known = {o.lower() for o in facts.VARIABLE_OPTION.values()}
    for s, e in src.config_lines("O"):
        m = re.match(r"O\s+(\w+)(?:\.\w+)?\s*=", src.text[s:e])
        if m and m.group(1) != "Timeout":
            for shape, wrong in misspellings(rng, m.group(1), known, case=False):
                yield Break(shape, [(s + m.start(1), s + m.end(1), wrong)], [s])
    if src.client_only():
        return
    for option, value in (("LogLevel", "11"), ("MaxMessageSize", "1000000"), ("BadRcptThrottle", "3")):
        for shape, wrong in some(rng, misspellings(rng, option, known, case=False), 2):
            e = at_end(src, "LOCAL_CONFIG", "O %s=%s" % (wrong, value))
            yield Break(shape + ", new section", [e], [line_in(e, "O ")],
                        good=[at_end(src, "LOCAL_CONFIG", "O %s=%s" % (option, value))])


# ---- filters, listeners, relaying -----------------------------------------------------------------------

@kind("filter-unlisted", lint=True)
def filter_unlisted(src, rng):
    if src.client_only() or src.own_includes:
        return
    for c in src.named("INPUT_MAIL_FILTER"):
        if "confINPUT_MAIL_FILTERS" not in src.mentions:
            yield Break("INPUT_ dropped", [(c.start, c.start + 6, "")], [c.start])
    p = pick(rng, src.directive_places())
    if p:
        e = insert(src, p, "MAIL_FILTER(`ownfilter', `S=local:/run/ownfilter.sock, F=T')dnl")
        yield Break("MAIL_FILTER, new line", [e], [line_in(e, "MAIL_FILTER")])
        if "confINPUT_MAIL_FILTERS" not in src.mentions and "INPUT_MAIL_FILTER" not in src.mentions:
            e = insert(src, p, "define(`confINPUT_MAIL_FILTERS', `nosuchfilter')dnl")
            yield Break("listed but not there", [e], [line_in(e, "define")])


@kind("bad-filter")
def bad_filter(src, rng):
    if src.client_only():
        return
    p = pick(rng, src.directive_places())
    if p:
        for shape, equates in (("no socket", "F=T, T=S:1m"),
                               ("flag", "S=local:/run/own.sock, F=Z"), ("timeout",
                                                                        "S=local:/run/own.sock, T=Q:1m"),
                               ("protocol", "S=tcp:8891@localhost"), ("key",
                                                                      "X=local:/run/own.sock"), ("time unit", "S=inet:8891@localhost, T=S:1x")):
            e = insert(src, p, "INPUT_MAIL_FILTER(`ownfilter', `%s')dnl" % equates)
            yield Break(shape, [e], [line_in(e, "INPUT")])


def daemon_port(value):
    """(port, address, family) of DAEMON_OPTIONS, by number where the name is known."""
    keys = dict((k.strip().lower()[:1], v.strip()) for k, _,
                v in (p.partition("=") for p in value.split(",")))
    port = {"smtp": "25", "submission": "587", "smtps": "465"}.get(keys.get("p", "smtp"),
                                                                   keys.get("p", "25"))
    return port, keys.get("a"), keys.get("f", "inet")


OTHER_NAME = {"25": "smtp", "587": "submission", "465": "465"}


@kind("port-twice", lint=True)
def port_twice(src, rng):
    if src.client_only() or src.own_includes:
        return
    calls = [c for c in src.named("DAEMON_OPTIONS") if c.args and c.args[0].simple]
    places = src.directive_places()
    for c in calls:
        port, addr, family = daemon_port(c.arg(0))
        if not port.isdigit() or family != "inet":
            continue
        p = pick(rng, places)
        for shape, name in (("number", port), ("name", OTHER_NAME.get(port, port))):
            if p:
                e = insert(src, p, "DAEMON_OPTIONS(`Port=%s, Name=AGAIN%s')dnl" % (name,
                                                                                   ", Addr=" + addr if addr else ""))
                yield Break("existing, by " + shape, [e], [c.start, line_in(e, "DAEMON")])
    p = pick(rng, places)
    if p and not calls and "DAEMON_OPTIONS" not in src.mentions and "DOMAIN" not in src.mentions:
        e = insert(src, p, "DAEMON_OPTIONS(`Port=smtp, Name=MTA')dnl",
                   "DAEMON_OPTIONS(`Port=25, Name=MTB')dnl")
        yield Break("both new", [e], [line_in(e, "DAEMON"), (0, e[2].rindex("DAEMON"))])
        if not src.has_feature("no_default_msa"):
            e = insert(src, p, "DAEMON_OPTIONS(`Port=587, Name=MSA2, M=Ea')dnl")
            yield Break("the default MSA", [e], [line_in(e, "DAEMON")])


@kind("loopback-only", lint=True)
def loopback_only(src, rng):
    if src.client_only() or src.own_includes:
        return
    calls = [c for c in src.named("DAEMON_OPTIONS") if c.args and c.args[0].simple]
    if calls and len(calls) == len(src.named("DAEMON_OPTIONS")) and all(daemon_port(c.arg(0))[1] is None and daemon_port(c.arg(0))[2] == "inet" for c in calls):
        yield Break("all", [(c.args[0].inner[1], c.args[0].inner[1], ", Addr=127.0.0.1")
                            for c in calls], [c.start for c in calls])
    p = pick(rng, src.directive_places())
    if p and "DAEMON_OPTIONS" not in src.mentions and "DOMAIN" not in src.mentions:
        for shape, options in (("address", "Port=smtp, Addr=127.0.0.1, Name=MTA"),
                               ("no blanks", "Port=smtp,Addr=127.0.0.1,Name=MTA"),
                               ("name", "Name=MTA, Addr=localhost, Port=25"), ("IPv6",
                                                                               "Family=inet6, Addr=::1, Name=MTA")):
            e = insert(src, p, "DAEMON_OPTIONS(`%s')dnl" % options)
            yield Break(shape, [e], [line_in(e, "DAEMON")])


@kind("promiscuous-relay")
def promiscuous_relay(src, rng):
    p = pick(rng, src.directive_places())
    if p and not src.has_feature("promiscuous_relay") and not src.client_only():
        for shape, line in (("quoted", "FEATURE(`promiscuous_relay')dnl"),
                            ("bare", "FEATURE(promiscuous_relay)"),):
            e = insert(src, p, line)
            yield Break(shape, [e], [line_in(e, "FEATURE")])


@kind("no-include")
def no_include(src, rng):
    for c in src.named("include"):
        if "cf.m4" not in c.arg(0) and c.args[0].simple and c.divert >= 0:
            i = c.args[0].inner[1]
            yield Break("existing", [(i, i, "x")], [c.start])
    p = pick(rng, src.directive_places())
    if p:
        e = insert(src, p, "include(`/etc/mail/no-such-file.m4')dnl")
        yield Break("new line", [e], [line_in(e, "include")])
