"""kinds_text: quotes, parentheses, comments and prose."""
import re

import facts
from breaks import (Break, both_in, insertion, kind, pick, put_in, replaced, simple_calls, some,
                    spots)


# ---- quotes and parentheses -------------------------------------------------------------------

@kind("unclosed-quote", fix=True)
def unclosed_quote(src, rng):
    for c in simple_calls(src) + src.named("VERSIONID"):
        for n, a in enumerate(c.args):
            if a.simple:
                yield replaced("later argument" if n else "first argument",
                               a.quoted_end - 1, a.quoted_end, "", at=a.start)


@kind("unclosed-parenthesis", fix=True)
def unclosed_parenthesis(src, rng):
    for c in simple_calls(src) + src.named("VERSIONID"):
        yield Break("with dnl" if c.dnl else "without dnl", [(c.end - 1, c.end, "")], [c.start, c.end])


@kind("extra-parenthesis", fix=True)
def extra_parenthesis(src, rng):
    for c in simple_calls(src):
        # The class macros take the rest of their line away.
        if c.name in ("define", "FEATURE", "MAILER", "OSTYPE") and c.divert >= 0:
            yield replaced("closing", c.end, c.end, ")")
        if c.args[0].simple:
            yield replaced("opening", c.opens, c.opens, "(", at=c.start)


@kind("space-before-parenthesis", fix=True)
def space_before_parenthesis(src, rng):
    for c in simple_calls(src):
        yield replaced("space", c.opens, c.opens, " ", at=c.start)


@kind("missing-open-parenthesis", fix=True)
def missing_open_parenthesis(src, rng):
    for c in simple_calls(src):
        if c.args[0].simple:
            yield replaced("nothing", c.opens, c.opens + 1, "", at=c.start)
            yield replaced("space", c.opens, c.opens + 1, " ", at=c.start)


@kind("missing-comma", fix=True)
def missing_comma(src, rng):
    for c in simple_calls(src):
        if len(c.args) < 2 or not c.args[0].simple or not c.args[1].simple:
            continue
        start, end = c.args[0].quoted_end, c.args[1].start
        if "\n" in src.text[start:end]:
            continue
        for shape, new in (("space", " "), ("equals", " = "), ("dot", ". "), ("semicolon", "; ")):
            yield replaced(shape, start, end, new, at=c.start)


def quoted_otherwise(shape, arg, left, right):
    s, e = arg.start, arg.quoted_end
    return Break(shape, [(s, s + 1, left), (e - 1, e, right)], [s])


@kind("wrong-quotes", fix=True)
def wrong_quotes(src, rng):
    for c in simple_calls(src):
        # Double quotes belong to a text that a client reads.
        text = c.name == "define" and facts.MESSAGES.search(c.arg(0))
        for n, a in enumerate(c.args):
            if not a.simple or not a.value or "\n" in a.value or '"' in a.value:
                continue
            yield quoted_otherwise("'x'", a, "'", "'")
            yield quoted_otherwise("`x`", a, "`", "`")
            yield quoted_otherwise("typographic", a, "\xe2\x80\x98", "\xe2\x80\x99")
            yield quoted_otherwise("acute", a, "\xc2\xb4", "\xc2\xb4")
            if n == 0 or c.name == "define" and not text and " " not in a.value:
                yield quoted_otherwise('"x"', a, '"', '"')
                yield quoted_otherwise("typographic double", a, "\xe2\x80\x9c", "\xe2\x80\x9d")
        if len(c.args) > 1 and all(a.simple and a.value for a in c.args):
            if "\n" not in src.text[c.start:c.end]:
                yield Break("'x' throughout", [(a.start, a.start + 1, "'") for a in c.args], [c.start])


@kind("missing-open-quote", fix=True)
def missing_open_quote(src, rng):
    for c in simple_calls(src):
        for n, a in enumerate(c.args):
            if a.simple and a.value and "\n" not in a.value:
                yield replaced("later argument" if n else "first argument", a.start, a.start + 1, "")


APOSTROPHES = (("one", "550 Don't send this here"), ("comma", "550 We don't relay, sorry"),
               ("two", "550 It's not ours, that's all"), ("parenthesis", "550 Can't relay (no login)"),
               ("possessive", "550 Not this host's users"),
               ("before a macro", "550 Don't relay, define it"))


@kind("apostrophe", lint=True)
def apostrophe(src, rng):
    for c in src.named("VERSIONID"):
        if c.args and c.args[0].simple and c.divert >= 0:
            s, e = c.args[0].inner
            for shape, new in (("in VERSIONID", "Bob's server"),
                               ("in VERSIONID, comma", "don't edit, ask Bob")):
                yield replaced(shape, s, e, new, good=[(s, e, new.replace("'", ""))])
    for offset in spots(rng, src, 2):
        for shape, text in APOSTROPHES:
            v = pick(rng, ["confREJECT_MSG", "confRELAY_MSG", "confSMTP_LOGIN_MSG"])
            line = "define(`%s', `%s')dnl"
            if v not in src.mentions:
                yield put_in(src, offset, shape, line % (v, text),
                             good=line % (v, text.replace("'", "")))
        if not src.has_feature("dnsbl") and not src.client_only():
            line = "FEATURE(`dnsbl', `dnsbl.example.net', `\"550 You%s listed\"')dnl"
            yield put_in(src, offset, "dnsbl", line % "'re", good=line % " are")
    for c in src.named("define"):
        a = c.args[-1]
        if len(c.args) == 2 and a.simple and facts.MESSAGES.search(c.arg(0)) and " " in a.value:
            i = a.inner[0] + a.value.index(" ")
            yield replaced("existing", i, i, "'s")


