#!/usr/bin/env python3
"""run.py [-v] [CASE]...

What mcf says to other programs: each case is a function test_NAME below, which runs in
an empty folder of its own. Every SARIF document is validated against the schema beside
this file, and the fixes of every document, made by hand here, are those of --fix.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from report import Failed, MCF, ROOT, expect, need, run_functions

try:
    import jsonschema
except ImportError:
    jsonschema = None

GOOD = b"OSTYPE(`linux')dnl\nMAILER(`local')dnl\nMAILER(`smtp')dnl\n"
BAD = b"OSTYPE(`linux')dnl\nFEATURE(`acces_db')dnl\nMAILER(`smtp')dnl\n"
# A word of two bytes and one of two 16-bit units before the mistake; then bytes that are no UTF-8.
UTF8 = "OSTYPE(`linux')dnl\ndefine(`X', `\u00fc\U0001f4ec')FEATURE(`acces_db')dnl\n".encode()
LATIN = b"OSTYPE(`linux')dnl\ndefine(`X', `\xfc\xfc')FEATURE(`acces_db')dnl\n"


def write(name, data):
    if os.path.dirname(name):
        os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as f:
        f.write(data)


def run(*arguments):
    return subprocess.run([MCF, *arguments], capture_output=True, timeout=60)


def said(form, name, *more, verb="check"):
    p = run(verb, "--format", form, *more, name)
    other = p.stderr if verb == "check" else p.stdout
    expect(other == b"", "also said: %r" % other[:300])
    return p.returncode, p.stdout if verb == "check" else p.stderr


def as_json(name, *more, **how):
    status, out = said("json", name, *more, **how)
    document = json.loads(out.decode("utf8"))
    errors = [f for f in document["findings"] if f["severity"] == "error"]
    warnings = [f for f in document["findings"] if f["severity"] == "warning"]
    expect(document["errors"] == len(errors) and document["warnings"] == len(warnings), document)
    if how.get("verb", "check") == "check" and os.path.isfile(name):
        expect(status == (1 if errors else 0), "exit status %d" % status)
    return document["findings"]


def as_sarif(name, *more):
    _, out = said("sarif", name, *more)
    document = json.loads(out.decode("utf8"))
    with open(os.path.join(HERE, "sarif-2.1.0-rtm.5.json"), encoding="utf8") as f:
        schema = json.load(f)
    for error in jsonschema.Draft4Validator(schema).iter_errors(document):
        raise Failed("not by the schema: %s at %s" % (error.message, list(error.absolute_path)))
    one = document["runs"][0]
    rules = one["tool"]["driver"]["rules"]
    expect(len({r["id"] for r in rules}) == len(rules), "a rule twice")
    for r in one["results"]:
        expect(rules[r["ruleIndex"]]["id"] == r["ruleId"], r)
    return one


def region(result):
    return result["locations"][0]["physicalLocation"]["region"]


def mended_by_sarif(run_, name, data):
    """The file as the fixes of the results make it, as an editor would."""
    text = data.decode("utf8")
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    changes = []
    for result in run_["results"]:
        for fix in result.get("fixes", []):
            for change in fix["artifactChanges"]:
                expect(urllib.parse.unquote(change["artifactLocation"]["uri"]) == name, change)
                for r in change["replacements"]:
                    d = r["deletedRegion"]
                    changes.append((starts[d["startLine"] - 1] + d["startColumn"] - 1,
                                    starts[d["endLine"] - 1] + d["endColumn"] - 1,
                                    r["insertedContent"]["text"]))
    for begin, end, new in sorted(changes, reverse=True):
        text = text[:begin] + new + text[end:]
    return text.encode("utf8")


def mended_by_json(findings, data):
    lines = data.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    edits = [e for f in findings for e in f["edits"]]
    for e in sorted(edits, key=lambda e: (e["line"], e["column"]), reverse=True):
        at = starts[e["line"] - 1] + e["column"] - 1
        data = data[:at] + e["text"].encode("utf8") + data[at + e["length"]:]
    return data


# ------------------------------------------------------------------------------------------

def test_nothing_to_say():
    """A good file gives a whole document with no findings, and status 0."""
    write("a.mc", GOOD)
    expect(as_json("a.mc") == [], "findings")
    expect(as_sarif("a.mc")["results"] == [], "results")
    status, out = said("github", "a.mc")
    expect(status == 0 and out == b"", out)


def test_no_file():
    """A file that is not there is a finding of the document too, and status 66."""
    for form in ("json", "sarif", "github"):
        status, out = said(form, "nowhere.mc")
        expect(status == 66 and b"nowhere.mc" in out and b"No such file" in out, out)
    f = as_json("nowhere.mc")
    expect(len(f) == 1 and f[0]["id"] == "cannot-read" and f[0]["file"] == "nowhere.mc", f)
    expect("line" not in f[0] and "column" not in f[0], f)
    as_sarif("nowhere.mc")


def test_json():
    """All that a finding holds."""
    write("a.mc", BAD)
    findings = as_json("a.mc")
    expect(findings == [{
        "file": "a.mc", "line": 2, "column": 10, "length": 8, "end_line": 2, "end_column": 18,
        "severity": "error", "id": "unknown-feature", "text": "there is no feature acces_db",
        "hint": "did you mean access_db?", "included_from": [],
        "edits": [{"file": "a.mc", "line": 2, "column": 10, "length": 8, "end_line": 2,
                   "end_column": 18, "text": "access_db"}]}], findings)


def test_github():
    """A line a finding; what would end a property or a line is escaped."""
    write("a.mc", BAD)
    want = ("::error file=%s,line=2,col=10,title=unknown-feature::there is no feature acces_db"
            "%%0Ahint: did you mean access_db?\n")
    status, out = said("github", "a.mc")
    expect(status == 1 and out.decode() == want % "a.mc", out)
    write("50%,a:b.mc", BAD)
    status, out = said("github", "50%,a:b.mc")
    expect(out.decode() == want % "50%25%2Ca%3Ab.mc", out)
    write("a.mc", BAD.replace(b"acces_db", b"100%"))
    expect(b"there is no feature 100%25%0A" in said("github", "a.mc")[1], said("github", "a.mc"))


def test_sarif():
    """Rules come from the table; a result has its rule, level, message, region and fix."""
    write("a.mc", BAD)
    one = as_sarif("a.mc")
    expect(one["columnKind"] == "unicodeCodePoints", one["columnKind"])
    r = one["results"]
    expect(len(r) == 1 and r[0]["ruleId"] == "unknown-feature" and r[0]["level"] == "error", r)
    expect(region(r[0]) == {"startLine": 2, "startColumn": 10, "endLine": 2, "endColumn": 18}, r)
    expect("there is no feature acces_db" in r[0]["message"]["text"], r)
    ids = {line.split()[0] for line in run("list", "findings").stdout.decode().splitlines()}
    rules = {rule["id"]: rule for rule in one["tool"]["driver"]["rules"]}
    expect(ids and set(rules) == ids, "other rules than mcf list findings has")
    rule = rules["unknown-feature"]
    expect(all(rule[k]["text"] for k in ("shortDescription", "fullDescription", "help")), rule)


def test_uri():
    """A path is a URI: relative as it was given, absolute with its scheme, all else escaped."""
    for name in ("a b.mc", "sub/50%,a:b#.mc", "\u00fc.mc", os.path.abspath("abs.mc")):
        write(name, BAD)
        uri = as_sarif(name)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        path = urllib.parse.unquote(uri)
        expect(path == ("file://" if name[0] == "/" else "") + name, uri)
        expect(re.fullmatch(r"[A-Za-z0-9%/._~,@=+-]*", uri[7:] if name[0] == "/" else uri), uri)


def test_utf8():
    """json counts bytes, sarif and github characters."""
    write("a.mc", UTF8)
    before = "define(`X', `\u00fc\U0001f4ec')FEATURE(`"
    f = [f for f in as_json("a.mc") if f["id"] == "unknown-feature"]
    expect(f[0]["column"] == len(before.encode()) + 1 and f[0]["length"] == 8, f)
    r = [r for r in as_sarif("a.mc")["results"] if r["ruleId"] == "unknown-feature"]
    expect(region(r[0])["startColumn"] == len(before) + 1, r)
    expect(region(r[0])["endColumn"] == len(before) + 9, r)
    expect(b"line=2,col=%d," % (len(before) + 1) in said("github", "a.mc")[1], "github's column")


def test_latin1():
    """Bytes that are no UTF-8 leave the document UTF-8, and count one each."""
    write("a.mc", LATIN)
    f = [f for f in as_json("a.mc") if f["id"] == "unknown-feature"]
    expect(f and f[0]["column"] == 27, f)
    r = [r for r in as_sarif("a.mc")["results"] if r["ruleId"] == "unknown-feature"]
    expect(region(r[0])["startColumn"] == 27, r)
    write("a.mc", BAD.replace(b"acces_db", b"\xff\xfe"))
    f = as_json("a.mc")
    expect("\u00ff\u00fe" in f[0]["text"], f)
    as_sarif("a.mc")


def test_included():
    """How a file was included goes along."""
    write("a.mc", GOOD + b"include(`sub/b.m4')dnl\n")
    write("sub/b.m4", b"dnl\nFEATURE(`acces_db')dnl\n")
    f = [f for f in as_json("a.mc") if f["id"] == "unknown-feature"]
    expect(f and f[0]["file"].endswith("sub/b.m4") and f[0]["line"] == 2, f)
    as_sarif("a.mc")


def test_fixes():
    """Made by whoever reads the document, the edits give the file that --fix makes."""
    # Mistakes of which none shows only when another is mended: --fix looks again, a document is one look.
    write("a.mc", UTF8 + b"FEATURE(`mailertabel')dnl\nMAILER(`stmp')dnl\n")
    with open("a.mc", "rb") as f:
        data = f.read()
    from_json = mended_by_json(as_json("a.mc"), data)
    from_sarif = mended_by_sarif(as_sarif("a.mc"), "a.mc", data)
    run("check", "--fix", "a.mc")
    with open("a.mc", "rb") as f:
        mended = f.read()
    expect(mended != data and b"stmp" not in mended, mended)
    expect(from_json == mended, "json:\n%r\n%r" % (from_json, mended))
    expect(from_sarif == mended, "sarif:\n%r\n%r" % (from_sarif, mended))


def test_build():
    """build writes the document on standard error and nothing else, the .cf as ever."""
    write("a.mc", BAD)
    f = as_json("a.mc", "-o", "a.cf", verb="build")
    expect(len(f) == 1 and not os.path.exists("a.cf"), f)
    write("a.mc", GOOD)
    expect(as_json("a.mc", "-o", "a.cf", verb="build") == [] and os.path.exists("a.cf"), "a.cf")
    f = as_json("a.mc", "-o", "nowhere/a.cf", verb="build")
    expect(len(f) == 1 and f[0]["id"] == "cannot-write" and f[0]["file"] is None, f)
    p = run("build", "--format", "json", "--compare-with", "a.cf", "a.mc")
    expect(p.returncode == 2, p)


def test_cf():
    """A .cf is checked too."""
    write("a.cf", b"V10/Berkeley\nO LogLevel=9\nZZ what is this\n")
    f = as_json("a.cf")
    expect(any(x["file"] == "a.cf" and x["line"] == 3 for x in f), f)
    as_sarif("a.cf")


def test_every_case():
    """Every file of tests/golden/diag gives documents of its findings in all formats."""
    folder = os.path.join(ROOT, "tests", "golden", "diag")
    os.chdir(folder)
    names = sorted(n for n in os.listdir(folder) if n.endswith(".mc"))
    for name in names:
        f = as_json(name)
        r = as_sarif(name)["results"]
        lines = said("github", name)[1].decode("utf8", "replace").splitlines()
        expect(len(f) == len(r) == len(lines), "%s: %d %d %d" % (name, len(f), len(r), len(lines)))
        expect([x["id"] for x in f] == [x["ruleId"] for x in r], name)
    expect(len(names) > 10, names)


def main():
    need(jsonschema, "python3-jsonschema: run tools/deps.sh test")
    run_functions("formats", __doc__, globals())


if __name__ == "__main__":
    main()
