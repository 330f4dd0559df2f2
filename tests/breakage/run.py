#!/usr/bin/env python3
"""run.py [-v] [--seed N] [--cases N] [--kind K]... [--corpus DIR]... [--fix | --reference]

Breaks good .mc files in one known place each, and looks at what mcf says:

    noticed      there is a finding that the good file does not have
    at the line  one of these names a line where somebody would have to mend it
    more         errors and warnings beyond the first

Good files are samples/*/*.mc, tests/golden/mc/*.mc but lax-*, and DIR/*.mc. Which places
are broken is drawn by lot from the seed; the kinds (--list) are those of kinds_*.py.
Fails under 99% noticed or 98% at the line.

  --fix        runs "mcf check --fix" on the broken file where there is one right answer:
               then the file must give the configuration of the good one, or of the good
               one after "mcf check --fix": some have faults of their own that it mends
  --reference  measures GNU m4, the reference's library and sendmail -bt instead, and
               tells which breaks change nothing for them
  --keep DIR   keeps each broken file there, with its lines and what was said
"""
import argparse
import collections
import difflib
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]
import breaks
import facts
import kinds_names  # each module of kinds adds its own to breaks.KINDS
import kinds_order
import kinds_rules
import kinds_text
import kinds_values
import reference
import source
from report import MCF, ROOT, Report, need, need_mcf, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
SEED, CASES = 1, 1000
NOTICED, AT_LINE = 99.0, 98.0
FINDING = re.compile(r"^(?P<path>[^:\s][^:]*)(?::(?P<line>\d+))?(?::\d+)?: "
                     r"(?P<severity>error|warning|note): (?P<text>.*?)(?: \[(?P<id>[\w-]+)\])?$")


class Finding:
    def __init__(self, path, line, severity, text, ident):
        self.path, self.line, self.severity, self.text, self.id = path, line, severity, text, ident

    def key(self, line):
        # Names of lines in a text are as little its identity as the place itself.
        return self.path, line, self.id or re.sub(r"\d+", "#", self.text), re.sub(r"\d+", "#", self.text)


class Said:
    """What a compiler said of a text."""

    def __init__(self, status, text, findings, result=None):
        self.status, self.text, self.findings, self.result = status, text, findings, result


class Case:
    def __init__(self, kind, number, src, brk):
        self.kind, self.number, self.src, self.brk = kind, number, src, brk
        self.text, self.lines = breaks.apply(src.text, brk.edits, brk.at)
        self.good = breaks.apply(src.text, brk.good)[0]

    def difference(self):
        lines = list(difflib.unified_diff(self.good.split("\n"), self.text.split("\n"), n=0, lineterm=""))
        return [line.rstrip("\r") for line in lines[2:]]


# ---- the good files ---------------------------------------------------------------------------

def good_files(options):
    files = []
    if not options.only_corpus:
        files += sorted(glob.glob(os.path.join(ROOT, "samples", "*", "*.mc")))
        files += [p for p in sorted(glob.glob(os.path.join(ROOT, "tests", "golden", "mc", "*.mc")))
                  if not os.path.basename(p).startswith("lax-")]
    for folder in options.corpus:
        found = sorted(glob.glob(os.path.join(folder, "*.mc")))
        need(found, "an .mc file in " + folder)
        files += [os.path.abspath(p) for p in found]
    return files


def short(path):
    rel = os.path.relpath(path, ROOT)
    return path if rel.startswith("..") else rel


