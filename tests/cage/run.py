#!/usr/bin/env python3
"""run.py [-v] [CASE]...

An .mc is a program in m4, and comes from somebody else. Each file of mc/ tries
something that must not work, and says in its first lines what must hold:

    dnl !exit N [N]...     the exit status is one of these (65 when nothing is said)
    dnl !finding REGEX     a line on standard error matches (of the form that findings have)
    dnl !no REGEX          no line on standard error matches
    dnl !cf REGEX          a line of the .cf matches; !no-cf REGEX: none does
    dnl !option WORD       one more option of mcf build
    dnl !quick N           it ends within N seconds (30 when nothing is said)

Always: it ends in time and by itself, says no more than somebody can read, no file appears but the .cf, and that only with
exit status 0; an error has a file and a line; nothing is printed that is not a finding;
no process is left. In a file, @DIR@ is the folder in which it runs,
and @N*TEXT@ is TEXT N times.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from report import MCF, Report, need, need_mcf, options

# A column is there where the source says one; a limit of m4 has a line alone.
FINDING = re.compile(r"^(\S+?(:\d+){0,2}|mcf): (error|warning|note): .* \[[a-z0-9-]+\]$")
# What may stand below a finding: the source line, the caret, hints, the way there.
DETAIL = re.compile(r"^( |\t|$)")
SECONDS = 30  # seconds by themselves; the machine may be busy
SAID = 1 << 20  # nobody reads more


def wishes(text):
    out = {"exit": [65], "finding": [], "no": [], "cf": [], "no-cf": [], "option": [],
           "quick": [str(SECONDS)]}
    said = {}
    for line in text.split("\n"):
        m = re.match(r"dnl !(\S+) (.*)", line)
        if not m:
            break
        need(m.group(1) in out, "a known wish instead of !" + m.group(1))
        said.setdefault(m.group(1), []).append(m.group(2))
    out.update(said)
    if "exit" in said:
        out["exit"] = [int(n) for n in said["exit"][0].split()]
    return out


def files(folder):
    return sorted(os.path.relpath(os.path.join(d, f), folder)
                  for d, dirs, names in os.walk(folder) for f in names + dirs)


def run_case(path):
    """A list of complaints; empty if all is well."""
    with open(path, encoding="latin-1") as f:
        text = f.read()
    wish = wishes(text)
    folder = tempfile.mkdtemp(prefix="mcf-cage.")
    complaints = []
    try:
        text = re.sub(r"@(\d+)\*([^@]*)@", lambda m: m.group(2) * int(m.group(1)), text)
        with open(os.path.join(folder, "case.mc"), "w", encoding="latin-1") as f:
            f.write(text.replace("@DIR@", folder))
        for name in ("tmp", "home"):
            os.mkdir(os.path.join(folder, name))
        for extra in ("parts", "feature"):
            if os.path.isdir(os.path.join(HERE, extra)):
                shutil.copytree(os.path.join(HERE, extra), os.path.join(folder, extra))
        before = files(folder)
        env = dict(os.environ, TMPDIR=folder + "/tmp", HOME=folder + "/home", WITNESS=folder)
        start = time.time()
        # A session of its own, so that what is left of it can be found.
        p = subprocess.Popen([MCF, "build", *wish["option"], "-o", "out.cf", "case.mc"], cwd=folder,
                             env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = p.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            p.communicate()
            return ["it did not end within 60 seconds"]
        took = time.time() - start
        if len(err) > SAID:
            complaints.append("it said %d bytes" % len(err))
        err = err.decode("latin-1")
        if took > float(wish["quick"][0]):
            complaints.append("it took %.1f seconds" % took)
        if p.returncode not in wish["exit"]:
            complaints.append("exit status %d, not %s" % (p.returncode, wish["exit"]))
        if out:
            complaints.append("it printed on standard output: %r" % out[:200])
        made = [f for f in files(folder) if f not in before]
        if made != (["out.cf"] if p.returncode == 0 else []):
            complaints.append("files appeared: %s" % made)
        left = subprocess.run(["ps", "-s", str(p.pid), "-o", "pid=,args="],
                              capture_output=True, text=True).stdout.strip()
        if left:
            complaints.append("left running: " + left)
            os.killpg(p.pid, 9)
        findings = []
        for line in err.split("\n"):
            if FINDING.match(line):
                findings.append(line)
            elif not DETAIL.match(line):
                complaints.append("not a finding: %r" % line[:200])
        if p.returncode and not any(re.match(r"\S+:\d+(:\d+)?: error: ", l) for l in findings):
            complaints.append("it failed without an error that has a place")
        for regex in wish["finding"]:
            if not any(re.search(regex, l) for l in findings):
                complaints.append("no finding matches " + regex)
        for regex in wish["no"]:
            found = [l for l in err.split("\n") if re.search(regex, l)]
            if found:
                complaints.append("a line matches %s: %s" % (regex, found[0][:200]))
        cf = ""
        if os.path.exists(folder + "/out.cf"):
            with open(folder + "/out.cf", encoding="latin-1") as f:
                cf = f.read()
        for regex in wish["cf"]:
            if not re.search(regex, cf, re.M):
                complaints.append("no line of the .cf matches " + regex)
        for regex in wish["no-cf"]:
            if re.search(regex, cf, re.M):
                complaints.append("a line of the .cf matches " + regex)
        if complaints:
            complaints.append("standard error:\n" + err[:1500])
    finally:
        shutil.rmtree(folder)
    return complaints


def main():
    given = options(__doc__)
    need_mcf()
    report = Report("cage", "tests/cage/run.py {}", given.verbose)
    names = given.cases or sorted(f[:-3] for f in os.listdir(os.path.join(HERE, "mc")))
    with ThreadPoolExecutor(2) as pool:
        paths = [os.path.join(HERE, "mc", name + ".mc") for name in names]
        for name, complaints in zip(names, pool.map(run_case, paths)):
            report.check(name, not complaints, "\n".join(complaints))
    report.close()


if __name__ == "__main__":
    main()
