"""source: reads an .mc file far enough to break it in one known place.

A Source knows the calls that stand at the top level (not those inside quotes), the
remarks (dnl), the section words, the lines that are plain text, and the places between
lines where something can be put in. A file that changes its quotes is not read.
"""
import os
import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECTIONS = {"LOCAL_CONFIG", "LOCAL_RULE_0", "LOCAL_RULE_1", "LOCAL_RULE_2", "LOCAL_RULE_3",
            "LOCAL_RULESETS", "LOCAL_NET_CONFIG", "LOCAL_UUCP", "LOCAL_DNSBL",
            "LOCAL_SRV_FEATURES", "LOCAL_CLT_FEATURES", "LOCAL_TRY_TLS", "LOCAL_TLS_RCPT",
            "LOCAL_TLS_CLIENT", "LOCAL_TLS_SERVER", "MAILER_DEFINITIONS"}
BUILTINS = set("""define undefine pushdef popdef defn ifdef ifelse include sinclude divert
    undivert divnum changequote changecom dnl shift eval incr decr len index substr translit
    regexp patsubst indir builtin errprint m4wrap m4exit dumpdef traceon traceoff format
    maketemp esyscmd syscmd sysval unix""".split())


class Unreadable(Exception):
    """Not a file for these tests; says why."""


class Arg:
    """One argument. simple: it is `text' and nothing else; then inner is the text's span."""

    def __init__(self, text, start, end):
        self.start, self.end = start, end
        self.raw = text[start:end]
        body = self.raw.rstrip()
        self.quoted_end = start + len(body)
        self.simple = (len(body) >= 2 and body[0] == "`" and body[-1] == "'"
                       and "`" not in body[1:-1] and "'" not in body[1:-1])
        self.bare = bool(re.fullmatch(r"[\w./@:-]+", body))
        self.inner = (start + 1, self.quoted_end - 1) if self.simple else (start, self.quoted_end)
        self.value = text[self.inner[0]:self.inner[1]]


class Call:
    def __init__(self, text, name, start, opens, args, end, section, divert):
        self.name, self.start, self.opens, self.args, self.end = name, start, opens, args, end
        self.section, self.divert = section, divert
        self.line_start = text.rfind("\n", 0, start) + 1
        newline = text.find("\n", end)
        self.line_end = len(text) if newline < 0 else newline + 1
        rest = text[end:self.line_end]
        self.dnl = rest.startswith("dnl")
        self.alone = not text[self.line_start:start].strip() and (self.dnl or not rest.strip())

    def arg(self, n):
        return self.args[n].value if n < len(self.args) else ""


class Place:
    """Between two lines, outside of calls and quotes."""

    def __init__(self, at, section, divert):
        self.at, self.section, self.divert = at, section, divert