class Workshop:
    """Copies of the folders of the good files, where broken ones are compiled."""

    def __init__(self, scratch, measure):
        self.scratch, self.measure, self.folders, self.known = scratch, measure, {}, {}

    def folder(self, src):
        if src.folder not in self.folders:
            target = os.path.join(self.scratch, "f%d" % len(self.folders))
            shutil.copytree(src.folder, target, ignore_dangling_symlinks=True)
            self.folders[src.folder] = target
        return self.folders[src.folder]

    def write(self, src, text, name):
        path = os.path.join(self.folder(src), name)
        with open(path, "wb") as f:
            f.write(text.encode("latin-1"))
        return path

    def say(self, src, text, name):
        """What is said of a text that stands where src does."""
        path = self.write(src, text, name)
        try:
            return self.measure(path, src.name)
        finally:
            os.remove(path)

    def say_once(self, src, text, name):
        key = (src.path, text)
        if key not in self.known:
            self.known[key] = self.say(src, text, name)
        return self.known[key]


# ---- what mcf says ----------------------------------------------------------------------------

def run(command, folder, data=b""):
    try:
        return subprocess.run(command, cwd=folder, input=data, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -999, b"", b"no end after 60 seconds")


def verb():
    """mcf check, where there is such a verb, else mcf build."""
    p = run([MCF, "check", "--help"], "/")
    return ["check"] if p.returncode == 0 else ["build", "-o", "/dev/null"]


def mcf_measure(words):
    def measure(path, shown):
        folder, name = os.path.split(path)
        p = run([MCF] + words + [name], folder)
        text = (p.stdout + p.stderr).decode("utf8", "replace").replace(name, shown)
        findings = []
        for line in text.split("\n"):
            m = FINDING.match(line)
            if m:
                line = int(m["line"]) if m["line"] else None
                findings.append(Finding(m["path"], line, m["severity"], m["text"], m["id"]))
        return Said(p.returncode, text, findings)
    return measure


# ---- what the reference says ------------------------------------------------------------------

def reference_measure(path, shown):
    """Messages of m4 and the library have a file and line if they say so; sendmail's lines
    are those of the .cf, of which nobody is the author."""
    folder, name = os.path.split(path)
    try:
        status, cf, said = reference.compile_mc(path)
    except subprocess.TimeoutExpired:
        status, cf, said = -999, b"", b"m4: no end"
    text = said.decode("latin-1").replace("m4:stdin:", "m4:%s:" % shown).replace(name, shown)
    findings = []
    for line in text.split("\n"):
        m = re.match(r"m4:([^:]+):(\d+): (.*)", line)
        if m:
            findings.append(Finding(m.group(1), int(m.group(2)), "error", m.group(3), None))
        elif line.strip():
            findings.append(Finding("", None, "error", line, None))
    out = path + ".cf"
    with open(out, "wb") as f:
        f.write(cf)
    p = run([reference.SENDMAIL, "-bt", "-C", out], folder)
    for line in (p.stdout + p.stderr).decode("latin-1").replace(out, "FILE.cf").split("\n"):
        line = re.sub(r"^> ?", "", line).strip()
        if line and not line.startswith(("ADDRESS TEST MODE", "Enter <ruleset> <address>")):
            findings.append(Finding("", None, "error", line, None))
            text += "\n" + line
    os.remove(out)
    # The head of a .cf tells when and where it was made.
    lines = [line for line in cf.split(b"\n") if line.strip() and not line.startswith(b"#")]
    return Said(status, text, findings, lines)


# ---- comparing --------------------------------------------------------------------------------

def line_map(good, broken):
    """{line of the good text: line of the broken text}, by number."""
    a, b = good.split("\n"), broken.split("\n")
    out = {}
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal" or tag == "replace" and i2 - i1 == j2 - j1:
            out.update((i + 1, j1 + i - i1 + 1) for i in range(i1, i2))
    return out


def new_findings(case, good, broken):
    """What is said of the broken text only. What was said of a line that is gone may be said
    of any other: the line may have moved."""
    lines = line_map(case.good, case.text)
    before = collections.Counter()
    for f in good.findings:
        elsewhere = f.path != case.src.name or f.line is None
        before[f.key(f.line if elsewhere else lines.get(f.line, "gone"))] += 1
    out = []
    for f in broken.findings:
        for key in (f.key(f.line), f.key("gone")):
            if before[key]:
                before[key] -= 1
                break
        else:
            out.append(f)
    return out


