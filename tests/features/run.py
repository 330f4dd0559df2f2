#!/usr/bin/env python3
"""run.py [-v] [--keep DIR] [FEATURE]...

For each feature a file FEATURE.test: the feature left out, called, and called with each of
its arguments; the reference sendmail is asked the same questions under all of them.

    # text
    [before]    lines of every .mc before the calls; OSTYPE(`linux') if there are none
    [after]     lines behind them; MAILER(`local') and MAILER(`smtp') if there are none
    [ask]       questions besides those of questions.txt and tests/differential/probes.txt
    [without]   lines in place of the call
    [with]      the call
    [NAME]      another call: it says something else than [with]
    [NAME not OTHER]   one that says something else than the variant OTHER
    [NAME like OTHER]  one that says the same
    [NAME lax]  what the reference prints an error for, and goes on: with mcf's --lax
    [cf NAME]   lines that are in mcf's .cf with that call, and not in that of [without]: for
                what the reference has not got

Checks, each variant: it compiles; the configuration is the reference's; sendmail reads it with
the same complaints and answers the same; and it is not what the file says without the call
(an argument: not what [with] says), in the configuration or in an answer. And there is a
file for each feature of rulesets/, in which each of its arguments is given once.

Two arguments cannot be typed in address-test mode: rulesets ask_NAME, in every .mc, call NAME
with ${first} and ${second}.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "differential")]
import cfmodel
import probes
import reference
import run as differential
from report import MCF, ROOT, Report, need, need_mcf, need_programs, need_root

BEFORE = ["OSTYPE(`linux')dnl"]
AFTER = ["MAILER(`local')dnl", "MAILER(`smtp')dnl"]
ASKED = ("check_relay", "check_other", "greet_pause")
END = ["LOCAL_RULESETS"] + ["Sask_%s\nR$*\t$: $>%s $&{first} $| $&{second}" % (n, n) for n in ASKED]


def lines_of(path):
    with open(path, encoding="latin-1") as f:
        return [l.rstrip("\n") for l in f if l.strip() and not l.startswith("#")]


QUESTIONS = lines_of(os.path.join(HERE, "questions.txt"))


class Test:
    """One FEATURE.test."""

    def __init__(self, path):
        self.name = os.path.basename(path)[:-5]
        self.parts, part = {}, None
        with open(path, encoding="latin-1") as f:
            for line in f:
                line = line.rstrip("\n")
                m = re.fullmatch(r"\[([^]]+)\]", line)
                if m:
                    part = self.parts.setdefault(m.group(1), [])
                elif line and not line.startswith("#"):
                    part.append(line)
        self.before = self.parts.pop("before", BEFORE)
        self.after = self.parts.pop("after", AFTER)
        self.ask = self.parts.pop("ask", [])
        self.cf = {k[3:]: v for k, v in list(self.parts.items()) if k.startswith("cf ")}
        for name, lines in self.cf.items():
            need(lines and name in self.parts, "%s: lines of a variant, in [cf %s]" % (path, name))
        self.variants = {}
        for k, v in self.parts.items():
            if not k.startswith("cf "):
                m = re.fullmatch(r"(\S+)(?: (like|not) (\S+))?( lax)?", k)
                need(m, "%s: [%s] is no variant" % (path, k))
                self.variants[m.group(1)] = (v, m.group(2), m.group(3), bool(m.group(4)))

    def text(self, variant):
        lines = self.before + self.variants[variant][0] + self.after
        lines = lines + END if self.asks_two(variant) else lines
        return "".join(l + "\n" for l in lines)

    def asks_two(self, variant):
        """Not the rulesets of a configuration that is whole in itself."""
        return not any(re.match(r"FEATURE\(`(msp|nullclient)'", l) for l in self.variants[variant][0])

    def compared_with(self, variant):
        """(the variant to compare it with, whether it says the same); None for none."""
        _, how, other, _ = self.variants[variant]
        if how:
            return other, how == "like"
        return None if variant == "without" else ("without" if variant == "with" else "with", False)

    def is_lax(self, variant):
        return self.variants[variant][3]


def arguments(call):
    """The numbers of the arguments of a FEATURE's call that are not empty, and its name."""
    parts, depth, now = [], 0, ""
    for c in call:
        depth += {"`": 1, "'": -1, "(": 1, ")": -1}.get(c, 0)
        if depth < 0:
            break
        if c == "," and depth == 0:
            parts.append(now)
            now = ""
        else:
            now += c
    parts = [p.strip() for p in parts + [now]]
    return parts[0].strip("`'"), {i for i, p in enumerate(parts) if i and p not in ("", "`'")}


def given(test):
    found = set()
    for variant in test.variants.values():
        for m in re.finditer(r"FEATURE\((.*)", "\n".join(variant[0])):
            name, numbers = arguments(m.group(1))
            if name == test.name:
                found |= numbers | {0}
    return found


def library():
    """{feature: numbers of its arguments} of rulesets/."""
    found = {}
    for path in glob.glob(os.path.join(ROOT, "rulesets", "feature", "*.rules")):
        with open(path, encoding="latin-1") as f:
            text = f.read()
        name = re.search(r"^%feature (\S+)", text, re.M).group(1)
        found[name] = {int(n) for n in re.findall(r"^%arg (\d+)", text, re.M)}
    return found


class Said:
    """What a variant is: its model and the answers under it."""

    def __init__(self, model, complaints, answers):
        self.model, self.complaints, self.answers = model, complaints, answers

    def differs(self, other):
        return bool(cfmodel.diff(self.model, other.model)) or self.answers != other.answers


