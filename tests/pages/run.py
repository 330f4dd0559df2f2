#!/usr/bin/env python3
"""run.py [-v] [PAGE]...

The pages of man/: groff has nothing to say about them, and what those of tables (section 5) give
as examples is so. Lines of comment in a page say what the block of lines (.nf ... .fi, or .EX ...
.EE) behind them is:

    .\\" mc                     lines of an .mc: with these the table is in use
    .\\" example: FILE; ask: COMMANDS; expect: TEXT
                               the source of a table, /etc/mail/FILE: mcf map has nothing to say
                               about it and makes the database, and TEXT is in what sendmail then
                               answers, with our .cf and with that of its own library. Several
                               such lines may be before one block.

COMMANDS are what is typed in address-test mode, with " ;; " between them: all are asked in one
go, and TEXT is looked for in what the answer to the last says in the end. TEXT that begins with
"!" must not be there. A command "-bv NAME" asks where mail for NAME goes. Two arguments of a
ruleset cannot be typed: ask_NAME calls the ruleset NAME with ${first} and ${second}.
"""
import argparse
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
import reference
from report import BUILD, MCF, ROOT, Failed, Report, expect, need, need_mcf, need_programs, need_root

MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))

NS = os.path.join(HERE, "..", "lib", "ns")
BEFORE = ["OSTYPE(`linux')dnl"]
AFTER = ["MAILER(`local')dnl", "MAILER(`smtp')dnl"]
BLOCKS = {".nf": ".fi", ".EX": ".EE"}


def plain(line):
    """A line of a block as it is read: without the escapes that the pages use."""
    for escape, text in (("\\&", ""), ("\\-", "-"), ("\\(aq", "'"), ("\\(ga", "`"), ("\\(dq", '"'),
                         ("\\(ti", "~"), ("\\(ha", "^"), ("\\e", "\\")):
        line = line.replace(escape, text)
    return line


class Example:
    """The source of a table, and [(commands, text)] to ask about it."""

    def __init__(self, table, number):
        self.table, self.line, self.asked, self.lines = table, number, [], []


class Page:
    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)
        self.mc, self.examples = [], []
        waiting, block, end = None, None, None
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        for number, line in enumerate(lines, 1):
            if end:
                if line == end:
                    end = None
                elif block is not None:
                    block.append(plain(line))
            elif line in BLOCKS:
                end, block = BLOCKS[line], waiting.lines if isinstance(waiting, Example) else waiting
                waiting = None
            elif line == '.\\" mc':
                waiting = self.mc
            elif line.startswith('.\\" example:'):
                m = re.fullmatch(r'\.\\" example: (\S+); ask: (.*); expect: (.+)', line)
                expect(m, "%s:%d: this is no example: %s" % (path, number, line))
                if not isinstance(waiting, Example):
                    waiting = Example(m.group(1), number)
                    self.examples.append(waiting)
                expect(m.group(1) == waiting.table, "%s:%d: another table" % (path, number))
                waiting.asked.append((m.group(2).split(" ;; "), m.group(3)))
            else:
                expect(waiting is None or line.startswith(".\\\""),
                       "%s:%d: no block behind the line that announces one" % (path, number))


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120)


def said(p):
    return p.stdout.decode("utf-8", "replace")