def judge(case, good, broken):
    """(noticed, at the line, findings beyond the first)."""
    found = new_findings(case, good, broken)
    loud = [f for f in found if f.severity != "note"]
    if case.brk.about:
        at = any(f.path == case.src.name and re.search(case.brk.about, f.text) for f in found)
    else:
        at = any(f.path == case.src.name and f.line in case.lines for f in found)
    return bool(found), at, max(0, len(loud) - 1)


# ---- choosing ---------------------------------------------------------------------------------

def enumerate_kind(kind, sources, seed):
    """All breaks of a kind, in an order drawn by lot in which the shapes take turns."""
    shapes = {}
    for src in sources:
        rng = random.Random("%s %s %s" % (seed, kind, short(src.path)))
        for brk in breaks.KINDS[kind](src, rng):
            text, _ = breaks.apply(src.text, brk.edits)
            if text != src.text:
                shapes.setdefault(brk.shape, []).append((src, brk))
    rng = random.Random("%s %s" % (seed, kind))
    for pool in shapes.values():
        rng.shuffle(pool)
    out, names = [], sorted(shapes)
    rng.shuffle(names)
    while any(shapes.values()):
        out += [shapes[n].pop() for n in names if shapes[n]]
    return out


def choose(kinds, sources, options):
    """Cases, as many of every kind as there are, up to an equal share."""
    pools = {k: enumerate_kind(k, sources, options.seed) for k in kinds}
    if options.fix:
        pools = {k: [(s, b) for s, b in pools[k] if b.fix] for k in pools if breaks.KINDS[k].fix}
    taken, left = {k: 0 for k in pools}, options.cases
    while left and any(taken[k] < len(pools[k]) for k in pools):
        for k in pools:
            if left and taken[k] < len(pools[k]):
                taken[k] += 1
                left -= 1
    cases, number = [], 0
    for k in pools:
        for src, brk in pools[k][:taken[k]]:
            number += 1
            cases.append(Case(k, number, src, brk))
    return cases, {k: len(p) for k, p in pools.items()}


# ---- the tables -------------------------------------------------------------------------------

def percent(part, whole):
    return "%5.1f%%" % (100.0 * part / whole) if whole else "     -"


def table(rows, heads):
    """rows: {kind: [cases, ...counts]}; shares of the first column for the named columns."""
    total = [sum(r[i] for r in rows.values()) for i in range(len(heads))]
    print("%-26s" % "kind" + "".join("%15s" % h for h in heads))
    for kind, row in list(rows.items()) + [("total", total)]:
        cells = "%15d" % row[0]
        for n, head in zip(row[1:], heads[1:]):
            cells += "%15d" % n if head == "more" else "%7d %s" % (n, percent(n, row[0]))
        print("%-26s" % kind + cells)
    return total


def show(case, why, said):
    print("%s  %s, %s: %s line %s" % (why, case.kind, case.brk.shape, short(case.src.path),
                                      " or ".join(map(str, sorted(case.lines))) or "any"))
    for line in case.difference()[:8]:
        print("    " + line[:200])
    lines = [l for l in said.text.split("\n") if l.strip()]
    for line in lines[:8]:
        print("    > " + line[:200])
    if not lines:
        print("    > (nothing)")


def print_good(options, shop, sources):
    """How much is said of files that are good: what is said without need."""
    counts, lines = collections.Counter(), []
    for src in sources:
        for f in shop.known[src.path, src.text].findings:
            counts[f.severity] += 1
            lines.append("    %s:%s: %s: %s [%s]" %
                         (short(src.path), f.line or "-", f.severity, f.text, f.id))
    print("of the %d good files: %d errors, %d warnings, %d notes" %
          (len(sources), counts["error"], counts["warning"], counts["note"]))
    if options.verbose:
        print("\n".join(lines))