# ---- comments ---------------------------------------------------------------------------------

def unused_features(src):
    return [f for f in ("redirect", "always_add_domain", "use_cw_file", "relay_entire_domain",
                        "accept_unqualified_senders", "masquerade_envelope")
            if not src.has_feature(f)]


def comments_with_calls(src, rng):
    """[(shape, comment)] whose call does something in this file."""
    out = [("OSTYPE", "# was OSTYPE(`solaris2') before"),
           ("DAEMON_OPTIONS", "# DAEMON_OPTIONS(`Port=2525, Name=OLD')")]
    f = pick(rng, unused_features(src))
    if f:
        out += [("FEATURE", "# See FEATURE(`%s') in the manual" % f),
                ("FEATURE hashed out", "#FEATURE(`%s')dnl" % f),
                ("FEATURE, no quotes", "# FEATURE(%s) may be used too" % f)]
    if not re.search(r"MAILER\(`?(uucp|procmail)", src.live):
        out.append(("MAILER", "# MAILER(`%s') is not wanted here" % pick(rng, ["uucp", "procmail"])))
    if "MASQUERADE_AS" not in src.mentions:
        out.append(("no quotes", "#MASQUERADE_AS(old.example)dnl"))
    if "confLOG_LEVEL" not in src.mentions:
        out.append(("define", "# For more, define(`confLOG_LEVEL', `20')dnl"))
    return out


SECTION_COMMENTS = ("# LOCAL_CONFIG would begin the local lines", "# Rules go below LOCAL_RULE_0",
                    "# see LOCAL_RULESETS")


@kind("live-comment", lint=True)
def live_comment(src, rng):
    for offset in spots(rng, src, 4):
        for shape, text in comments_with_calls(src, rng):
            yield put_in(src, offset, shape, text)
    for p in some(rng, [p for p in src.directive_places() if p.divert == 0], 2):
        yield put_in(src, p.at, "section", pick(rng, SECTION_COMMENTS))
    for c in simple_calls(src):
        # A directive that somebody thinks is now out of force.
        if c.alone and c.divert >= 0 and c.start == c.line_start and "\n" not in src.text[c.start:c.end]:
            yield replaced("directive hashed out", c.start, c.start, pick(rng, ["#", "# ", "##"]))


@kind("comment-quote")
def comment_quote(src, rng):
    for offset in spots(rng, src, 4):
        following = [c for c in src.calls if c.start >= offset]
        if not following:
            continue
        for shape, text in (("lone", "# the old name was `mailhost"),
                            ("for an apostrophe", "# don`t touch the next lines"),
                            ("at the end", "# features `"), ("two", "# here we list `all` features")):
            yield put_in(src, offset, shape, text)
        later = [p.at for p in src.places if p.at > following[0].end]
        if later:
            yield Break("pair", [insertion(src, offset, ["# as the `manual page"]),
                                 insertion(src, pick(rng, later[:4]), ["# of sendmail' says"])],
                        [(0, 0)])


# ---- prose ------------------------------------------------------------------------------------

PROSE = """Here come the features of this site
Our mail server, see the wiki
Remember to rebuild the maps
Features:
Mail goes to the hub of the department
Kept for the old clients
Options for TLS are below
Please ask Bob before a change
Virtual domains
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
mailers follow
smart host = mail.example.com
SMART_HOST=mail.example.com
confLOG_LEVEL=9
Port 25 is open
>>>>>>> master""".splitlines()
# These read as lines of a .cf (sendmail takes them), so that nobody can tell in a section.
PROSE_AS_CF = """This host relays for the laboratory.
Do not edit this file by hand.
Sendmail reads this at start
Create the maps first
Edit with care
TODO: check this
Cwhat is this for
Don't touch""".splitlines()


@kind("prose")
def prose(src, rng):
    places = src.text_places()
    between = [p for p in places if p.at and not p.section and p.divert == 0]
    for shape, offered, texts in (("top", [p for p in places if p.at == 0], PROSE),
                                  ("top, as .cf", [p for p in places if p.at == 0], PROSE_AS_CF),
                                  ("between", between, PROSE), ("between, as .cf", between, PROSE_AS_CF),
                                  ("section", [p for p in places if p.divert], PROSE)):
        for text in some(rng, texts, 5):
            if offered:
                yield put_in(src, pick(rng, offered).at, shape, text)
    if between:
        yield both_in(src, pick(rng, between).at, "two lines", "Below are the settings",
                      "that the lab needs.")
    for c in src.named("define", "FEATURE"):
        if c.alone and c.divert >= 0:
            text = pick(rng, ["for the lab", "until May", "see the wiki"])
            yield replaced("behind", c.end, c.line_end, " " + text + src.eol)
