#!/usr/bin/env python3
"""run.py [-v] [CASE|PART]...

mcfd as processes: what its roles may do, what is left when one of them is killed, when something that it needs is not to be
had, and what signals do. Each case has a namespace of its own (tests/lib/ns); README.md says what there is.

PART: users, signals, limits, submission, failures, filtering or kills, all its cases.
KILLS=N: so many kills in `kills', in place of 12; SEED=N: other ones.
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
import failures
import filtering
import kills
import limits
import signals
import submission
import users
from mta import MCFD, SINK
from report import ROOT, Failed, Report, need, need_mcf, need_programs, need_root, options

NS = os.path.join(ROOT, "tests", "lib", "ns")
MODULES = {m.__name__: [name[5:] for name in vars(m) if name.startswith("test_")] for m in (users, signals, limits, submission, failures, filtering, kills)}
CASES = {name: getattr(m, "test_" + name) for m in (users, signals, limits, submission, failures, filtering, kills) for name in MODULES[m.__name__]}
LONG = ("no_name_server", "kills", "full_disk", "min_free_blocks", "stop_late", "no_descriptors")
JOBS = 4
SECONDS = 120 + 4 * int(os.environ.get("KILLS", 0))


def inside(case):
    try:
        CASES[case]()
    except Failed as why:
        print("%s\n%s" % (CASES[case].__doc__, why))
        sys.stdout.flush()
        os._exit(1)
    os._exit(0)


def one(case):
    command = [NS, "-a", SINK + "/32", sys.executable, os.path.realpath(__file__), "--inside", case]
    try:
        p = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False, "it did not end"
    return p.returncode == 0, p.stdout[-3000:] + p.stderr[-3000:]


def main():
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2])
    given = options(__doc__)
    need_root()
    need_mcf()
    need_programs("unshare", "ip", "makemap")
    need(os.access(MCFD, os.X_OK), "mcfd: run make")
    report = Report("roles", "tests/roles/run.py {}", given.verbose)
    cases = [c for name in given.cases or MODULES for c in MODULES.get(name, [name])]
    for case in [c for c in cases if c not in CASES]:
        report.fail(case, "no such case; there are: " + " ".join(list(MODULES) + list(CASES)))
        cases.remove(case)
    # Most of them wait most of the time; the longest ones begin first.
    pool = ThreadPoolExecutor(JOBS)
    results = {case: pool.submit(one, case) for case in sorted(cases, key=lambda c: c not in LONG)}
    for case in cases:
        good, said = results[case].result()
        report.check(case, good, said)
        if good and given.verbose and said.strip():
            print("        " + said.strip().replace("\n", "\n        "))
    report.close()


if __name__ == "__main__":
    main()
