"""kinds_rules: rules, and other lines of the .cf that stand in an .mc."""
import re

from breaks import kind, pick, put_in, replaced

SECTIONS = (("LOCAL_RULESETS", "SOwnCheck"), ("LOCAL_RULE_0",), ("LOCAL_RULE_3",))


def new_rules(src, rng, rules, good=None):
    """[(shape, rule)], each as a section of its own at the end of the file."""
    if not src.client_only():
        for shape, rule in rules:
            yield put_in(src, len(src.text), shape, rule, before=pick(rng, SECTIONS),
                         good=good(rule) if good else None)


@kind("spaces-for-tabs", fix=True)
def spaces_for_tabs(src, rng):
    for start, end in src.rules():
        tabs = re.compile(r"\t+").search(src.text, start)
        for shape, new in (("eight", "        "), ("one", " "), ("four", "    ")):
            yield replaced(shape, tabs.start(), tabs.end(), new, at=start)
    gap = pick(rng, ["   ", "        ", " "])
    rules = [("new section", 'R$* < @ closed.example. > $*' + gap + '$#error $@ 5.1.2 $: "550 Closed"'),
             ("new section", "R$+" + gap + "$: $1 . home.example")]
    yield from new_rules(src, rng, rules, good=lambda rule: re.sub(r" +(?=\$[#:])", "\t", rule, count=1))


BAD_RULES = (
    ("map without $)", "R$+\t$: $( dequote $1"), ("map without name", "R$+\t$: $( $)"),
    ("host without $]", "R$+\t$: $[ $1"), ("$) alone", "R$+\t$: $1 $)"), ("$] alone", "R$+\t$: $1 $]"),
    ("call without name", "R$+\t$: $>"), ("call of a pattern", "R$+\t$: $> $1"),
    ("number too high", "R$+ . $+\t$: $1 . $9"), ("number too high by one", "R$+ @ $-\t$1 . $3"),
    ("$@ in the middle", "R$+\t$1 $@ $1"), ("$: in the middle", "R$+\t$1 $: $1"),
    ("$# in the middle", "R$+\t$1 $#local $: $1"), ("unbalanced <", "R$+ < @ one.example\t$1"),
    ("unbalanced >", "R$+ @ one.example >\t$1"), ("open quote", 'R$+\t$#error $@ 5.7.1 $: "550 No'),
    ("$ and a blank", "R$ +\t$1"), ("wildcard on the right", "R$+\t$: $+ . example"),
    ("$0", "R$+\t$: $0 . example"))


@kind("bad-rule")
def bad_rule(src, rng):
    for start, end in src.rules():
        rule = src.text[start:end]
        tab = rule.index("\t")
        for token in ("$)", "$]"):
            if token in rule:
                i = start + rule.index(token)
                yield replaced(token + " removed", i, i + 2, "")
        m = re.compile(r"\$([1-9])\b").search(rule, tab)
        if m:
            yield replaced("number raised", start + m.start(1), start + m.end(1), "9")
        m = re.search(r"\$>(\w+)", rule)
        if m:
            yield replaced("name removed", start + m.start(1), start + m.end(1), "")
        m = re.match(r"[^>\t]*[^$]>", rule)
        if m:
            yield replaced("> removed", start + m.end() - 1, start + m.end(), "")
    yield from new_rules(src, rng, BAD_RULES)


def misspelt_in_rules(src, pattern):
    for start, end in src.rules():
        m = re.search(pattern, src.text[start:end])
        if m:
            yield replaced("existing", start + m.end(), start + m.end(), "x")


@kind("undefined-ruleset")
def undefined_ruleset(src, rng):
    yield from misspelt_in_rules(src, r"\$>\w+")
    yield from new_rules(src, rng, (
        ("right side", "R$+\t$: $>NoSuch $1"), ("misspelt", "R$+\t$: $>Canonfiy2 $1"),
        ("number", "R$+\t$@ $>77 $1"),
        ("behind other text", "R$+ < @ a.example >\t$: $1 < $>OwnLookup a.example >")))


@kind("undefined-map")
def undefined_map(src, rng):
    yield from misspelt_in_rules(src, r"\$\(\s*\w+")
    yield from new_rules(src, rng, (
        ("right side", "R$+\t$: $( nosuch $1 $)"), ("with default", "R$+\t$: $( ownmap $1 $: none $)"),
        ("two arguments", "R$+ @ $+\t$: $( aces $1 $@ $2 $: none $)")))


@kind("undefined-class", lint=True)
def undefined_class(src, rng):
    yield from new_rules(src, rng, (
        ("long name", "R$* $={NoSuch} $*\t$@ OK"), ("not in class", "R$~{NoSuch}\t$@ OK"),
        ("one letter", "R$+ . $=Q\t$: $1")))


BAD_LINES = (("no brace", "C{Own mail.example"), ("no brace", "D{own_name a value"),
             ("no class", "Kownmap"), ("no colon", "HX-Own a value"), ("no equals", "O LogLevel"),
             ("unknown letter", "Zmail.example"), ("unknown letter", "w mail.example"), ("no name", "D"),
             ("no blank in O", "OLogLevel=9"), ("ruleset without name", "S"),
             ("rule without ruleset", "R$+\t$1"))


@kind("bad-config-line")
def bad_config_line(src, rng):
    if src.client_only():
        return
    for shape, line in BAD_LINES:
        yield put_in(src, len(src.text), shape, line, before=["LOCAL_CONFIG"])
    for letter in "CDF":
        for start, end in src.config_lines(letter):
            brace = src.text.find("}", start, end)
            if brace > 0:
                yield replaced("} removed", brace, brace + 1, "")
