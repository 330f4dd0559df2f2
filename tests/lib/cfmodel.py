"""cfmodel: reads a .cf and compares two as configuration, not as text.

model(text) is {section: {key: value}}; a value is a string, a sorted tuple of words,
or a tuple of strings in order. Rules are not part of it: what they decide is asked
of a running program (tests/differential). diff(a, b) gives the differences.
"""
import re

# Maps that only rules use, and that a .cf declares as its rules need them.
RULE_MAPS = {"arith", "macro", "storage", "dequote", "syslog", "null", "host", "bestmx",
             "dns", "regex", "user"}
# Classes that only the library's rules use.
RULE_CLASSES = {"O", ".", "[", "Accept", "ResOk", "Tls", "TlsVerified", "Src", "SMTPOpModes",
                "SpamTag", "MappedDomain"}
# Macros that tell who made the file.
MAKER_MACROS = {"Z"}


def logical_lines(text):
    """Lines with their continuations joined; comments and blank lines left out."""
    lines = []
    can_continue = False
    for line in text.split("\n"):
        if line[:1] in (" ", "\t") and can_continue:
            lines[-1] += "\n" + line
        elif line and not line.startswith("#"):
            lines.append(line)
            can_continue = True
        else:
            can_continue = False
    return lines


def named(body):
    """Splits 'xREST' or '{name}REST' into the name and the rest."""
    m = re.match(r"\{([^}]*)\}|(.)", body, re.S)
    if not m:
        return "", ""
    return (m.group(1) if m.group(1) is not None else m.group(2)), body[m.end():]


def squeeze(text):
    return " ".join(text.split())


def mailer(body):
    """(name, {equate: value}); A= runs to the end of the line."""
    name, _, rest = body.partition(",")
    equates = {}
    while rest.strip(" \t\n,"):
        m = re.match(r"[\s,]*([A-Za-z/@])[^=,]*=\s*", rest)
        if not m:
            equates["?"] = squeeze(rest)
            break
        key, rest = m.group(1), rest[m.end():]
        if key == "A":
            value, rest = rest, ""
        else:
            m = re.match(r"(?:\\.|[^\\,])*", rest, re.S)
            value, rest = m.group(0), rest[m.end():]
        equates[key] = "".join(sorted(set(value.strip()))) if key == "F" else squeeze(value)
    return name.strip(), equates


def add_words(section, key, words):
    section[key] = tuple(sorted(set(section.get(key, ())) | set(words)))


def model(text):
    m = {s: {} for s in ("option", "macro", "class", "class file", "map", "mailer", "header",
                         "priority", "trusted", "filter", "queue group", "environment",
                         "version", "unknown")}
    for line in logical_lines(text):
        letter, body = line[0], line[1:]
        if letter == "O":
            key, eq, value = body.partition("=")
            key = key.strip()
            value = squeeze(value) if eq else None
            m["option"][key] = m["option"].get(key, ()) + (value,)
        elif letter == "D":
            key, value = named(body)
            m["macro"][key] = value.strip()
        elif letter == "C":
            key, words = named(body)
            add_words(m["class"], key, words.split())
        elif letter == "F":
            key, name = named(body)
            add_words(m["class file"], key, [squeeze(name)])
        elif letter == "K":
            fields = body.split()
            if fields:
                m["map"][fields[0]] = " ".join(fields[1:])
        elif letter == "M":
            name, equates = mailer(body)
            for key, value in equates.items():
                m["mailer"][name + " " + key + "="] = value
        elif letter == "H":
            text_ = squeeze(body)
            m["header"][text_] = m["header"].get(text_, 0) + 1
        elif letter == "P":
            key, _, value = body.partition("=")
            m["priority"][key.strip()] = value.strip()
        elif letter == "T":
            add_words(m["trusted"], "T", body.split())
        elif letter == "X":
            key, _, value = body.partition(",")
            m["filter"][key.strip()] = squeeze(value)
        elif letter == "Q":
            key, _, value = body.partition(",")
            m["queue group"][key.strip()] = squeeze(value)
        elif letter == "E":
            key, _, value = body.partition("=")
            m["environment"][key.strip()] = value.strip()
        elif letter == "V":
            m["version"]["V"] = squeeze(body)
        elif letter not in "SR" and line.strip():
            m["unknown"][squeeze(line)] = ""
    return m


def counts(section, key, a, b):
    """Is this difference one of configuration?"""
    if section == "macro" and key in MAKER_MACROS:
        return False
    if section == "class" and key in RULE_CLASSES:
        return False
    if section == "class" and key == "P":
        return set(a or ()) - {"."} != set(b or ()) - {"."}
    if section == "map":
        return not all(v is None or v.split()[0] in RULE_MAPS for v in (a, b))
    return True


def diff(a, b):
    """[(section, key, a's value or None, b's value or None)] of what differs."""
    found = []
    for section in a:
        for key in sorted(set(a[section]) | set(b[section])):
            x, y = a[section].get(key), b[section].get(key)
            if x != y and counts(section, key, x, y):
                found.append((section, key, x, y))
    return found