def with_tables(page, scratch):
    """The page as make install has it: lines @NAME@ are tables of the program that it is of."""
    tables = {"mcf.1": [MCF, "list", "--roff"], "mcfd.8": [MCFD, "--roff"]}.get(os.path.basename(page.path))
    with open(page.path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    for i, line in enumerate(lines):
        if tables and re.fullmatch("@[A-Z]+@", line):
            lines[i] = said(run(*tables, line.strip("@").lower())).rstrip("\n")
    path = os.path.join(scratch, os.path.basename(page.path))
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return path, lines


def names_all_flags(page, scratch):
    """Each mode and flag of mcfd's table has a paragraph."""
    text = "\n".join(with_tables(page, scratch)[1])
    with open(os.path.join(ROOT, "mta", "arguments.def"), encoding="utf-8") as f:
        rows = re.findall(r"""^(?:MESSAGE_)?(FLAG|MODE|LONG)\(['"]([^'"]+)['"]""", f.read(), re.M)
    expect(len(rows) > 40, "the table is not to be understood")
    for kind, name in rows:
        flag = {"FLAG": "-%s", "MODE": "-b%s", "LONG": "--%s"}[kind] % name
        expect(re.search(r"^\.B[IR]* %s(\W|$)" % re.escape(flag.replace("-", "\\-")), text, re.M), "there is nothing of " + flag)


def is_clean(page, scratch):
    """Nothing that groff warns of at 80 columns; what a system adds to the macros is not there in our /etc."""
    with open(os.path.join(scratch, "man.local"), "w", encoding="utf-8"):
        pass
    p = subprocess.run(["groff", "-t", "-M", scratch, "-man", "-Tutf8", "-rLL=78n", "-ww", "-z", with_tables(page, scratch)[0]],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    expect(p.returncode == 0 and not p.stderr, p.stderr.decode("utf-8", "replace"))


def answer(cf, commands, folder):
    if commands[0].startswith("-bv "):
        return said(run("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/mail && exec "$@"', folder,
                        reference.SENDMAIL, "-C", cf, *commands[0].split()))
    answers, _ = reference.ask(cf, commands, folder)
    expect(len(answers) == len(commands), "%d answers to %d commands" % (len(answers), len(commands)))
    return reference.essence(commands[-1], answers[-1])


def asks_two(example):
    """Lines of an .mc: the rulesets ask_NAME that are asked."""
    typed = " ".join(c for commands, _ in example.asked for c in commands)
    names = sorted(set(re.findall(r"\bask_(\w+)", typed)))
    return ["LOCAL_RULESETS"] * bool(names) + [
        "Sask_%s\nR$*\t$: $>%s $&{first} $| $&{second}" % (n, n) for n in names]


def is_so(page, example, scratch):
    """What is said about an example, and nothing else, of a table in a folder of its own."""
    folder = tempfile.mkdtemp(prefix="mail.", dir=scratch)
    shutil.copytree("/etc/mail", folder, dirs_exist_ok=True)
    os.chmod(folder, 0o755)
    source = os.path.join(folder, example.table)
    for path in glob.glob(source + "*"):
        os.remove(path)
    with open(source, "w", encoding="utf-8") as f:
        f.write("".join(l + "\n" for l in example.lines))
    mc, cf = os.path.join(folder, "case.mc"), os.path.join(folder, "case.cf")
    with open(mc, "w", encoding="utf-8") as f:
        f.write("".join(l + "\n" for l in BEFORE + page.mc + AFTER + asks_two(example)))
    todo = [[MCF, "build", "-o", cf, mc], [MCF, "map", "check", source], [MCF, "map", "build", source]]
    for command in todo:
        p = run(*command)
        expect(p.returncode == 0 and not p.stdout, "%s: %d\n%s" % (" ".join(command), p.returncode, said(p)))
    if os.path.exists(source + ".db"):
        os.chmod(source + ".db", 0o640)
    theirs = os.path.join(folder, "reference.cf")
    status, text, errors = reference.compile_mc(mc)
    expect(not reference.refuses(status, errors), "the reference's library: %s" % errors)
    with open(theirs, "wb") as f:
        f.write(text)
    wrong = []
    for which, (commands, text) in itertools.product((cf, theirs), example.asked):
        found = answer(which, commands, folder)
        if text.startswith("!") == (text.lstrip("!") in found):
            wrong.append("%s, with %s\nexpected: %s\nanswered:\n%s" %
                         (" ;; ".join(commands), os.path.basename(which), text, found))
    expect(not wrong, "\n".join(wrong))


def pages(names):
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "man", "*.[0-9]"))):
        found[os.path.basename(path)] = path
    for name in names:
        need(name in found, "a page man/%s" % name)
    return [found[n] for n in names or found]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("pages", nargs="*")
    options = parser.parse_args()
    if not options.inside:
        need_root()
        need_programs("groff", "m4", "unshare", "ip", "sendmail", "makemap")
        need(os.path.isdir(reference.LIBRARY), "the reference's library: run tools/deps.sh test")
        need_mcf()
        os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), "--inside"] + sys.argv[1:])
    report = Report("pages", "tests/pages/run.py {}", options.verbose)
    scratch = tempfile.mkdtemp(prefix="mcf-pages.")
    os.chmod(scratch, 0o755)

    def case(page, what, function, *arguments):
        try:
            function(*arguments)
            report.check("%s: %s" % (page, what) if options.verbose else page, True, "")
        except (Failed, OSError, subprocess.TimeoutExpired) as why:
            report.fail(page, "%s\n%s" % (what, why))

    try:
        for path in pages(options.pages):
            name = os.path.basename(path)
            try:
                page = Page(path)
            except Failed as why:
                report.fail(name, why)
                continue
            case(name, "groff has nothing to say", is_clean, page, scratch)
            if name == "mcfd.8":
                case(name, "all flags", names_all_flags, page, scratch)
            if name.endswith(".5"):
                report.check(name, bool(page.mc and page.examples), "no lines of an .mc, or no example")
            for example in page.examples:
                case(name, "the example at line %d" % example.line, is_so, page, example, scratch)
    finally:
        shutil.rmtree(scratch)
    report.close()


if __name__ == "__main__":
    main()