def ask(cf, commands, mail):
    with open(cf, encoding="latin-1") as f:
        model = cfmodel.model(f.read())
    _, ends, complaints = differential.asked(cf, commands, mail)
    return Said(model, complaints, ends)


def run_variant(test, variant, scratch):
    """([(check, good, why)], what the reference says and what mcf says, or None)"""
    folder = tempfile.mkdtemp(prefix="%s-%s." % (test.name, variant), dir=scratch)
    mc, their_cf, our_cf = (os.path.join(folder, n) for n in ("case.mc", "reference.cf", "ours.cf"))
    with open(mc, "w", encoding="latin-1") as f:
        f.write(test.text(variant))
    lax = test.is_lax(variant)
    code, said = differential.ours(mc, lax, our_cf)
    built = code == 0 and b": error: " not in said
    checks = [("compiles", built, "exit status %d\n%s" % (code, said.decode("latin-1")))]
    if not built:
        return checks, None
    if variant in test.cf:
        lines = lines_of(our_cf)
        lacks = [l for l in test.cf[variant] if l not in lines]
        without = os.path.join(folder, "without.mc")
        with open(without, "w", encoding="latin-1") as f:
            f.write(test.text("without"))
        differential.ours(without, False, without + ".cf")
        had = set(lines_of(without + ".cf"))
        return checks + [("lines", not lacks, "not in the .cf: %s" % lacks),
                         ("lines", not had & set(test.cf[variant]), "also without the call")], None
    status, text, said = reference.compile_mc(mc)
    if status or reference.refuses(status, said) != lax:
        return checks + [("reference", False, "it says:\n" + said.decode("latin-1"))], None
    with open(their_cf, "wb") as f:
        f.write(text)
    mail = differential.etc_mail(folder, scratch)
    commands = test.ask + QUESTIONS + probes.commands("")
    theirs, ours = (ask(cf, commands, mail) for cf in (their_cf, our_cf))
    shutil.rmtree(mail)
    found = cfmodel.diff(theirs.model, ours.model)
    checks.append(("configuration", not found, "\n".join("%s %s: reference %r, ours %r" % x for x in found[:5])))
    checks.append(("loads", theirs.complaints == ours.complaints,
                   "reference: %s\nours:      %s" % (theirs.complaints, ours.complaints)))
    asked = [c for c in commands if not probes.is_setting(c)]
    other = [i for i, (a, b) in enumerate(zip(theirs.answers, ours.answers)) if a != b]
    checks.append(("answers", not other and len(theirs.answers) == len(ours.answers) == len(asked),
                   "%d of %d differ\n%s" % (len(other), len(asked), "\n".join(
                       "%s\n    reference: %s\n    ours:      %s" %
                       (asked[i], theirs.answers[i], ours.answers[i]) for i in other[:5]))))
    return checks, (theirs, ours)


def run_test(test, scratch, keep):
    """[(variant, check, good, why)]"""
    out, said = [], {}
    for variant in test.variants:
        checks, said[variant] = run_variant(test, variant, scratch)
        out += [(variant,) + c for c in checks]
        if keep:
            os.makedirs(keep, exist_ok=True)
            with open(os.path.join(keep, "%s-%s.mc" % (test.name, variant)), "w", encoding="latin-1") as f:
                f.write(test.text(variant))
    for variant in test.variants:
        other, same = test.compared_with(variant) or (None, None)
        if other and said[variant] and said.get(other):
            for who, a, b in zip(("the reference", "mcf"), said[variant], said[other]):
                out.append((variant, "is the same" if same else "makes a difference", a.differs(b) != same,
                            "for %s it is %s [%s]" % (who, "not the same as" if same else "the same as", other)))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--keep", metavar="DIR", help="keep the .mc files there")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("features", nargs="*")
    options = parser.parse_args()
    if not options.inside:
        need_root()
        need_programs("m4", "unshare", "ip", "sendmail", "makemap")
        need(os.path.isdir(reference.LIBRARY), "the reference's library: run tools/deps.sh test")
        need_mcf()
        os.execv(differential.NS, [differential.NS, sys.executable, os.path.realpath(__file__),
                                   "--inside", "yes"] + sys.argv[1:])
    report = Report("features", "tests/features/run.py {}", options.verbose)
    tests = {t.name: t for t in (Test(p) for p in sorted(glob.glob(os.path.join(HERE, "*.test"))))}
    known = library()
    for name in options.features or sorted(known):
        if not report.check("%s has a test" % name, name in tests, "there is no %s.test" % name):
            continue
        missing = ({0} | known.get(name, set())) - given(tests[name])
        report.check("%s has all arguments" % name, not missing,
                     "no call gives: %s" % ", ".join(map(str, sorted(missing))))
    for name in sorted(set(tests) - set(known)):
        report.fail(name, "there is no such feature")
    chosen = [tests[n] for n in (options.features or sorted(tests)) if n in tests]
    scratch = tempfile.mkdtemp(prefix="mcf-features.")
    try:
        with ThreadPoolExecutor(2) as pool:
            work = {t.name: pool.submit(run_test, t, scratch, options.keep) for t in chosen}
            for name, result in work.items():
                try:
                    for variant, check, good, why in result.result():
                        report.check("%s" % name if not good else "%s, %s: %s" % (name, variant, check), good,
                                     "[%s] %s: %s" % (variant, check, why))
                except (subprocess.TimeoutExpired, OSError) as error:
                    report.fail(name, repr(error))
    finally:
        shutil.rmtree(scratch)
    report.close()


if __name__ == "__main__":
    main()
