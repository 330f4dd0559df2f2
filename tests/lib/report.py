"""report: counts cases, says what failed and how to run it alone, and closes a suite."""
import argparse
import os
import shutil
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
MCF = os.environ.get("MCF", os.path.join(BUILD, "mcf"))


class Failed(Exception):
    """What a case expected is not so."""


def expect(condition, why):
    if not condition:
        raise Failed(str(why))


class Report:
    """One suite. rerun is a command with {} for the case's name."""

    def __init__(self, suite, rerun, verbose=False):
        self.suite, self.rerun, self.verbose = suite, rerun, verbose
        self.passed, self.failed = 0, 0

    def ok(self, case):
        self.passed += 1
        if self.verbose:
            print("ok      %s: %s" % (self.suite, case))

    def fail(self, case, why):
        """why: a text of one or more lines."""
        self.failed += 1
        print("FAILED  %s: %s" % (self.suite, case))
        for line in str(why).rstrip("\n").splitlines():
            print("        " + line)
        print("        again: " + self.rerun.format(case))

    def check(self, case, good, why):
        """One case that is good or not; returns which."""
        if good:
            self.ok(case)
        else:
            self.fail(case, why)
        return good

    def close(self):
        """Prints the closing line and ends the program. No case at all is a failure."""
        if self.passed + self.failed == 0:
            print("FAILED  %s: no test was run" % self.suite)
            self.failed = 1
        sys.stdout.flush()
        print("%d passed, %d failed" % (self.passed, self.failed))
        sys.exit(1 if self.failed else 0)


def need(condition, word):
    """Ends the suite as failed, with a clear word, where what it needs is missing."""
    if not condition:
        print("FAILED  needs: " + word)
        print("0 passed, 1 failed")
        sys.exit(1)


def need_root():
    need(os.geteuid() == 0, "root, for namespaces of its own (sudo make test)")


def need_programs(*names):
    for name in names:
        found = any(os.access(os.path.join(d, name), os.X_OK)
                    for d in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"])
        need(found, "the program %s: run tools/deps.sh test" % name)


def need_mcf():
    need(os.access(MCF, os.X_OK), "the compiler %s: run make" % MCF)


def options(doc):
    """-v and the cases that were named."""
    parser = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("cases", nargs="*")
    return parser.parse_args()


def in_namespace(script, doc, inside, needs, addresses=()):
    """The main of a suite that runs in tests/lib/ns: inside(given) is called there; before, outside, needs()."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    if given.inside:
        inside(given)
    need_root()
    need_mcf()
    needs()
    ns = os.path.join(ROOT, "tests", "lib", "ns")
    os.execv(ns, [ns] + [w for a in addresses for w in ("-a", a)] + [sys.executable, os.path.realpath(script), "--inside"] + sys.argv[1:])


def run_functions(suite, doc, functions):
    """Every test_NAME of functions, or those named, each in a folder of its own; ends the program."""
    given = options(doc)
    need_mcf()
    report = Report(suite, "tests/%s/run.py {}" % suite, given.verbose)
    tests = {n[5:]: f for n, f in functions.items() if n.startswith("test_")}
    for name in given.cases or tests:
        if name not in tests:
            report.fail(name, "no such case; there are: " + " ".join(tests))
            continue
        folder = tempfile.mkdtemp(prefix="mcf-%s." % suite)
        os.chdir(folder)
        try:
            tests[name]()
            report.ok(name)
        except Exception as why:  # also a document of another shape than expected
            said = str(why) if isinstance(why, Failed) else repr(why)
            report.fail(name, "%s\n%s" % (tests[name].__doc__, said))
        finally:
            os.chdir("/")
            shutil.rmtree(folder)
    report.close()
