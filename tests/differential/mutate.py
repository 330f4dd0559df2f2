#!/usr/bin/env python3
"""mutate.py [-v] [--cases N] [BLOCK | PATH[:LINE]]...

Takes out each guarded block of rulesets/ in turn (%if branch, %at, %config, %for) and says which ones no test
notices. A block is noticed when a case of the differential tests no longer compiles, is another configuration,
is read with other complaints or answers otherwise than before; what they say before is what the reference says
(run.py checks that). What no case notices may still be noticed by a test of the command line: the reference of
the cases lacks some features. Prints the survivors and 'N passed, N failed'.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), HERE]
import cfmodel
import probes
import run
from report import MCF, ROOT, need, need_mcf, need_programs, need_root


def compiled(mcf, path, block=None):
    """(exit status, .cf as text)"""
    env = dict(os.environ)
    if block:
        env["MCF_TEST_KNOCKOUT"] = str(block)
    p = subprocess.run([mcf, "build"] + (["--lax"] if run.is_lax(path) else []) + [os.path.basename(path)],
                       cwd=os.path.dirname(path), capture_output=True, timeout=60, env=env)
    return p.returncode, p.stdout.decode("latin-1")


class Case:
    """One .mc: its .cf as it is, and what the reference answers under that."""

    def __init__(self, name, path, scratch):
        self.name, self.path, self.scratch = name, path, scratch
        self.mcf = os.path.join(scratch, "mcf")  # a copy, so that the tree may go on
        self.status, self.text = compiled(self.mcf, path)
        self.model = cfmodel.model(self.text)
        self.commands = probes.commands(name)
        self.base = None

    def ask(self, text):
        d = tempfile.mkdtemp(dir=self.scratch)
        cf = os.path.join(d, "t.cf")
        with open(cf, "w", encoding="latin-1") as f:
            f.write(text)
        mail = run.etc_mail(os.path.dirname(self.path), self.scratch)
        said = run.asked(cf, self.commands, mail)
        shutil.rmtree(d)
        shutil.rmtree(mail)
        return said

    def answers_change(self, text):
        if self.base is None:
            self.base = self.ask(self.text)
        return self.ask(text) != self.base


def command_line_is_right(mcf, block=None):
    """Do the tests of the command line pass that need no more than mcf?"""
    script = os.path.join(ROOT, "tests", "cli", "run.py")
    with open(script, encoding="utf8") as f:
        names = re.findall(r"^def test_(\w+)\(", f.read(), re.M)
    env = dict(os.environ, MCF=mcf)
    if block:
        env["MCF_TEST_KNOCKOUT"] = str(block)
    p = subprocess.run([sys.executable, script] + [n for n in names if not n.startswith("make_")],
                       capture_output=True, timeout=300, env=env)
    return p.returncode == 0


def noticed_by(block, cases, limit):
    """The name of a case that notices, or None; and how many cases have the block."""
    rules = []
    for case in cases:
        status, text = compiled(case.mcf, case.path, block)
        if status != case.status:
            return case.name, 1
        if text != case.text:
            if list(cfmodel.diff(case.model, cfmodel.model(text))):
                return case.name, 1
            rules.append((len(case.commands), case, text))
    rules.sort(key=lambda x: abs(len(x[2]) - len(x[1].text)), reverse=True)
    for _, case, text in rules[:limit]:
        if case.answers_change(text):
            return case.name, len(rules)
    if not command_line_is_right(cases[0].mcf, block):
        return "cli", len(rules)
    return None, len(rules)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--cases", type=int, metavar="N", help="ask at most N cases a block (default: all)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("blocks", nargs="*")
    options = parser.parse_args()
    if not options.inside:
        need_root()
        need_programs("m4", "unshare", "ip", "sendmail", "makemap")
        need_mcf()
        os.execv(run.NS, [run.NS, sys.executable, os.path.realpath(__file__), "--inside", "yes"] + sys.argv[1:])
    listed = subprocess.run([MCF, "build"], capture_output=True, text=True, check=True,
                            env=dict(os.environ, MCF_TEST_KNOCKOUT="list")).stdout
    blocks = [line.split() for line in listed.splitlines()]
    if options.blocks:
        blocks = [(n, place) for n, place in blocks
                  if any(n == b or place == b or place.startswith(b + ":") for b in options.blocks)]
    scratch = tempfile.mkdtemp(prefix="mcf-mutate.")
    passed = failed = 0
    try:
        shutil.copy(MCF, os.path.join(scratch, "mcf"))
        # Copies: a case edited meanwhile would seem to notice every block.
        for part in ("samples", os.path.join("tests", "golden")):
            shutil.copytree(os.path.join(ROOT, part), os.path.join(scratch, "tree", part))
        cases = [Case(n, os.path.join(scratch, "tree", os.path.relpath(p, ROOT)), scratch)
                 for n, p in sorted(run.all_cases().items())]
        cases = [c for c in cases if c.status == 0]
        if not command_line_is_right(cases[0].mcf):
            need(False, "tests of the command line that pass: tests/cli/run.py")
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda b: noticed_by(int(b[0]), cases, options.cases), blocks)
            for (n, place), (who, having) in zip(blocks, found):
                if who:
                    passed += 1
                    if options.verbose:
                        print("%s: noticed by %s" % (place, who))
                else:
                    failed += 1
                    print("%s: no test notices that block %s is gone (%s)"
                          % (place, n, "no case has it" if not having else "%d cases have it" % having))
                sys.stdout.flush()
        for case in cases:  # or the figures above mean nothing
            if compiled(case.mcf, case.path) != (case.status, case.text):
                failed += 1
                print("%s: compiles otherwise than at the beginning" % case.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("mutate: %d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
