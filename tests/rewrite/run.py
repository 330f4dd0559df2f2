#!/usr/bin/env python3
"""run.py [-v] [FILE[:BLOCK]]...

Rules and addresses: each *.test has small configurations and asks the reference (sendmail -bt) and mcfd the same
questions; every line of their answers must be the same. README.md says how such a file is written.
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from reference import SENDMAIL
from report import BUILD, ROOT, Report, need, need_programs, need_root, options

NS = os.path.join(ROOT, "tests", "lib", "ns")
RANDOM = ["--seed", "1", "--cases", "5000"]
MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))
PLACE = "/run/rewrite"  # the reference reads no map in a folder that others may write to


class Block:
    def __init__(self, title):
        self.title, self.config, self.maps, self.files, self.questions, self.expected = title, [], {}, {}, [], {}
        self.status, self.finds = None, []


def read_blocks(path):
    blocks, part, file = [], None, None
    with open(path, encoding="latin-1") as f:
        for line in f.read().split("\n"):
            line = line.replace("DIR/", PLACE + "/")
            if line.startswith("== "):
                blocks.append(Block(line[3:]))
                part = "config"
            elif not blocks:
                continue  # what the file is about
            elif part == "config" and line.startswith(("@map ", "@file ", "@program ")):
                kind, file = line.split(" ", 1)
                part, lines = "file", []
                if kind == "@program":
                    file += " 755"
                (blocks[-1].maps if kind == "@map" else blocks[-1].files)[file] = lines
            elif part == "file":
                if line == "@end":
                    part = "config"
                else:
                    lines.append(line)
            elif part == "config" and line.startswith("@status "):
                blocks[-1].status = int(line[8:])
            elif part == "config" and line.startswith("@finds "):
                blocks[-1].finds.append(line[7:])
            elif part == "config" and line == "--":
                part = "questions"
            elif part == "config":
                blocks[-1].config.append(line)
            elif line.startswith("= "):
                blocks[-1].expected.setdefault(len(blocks[-1].questions) - 1, []).append(line[2:])
            elif line:
                blocks[-1].questions.append(bytes(line, "latin-1").decode("unicode_escape").encode("latin-1").decode("latin-1")
                                            if line.startswith("\\x") else line)
    return blocks


# What the reference logs where it first meets a map that it cannot use; ours goes to standard error.
LOGGED = re.compile(r'\S+ map "\S+": |Cannot open \S+ database |ldap_(init|bind)|\w+_map_lookup\(')


def answers(text):
    """Each answer by itself; the prompt stands before each question."""
    text = text[text.find("Enter <ruleset> <address>\n") + 26:]
    out, now = [], None
    for line in text.split("\n"):
        while line.startswith("> "):
            if now is not None:
                out.append(now)
            now, line = [], line[2:]
        if line and now is not None and not LOGGED.match(line):
            now.append(line.rstrip())
    if now is not None:
        out.append(now)
    return out


def ask(program, cf, questions):
    p = subprocess.run([program, "-C", cf, "-bt"], input="\n".join(questions) + "\n", capture_output=True, encoding="latin-1",
                       timeout=60)
    return answers(p.stdout), p.returncode, p.stderr


def found(said):
    """What mcfd reports of the file, as LINE:COLUMN SEVERITY ID."""
    return ["%s %s %s" % m for m in re.findall(r"^[^ \n]*test\.cf:(\d+(?::\d+)?): (error|warning|note): .*\[([a-z-]+)\]$", said, re.M)]


def sorted_class(question, lines):
    return sorted(lines) if question.startswith("$=") else lines


def write_file(spec, lines):
    """NAME, or NAME MODE and perhaps FOLDER-MODE; "raw" before the name: one line, with the escapes of Python."""
    words = spec.split()
    raw = words[0] == "raw"
    name, *modes = words[raw:]
    path = os.path.join(PLACE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if name.endswith("@"):  # a symbolic link
        os.symlink(lines[0], path[:-1])
        path = path[:-1]
    else:
        text = "\n".join(lines)
        with open(path, "w", encoding="latin-1", newline="") as f:
            f.write(text.encode("latin-1").decode("unicode_escape") if raw else text + "\n")
        if modes:
            os.chmod(path, int(modes[0], 8))
    if len(modes) > 1:
        os.chmod(os.path.dirname(path), int(modes[1], 8))


def run_block(report, name, block):
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(PLACE)
    for spec, lines in block.files.items():
        write_file(spec, lines)
    for file, lines in block.maps.items():
        source = "\n".join(lines) + "\n"
        with open(PLACE + "/" + file, "w", encoding="latin-1") as f:
            f.write(source)
        subprocess.run(["makemap", "-C", "/dev/null", "hash", PLACE + "/" + file], input=source.encode("latin-1"), check=True, capture_output=True)
    cf = PLACE + "/test.cf"
    with open(cf, "w", encoding="latin-1") as f:
        f.write("\n".join(block.config) + "\n")
    reference, wanted, _ = ask(SENDMAIL, cf, block.questions)
    ours, status, said = ask(MCFD, cf, block.questions)
    # What reading the file makes of the exit code; questions make more of it.
    theirs, read = ask(SENDMAIL, cf, [])[1], ask(MCFD, cf, [])[1]
    wrong = []
    if status < 0:
        wrong.append("mcfd ended by signal %d" % -status)
    elif status != wanted and block.status is None:
        wrong.append("exit status of the reference: %d, ours: %d" % (wanted, status))
    if read != (theirs if block.status is None else block.status):
        wrong.append("exit code: reference %d, ours %d" % (theirs, read))
    if block.finds and sorted(block.finds) != sorted(found(said)):
        wrong.append("findings: %s" % "; ".join(found(said)))
    for i, q in enumerate(block.questions):
        x = block.expected.get(i) or (reference[i] if i < len(reference) else ["(no answer)"])
        y = ours[i] if i < len(ours) else ["(no answer)"]
        x, y = sorted_class(q, x), sorted_class(q, y)
        if x != y:
            k = next((k for k in range(min(len(x), len(y))) if x[k] != y[k]), min(len(x), len(y)))
            wrong.append("%s\n  reference: %s\n  ours:      %s" % (q, x[k][:300] if k < len(x) else None, y[k][:300] if k < len(y) else None))
    report.check("%s:%s" % (name, block.title), not wrong, "\n".join(wrong[:5]))


def run_random(report):
    p = subprocess.run([sys.executable, os.path.join(HERE, "fuzz.py"), "--engine", MCFD, *RANDOM], capture_output=True, text=True,
                       env={**os.environ, "FUZZ_INSIDE": "yes"})
    report.check("random", p.returncode == 0, p.stdout + p.stderr)


def inside(given):
    report = Report("rewrite", "tests/rewrite/run.py '{}'", given.verbose)
    names = given.cases or sorted(f[:-5] for f in os.listdir(HERE) if f.endswith(".test")) + ["random"]
    for given_name in names:
        if given_name == "random":
            run_random(report)
            continue
        name, _, title = given_name.partition(":")
        for block in read_blocks(os.path.join(HERE, name + ".test")):
            if title in ("", block.title):
                run_block(report, name, block)
    report.close()


def main():
    given = options(__doc__)
    if os.environ.get("REWRITE_INSIDE"):
        inside(given)
    need_root()
    need_programs("sendmail", "makemap", "unshare", "ip")
    need(os.access(MCFD, os.X_OK), "the program %s: run make" % MCFD)
    os.environ["REWRITE_INSIDE"] = "yes"
    os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), *sys.argv[1:]])


if __name__ == "__main__":
    main()
