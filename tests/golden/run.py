#!/usr/bin/env python3
"""run.py [-v] [CASE]...

Golden tests: what mcf says about mistakes, and that the vocabulary of the tests is whole.

diag/NAME.mc is built, and its findings must be those of diag/NAME.expect, no more and
no fewer. A line there is

    [FILE:]LINE[:COLUMN] error|warning|note [ID] [: TEXT]

FILE is the .mc itself when nothing is said; without COLUMN any will do, without ID too;
TEXT is all that is said, without the id;
or, with a number of the .mc's line and what "mcf check --fix" makes of it,

    fixed LINE : TEXT

and then every other line must stay as it is (no such line: --fix is not tried).
    options WORD...

are given to "mcf build".
- stands for a finding about the file as a whole. The word "more" alone allows others.
Every finding with a column must be followed by the source line and a caret below that
column. The exit status must be 65 with an error and 0 without.

cf/run.sh checks what the verbs that read a .cf print (cf/README.md).

findings: every id of "mcf list findings" is named by a test, here or in another suite.

vocabulary.txt lists every macro, section, feature and mailer; each must be used by an
.mc of the samples or of mc/ and own/ (that file's cases are run by tests/differential).
"""
import glob
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from report import MCF, ROOT, Report, need_mcf, options

FINDING = re.compile(r"^(?P<where>[^ :]+(?::\d+){0,2}): (?P<kind>error|warning|note): (?P<text>.*) \[(?P<id>\S+)\]$")


def expected(path, mc):
    """([(place, kind, id or None, text or None)], are more allowed, {line: text if fixed},
    options)."""
    out, more, fixed, options = [], False, {}, []
    with open(path) as f:
        for line in f:
            head, colon, text = line.rstrip("\n").partition(" : ")
            words = head.split("#")[0].split()
            if words == ["more"]:
                more = True
            elif words[:1] == ["options"]:
                options += words[1:]
            elif words[:1] == ["fixed"]:
                fixed[int(words[1])] = text
            elif words:
                place = words[0]
                if place == "-":
                    place = mc
                elif place[0].isdigit():
                    place = mc + ":" + place
                out.append((place, words[1], words[2] if len(words) > 2 else None,
                            text if colon else None))
    return out, more, fixed, options


def matches(want, finding):
    place, kind, ident, text = want
    where = finding["where"]
    exact = re.search(r":\d+:\d+$", place) or not re.search(r":\d+$", place)
    same = where == place or (not exact and re.fullmatch(re.escape(place) + r":\d+", where))
    return same and kind == finding["kind"] and ident in (None, finding["id"]) \
        and text in (None, finding["text"])


def caret_complaint(finding, lines, at):
    """The two lines below a finding: the source line, and the caret under its column."""
    file, line, column = finding["where"].rsplit(":", 2)
    with open(os.path.join(HERE, "diag", file), encoding="utf8") as f:
        source = f.read().split("\n")[int(line) - 1]
    below = lines[at + 1:at + 3]
    if len(below) < 2 or below[0] != "  " + source:
        return "below line %s stands not its text: %r" % (finding["where"], below[:1])
    cells = len(source.encode("utf8")[:int(column) - 1].decode("utf8", "ignore"))
    if below[1].find("^") != cells + 2:
        return "the caret of %s is not under its column" % finding["where"]
    return None


