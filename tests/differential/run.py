#!/usr/bin/env python3
"""run.py [-v] [--list] [--lax] [--reference-only] [--keep DIR] [CASE]...

Differential tests: every .mc of samples/ and tests/golden/ is compiled with the
reference (GNU m4 and Debian's sendmail-cf) and with mcf, and the reference sendmail
is asked the same questions under both results. Four checks a case:

    builds         mcf compiles it, without a word about errors
    configuration  both say the same: options, macros, classes, maps, mailers, ...
    loads          sendmail reads both with the same complaints (none, as a rule)
    answers        every answer in address-test mode ends the same

CASE is a name as --list prints it, a prefix of one, or the path of any .mc file.
Files called lax-*.mc, on which the reference prints an error and goes on, must be
refused (65) without --lax and agree with it. --random SEED,N adds N .mc files made
by generate.py. -v shows each case and all differences. Needs root and the reference.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]
import cfmodel
import probes
import reference
from report import BUILD, MCF, ROOT, Report, need, need_mcf, need_programs, need_root

NS = os.path.join(ROOT, "tests", "lib", "ns")
MAPS = ("access authinfo domaintable genericstable localmap mailertable sts virtusertable").split()
SHOWN = 5  # differences of a kind


def name_of(path):
    """samples/NAME, mc/NAME or own/NAME; a path for a file from elsewhere."""
    path = os.path.abspath(path)
    rel = os.path.relpath(path, ROOT)
    parts = rel.split(os.sep)
    if parts[0] == "samples" and len(parts) == 3:
        return "samples/" + parts[1]
    if parts[:2] == ["tests", "golden"] and len(parts) == 4:
        return parts[2] + "/" + parts[3][:-3]
    return path


def all_cases():
    files = sorted(glob.glob(os.path.join(ROOT, "samples", "*", "*.mc"))) + \
        sorted(glob.glob(os.path.join(ROOT, "tests", "golden", "mc", "*.mc"))) + \
        sorted(glob.glob(os.path.join(ROOT, "tests", "golden", "own", "*.mc")))
    return {name_of(f): f for f in files}


def chosen(names):
    cases = all_cases()
    if not names:
        return cases
    out = {}
    for n in names:
        if os.path.isfile(n) and n not in cases:
            out[name_of(n)] = os.path.abspath(n)
            continue
        found = {k: v for k, v in cases.items() if k == n} or \
            {k: v for k, v in cases.items() if k.startswith(n)}
        need(found, "a case called %s (--list shows them)" % n)
        out.update(found)
    return out


def is_lax(path):
    return os.path.basename(path).startswith("lax-")


def ours(path, lax, out):
    command = [MCF, "build"] + (["--lax"] if lax else []) + ["-o", out, os.path.basename(path)]
    p = subprocess.run(command, cwd=os.path.dirname(path), capture_output=True, timeout=60)
    return p.returncode, p.stdout + p.stderr


def complaints(lines, path):
    """What sendmail said on reading a .cf, without where: line numbers are no contract."""
    out = []
    for line in lines:
        line = re.sub(r"^FILE: line \d+: ", "", line.replace(path, "FILE"))
        # A rule is shown with its .cf line; how a rule is written is no contract either.
        out.append(line)
    return sorted(out)


def asked(cf, commands, mail):
    """How many answers came, what those to questions say in the end, and what was complained of."""
    answers, said = reference.ask(cf, commands, mail)
    ends = [reference.essence(c, a) for c, a in zip(commands, answers) if not probes.is_setting(c)]
    return len(answers), ends, complaints(said, cf)


def etc_mail(case_dir, scratch):
    """/etc/mail for a case: the world's, with the files beside the .mc over it."""
    target = tempfile.mkdtemp(prefix="mail.", dir=scratch)
    shutil.copytree("/etc/mail", target, dirs_exist_ok=True)
    os.chmod(target, 0o755)
    for f in os.listdir(case_dir):
        path = os.path.join(case_dir, f)
        if os.path.isfile(path) and not f.endswith((".mc", ".md", ".m4")):
            shutil.copy(path, target)
            os.chmod(os.path.join(target, f), 0o644)
            if f in MAPS:
                with open(path, "rb") as text:
                    subprocess.run(["makemap", "-C", "/dev/null", "hash",
                                    os.path.join(target, f)],
                                   stdin=text, stderr=subprocess.PIPE, check=True)
    return target


def plural(n, what):
    return "%d %s%s" % (n, what, "" if n == 1 else "s")