class Source:
    def __init__(self, path, known):
        self.path = path
        self.folder, self.name = os.path.split(path)
        with open(path, "rb") as f:
            self.text = f.read().decode("latin-1")
        if re.search(r"^(?!\s*dnl\b).*\bchangequote\b", self.text, re.M):
            raise Unreadable("changes its quotes")
        self.eol = "\r\n" if "\r\n" in self.text else "\n"
        self.known = set(known) | BUILTINS
        self.calls, self.remarks, self.words, self.plain, self.places = [], [], [], [], []
        self._scan()
        self.features = {c.arg(0) for c in self.calls if c.name == "FEATURE"}
        # Also what stands inside quotes; remarks do not count.
        live = re.sub(r"\bdnl\b.*", "", self.text)
        self.mentions = set(NAME.findall(live))
        self.live = live
        self.own_includes = any(c.name in ("include", "sinclude") and "cf.m4" not in c.arg(0)
                                for c in self.calls)

    # ---- reading -------------------------------------------------------------------------

    def _quote_end(self, at):
        depth = 0
        for i in range(at, len(self.text)):
            if self.text[i] == "`":
                depth += 1
            elif self.text[i] == "'":
                depth -= 1
                if depth == 0:
                    return i + 1
        raise Unreadable("has an unclosed quote")

    def _skip_dnl(self, at):
        newline = self.text.find("\n", at)
        return len(self.text) if newline < 0 else newline + 1

    def _arguments(self, at):
        """at: behind the '('. The arguments and the place behind the ')'."""
        text, args, depth = self.text, [], 0
        start = None
        i = at
        while i < len(text):
            c = text[i]
            if start is None and c in " \t\r\n":
                i += 1
                continue
            m = NAME.match(text, i)
            if m and m.group(0) == "dnl":
                i = self._skip_dnl(i)
                continue
            if start is None:
                start = i
            if m:
                i = m.end()
            elif c == "`":
                i = self._quote_end(i)
            elif c == "(":
                depth += 1
                i += 1
            elif c == ")" and depth:
                depth -= 1
                i += 1
            elif c in ",)" and not depth:
                args.append(Arg(text, start, i))
                start = None
                i += 1
                if c == ")":
                    return args, i
            else:
                i += 1
        raise Unreadable("has an unclosed parenthesis")

    def _scan(self):
        text = self.text
        section, divert, i = "", 0, 0
        raw_from = None  # the plain line that is being read
        while i <= len(text):
            if i == 0 or text[i - 1:i] == "\n":
                if raw_from is not None and raw_from < i:
                    self.plain.append((raw_from, i, section))
                if i < len(text) or text.endswith("\n"):
                    self.places.append(Place(i, section, divert))
                raw_from = i
            if i == len(text):
                break
            m = NAME.match(text, i)
            if not m:
                if text[i] == "`":
                    i, raw_from = self._quote_end(i), None
                else:
                    i += 1
                continue
            name, i = m.group(0), m.end()
            if name == "dnl":
                end = self._skip_dnl(i)
                self.remarks.append((m.start(), end))
                i, raw_from = end, None
            elif name in self.known and text[i:i + 1] == "(":
                args, end = self._arguments(i + 1)
                self.calls.append(Call(text, name, m.start(), i, args, end, section, divert))
                i, raw_from = end, None
                if name == "divert":
                    number = args[0].value
                    divert, section = (int(number) if re.fullmatch(r"-?\d+", number) else 0), ""
                elif name in ("define", "pushdef") and args and re.fullmatch(r"\w+", args[0].value):
                    self.known.add(args[0].value)
            elif name in SECTIONS:
                self.words.append((name, m.start()))
                section, divert, raw_from = name, 9, None
            elif name == "divert":
                divert, section, raw_from = 0, "", None

    # ---- asking --------------------------------------------------------------------------

    def named(self, *names):
        return [c for c in self.calls if c.name in names]

    def feature(self, name):
        return next((c for c in self.calls if c.name == "FEATURE" and c.arg(0) == name), None)

    def has_feature(self, name):
        """Also inside quotes, where a condition may turn it on."""
        return bool(re.search(r"FEATURE\(\s*`?%s\b" % re.escape(name), self.live))

    def client_only(self):
        return self.has_feature("msp") or self.has_feature("nullclient")

    def directive_places(self):
        """Places for a directive: behind OSTYPE and the features' head, before the first
        MAILER and the first section."""
        ostype = self.named("OSTYPE")
        if not ostype:
            return []
        first = ostype[0].end
        last = min([c.start for c in self.named("MAILER") if c.start > first] +
                   [w for _, w in self.words] + [len(self.text)])
        return [p for p in self.places if first < p.at <= last and not p.section]

    def text_places(self):
        """Places where text goes into the .cf."""
        return [p for p in self.places if 0 <= p.divert <= 9]

    def rules(self):
        """(start, end) of the rules that are plain text: tabs, both sides, no continuation."""
        out = []
        for start, end, section in self.plain:
            line = self.text[start:end].rstrip("\r\n")
            following = self.text[end:end + 1]
            if (re.match(r"R[^\t]+\t+[^\t]+", line) and following not in (" ", "\t")
                    and (section.startswith("LOCAL_"))):
                out.append((start, start + len(line)))
        return out

    def config_lines(self, letter):
        return [(s, s + len(self.text[s:e].rstrip("\r\n"))) for s, e, section in self.plain
                if section == "LOCAL_CONFIG" and self.text[s] == letter]