def keep(options, case, said, verdict):
    folder = os.path.join(options.keep, case.kind)
    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, "%04d" % case.number)
    with open(stem + ".mc", "wb") as f:
        f.write(case.text.encode("latin-1"))
    with open(stem + ".txt", "w", encoding="utf8") as f:
        f.write("%s, %s: %s\nlines: %s\n%s\n" % (case.kind, case.brk.shape, short(case.src.path),
                                                sorted(case.lines) or "any", verdict))
        f.write("\n".join(case.difference()) + "\n\n" + said.text)


# ---- runs -------------------------------------------------------------------------------------

def run_breaks(options, shop, sources, kinds, report):
    cases, pools = choose(kinds, sources, options)

    def work(case):
        try:
            return shop.say_once(case.src, case.good, "good%d.mc" % case.number), \
                shop.say(case.src, case.text, "case%d.mc" % case.number)
        except OSError as error:
            return error
    rows = {k: [0, 0, 0, 0] + [0] * options.reference for k in pools if pools[k]}
    odd = []
    for src in sources:
        shop.folder(src)
    with ThreadPoolExecutor(2) as pool:
        for case, result in zip(cases, pool.map(work, cases)):
            if isinstance(result, OSError):
                raise result
            good, broken = result
            noticed, at, more = judge(case, good, broken)
            same = options.reference and good.result == broken.result and not noticed
            row = rows[case.kind]
            for i, n in enumerate([1, noticed, at, more] + [bool(same)] * options.reference):
                row[i] += n
            if not options.reference and broken.status not in (0, 1, 65):
                odd.append("%s of %s: exit status %d\n%s" %
                           (case.kind, short(case.src.path), broken.status, broken.text[:400]))
            if options.verbose and not at:
                show(case, "UNNOTICED" if not noticed else "ELSEWHERE", broken)
            if options.verbose and same and not breaks.KINDS[case.kind].lint:
                show(case, "NO CHANGE", broken)
            if options.keep:
                keep(options, case, broken,
                     "noticed: %s, at the line: %s, more: %d" % (noticed, at, more))
    total = table(rows, ["cases", "noticed", "at the line", "more"] + ["same .cf"] * options.reference)
    if options.reference:
        return
    for name, part, least in (("noticed", total[1], NOTICED), ("at the line", total[2], AT_LINE)):
        report.check(name, total[0] and 100.0 * part / total[0] >= least, "%d of %d, %s; less than %g%%" %
                     (part, total[0], percent(part, total[0]).strip(), least))
    report.check("exit status", not odd, "%d cases\n%s" % (len(odd), "\n".join(odd[:5])))