def run_case(case, path, scratch, options):
    """[(check, verdict, text)] and a line for -v."""
    d = tempfile.mkdtemp(prefix="case.", dir=scratch)
    ref_cf, our_cf = os.path.join(d, "reference.cf"), os.path.join(d, "ours.cf")
    shown = 10 ** 6 if options.verbose else SHOWN
    started = time.time()
    status, text, said = reference.compile_mc(path)
    with open(ref_cf, "wb") as f:
        f.write(text)
    refused = reference.refuses(status, said)
    if status or refused and not (is_lax(path) or options.lax):
        return [("reference", False, "the reference does not compile it (%d):\n%s" %
                 (status, said.decode("latin-1")))], ""
    if is_lax(path) and not refused:
        return [("reference", False, "the reference has nothing against it: no lax- file")], ""
    checks = []
    lax = options.lax or is_lax(path)
    if is_lax(path) and not options.reference_only:
        code, our_said = ours(path, False, our_cf)
        good = code == 65 and not os.path.exists(our_cf)
        checks.append(("refused", good, "without --lax: exit status %d, not 65%s" %
                       (code, ", and a file was written" if os.path.exists(our_cf) else "")))
    if options.reference_only:
        shutil.copy(ref_cf, our_cf)
    else:
        code, our_said = ours(path, lax, our_cf)
        our_text = our_said.decode("latin-1")
        good = code == 0 and os.path.exists(our_cf) and ": error: " not in our_text
        checks.append(("builds", good, "exit status %d\n%s" % (code, our_text)))
        if not good:
            return checks, ""
    with open(our_cf, "rb") as f:
        our_model = cfmodel.model(f.read().decode("latin-1"))
    found = cfmodel.diff(cfmodel.model(text.decode("latin-1")), our_model)
    lines = ["%s %s: reference %r, ours %r" % x for x in found[:shown]]
    checks.append(("configuration", not found, "%s\n%s" %
                   (plural(len(found), "difference"), "\n".join(lines))))

    mail = etc_mail(os.path.dirname(path), scratch)
    commands = probes.commands(case)
    base, ref_said = reference.ask(ref_cf, commands, mail)
    got, our_said = reference.ask(our_cf, commands, mail)
    ref_said, our_said = complaints(ref_said, ref_cf), complaints(our_said, our_cf)
    checks.append(("loads", ref_said == our_said, "reference: %s\nours:      %s" %
                   (ref_said or "silent", our_said or "silent")))
    lines, same, asked = [], 0, 0
    for i, command in enumerate(commands):
        if probes.is_setting(command):
            continue
        x = reference.essence(command, base[i]) if i < len(base) else "(no answer)"
        y = reference.essence(command, got[i]) if i < len(got) else "(no answer)"
        if not x and not y:
            continue
        asked += 1
        if x == y:
            same += 1
        elif len(lines) < shown:
            lines.append("%s\n    reference: %s\n    ours:      %s" %
                         (command, x.replace("\n", "\n" + " " * 15), y.replace("\n", "\n" + " " * 15)))
    complete = len(base) == len(commands) and asked > len(commands) / 3
    checks.append(("answers", same == asked and complete, "%d of %d differ\n%s%s" %
                   (asked - same, asked, "\n".join(lines),
                    "" if complete else "\nthe reference answered %d of %d" %
                    (len(base), len(commands)))))
    if options.keep:
        keep = os.path.join(options.keep, case.strip("/").replace("/", "-"))
        os.makedirs(keep, exist_ok=True)
        shutil.copy(ref_cf, keep)
        shutil.copy(our_cf, keep)
        with open(os.path.join(keep, "commands"), "w", encoding="latin-1") as f:
            f.write("".join(c + "\n" for c in commands))
    shutil.rmtree(d)
    shutil.rmtree(mail)
    return checks, "%-32s %4d/%-4d answers  %.1fs" % (case, same, asked, time.time() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--lax", action="store_true")
    parser.add_argument("--reference-only", action="store_true",
                        help="the reference against itself: are the tests in order?")
    parser.add_argument("--keep", metavar="DIR", help="keep both .cf files and the commands there")
    parser.add_argument("--random", metavar="SEED,N")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if options.list:
        print("\n".join(sorted(all_cases())))
        return
    if not options.inside:
        need_root()
        need_programs("m4", "unshare", "ip", "sendmail", "makemap")
        need(os.path.isdir(reference.LIBRARY), "the reference's library: run tools/deps.sh test")
        if not options.reference_only:
            need_mcf()
        os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), "--inside", "yes"] + sys.argv[1:])
    report = Report("differential", "tests/differential/run.py -v {}", options.verbose)
    scratch = tempfile.mkdtemp(prefix="mcf-differential.")
    try:
        cases = chosen(options.cases) if options.cases or not options.random else {}
        if options.random:
            import generate
            seed, n = (int(x) for x in options.random.split(","))
            for path in generate.write(seed, n, os.path.join(scratch, "random")):
                cases[path] = path
            report.rerun = "tests/differential/run.py -v --random %s" % options.random
        asked = 0
        with ThreadPoolExecutor(2) as pool:
            work = {c: pool.submit(run_case, c, p, scratch, options) for c, p in cases.items()}
            for case, result in work.items():
                try:
                    checks, line = result.result()
                except (subprocess.TimeoutExpired, OSError) as error:
                    checks, line = [("runs", False, repr(error))], ""
                m = re.search(r"(\d+)/(\d+) answers", line)
                asked += int(m.group(2)) if m else 0
                if options.verbose and line:
                    print(line)
                bad = ["%s: %s" % (c, t) for c, good, t in checks if not good]
                report.passed += sum(1 for _, good, _ in checks if good)
                if bad:
                    report.fail(case, "\n".join(bad))
                    report.failed += len(bad) - 1
        print("differential: %s, %d answers compared" % (plural(len(cases), "case"), asked))
    finally:
        shutil.rmtree(scratch)
    report.close()


if __name__ == "__main__":
    main()