def fix_complaints(mc, fixed):
    """What "mcf check --fix" makes of a copy, against what it should."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(os.path.join(HERE, "diag"), os.path.join(folder, "diag"))
        path = os.path.join(folder, "diag", mc)
        with open(path, encoding="utf8") as f:
            lines = f.read().split("\n")
        subprocess.run([MCF, "check", "--fix", mc], cwd=os.path.dirname(path), timeout=60,
                       capture_output=True)
        for number, text in fixed.items():
            lines[number - 1] = text
        with open(path, encoding="utf8") as f:
            got = f.read().split("\n")
    return ["fixed: line %d should be %r, is %r" % (i + 1, want, is_)
            for i, (want, is_) in enumerate(itertools.zip_longest(lines, got)) if want != is_]


def run_diagnostic(name):
    mc = name + ".mc"
    wanted, more, fixed, options = expected(os.path.join(HERE, "diag", name + ".expect"), mc)
    p = subprocess.run([MCF, "build", *options, mc], cwd=os.path.join(HERE, "diag"),
                       capture_output=True, timeout=60)
    text = p.stderr.decode("utf8", "replace")
    lines = text.split("\n")
    found, complaints = [], []
    for at, line in enumerate(lines):
        m = FINDING.match(line)
        if m:
            found.append(m)
            if re.search(r":\d+:\d+$", m["where"]):
                complaints.append(caret_complaint(m, lines, at))
        elif line and not line.startswith("  "):
            complaints.append("not a finding: " + line)
    left = list(found)
    for want in wanted:
        hit = next((f for f in left if matches(want, f)), None)
        if hit:
            left.remove(hit)
        else:
            complaints.append("missing: %s %s %s : %s" % tuple(w or "" for w in want))
    if not more:
        complaints += ["not expected: " + f.group(0) for f in left]
    if fixed:
        complaints += fix_complaints(mc, fixed)
    errors = any(f["kind"] == "error" for f in found)
    if p.returncode != (65 if errors else 0):
        complaints.append("exit status %d" % p.returncode)
    if errors and p.stdout:
        complaints.append("a .cf was printed in spite of an error")
    complaints = [c for c in complaints if c]
    return complaints and "\n".join(complaints) + "\n" + text


def vocabulary():
    """[(word, is it used)]"""
    texts = []
    for pattern in ("samples/*/*.mc", "tests/golden/mc/*.mc", "tests/golden/own/*.mc",
                    "tests/golden/own/*/*.m4", "tests/golden/mc/parts/*.m4"):
        for path in glob.glob(os.path.join(ROOT, pattern)):
            with open(path, encoding="latin-1") as f:
                texts += [l for l in f.read().split("\n") if not re.match(r"\s*dnl\b", l)]
    text = "\n".join(texts)
    kind, out = None, []
    with open(os.path.join(HERE, "vocabulary.txt")) as f:
        for line in f:
            line = line.split("#")[0].strip()
            if line.startswith("["):
                kind = line.strip("[]")
            for word in line.split() if line and not line.startswith("[") else []:
                if kind == "macros":
                    pattern = r"(?<![A-Z_])%s(?![A-Z_0-9])" % word
                elif kind == "variables":
                    pattern = r"define\(`%s'" % word
                else:
                    pattern = r"%s\([`\[]?%s[')\],]" % (kind, re.escape(word))
                out.append(("%s %s" % (kind, word), re.search(pattern, text) is not None))
    return out


# The grammar takes all that the lexer gives; the row is there in case that it does not.
NOT_TO_BE_HAD = {"cf-syntax"}


def untested():
    """Ids of findings that no test names: here, in cf/, or where other suites trigger them."""
    p = subprocess.run([MCF, "list", "findings"], capture_output=True, text=True, timeout=60)
    ids = {line.split()[0] for line in p.stdout.split("\n") if line}
    named = set()
    for path in glob.glob(os.path.join(HERE, "diag", "*.expect")):
        with open(path, encoding="utf8") as f:
            named.update(w for line in f for w in line.split("#")[0].split(" : ")[0].split())
    for pattern in ("golden/cf/*.err", "cage/mc/*", "cli/run.py", "formats/run.py", "maps/run.py", "unit/*.c", "rewrite/*.test", "safety/*.test"):
        for path in glob.glob(os.path.join(HERE, "..", pattern)):
            with open(path, encoding="latin-1") as f:
                # As it is printed, as the unit tests write a finding or those of rules, or its id by itself.
                for m in re.finditer(r"\[([a-z0-9-]+)\\{0,2}\]|\d:\d+\+\d+ ([a-z0-9-]+)|@finds [0-9:]+ [a-z]+ ([a-z0-9-]+)"
                                     r"|\bid(?:\"\] ==|,) \"([a-z0-9-]+)\"", f.read()):
                    named.update(m.groups())
    return ids, sorted(ids - named - NOT_TO_BE_HAD)


def main():
    os.environ["MCF_SENDMAIL"] = ""  # whatever this machine has
    given = options(__doc__)
    need_mcf()
    report = Report("golden", "tests/golden/run.py {}", given.verbose)
    names = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "diag", "*.mc")))
    for name in given.cases or names:
        if name in ("vocabulary", "cf", "findings"):
            continue
        why = run_diagnostic(name)
        report.check(name, not why, why)
    if not given.cases or "cf" in given.cases:
        p = subprocess.run([os.path.join(HERE, "cf", "run.sh"), MCF], capture_output=True, timeout=60)
        report.check("cf", p.returncode == 0, (p.stdout + p.stderr).decode("utf8", "replace"))
    if not given.cases or "vocabulary" in given.cases:
        words = vocabulary()
        unused = [w for w, used in words if not used]
        report.check("vocabulary", words and not unused, "no .mc uses: " + ", ".join(unused))
    if not given.cases or "findings" in given.cases:
        ids, missing = untested()
        report.check("findings", ids and not missing, "no test names: " + ", ".join(missing))
    report.close()


if __name__ == "__main__":
    main()