def run_fix(options, shop, sources, kinds, report):
    cases, pools = choose(kinds, sources, options)
    outputs = {}

    def build(path, cf):
        folder, name = os.path.split(path)
        return run([MCF, "build", "-o", cf, name], folder).returncode == 0

    def work(case):
        """(verdict, what was said)"""
        key = (case.src.path, case.good)
        if key not in outputs:
            path = shop.write(case.src, case.good, "good%d.mc" % case.number)
            cf = path + ".cf"
            outputs[key] = [cf] if build(path, cf) else []
            mended = shop.write(case.src, case.good, "mended%d.mc" % case.number)
            run([MCF, "check", "--fix", os.path.basename(mended)], os.path.dirname(mended))
            if outputs[key] and build(mended, mended + ".cf"):
                outputs[key].append(mended + ".cf")
        if not outputs[key]:
            return "no good .cf", Said(0, "", [])
        path = shop.write(case.src, case.text, "case%d.mc" % case.number)
        folder, name = os.path.split(path)
        p = run([MCF, "check", "--fix", name], folder)
        said = Said(p.returncode, (p.stdout + p.stderr).decode("utf8", "replace"), [])
        with open(path, "rb") as f:
            now = f.read().decode("latin-1")
        cf = path + ".cf"
        if now == case.text or not build(path, cf):
            return "left", said
        for good in outputs[key]:
            d = run([MCF, "diff", good, cf], folder)
            if d.returncode == 0:
                return "fixed", said
            said.text += d.stdout.decode("utf8", "replace")
        return "otherwise", said
    rows = {k: [0, 0, 0, 0] for k in pools if pools[k]}
    for src in sources:
        shop.folder(src)
    order = ["fixed", "left", "otherwise"]
    with ThreadPoolExecutor(2) as pool:
        for case, (verdict, said) in zip(cases, pool.map(work, cases)):
            if verdict == "no good .cf":
                continue
            rows[case.kind][0] += 1
            rows[case.kind][1 + order.index(verdict)] += 1
            if options.verbose and verdict != "fixed":
                show(case, verdict.upper(), said)
            if options.keep:
                keep(options, case, said, verdict)
    total = table(rows, ["cases"] + order)
    print("left: as it was, or still refused; otherwise: mended, but not to the good configuration")
    report.check("runs", total[0], "no case was run")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true", help="show each case that was missed")
    parser.add_argument("--list", action="store_true", help="the kinds, with how many breaks of each")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--corpus", action="append", default=[], metavar="DIR")
    parser.add_argument("--only-corpus", action="store_true", help="no files but those of --corpus")
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    kinds = options.kind or list(breaks.KINDS)
    for k in kinds:
        need(k in breaks.KINDS, "a kind called %s (--list shows them)" % k)
    if options.reference and not options.inside:
        need_root()
        need_programs("m4", "unshare", "ip", "sendmail")
        need(os.path.isdir(reference.LIBRARY), "the reference's library: run tools/deps.sh test")
        os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), "--inside"] + sys.argv[1:])
    again = "tests/breakage/run.py -v --seed %d --cases %d" % (options.seed, options.cases)
    report = Report("breakage", again, options.verbose)
    started = time.time()
    sources, unread = [], []
    for path in good_files(options):
        try:
            sources.append(source.Source(path, facts.MACROS))
        except source.Unreadable as why:
            unread.append("%s %s" % (short(path), why))
    if options.list:
        for k in kinds:
            print("%-26s %6d" % (k, len(enumerate_kind(k, sources, options.seed))))
        return
    words = []
    if not options.reference:
        need_mcf()
        words = verb()
        need(not options.fix or words == ["check"], "mcf check")
    scratch = tempfile.mkdtemp(prefix="mcf-breakage.")
    try:
        shop = Workshop(scratch, reference_measure if options.reference else mcf_measure(words))
        refused = []
        if not options.reference:
            for src in sources:
                said = shop.say_once(src, src.text, "good.mc")
                if said.status or any(f.severity == "error" for f in said.findings):
                    refused.append((src, said))
            # Other people's files may be wrong; ours are not.
            own = [s for s in refused if s[0].path.startswith(ROOT)]
            print_good(options, shop, sources)
            report.check("good files", not own,
                         "\n".join("%s: %s" % (short(s.path), said.text[:300]) for s, said in own))
        bad = {s.path for s, _ in refused}
        sources = [s for s in sources if s.path not in bad]
        for line in unread + ["%s has errors of its own" % short(s.path) for s, _ in refused]:
            print("left out: " + line)
        if options.fix:
            run_fix(options, shop, sources, kinds, report)
        else:
            run_breaks(options, shop, sources, kinds, report)
    finally:
        shutil.rmtree(scratch)
    what = "reference" if options.reference else "mcf check --fix" if options.fix else "mcf " + words[0]
    print("breakage: %s, %d good files, seed %d, %.0f seconds" %
          (what, len(sources), options.seed, time.time() - started))
    if not options.reference:
        report.close()


if __name__ == "__main__":
    main()
