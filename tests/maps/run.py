#!/usr/bin/env python3
"""run.py [-v] [CASE]...

Databases of maps, made and read by mcf and by the reference's makemap: each case is a function
test_NAME below, which runs in an empty folder of its own. What the programs say differs; what they
make, and how they end, does not.
"""
import os
import pty
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import formats
from reference import LIBRARY
from report import MCF, expect, need_programs, need_root, run_functions

REFERENCE = shutil.which("makemap", path="/usr/sbin:/usr/bin:/sbin")
KILLS = int(os.environ.get("MAPS_KILLS", "20"))
KEYS = 100000


def write(name, data):
    with open(name, "wb") as f:
        f.write(data)


def run(program, *arguments, given=b""):
    return subprocess.run([program, *arguments], input=given, capture_output=True, timeout=120)


def ours():
    """mcf, called as makemap."""
    if not os.path.islink("makemap"):
        os.symlink(MCF, "makemap")
    return os.path.abspath("makemap")


def entries(program, kind, name, *options):
    p = run(program, *options, "-u", kind, name)
    expect(p.returncode == 0, "%s -u %s: %s" % (program, name, p))
    return sorted(p.stdout.split(b"\n"))


def forget():
    for name in os.listdir("."):
        if name.startswith("m.") or name == "m":
            os.remove(name)


# Degenerate first: options, type, what is there before, input.
CASES = [
    ([], "hash", None, b""),
    ([], "hash", None, b"\n"),
    ([], "hash", None, b"a"),
    ([], "hash", None, b"a b"),
    ([], "hash", None, b"a b\n"),
    ([], "btree", None, b"a b\n"),
    ([], "implicit", None, b"a b\n"),
    ([], "hash", None, b" a b\nc d\n"),
    ([], "hash", None, b"\ta b\nc d\n"),
    ([], "hash", None, b"\n   \n\t\nb c\n"),
    ([], "hash", None, b"a\tb c  d \n"),
    ([], "hash", None, b"a b   \n"),
    ([], "hash", None, b"a  \nb c\n"),
    ([], "hash", None, b"ABC Def\n\xc4\xd6 \xdc\n"),
    (["-f"], "hash", None, b"ABC Def\nabc x\n"),
    ([], "hash", None, b"\"a b\" \"c d\"\n\"x y z\nq\"r \"s\"t\n"),
    ([], "hash", None, b"a b\r\nc\r\n"),
    ([], "hash", None, b"a\x0bb c\na2\x0cb c\n"),
    ([], "hash", None, b"#x y\n #x y\nb c #d\n"),
    (["-D", "%"], "hash", None, b"%x y\n#x y\nb c\n"),
    (["-D", "%%"], "hash", None, b"%x y\n#x y\n"),
    (["-e"], "hash", None, b"a\nb  \nc d\n"),
    ([], "hash", None, b"a b\na c\nA d\na b\n"),
    (["-r"], "hash", None, b"a b\na c\nx y\na d\n"),
    (["-d"], "hash", None, b"a b\na c\na b\n"),
    (["-d"], "btree", None, b"a b\na c\na b\n"),
    ([], "btree", None, b"b b\na b\na c\n"),
    (["-N"], "hash", None, b"a b\nc d\n"),
    (["-N", "-e"], "btree", None, b"a\nb c\n"),
    (["-t", ":"], "hash", None, b"a b:c:d\n:x\ne\nf:\ng::h\n"),
    (["-t", "\t"], "hash", None, b"a b\tc\td\nx y\n"),
    (["-t", ":", "-e"], "hash", None, b"a b\n c:d\n"),
    (["-v"], "hash", None, b"a b\nC d\n"),
    ([], "hash", None, b"k " + b"v" * 1020 + b"\nx y\n"),
    ([], "hash", None, b"k " + b"v" * 1021 + b"\nx y\n"),
    ([], "hash", None, b"k " + b"v" * 5000 + b"\nx y\n"),
    ([], "hash", None, b"a\0b c\nd e\n"),
    ([], "hash", None, b"a b\0c\nd e\n"),
    ([], "hash", None, b"a %1 %% %\n"),
    ([], "hash", None, b"a b\\\nc d\n"),
    ([], "hash", None, b"a\nb\nc d\n e f\n"),
    ([], "hash", b"q x\ny z\n", b"a b\n"),
    (["-o"], "hash", None, b"a b\n"),
    (["-o"], "hash", b"a x\ny z\n", b"a b\nc d\n"),
    (["-o", "-r"], "hash", b"a x\ny z\n", b"a b\nc d\n"),
    (["-o"], "btree", b"a x\ny z\n", b"a b\nc d\n"),
    (["-c", "1000000"], "hash", None, b"a b\n"),
    (["-c", "x"], "hash", None, b"a b\n"),
    (["-s"], "hash", None, b"a b\n"),
    (["-i", "hash"], "hash", None, b"a b\n"),
    (["-C", "/nonexistent"], "hash", None, b"a b\n"),
    ([], "nosuch", None, b"a b\n"),
    (["-o"], "nosuch", None, b"a b\n"),
]


def made(program, options, kind, before, given):
    forget()
    if before is not None:
        run(REFERENCE, kind, "m", given=before)
    p = run(program, *options, kind, "m", given=given)
    there = os.path.exists("m.db")
    real = kind if kind != "implicit" else "hash"
    both = [entries(x, real, "m") for x in (REFERENCE, ours())] if there else None
    return p, there, both


def test_makemap_cases():
    """Exit codes and entries, over a table."""
    for options, kind, before, given in CASES:
        what = "%s %s %r" % (" ".join(options), kind, given[:60])
        r, r_there, r_both = made(REFERENCE, options, kind, before, given)
        o, o_there, o_both = made(ours(), options, kind, before, given)
        expect(o.returncode == r.returncode, "%s\nreference: %s\nours: %s" % (what, r, o))
        expect(o.stdout == r.stdout, "%s\nreference: %s\nours: %s" % (what, r, o))
        expect(bool(o.stderr) == bool(r.stderr), "%s\nreference: %s\nours: %s" % (what, r, o))
        expect(o_there == r_there, "%s: is a map there?" % what)
        if r_there:
            expect(r_both[0] == r_both[1], "%s: the reference's, read by both: %s" % (what, r_both))
            expect(o_both[0] == o_both[1], "%s: ours, read by both: %s" % (what, o_both))
            expect(o_both[0] == r_both[0], "%s\nreference: %s\nours: %s" % (what, r_both[0], o_both[0]))
    left = [f for f in os.listdir(".") if f not in ("makemap", "m.db")]
    expect(not left, "left behind: %s" % left)


def test_build_from_a_configuration():
    """What K lines name is built where it is stale; degenerate configurations first."""
    def built(*arguments):
        p = run(MCF, "map", "build", *arguments)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    expect(built("--config")[0] == 2 and built("--config", "x.cf", "y")[0] == 2, "usage")
    rc, said, wrong = built("--config", "nosuch.cf")
    expect(rc == 66 and "cannot read nosuch.cf" in wrong, wrong)
    rc, said, wrong = built("--config", "nosuch.mc")
    expect(rc == 66 and "cannot read nosuch.mc" in wrong, wrong)
    write("bad.mc", b"FEATURE(`nosuch')\n")
    expect(built("--config", "bad.mc")[0] == 65, "an .mc with errors")
    write("c.cf", b"")
    expect(built("--config", "c.cf") == (0, "nothing to build: no K line and no AliasFile names a database\n", ""), "no K lines")
    write("c.cf", b"V10\nKx hash\nKd dequote\nKm hash -o nosuch\nKn hash nosuch\nKb btree -f folder\n")
    os.mkdir("folder")
    rc, said, wrong = built("--config", "c.cf")
    expect(rc == 65 and said == "", (rc, said))
    for want in ("c.cf:2: the map x names no file", "c.cf:5: cannot read the source of the map n, nosuch: "
                 "No such file or directory; write it, or declare the map with -o", "c.cf:6: the map b was not built"):
        expect(want in wrong, "%s\n%s" % (want, wrong))
    expect("c.cf:4" not in wrong and sorted(os.listdir(".")) == ["bad.mc", "c.cf", "folder"], wrong)
    # Every type, with and without the suffix; -N, -f; a sequence's parts; aliases.
    write("c.cf", b"V10\nO AliasFile=-o nosuch\nKa hash -T<TMPF> -o a\nKb btree -N -f b.db\nKc cdb c\n"
                  b"Ks sequence a b\nKagain hash a.db\nKt text t\n")
    for name in "abc":
        write(name, b"Key Value\n")
    rc, said, wrong = built("--config", "c.cf")
    expect((rc, said) == (0, "".join("%s: built for the map %s (c.cf:%d): it was not there\n" % x for x in
                                     (("a.db", "a", 3), ("b.db", "b", 4), ("c.cdb", "c", 5)))), said)
    expect(wrong == "", wrong)
    nothing = "nothing to build: every database is as new as its source\n"
    expect(built("--config", "c.cf")[:2] == (0, nothing), "nothing is stale")
    expect(entries(REFERENCE, "hash", "a") == [b"", b"key\tValue"], entries(REFERENCE, "hash", "a"))
    write("direct", b"Key Value\n")
    run(REFERENCE, "-N", "-f", "btree", "direct", given=b"Key Value\n")
    expect(entries(REFERENCE, "btree", "b") == entries(REFERENCE, "btree", "direct") != [b"", b"key\tValue"], "-N -f")
    # Older than its source, of another type, and with a bad line: the others are made all the same.
    os.utime("a.db", (1, 1))
    os.remove("b.db")
    run(REFERENCE, "hash", "b", given=b"x y\n")
    rc, said, wrong = built("--config", "c.cf")
    expect(said == "a.db: built for the map a (c.cf:3): it was older than its source\n"
           "b.db: built for the map b (c.cf:4): it was of another type, or damaged\n" and rc == 0, said)
    os.utime("a.db", (1, 1))
    os.utime("c.cdb", (1, 1))
    write("a", b"Key Value\nother\n")
    rc, said, wrong = built("--config", "c.cf")
    expect(rc == 65 and said.startswith("c.cdb: built") and "a:2:1: error: other has no value" in wrong, said + wrong)
    # An .mc: its FEATURE is what is named.
    write("d.mc", b"OSTYPE(`linux')\nFEATURE(`access_db', `hash -T<TMPF> %s/m')\n" % os.getcwd().encode())
    write("m", b"a OK\n")
    rc, said, wrong = built("--config", "d.mc")
    expect(rc == 0 and said == "%s/m.db: built for the map access (d.mc:2): it was not there\n" % os.getcwd(), said + wrong)


ALIASES_MC = b"""OSTYPE(`linux')
MAILER(`local')
MAILER(`smtp')
"""

# The source of an alias file: exit codes, what is printed of its entries, the database. Degenerate first.
ALIASES = [
    b"", b"\n", b"\r\n", b"   \n", b"\t\n", b"# c\n", b"#", b"a", b":", b":\n", b"::\n", b"a:", b"a:\n", b"a: \t\n", b"a: \r\n",
    b"a b\n", b": b\n", b" a: b\n", b"a: b", b"a: b\n", b"a:b\n\n", b"A: Bob\n", b"a : b\n", b"a:\t b  c\n", b"a: b   \n",
    # Lines that continue others; line ends.
    b"a: b\n c\n", b"a: b,\n\tc\n", b"a: b,\n c,\n\td\n", b"a: b  \n  c  \n", b"a: b\n\n c\n", b"a: b\n   \nc: d\n", b"a: b\n \n",
    b"a: \n b\n", b"a:\n b\n", b"a\n : b\n", b"a \n b: c\n", b"a: b\n\x0c c\n", b"a: b\n\x0bc\n", b"a: b\r\nc: d\r\n\r\n e\n",
    b"a: b\\\nc\n", b"a: b\\\n c\n", b"a: b\\\\\nc\n", b"a: b\\\n", b"a: b\\", b"a: b\\\n\nc: d\n", b"a: b\\\n#c\n", b"a\\\n: b\n",
    b"\\\na: b\n", b"a:\\\n\n", b"#a\\\nb: c\n", b"#x\n y\na: b\n", b"a: b\n# x\n c\n", b"a: b\n #c: d\n", b"a: b # c\n", b"a: b\n#",
    # Names that are there twice.
    b"a: b\na: c\n", b"a: b\nA: c\nd: e\n\"a\": f\n", b"a: b\na@localhost: c\n",
    # Values.
    b"a: \"|/bin/x y\", /tmp/f, :include:/nosuch\n", b"a: \"c\n", b"a: b,,c,\n", b"a: <b@c\n", b"a: error:5.1.1 no\n", b"a: b: c\n",
    b"a::b\n", b"a: @\n", b"\xe4: \xf6\n", b"a: \x81\xff\n", b"owner-a: b\n", b"a\\:b: c\n", b"a\\: b\n", b"a:\r\x0cb\n",
    # Names.
    b"\"a\": c\n", b"\"A\": c\n", b"\"a b\": c\n", b"\"A B\": c\n", b"a b: c\n", b"a  b: c\n", b"a\tb: c\n", b"a\rb: c\n", b"\x0ba: b\n",
    b"a\"b\": c\n", b"a\"b c\": c\n", b"a \"b\": c\n", b"\"a\" b: c\n", b"\"a\".b: c\n", b"\"a.b\": c\n", b"\"a+b\": c\n",
    b"\"a,b\": c\n", b"\"a(b\": c\n", b"\"a<b\": c\n", b"\"a;b\": c\n", b"\"a/b\": c\n", b"\"\\a\": c\n", b"\"a\\\"b\": c\n",
    b"\\a: b\n", b"a\\@b: c\n", b"a\\ b: c\n", b"a\\\"b: c\n", b"a\\b: c\n", b"a. b: c\n", b"a .b: c\n", b"a/ b: c\n", b"a+ b: c\n",
    b"a ^b: c\n", b"a - b: c\n", b"a=b c: d\n", b"a [x]: c\n", b"[a]: c\n", b"a[b: c\n", b"a;: c\n", b"a;b: c\n", b"user+x: b\n", b"a+*: c\n",
    b"a.b: c\n", b".a: b\n", b"a.: b\n", b"a..b: b\n", b"a/b: c\n", b"a=$#*b: c\n", b"a&{b}~^`?'c: d\n", b"\xc3\xa4: b\n", b"\xe4 \xf6: c\n",
    b"a(x): b\n", b"a (x): c\n", b"(x) a: c\n", b"a(x(y)z)b: c\n", b"(x): c\n", b"<a>: b\n", b"< a >: c\n", b"Joe <a>: c\n",
    b"\"Joe X\" <a>: c\n", b"x<a>y: c\n", b"a <b> <c>: d\n",
    # Names of this host, of others, and none.
    b"a@localhost: c\n", b"A.B@LocalHost.: c\n", b"a@[127.0.0.1]: c\n", b"a@mail.example.com: c\n", b"a@MAIL.example.com.: c\n",
    b"a@mail: c\n", b"a @ localhost: c\n", b"\"a@localhost\": c\n", b"\"a b\"@localhost: c\n", b"a@b: c\n", b"\"a@b\": c\n", b"a%b: c\n",
    b"a%b@localhost: c\n", b"a!b: c\n", b"\"a!b\": c\n", b"/a: c\n", b"|a: c\n", b"\"/a\": c\n", b":include:/x: c\n", b"a@: b\n", b"a,b: c\n",
    b"@b: c\n", b"@localhost: c\n", b"a@b@localhost: c\n", b"\"\": c\n", b"a\x80b\x9f: c\n", b"\xc3\x84: b\n",
    # Good lines beside bad ones; the first one says the exit code.
    b"a b\na,b: c\nd: e\n", b"a,b: c\na b\nd: e\n", b"a: b\n\na\0b: c\n",
    # Long ones.
    b"k" * 255 + b": v\n", b"k" * 256 + b": v\nx: y\n", b"k: " + b"v" * 8187 + b"\nx: y\n", b"k: " + b"v" * 8188 + b"\nx: y\n",
    b"k: " + b"v" * 100000 + b"\nx: y\n", b"#" + b"v" * 20000 + b"\nx: y\n", b"k: " + b"vvvvvvv,\n " * 2000 + b"v\nx: y\n",
] + [b"".join(b"name%d: user%d, x@y\n" % (i, i) for i in range(2000))]

# What the reference makes a broken entry of, which is none here: the exit code is not 0.
NO_ALIASES = [b"\"a: c\n", b"\"a:b\": c\n", b"(a:b) c: d\n", b"a(b: c\n", b"a)b: c\n", b"a<b: c\n", b"a>b: c\n", b"<a:b>: d\n", b"@: @\n",
              b"<>: c\n", b"a,: b\n", b"c: d\0e\n", b"a\x01b: c\n", b"a\x7fb: c\n", b"a\xff: b\n"]

# AliasFile (in it, @ is the folder), and which of the files a and b become databases of which type.
ALIAS_FILES = [
    ("@/a", "hash a"), ("-O @/a", "hash a"), ("hash:@/a", "hash a"), ("hash:@/a, @/b", "hash a hash b"), ("btree:@/a", "btree a"), ("implicit:@/a", "hash a"), ("HASH:@/a", "hash a"),
    ("hash: @/a", "hash a"), ("hash:-o @/a", "hash a"), ("hash:-O @/a", "hash a"), ("hash:-N @/a", "hash a"), ("btree:-N @/a", "btree a"),
    ("hash:-N -O @/a", "hash a"), ("-N @/a", "hash a"), ("-o @/a", "hash a"), ("@/a -o", "hash a"), ("hash:-f @/a", "hash a"),
    ("hash:-o -m -q -a.x @/a", "hash a"), ("hash:-k key -v val @/a", "hash a"), ("hash:-T<TMPF>-o @/a", "hash a"), ("@/a, @/b", "hash a hash b"),
    ("@/a\nO AliasFile=btree:@/b", "hash a btree b"), ("@/a,@/a", "hash a"), ("@/a,", "hash a"), (",@/a", ""), ("@/a, ,@/b", ""),
    ("hash:", ""), ("hash:@/a,hash:", ""), ("hash:-k key , @/a", ""), ("nosuch:@/a", ""), ("dbm:@/a", ""), ("text:@/a", ""), ("null:", ""),
    ("ldap:-k \"(a,b)\" -v x, @/a", "hash a"), ("nis:mail.aliases,@/a", "hash a"), ("@/nosuch", ""), ("@/a, @/nosuch", "hash a"),
    ("@/nosuch, @/a", "hash a"), ("hash:-o @/nosuch, @/a", "hash a"), ("@/writable", ""), ("@/folder", ""), ("@/link", "hash link"),
]


def in_ns(lines):
    """Output and exit code of each command line, in one world of its own."""
    write("commands", b"".join(b"%s\necho \"exit $?;\"\n" % line.encode() for line in lines))
    p = subprocess.run([os.path.join(HERE, "..", "lib", "ns"), "sh", os.path.abspath("commands")], capture_output=True, timeout=300)
    parts = p.stdout.decode("utf-8", "backslashreplace").split(";\n")[:-1]
    expect(len(parts) == len(lines), p)
    return [part.rsplit("exit ", 1) for part in parts]


def alias_cf(here):
    write("t.mc", ALIASES_MC + b"define(`ALIAS_FILE', `%s/a')\n" % here.encode())
    expect(run(MCF, "build", "-o", "t.cf", "t.mc").returncode == 0, "t.mc")
    os.symlink(MCF, "newaliases")
    return "/usr/sbin/sendmail -bi", os.path.join(here, "newaliases")


def has_nul(name):
    """Whether key and value of the entry @ end with a NUL, as they lie in a hash, btree or cdb."""
    with open(name, "rb") as f:
        data = f.read()
    return any(x in data for x in (b"\x01@\0\x01@\0", b"\x02\0\x01@\0", b"@\0@\0"))


def test_newaliases_sources():
    """Entries, summary and exit codes of many sources, as the reference's."""
    def compare(here):
        programs = alias_cf(here)
        results = []
        for program in programs:
            lines = []
            for i, source in enumerate(ALIASES + NO_ALIASES):
                name = "%s/%s%d" % (here, "ro"[program == programs[1]], i)
                write(name, source)
                os.chmod(name, 0o644)
                lines.append("%s -C %s/t.cf -OAliasFile=%s" % (program, here, name))
            results.append(in_ns(lines))
        for i, source in enumerate(ALIASES):
            (r_said, r_rc), (o_said, o_rc) = results[0][i], results[1][i]
            what = "%r\nreference: %s %s\nours: %s %s" % (source[:80], r_rc, r_said, o_rc, o_said)
            expect(r_rc == o_rc, what)
            expect("total" in r_said or not r_said, what)
            if b"\0" not in source:  # the reference loses what follows one
                expect(r_said.split("\n")[-2].split(": ")[1] == o_said.split("\n")[-2].split(": ")[1], what)
                theirs, mine = entries(REFERENCE, "hash", "r%d" % i), entries(REFERENCE, "hash", "o%d" % i)
                expect(theirs == mine, "%r\nreference: %s\nours: %s" % (source[:80], theirs[:9], mine[:9]))
                expect(mine == entries(ours(), "hash", "r%d" % i), source)
                expect(o_said.count("Warning") == r_said.count("Warning"), what)
            expect(os.stat("o%d.db" % i).st_mode == os.stat("r%d.db" % i).st_mode, source)
        for i, source in enumerate(NO_ALIASES, len(ALIASES)):
            said, rc = results[1][i]
            expect(rc in ("64\n", "70\n", "64", "70") and ": line 1: " in said, (source, said, rc))
            expect(entries(REFERENCE, "hash", "o%d" % i) == [b"", b"@\t@"], source)
        expect(not [f for f in os.listdir(".") if f.startswith(".")], "left behind")
    in_a_safe_folder(compare)


def test_newaliases_files():
    """Which files an AliasFile names, what is made of them and what not, as the reference does."""
    def compare(here):
        programs = alias_cf(here)
        with open("t.cf", "rb") as f:
            cf = f.read()
        lines, folders = [], []
        for which, program in enumerate(programs):
            for i, (spec, _) in enumerate(ALIAS_FILES):
                folder = "%s/%d.%d" % (here, which, i)
                os.mkdir(folder, 0o755)
                for name, data, mode in (("a", b"A: b\n", 0o644), ("b", b"z: y\nw: x\n", 0o644), ("writable", b"a: b\n", 0o664)):
                    write(os.path.join(folder, name), data)
                    os.chmod(os.path.join(folder, name), mode)
                os.mkdir(os.path.join(folder, "folder"))
                os.symlink("b", os.path.join(folder, "link"))
                write(folder + "/t.cf", re.sub(rb"(?m)^O AliasFile=.*\n", lambda m: b"", cf) +
                      b"O AliasFile=%s\n" % spec.replace("@", folder).encode() * bool(spec))
                lines.append("%s -C %s/t.cf" % (program, folder))
                folders.append(folder)
        results, n = in_ns(lines), len(ALIAS_FILES)
        for i, (spec, made) in enumerate(ALIAS_FILES):
            what = "%s\nreference: %s\nours: %s" % (spec, results[i], results[n + i])
            expect(results[i][1] == results[n + i][1], what)
            total = [sorted(re.findall(r"/(\w+: .* total)", results[x][0])) for x in (i, n + i)]
            expect(total[0] == total[1] or spec == "@/a,@/a", what)
            expect(bool(results[i][0]) == bool(results[n + i][0]), what)
            want = made.split()
            for folder in (folders[i], folders[n + i]):
                there = sorted(f for f in os.listdir(folder) if f.endswith(".db"))
                expect(there == sorted(name + ".db" for name in want[1::2]), "%s: %s" % (what, there))
                for kind, name in zip(want[0::2], want[1::2]):
                    path = os.path.join(folder, name)
                    read = entries(REFERENCE, kind, path), entries(ours(), kind, os.path.join(folders[i], name))
                    expect(read[0] == read[1], "%s\n%s" % (what, read))
                    nul = has_nul(os.path.join(folders[i], name + ".db"))
                    expect(has_nul(path + ".db") == nul == bool(re.search(r"-N|(^|[\n,] *)(-\S+ )?@/%s" % name, spec)), "%s: NUL" % what)
    in_a_safe_folder(compare)


def test_newaliases_options():
    """Options, a .cf that is not there, another owner, and the old database where the new one cannot be."""
    def compare(here):
        programs = alias_cf(here)
        options = ("-C t.cf", "-v -C t.cf", "-C t.cf -bi", "-C t.cf name", "-C t.cf -Ac", "-C t.cf -n -oi", "-C t.cf -OCheckAliases=true",
                   "-C t.cf -oA%s/b" % here, "-C t.cf -OAliasFile=%s/b" % here, "-C t.cf -O aliasfile=%s/b" % here, "-C t.cf -x",
                   "-C t.cf -V", "-C t.cf -h", "-C /nonexistent", "")
        write("a", b"a: b\n")
        write("b", b"a: b\nc: d\n")
        os.chmod("a", 0o644)
        os.chmod("b", 0o644)
        both = [in_ns(["%s %s %s" % (p, x.replace("t.cf", here + "/t.cf"), "2>&1") for x in options]) for p in programs]
        for x, r, o in zip(options, *both):
            expect(r[1] == o[1], "%s\nreference: %s\nours: %s" % (x, r, o))
            expect(re.findall(".* total", r[0]) == re.findall(".* total", o[0]), "%s\nreference: %s\nours: %s" % (x, r, o))
        # Who owns it; a link is not followed.
        with open("t.cf", "ab") as f:
            f.write(b"O TrustedUser=daemon\n")
        os.remove("a.db")
        for program in programs:
            in_ns([program + " -C %s/t.cf" % here])
            st = os.stat("a.db")
            expect((st.st_uid, st.st_mode & 0o7777) == (1, 0o640), (program, st))
            os.remove("a.db")
        write("other", b"other")
        os.symlink("other", "a.db")
        for program in programs:
            (said, rc), = in_ns([program + " -C %s/t.cf" % here])
            expect(rc.strip() == "70" and "Cannot create database" in said, (program, said, rc))
            with open("other", "rb") as f:
                expect(f.read() == b"other", program)
        os.remove("a.db")
        # Bad lines: what is good of the new one counts, and is there at once.
        in_ns([programs[1] + " -C %s/t.cf" % here])
        os.chmod("a.db", 0o604)
        before = os.stat("a.db").st_ino
        write("a", b"bad\nx: y\n")
        (said, rc), = in_ns([programs[1] + " -C %s/t.cf" % here])
        expect(rc.strip() == "70" and "a: line 1: bad has no colon\n" in said, (said, rc))
        expect(entries(ours(), "hash", "a") == [b"", b"@\t@", b"x\ty"], entries(ours(), "hash", "a"))
        expect(os.stat("a.db").st_ino != before and os.stat("a.db").st_mode & 0o7777 == 0o604, "a new file, with the old one's mode")
    in_a_safe_folder(compare)


def test_build_aliases():
    """mcf map build of an alias file: by its name or -k; nothing is replaced when a line is bad."""
    def built(*arguments):
        p = run(MCF, "map", "build", *arguments)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    write("aliases", b"# x\nPostmaster: root,\n bob\nroot@localhost: eve\n")
    expect(built("aliases") == (0, "", ""), built("aliases"))
    want = [b"", b"@\t@", b"postmaster\troot, bob", b"root\teve"]
    expect(entries(REFERENCE, "hash", "aliases") == want, entries(REFERENCE, "hash", "aliases"))
    for kind, suffix in (("hash", "db"), ("btree", "db"), ("cdb", "cdb")):
        expect(built("-k", "aliases", "-t", kind, "-o", "other", "aliases")[0] == 0, kind)
        p = run(MCF, "map", "dump", "-t", kind, "other")
        expect(sorted(p.stdout.split(b"\n")) == want, p)
        expect(not has_nul("other." + suffix), kind)
        os.remove("other." + suffix)
    expect(built("-N", "-o", "other", "aliases")[0] == 0 and has_nul("other.db"), "-N")
    write("plain", b"a: b\n")
    expect(built("plain")[0] == 0 and entries(REFERENCE, "hash", "plain") == [b"", b"a:\tb"], "another name is another kind")
    expect(built("-k", "plain", "-o", "other", "plain")[0] == 0 and entries(REFERENCE, "hash", "other") == [b"", b"a:\tb"], "-k plain")
    expect(built("-k", "nosuch", "plain")[0] == 2 and built("-k", "aliases", "--config", "x.cf")[0] == 2, "usage")
    expect(built("-k", "aliases", "nosuch")[0] == 66, "no source")
    before = os.stat("aliases.db")
    write("aliases", b"a: b\nbad\nc@d.example: e\nf,g: h\n\xc3\x84: x\n\"i:j\": k\n\"l: m\n")
    rc, said, wrong = built("aliases")
    expect(rc == 65 and said == "", (rc, said))
    got = [line for line in wrong.split("\n") if line.startswith("aliases:")]
    expect(got == ["aliases:2:1: error: bad has no colon [map-alias-syntax]",
                   "aliases:3:1: error: c@d.example is not local [map-alias-name]",
                   "aliases:4:1: error: f,g is no address [map-alias-name]",
                   "aliases:5:1: error: \u00c4 has a byte that no address has [map-alias-name]",
                   "aliases:6:1: error: \"i: the name has a colon [map-alias-syntax]",
                   "aliases:7:1: error: \"l: the quote is never closed [map-alias-quote]"], got)
    after = os.stat("aliases.db")
    expect((before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), "it was replaced")
    write("aliases", b"a: b\nA: c\na: d\n")
    rc, said, wrong = built("aliases")
    got = [line for line in wrong.split("\n") if line.startswith("aliases:")]
    expect(rc == 0 and got == ["aliases:2: warning: a is there already, in line 1: the last one counts [map-duplicate-alias]",
                               "aliases:3: warning: a is there already, in line 2: the last one counts [map-duplicate-alias]"], wrong)
    expect(entries(REFERENCE, "hash", "aliases") == [b"", b"@\t@", b"a\td"], "the last one")
    # By a configuration: where it is stale, as its lines say.
    here = os.getcwd().encode()
    write("c.cf", b"V10\nO AliasFile=hash:-N -o %s/one, btree:%s/two,\n\tcdb:%s/three.db, null:\nO AliasFile=-o %s/one\nO BlankSub=_\nCwhere.example\n"
          % (here, here, here, here))
    write("two", b"a b: c\nd@Here.example: e\n")
    write("three.db", b"a: b\n")
    rc, said, wrong = built("--config", "c.cf")
    expect(rc == 0 and wrong == "" and re.sub(r"\S*/", "", said) == "two.db: built for the aliases (c.cf:2): it was not there\n"
           "three.db.cdb: built for the aliases (c.cf:2): it was not there\n", (rc, said, wrong))
    expect(entries(REFERENCE, "btree", "two") == [b"", b"@\t@", b"a_b\tc", b"d\te"], entries(REFERENCE, "btree", "two"))
    rc, said, wrong = built("--config", "c.cf")
    expect((rc, said) == (0, "nothing to build: every database is as new as its source\n"), said)
    expect(not has_nul("two.db"), "a class without -N")
    write("one", b"a: b\n")
    write("two", b"bad\n")
    os.utime("two.db", (1, 1))
    rc, said, wrong = built("--config", "c.cf")
    expect(rc == 65 and "one.db: built for the aliases (c.cf:2)" in said and has_nul("one.db"), said)
    expect("two:1:1: error: bad has no colon" in wrong and "c.cf:2: the aliases were not built" in wrong, wrong)
    expect(entries(REFERENCE, "btree", "two") == [b"", b"@\t@", b"a_b\tc", b"d\te"], "two was replaced")
    write("c.cf", b"V10\nO AliasFile=nosuch:/x, hash:\nO AliasFile=/nosuch/aliases\n")
    rc, said, wrong = built("--config", "c.cf")
    expect(rc == 65 and "c.cf:2: aliases of the class nosuch are not built here" in wrong and "c.cf:2: the aliases names no file" not in wrong
           and "c.cf:2: the aliases name no file" in wrong and "c.cf:3: cannot read the source of the aliases, /nosuch/aliases" in wrong, wrong)


QUERIED_MC = b"""OSTYPE(`linux')
FEATURE(`access_db', `hash -T<TMPF> -o %(here)s/access')
FEATURE(`mailertable', `hash -o %(here)s/mailertable')
FEATURE(`virtusertable', `hash -o %(here)s/virtusertable')
FEATURE(`genericstable', `hash -o %(here)s/genericstable')
FEATURE(`domaintable', `hash -o %(here)s/domaintable')
FEATURE(`authinfo', `hash -o %(here)s/authinfo')
FEATURE(`bitdomain', `hash -o %(here)s/bitdomain')
FEATURE(`uucpdomain', `hash -o %(here)s/uudomain')
FEATURE(`blocklist_recipients')
FEATURE(`delay_checks', `friend')
FEATURE(`greet_pause', 0)
FEATURE(`ratecontrol')
FEATURE(`conncontrol')
FEATURE(`compat_check')
FEATURE(`queuegroup')
FEATURE(`tls_session_features')
%(dots)sMAILER(`local')
MAILER(`smtp')
MAILER(`uucp')
LOCAL_CONFIG
Cwlocal.example
Fw%(here)s/names %%[^\#]
Fw-o %(here)s/nosuch
CGgen.example
C{VirtHost}virt.example
LOCAL_RULESETS
SBar
R$* $$| $*	$: $1 $| $2
"""

NAMES = b"""# remark
one.example two.example # three.example
  Four.Example
#five.example
"""

CLIENT = b".D{client_name}mail.a.example\n.D{server_name}mail.a.example\n.D{verify}NO\n"
HOST = CLIENT + b".D{client_addr}10.1.2.3\n.D{server_addr}10.1.2.3\n"
ADDRESS = b".D{client_name}\n.D{server_name}\n.D{client_addr}10.1.2.3\n.D{server_addr}10.1.2.3\n.D{verify}NO\n"
IPV6 = ADDRESS.replace(b"10.1.2.3", b"IPv6:2001:db8::7:1")

# A map, what is asked, what makes sendmail look it up. Lookups of other tags are not compared.
ASKED = [
    ("domaintable", "dom.example", b"3 user@dom.example\n"),
    ("mailertable", "h.a.b.other", b"3,0 x@h.a.b.other\n"),
    ("mailertable", "x@single", b"3,0 x@single\n"),
    ("virtuser", "user@virt.example", b"3,0 user@virt.example\n"),
    ("virtuser", "user+@virt.example", b"3,0 user+@virt.example\n"),
    ("virtuser", "user+det@virt.example", b"3,0 user+det@virt.example\n"),
    ("virtuser", "user+a+b@virt.example", b"3,0 user+a+b@virt.example\n"),
    ("generics", "user@gen.example", b"/tryflags HS\n/try esmtp user@gen.example\n"),
    ("generics", "user+@gen.example", b"/tryflags HS\n/try esmtp user+@gen.example\n"),
    ("generics", "user+det@gen.example", b"/tryflags HS\n/try esmtp user+det@gen.example\n"),
    ("access", "Connect:mail.a.example", HOST + b"D <mail.a.example> <?> <+ Connect> <>\n"),
    ("access", "Connect:10.1.2.3", b"A <10.1.2.3> <?> <+ Connect> <>\n"),
    ("access", "Connect:10.1", b"A <10.1> <?> <+ Connect> <>\n"),
    ("access", "From:user+det@a.b.example", CLIENT + b"checkmail user+det@a.b.example\n"),
    ("access", "From:user@single", CLIENT + b"checkmail user@single\n"),
    ("access", "From:user@", CLIENT + b"checkmail user\n"),
    ("access", "From:user@[IPv6:2001:db8::1]", CLIENT + b"checkmail user@[IPv6:2001:db8::1]\n"),
    ("access", "To:user+det@a.example", b"checkrcpt user+det@a.example\n"),
    ("access", "To:user+det@local.example", b"checkrcpt user+det@local.example\n"),
    ("access", "Spam:user+det@local.example", CLIENT + b"check_rcpt user+det@local.example\n"),
    ("access", "GreetPause:mail.a.example", b"D <mail.a.example> <?> <! GreetPause> <>\n"),
    ("access", "GreetPause:IPv6:2001:db8::7:1", b"A <IPv6:2001:db8::7:1> <?> <! GreetPause> <>\n"),
    ("access", "ClientRate:10.1.2.3", ADDRESS + b"RateControl x\n"),
    ("access", "ClientConn:IPv6:2001:db8::7:1", IPV6 + b"ConnControl x\n"),
    ("access", "Srv_Features:mail.a.example", HOST + b"srv_features x\n"),
    ("access", "Clt_Features:mail.a.example", HOST + b"clt_features x\n"),
    ("access", "Try_TLS:mail.a.example", HOST + b"try_tls x\n"),
    ("access", "TLS_Srv:mail.a.example", HOST + b"tls_server NO\n"),
    ("access", "TLS_Clt:mail.a.example", HOST + b"Bar,tls_client NO $| MAIL\n"),
    ("access", "TLS_Rcpt:user+det@a.example", CLIENT + b"tls_rcpt user+det@a.example\n"),
    ("access", "TLS_Srv_Features:mail.a.example", b"Bar,tls_srv_features mail.a.example $|\n"),
    ("access", "Compat:a@b.example<@>c@d.example", b"Bar,check_compat a@b.example $| c@d.example\n"),
    ("access", "qgrp:user+det@a.b.example", b"queuegroup user+det@a.b.example\n"),
    ("access", "To:user@one.example", b"checkrcpt user@one.example\n"),
    ("access", "To:user@two.example", b"checkrcpt user@two.example\n"),
    ("access", "To:user@three.example", b"checkrcpt user@three.example\n"),
    ("access", "To:user@four.example", b"checkrcpt user@four.example\n"),
    ("access", "To:user@five.example", b"checkrcpt user@five.example\n"),
    ("access", "To:user@mail.example.com", b"checkrcpt user@mail.example.com\n"),
    ("access", "To:user@example.com", b"checkrcpt user@example.com\n"),
    ("bitdomain", "user@host.BITNET", b"3,0 user@host.BITNET\n"),
    ("bitdomain", "user@a.host.bitnet", b"3,0 user@a.host.bitnet\n"),
    ("uudomain", "user@host.example.UUCP", b"3,0 user@host.example.UUCP\n"),
    ("uudomain", "host!user", b"3,0 host!user\n"),
    ("uudomain", "host!next!user", b"3,0 host!next!user\n"),
    ("authinfo", "AuthInfo:mail.a.example", HOST + b"authinfo x\n"),
]


def traces(cf, asked):
    """What sendmail prints for each, with its lookups; all in one little world, which takes time to make."""
    for i, (_, _, commands) in enumerate(asked):
        write("%d.in" % i, commands)
    p = run(os.path.join(HERE, "..", "lib", "ns"), "sh", "-c", "for f in *.in; do /usr/sbin/sendmail -C %s -bt -d60.1 "
            "< $f > ${f%%in}out; done" % shlex.quote(os.path.abspath(cf)))
    expect(p.returncode == 0, p)
    said = []
    for i in range(len(asked)):
        with open("%d.out" % i) as f:
            said.append(f.read())
    return said


def keys_of(said, commands, name, tag):
    """The keys that sendmail looks up in the map, in order, each once; of a host its name's only."""
    keys = []
    for m in re.finditer(r"map_lookup\(%s, (.*?)\) => " % name, said):
        key = m.group(1)
        other = re.match(r"([A-Z]\w+|qgrp):", key)
        if other and other.group(1) not in (tag, "IPv6"):
            keys.append(None)  # the untagged keys behind it are of that lookup
        elif other or not tag or (keys and keys[-1]):
            if key not in keys and not (b".D{client_name}mail" in commands and re.search(r"(^|:)10(\.|$)", key)):
                keys.append(key)
    return [k for k in keys if k]


def asked(questions):
    """The keys that we print for each (configuration, map, key); in a little world of one's own, too, as
    the host's name counts."""
    commands = "".join("%s map query --config %s %s %s; echo = $?\n" % tuple(map(shlex.quote, (MCF,) + q)) for q in questions)
    p = run(os.path.join(HERE, "..", "lib", "ns"), "sh", "-c", commands)
    answers = p.stdout.decode().split("= 1\n")
    expect(p.stderr == b"" and len(answers) == len(questions) + 1 and answers[-1] == "", p)
    for q, answer in zip(questions, answers):
        expect(all(line.endswith("\t(not found)") for line in answer.splitlines()), "%s: %s" % (q, answer))
    return [[line.split("\t")[0] for line in answer.splitlines()] for answer in answers[:-1]]


def in_a_safe_folder(function):
    """sendmail reads no map below a folder that others can write to."""
    home = os.getcwd()
    safe = tempfile.mkdtemp(prefix="mcf-maps-", dir=os.path.expanduser("~root"))
    os.chmod(safe, 0o755)
    try:
        os.chdir(safe)
        function(safe)
    finally:
        os.chdir(home)
        shutil.rmtree(safe, ignore_errors=True)


def test_query_order():
    """The keys that are tried are those that sendmail tries, with the reference's rules."""
    def compare(here):
        for name in ("access", "mailertable", "virtusertable", "genericstable", "domaintable", "authinfo", "bitdomain", "uudomain"):
            run(REFERENCE, "hash", name, given=b"nothing here\n")
        write("names", NAMES)
        for dots in (b"", b"FEATURE(`lookupdotdomain')\n"):
            mc = QUERIED_MC % {b"here": here.encode(), b"dots": dots}
            write("t.mc", mc)
            p = run("m4", "-D_CF_DIR_=" + LIBRARY, LIBRARY + "m4/cf.m4", "t.mc")
            write("theirs.cf", p.stdout)
            expect(run(MCF, "build", "-o", "own.cf", "t.mc").returncode == 0, "mcf build")
            questions, wanted = [], []
            for (name, key, commands), said in zip(ASKED, traces("theirs.cf", ASKED)):
                tag = key.split(":")[0] if ":" in key else None
                want = keys_of(said, commands, name, tag)
                expect(want, "%s %s: the reference looks nothing up" % (name, key))
                for cf in ("theirs.cf", "own.cf", "t.mc"):
                    questions.append((os.path.abspath(cf), name, key))
                    wanted.append(want)
            for question, want, got in zip(questions, wanted, asked(questions)):
                expect(got == want, "%s\nreference: %s\nours: %s" % (question, want, got))

    in_a_safe_folder(compare)


FLAGS = ("", "-a.suffix", "-a", "-m", "-m -a.suffix", "-N", "-O", "-N -O", "-O -N", "-f", "-Nf", "-f -N", "-A", "-q", "-d5", "-D",
         "-o", "-T<TMPF>", "-o -m -f -a<OK>")


def test_query_flags():
    """The flags of a K line, over maps with and without NULs and capitals: what the reference answers."""
    def compare(here):
        for name, options in (("plain", ["-f"]), ("nul", ["-f", "-N"])):
            run(REFERENCE, *options, "hash", name, given=b"key Value\nKEY Other\n")
        maps = [("%s%d" % (name, i), flags, name) for i, flags in enumerate(FLAGS) for name in ("plain", "nul")]
        write("t.cf", b"V10\nCwlocalhost\nDwlocalhost\nDjlocalhost.localdomain\n" + b"".join(
            b"K%s hash %s %s/%s\n" % (m.encode(), flags.encode(), here.encode(), name.encode()) for m, flags, name in maps))
        questions = [(m, key) for m, _, _ in maps for key in ("key", "KEY", "nosuch")]
        p = run(os.path.join(HERE, "..", "lib", "ns"), "/usr/sbin/sendmail", "-C", here + "/t.cf", "-bt",
                given="".join("/map %s %s\n" % q for q in questions).encode())
        theirs = {(m, key): value for m, key, value in
                  re.findall(r"map_lookup: (\S+) \((\S+)\) (?:returns (.*)|no match) \(0\)", p.stdout.decode())}
        expect(list(theirs) == questions, p)
        expect({"", "Value", "Other", "key.suffix", "Value.suffix"} < set(theirs.values()), set(theirs.values()))
        for m, key in questions:
            p = run(MCF, "map", "query", "--config", "t.cf", m, key)
            want = theirs[m, key]
            said = "%s\t%s\n" % (key, want or "(not found)")
            expect(p.stdout.decode() == said and p.returncode == (0 if want else 1), "%s\nreference: %s" % (p, want))

    in_a_safe_folder(compare)


def test_query_pseudo_domains():
    """Without the pseudo domain that a map is for nothing is looked up, as by sendmail; a host alone is."""
    write("c.cf", b"V10\nKbitdomain hash m\nKuudomain hash m\n")
    write("m", b"host.a ok\n")
    expect(run(MCF, "map", "build", "m").returncode == 0, "build")
    for name, key, want in (
            ("bitdomain", "user@host.a", ""), ("bitdomain", "user@host.a.UUCP", ""), ("bitdomain", "", "\t(not found)\n"),
            ("bitdomain", "host.a", "host.a\tok\tm:1\n"), ("bitdomain", "user@HOST.A.BITNET", "HOST.A\tok\tm:1\n"),
            ("uudomain", "user@host.a", ""), ("uudomain", "host.a!user", ""), ("uudomain", "user@.UUCP", ""),
            ("uudomain", "host.a", "host.a\tok\tm:1\n"), ("uudomain", "user@host.a.uucp", "host.a\tok\tm:1\n")):
        p = run(MCF, "map", "query", "--config", "c.cf", name, key)
        expect(p.stdout.decode() == want and p.returncode == (0 if "ok" in want else 1), "%s %s: %s" % (name, key, p))


def test_query_own_names():
    """What class w has from files that cannot be known is said, and once."""
    write("names", b"one.example two.example\n# three.example\n")
    write("access", b"To:one.example OK\n")
    here = os.getcwd().encode()
    head = b"V10\nKaccess hash access\nSx\nR$*\t$: $>SearchList <+ To> $| <$1>\n"
    expect(run(MCF, "map", "build", "access").returncode == 0, "build")
    for line, local, why in (
            (b"Fw%s/names" % here, "one.example", ""), (b"Fw%s/names %%s" % here, "one.example", ""),
            (b"F{w}-o %s/names %%[^\\#]" % here, "two.example", ""), (b"Fw%s/names" % here, None, ""),
            (b"Fw%s/names %%[^;]" % here, "two.example", ""), (b"Fw%s/names %%[^;]" % here, None, ""),
            (b"Djtwo.example", "two.example", ""), (b"Dwtwo\nDj$w.example", "two.example", ""),
            (b"Fw-o %s/nosuch" % here, None, ""), (b"Fx%s/names" % here, None, ""),
            (b"Fw%s/nosuch" % here, None, ", of %s/nosuch: No such file or directory" % here.decode()),
            (b"Fw|/bin/echo two.example", None, ", of |/bin/echo: only files with a full name are read here"),
            (b"Fw%s/names %%[a-z]" % here, "one", "")):
        write("c.cf", head + line + b"\n")
        name = local or ("three.example" if b";" in line else "two.example")
        p = run(MCF, "map", "query", "--config", "c.cf", "access", "To:user@" + name, "To:user@" + name)
        said = p.stderr.decode()
        expect(("To:user@\t" in p.stdout.decode()) == bool(local), "%s: %s" % (line, p))
        expect(said == ("mcf: c.cf:5: names of class w are missing%s\n" % why if why else ""), said)


def test_query_says_where():
    """What answers, and the line that it comes from; degenerate input first."""
    def query(*arguments):
        p = run(MCF, "map", "query", *arguments)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    expect(query("--config")[0] == query("--config", "x.cf", "a")[0] == 2, "usage")
    expect(query("--config", "x.cf", "-t", "hash", "a", "b")[0] == 2, "-t")
    expect(query("--config", "nosuch.cf", "access", "a")[0] == 66, "no configuration")
    write("c.cf", b"")
    rc, said, wrong = query("--config", "c.cf", "access", "a")
    expect((rc, wrong) == (65, "mcf map query: no K line of c.cf declares access\n"), wrong)
    write("c.cf", b"Kaccess hash -o access\nKtwo sequence one access\nKring sequence ring\nKlost sequence nosuch\n"
                  b"Kd dequote\nKone cdb -f one\nKn hash -N n\nKempty hash\n")
    rc, said, wrong = query("--config", "c.cf", "access", "a")
    expect(rc == 66 and "cannot read access" in wrong, wrong)
    for name, want in (("ring", "c.cf:3: the map ring is of the class sequence"), ("lost", "c.cf:4: no K line declares nosuch"),
                       ("d", "c.cf:5: the map d is of the class dequote"), ("nosuch", "declares nosuch; there are: access, one"),
                       ("empty", "c.cf:8: the map empty")):
        rc, said, wrong = query("--config", "c.cf", name, "a")
        expect(rc in (65, 66) and want in wrong and said == "", "%s: %s" % (name, wrong))
    write("access", b"# remark\nConnect:10.1\tREJECT\n10.1 OK\nFrom:example SKIP\n")
    write("one", b"Key upper\n")
    write("n", b"a b\n")
    expect(run(MCF, "map", "build", "--config", "c.cf").returncode == 65, "build: empty names no file")
    rc, said, wrong = query("--config", "c.cf", "ACCESS", "connect:10.1.2.3")
    expect((rc, said) == (0, "Connect:10.1.2.3\t(not found)\n10.1.2.3\t(not found)\nConnect:10.1.2\t(not found)\n"
                          "10.1.2\t(not found)\nConnect:10.1\tREJECT\taccess:2\n"), said)
    expect(query("--config", "c.cf", "access", "10.1")[:2] == (0, "10.1\tOK\taccess:3\n"), "untagged")
    # The members of a sequence, each with its own case.
    expect(query("--config", "c.cf", "two", "Key")[1] == "Key\tupper\tone:1\n", "two Key")
    expect(query("--config", "c.cf", "two", "FROM:example")[1] == "FROM:example\tSKIP\taccess:4\n", "two")
    # With -N only what has a NUL is found, as by sendmail.
    expect(query("--config", "c.cf", "n", "A")[1] == "A\tb\tn:1\n", "-N")
    run(REFERENCE, "hash", "n", given=b"a b\n")
    expect(query("--config", "c.cf", "n", "a")[0] == 1, "-N, and no NUL")
    # A source that is not that of the database, or none.
    write("access", b"connect:10.1 RELAY\n")
    expect(query("--config", "c.cf", "access", "Connect:10.1")[1] ==
           "Connect:10.1\tREJECT\taccess:1 (which says something else: build it)\n", "changed")
    expect(query("--config", "c.cf", "access", "10.1")[1] == "10.1\tOK\t(access has no such line: build it)\n", "gone")
    os.remove("access")
    expect(query("--config", "c.cf", "access", "10.1")[1] == "10.1\tOK\n", "no source")


def test_convert():
    """Every type to every other, byte for byte, and back; what an .mc needs. Degenerate input first."""
    def convert(*arguments):
        p = run(MCF, "map", "convert", *arguments)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    for arguments in ([], ["m"], ["--to", "nosuch", "m"], ["--to", "cdb"], ["--to", "cdb", "a", "b"],
                      ["--to", "cdb", "--fix", "m"]):
        expect(convert(*arguments)[0] == 2, arguments)
    rc, said, wrong = convert("--to", "cdb", "m")
    expect(rc == 66 and "cannot read m" in wrong, wrong)
    write("m.db", b"garbage" * 2000)
    expect(convert("--to", "cdb", "m")[0] == 66 and os.listdir(".") == ["m.db"], os.listdir("."))
    for options in ([], ["-N"], ["-f", "-e"]):
        for given in (b"", random_lines(3, 500)):
            forget()
            run(REFERENCE, *options, "hash", "m", given=given)
            before = entries(REFERENCE, "hash", "m")
            with open("m.db", "rb") as f:
                old = f.read()
            for same in ("hash", "btree"):
                rc, said, wrong = convert("--to", same, "m")
                expect(rc == 73 and "m.db is the map itself" in wrong, wrong)
            expect(convert("--to", "cdb", "m") == (0, "", ""), "to cdb")
            with open("m.db", "rb") as f:
                expect(f.read() == old, "the old one was touched")
            expect(entries(ours(), "cdb", "m") == before, "cdb")
            os.remove("m.db")
            for kind in ("btree", "hash"):
                expect(convert("--to", kind, "m.cdb") == (0, "", ""), kind)
                expect(entries(REFERENCE, kind, "m") == before, kind)
            if options == ["-N"] and given:
                # The NULs are there still: -N finds its keys.
                write("n.cf", b"Kn hash -N m\n")
                key = before[1].split(b"\t")[0].decode("latin-1").encode("latin-1")
                expect(run(MCF, "map", "query", "--config", "n.cf", "n", key).returncode == 0, key)
    # A key that is there twice: cdb has none such.
    run(REFERENCE, "-d", "btree", "d", given=b"a b\na c\n")
    rc, said, wrong = convert("--to", "cdb", "d")
    expect(rc == 65 and "a is in d.db more than once" in wrong and not os.path.exists("d.cdb"), wrong)
    os.symlink("elsewhere", "s.cdb")
    run(REFERENCE, "hash", "s", given=b"a b\n")
    rc, said, wrong = convert("--to", "cdb", "s")
    expect(rc == 73 and "symbolic link" in wrong and not os.path.exists("elsewhere"), wrong)
    # The .mc.
    here = os.getcwd()
    mc = ("OSTYPE(`linux')\nFEATURE(`access_db', `hash -T<TMPF> -o %s/s')dnl\nFEATURE(`mailertable')\n"
          "LOCAL_CONFIG\nKown hash %s/s\n" % (here, here))
    write("c.mc", mc.encode())
    os.remove("s.cdb")
    expect(convert("--to", "cdb", "--config", "nosuch.mc", here + "/s")[0] == 66, "no .mc")
    want = mc.replace("`hash -T", "`cdb -T").replace("Kown hash", "Kown cdb")
    for options in ([], ["--fix"]):
        rc, said, wrong = convert("--to", "cdb", "--config", "c.mc", *options, here + "/s")
        expect(rc == 0 and "\n-Kown hash %s/s\n+Kown cdb %s/s\n" % (here, here) in said and said.count("\n+") == 3,
               said + wrong)
        with open("c.mc") as f:
            expect(f.read() == (want if options else mc), "the .mc")
    rc, said, wrong = convert("--to", "cdb", "--config", "c.mc", here + "/s")
    expect(rc == 0 and said == "" and "declares no map of the type hash" in wrong, wrong)
    # What is declared by default, and what cannot be told.
    run(REFERENCE, "hash", "mailertable", given=b"a b\n")
    write("c.mc", b"OSTYPE(`linux')\ndefine(`MAIL_SETTINGS_DIR', `%s/')\nFEATURE(`mailertable')dnl\n" % here.encode())
    rc, said, wrong = convert("--to", "cdb", "--config", "c.mc", here + "/mailertable")
    expect(rc == 0 and "\n+FEATURE(`mailertable', `cdb %s/mailertable')dnl\n" % here in said, said + wrong)
    write("c.mc", b"OSTYPE(`linux')\ndefine(`_x', `hash %s/s')\nFEATURE(`access_db', _x)\n" % here.encode())
    rc, said, wrong = convert("--to", "cdb", "--config", "c.mc", here + "/s")
    expect(rc == 65 and said == "" and "c.mc:3: the map access is to be: cdb" in wrong, said + wrong)


def test_makemap_lines_are_named():
    """Each bad line is named, in order, with what is wrong."""
    p = run(ours(), "hash", "m", given=b"b x\na\n c d\nb y\n" + b"k " + b"v" * 2000 + b"\ne\0 f\n")
    expect(p.returncode == 65, p)
    want = ["line 2: no value (right-hand side) for a", "line 3: syntax error: the line begins with a blank",
            "line 4: key b: duplicate key (line 1 has it)", "line 5: line too long (1022 bytes max)",
            "line 6: syntax error: the line has a NUL byte"]
    expect(p.stderr.decode() == "".join("makemap: m: %s\n" % w for w in want), p.stderr.decode())


def test_makemap_usage():
    """What is no use ends with 64, and -l lists more than the reference has."""
    for arguments in ([], ["hash"], ["hash", "m", "x"], ["-z", "hash", "m"], ["-u"], ["-D"]):
        r, o = run(REFERENCE, *arguments), run(ours(), *arguments)
        expect(r.returncode == o.returncode == 64, "%s: %s %s" % (arguments, r, o))
        expect(b"usage: makemap" in o.stderr, o)
    r, o = run(REFERENCE, "-l").stdout.split(), run(ours(), "-l").stdout.split()
    expect(set(r) <= set(o) and b"cdb" in o, "%s %s" % (r, o))
    for arguments in (["hash", "nosuch"], ["btree", "m"], ["hash", "garbage"]):
        run(REFERENCE, "hash", "m", given=b"a b\n")
        write("garbage.db", b"garbage" * 2000)
        r, o = run(REFERENCE, "-u", *arguments), run(ours(), "-u", *arguments)
        expect(r.returncode == o.returncode == 73, "%s: %s %s" % (arguments, r, o))


def test_makemap_links():
    """A link is not replaced, unless -s says so; nor is a folder."""
    write("target", b"precious")
    for make in (lambda: os.symlink("target", "m.db"), lambda: os.link("target", "m.db"),
                 lambda: os.mkdir("m.db")):
        make()
        r, o = run(REFERENCE, "hash", "m", given=b"a b\n"), run(ours(), "hash", "m", given=b"a b\n")
        expect(r.returncode == o.returncode == 73, "%s %s" % (r, o))
        o = run(MCF, "map", "build", "-o", "m.db", "target")
        expect(o.returncode == 73 and b"is not replaced" in o.stderr, o)
        os.rmdir("m.db") if os.path.isdir("m.db") and not os.path.islink("m.db") else os.remove("m.db")
    with open("target", "rb") as f:
        expect(f.read() == b"precious", "the target was written to")


def test_makemap_owner():
    """TrustedUser owns what root makes; the mode of a file that is there stays."""
    write("t.cf", b"V10\nO TrustedUser=daemon\n")
    for program in (REFERENCE, ours()):
        forget()
        expect(run(program, "-C", "t.cf", "hash", "m", given=b"a b\n").returncode == 0, program)
        expect(os.stat("m.db").st_uid == 1 and os.stat("m.db").st_mode & 0o777 == 0o640, os.stat("m.db"))
        os.chmod("m.db", 0o604)
        expect(run(program, "-C", "t.cf", "hash", "m", given=b"c d\n").returncode == 0, program)
        expect(os.stat("m.db").st_uid == 1 and os.stat("m.db").st_mode & 0o777 == 0o604, os.stat("m.db"))


def random_lines(seed, n):
    r = random.Random(seed)
    letters = bytes(c for c in range(1, 256) if c not in b"\n#" and not chr(c).isspace() and c not in
                    (0x1c, 0x1d, 0x1e, 0x1f, 0x85, 0xa0))
    values = bytes(c for c in range(1, 256) if c != 10)
    lines = []
    for i in range(n):
        length = r.choice((1, 2, 8, 20, 20, 40, 200))
        key = bytes(r.choice(letters) for _ in range(length)) if i % 3 else b"user%d@example.com" % i
        value = bytes(r.choice(values) for _ in range(r.choice((0, 1, 5, 30, 300))))
        lines.append(key + r.choice((b" ", b"\t", b" \t ")) + value + b"\n")
    return b"".join(lines)


def test_random_keys():
    """Keys and values of any bytes, quotes, tabs, empty values, long keys: the same map."""
    given = random_lines(1, KEYS)
    for kind, options in (("hash", ["-e", "-f"]), ("btree", ["-e"]), ("hash", ["-e", "-N"])):
        r = run(REFERENCE, *options, kind, "theirs", given=given)
        o = run(ours(), *options, kind, "own", given=given)
        expect(r.returncode == o.returncode, "%s %s" % (r.returncode, o.returncode))
        theirs = entries(REFERENCE, kind, "theirs")
        expect(len(theirs) > KEYS / 2, "only %d entries" % len(theirs))
        expect(entries(ours(), kind, "theirs") == theirs, "theirs, read by us")
        expect(entries(REFERENCE, kind, "own") == theirs, "ours, read by them")
        expect(entries(ours(), kind, "own") == theirs, "ours")


def test_cdb_has_the_same():
    """A cdb holds what a hash holds."""
    given = random_lines(2, 5000)
    run(ours(), "-e", "hash", "m", given=given)
    run(ours(), "-e", "cdb", "m", given=given)
    expect(os.path.exists("m.cdb"), os.listdir("."))
    expect(entries(ours(), "cdb", "m") == entries(ours(), "hash", "m"), "they differ")


def test_build_is_whole_or_not_at_all():
    """A bad line leaves the old database, and is named with its place."""
    write("access", b"a OK\nb RELAY\n")
    expect(run(MCF, "map", "build", "access").returncode == 0, "a good one")
    before = os.stat("access.db")
    write("access", b"a OK\n b X\nc\na RELAY\nd\0 e\n   \n")
    p = run(MCF, "map", "build", "access")
    expect(p.returncode == 65, p)
    for want in ("access:2:1: error: the line begins with a blank [map-blank-first]",
                 "access:3:1: error: c has no value [map-no-value]",
                 "access:5:1: error: the line has a NUL byte [map-nul-byte]",
                 "access:6:1: error: the line has nothing but blanks [map-blank-first]"):
        expect(want in p.stderr.decode().split("\n"), "%s\n%s" % (want, p.stderr.decode()))
    write("access", b"a OK\nb RELAY\nA REJECT\n")
    p = run(MCF, "map", "build", "access")
    expect(p.returncode == 65 and p.stderr.decode().startswith(
        "access:3:1: error: a is there already, in line 1 [map-duplicate-key]\n  A REJECT\n  ^\n"), p)
    after = os.stat("access.db")
    expect((before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), "it was touched")
    expect(sorted(os.listdir(".")) == ["access", "access.db"], os.listdir("."))
    p = run(MCF, "map", "build", "-r", "access")
    expect(p.returncode == 0, p)
    expect(run(MCF, "map", "query", "access", "A", "b").stdout == b"a\tREJECT\nb\tRELAY\n", "-r")
    expect(run(MCF, "map", "build", "nosuch").returncode == 66, "no source")
    os.mkdir("folder")
    p = run(MCF, "map", "build", "folder")
    expect(p.returncode == 66 and b"cannot read folder: " in p.stderr, p)
    expect(not os.path.exists("folder.db"), "a map of a folder")


def loaded(kind, path, order, entries):
    """A database by the library's own db_load, in the byte order 1234 or 4321."""
    text = "".join(" %s\n" % "".join("\\%02x" % c for c in s) for entry in entries for s in entry)
    head = "VERSION=3\nformat=print\ntype=%s\ndb_lorder=%d\nHEADER=END\n" % (kind, order)
    p = run("db5.3_load", "-f", "/dev/stdin", path, given=(head + text + "DATA=END\n").encode())
    expect(p.returncode == 0, p)


def test_older_formats():
    """Every version that the library reads, in both byte orders, with the NULs that keys and values have:
    by makemap -u as the reference, and each key is found. Degenerate files first."""
    many = [(b"key%d@example.com" % i, b"value %d" % i) for i in range(2000)] + [(b"long", b"v" * 9000)]
    for order in (1234, 4321):
        for kind, versions in (("hash", (9, 8, 7)), ("btree", (9, 8))):
            for plain in ([], [(b"a", b"b")], many):
                for nul in (b"", b"\0"):
                    for name in ("m.db", "new.db"):
                        if os.path.exists(name):
                            os.remove(name)
                    loaded(kind, "new.db", order, [(k + nul, v + nul) for k, v in plain])
                    with open("new.db", "rb") as f:
                        new = f.read()
                    for version in versions:
                        what = "%s %d, %d, %d entries, NUL %r" % (kind, version, order, len(plain), nul)
                        old = formats.with_version(new, version)
                        if kind == "hash" and version < 9:
                            old, pages = formats.unsorted(old)
                            expect(pages or len(plain) < 2, "%s: no page is unsorted" % what)
                        write("m.db", old)
                        want = sorted(b"%s\t%s" % e for e in plain)
                        for program in (REFERENCE, ours()):
                            got = [e for e in entries(program, kind, "m") if e]
                            expect(got == want, "%s, %s: %d" % (what, program, len(got)))
                        for options in (["m"], ["-t", kind, "m.db"]):
                            p = run(MCF, "map", "query", *options, "-", given=b"nosuch\n" + b"\n".join(k for k, _ in plain))
                            expect(p.stdout == b"".join(b"%s\t%s\n" % e for e in plain) and p.returncode == 1, what)
                        p = run(MCF, "map", "query", "m", "nosuch", *(k.decode() for k, _ in plain[:3]))
                        expect(p.stdout == b"nosuch\t(not found)\n" + b"".join(b"%s\t%s\n" % e for e in plain[:3]), what)
    # Keys of both kinds in one file: what is found first says which one is looked for, as in sendmail.
    loaded("hash", "both.db", 1234, [(b"a", b"plain"), (b"b\0", b"nul\0"), (b"c", b"")])
    p = run(MCF, "map", "query", "both", "b", "a", "nosuch")
    expect(p.stdout == b"b\tnul\na\t(not found)\nnosuch\t(not found)\n", p)
    p = run(MCF, "map", "query", "both", "a", "b", "c")
    expect(p.stdout == b"a\tplain\nb\t(not found)\nc\t\n", p)


def test_formats_that_are_not_read():
    """Which one it is, and what mends it, by every command; the reference refuses them too."""
    write("m", b"a\tb\n")
    build = {"hash": "mcf map build m", "btree": "mcf map build -t btree m"}
    cases = []
    for order in (1234, 4321):
        for kind, read, upgraded, others in (("hash", "7 to 9", (4, 5, 6), (0, 3, 10)),
                                             ("btree", "8 to 9", (6, 7), (0, 5, 10))):
            if os.path.exists("new.db"):
                os.remove("new.db")
            loaded(kind, "new.db", order, [(b"a", b"b")])
            with open("new.db", "rb") as f:
                new = f.read()
            for version in upgraded + others:
                mends = "db_upgrade m.db, or " if version in upgraded else ""
                cases.append((kind, formats.with_version(new, version), "it is a %s of format version %d, and %s are read: "
                              "run %s%s" % (kind, version, read, mends, build[kind])))
    for kind, magic, version in (("hash", formats.HASH, 2), ("btree", formats.BTREE, 3)):
        for order in "<>":
            cases.append((kind, formats.before_2(magic, version, order), "it is a %s of Berkeley DB 1 of format version %d: "
                          "run %s" % (kind, version, build[kind])))
    for kind, data, want in cases:
        write("m.db", data)
        os.utime("m.db")
        for arguments in (["query", "m", "a"], ["query", "m.db", "a"], ["dump", "m"], ["dump", "-t", kind, "m.db"],
                          ["diff", "m", "m"], ["convert", "--to", "cdb", "m"]):
            p = run(MCF, "map", *arguments)
            expect(p.returncode == 66 and p.stdout == b"" and p.stderr.decode() == "mcf map %s: cannot read %s: %s\n" %
                   (arguments[0], arguments[-1] if arguments[0] != "query" else arguments[1], want), p)
        r, o = run(REFERENCE, "-u", kind, "m"), run(ours(), "-u", kind, "m")
        expect(r.returncode == o.returncode == 73, "%s %s" % (r, o))
        expect(o.stderr.decode() == "makemap: cannot open the %s map m: %s\n" % (kind, want), o)
        p = run(MCF, "map", "check", "m")
        expect(p.returncode == 1 and "m.db cannot be read: %s [map-unreadable-database]" % want in p.stdout.decode(), p)
        # What is said to mend it does.
        expect(run(MCF, "map", "build", *want.rsplit("build ", 1)[1].split()).returncode == 0, want)
        expect(run(MCF, "map", "query", "m", "a").stdout == b"a\tb\n", want)
    # The wrong type: which one it is.
    p = run(MCF, "map", "dump", "-t", "hash" if kind == "btree" else "btree", "m")
    expect(p.returncode == 66 and "it is a %s: say -t %s\n" % (kind, kind) in p.stderr.decode(), p)


BAD_ACCESS = b"""# remark
Connect:192.168\tRELAY
Conect:10\tRELAY
example.com\tREJCT
*.example.org\tREJECT
To:*.example.net\tOK
Connect:10.0.0.300\tREJECT
Connect:172.16.0.0/14\tRELAY
Connect:10.0.0.0/8\tREJECT
ClientRate:10\tten
From:x@y.z\tERROR:5.7.1:550 no
Spam:a@b\tFREIND
 bad line
nothing
EXAMPLE.com\tOK
"""

CHECKED = """access:3:1: warning: no lookup has the tag Conect [map-unknown-tag]
access:4:13: warning: REJCT is no verdict [map-unknown-verdict]
access:5:1: warning: * stands for itself in a map: *.example.org is never looked up [map-star]
access:6:1: warning: * stands for itself in a map: To:*.example.net is never looked up [map-star]
access:7:9: warning: 10.0.0.300 is no address: a byte is not 300 [map-bad-address]
access:8:1: warning: a map has no networks with a length: 172.16.0.0/14 is never looked up [map-cidr]
access:9:1: warning: a map has no networks with a length: 10.0.0.0/8 is never looked up [map-cidr]
access:10:15: warning: ten is no number [map-bad-number]
access:12:10: warning: FREIND is no verdict [map-unknown-verdict]
access:13:1: error: the line begins with a blank [map-blank-first]
access:14:1: error: nothing has no value [map-no-value]
access:15:1: error: example.com is there already, in line 4 [map-duplicate-key]
"""

MENDED = BAD_ACCESS.replace(b"Conect", b"Connect").replace(b"REJCT", b"REJECT").replace(b"*.", b"").replace(
    b"Connect:172.16.0.0/14\tRELAY", b"\n".join(b"Connect:172.%d\tRELAY" % i for i in range(16, 20))).replace(
    b"10.0.0.0/8", b"10").replace(b"FREIND", b"FRIEND")


def test_check():
    """Each fault is said at its place, once; --fix mends those with one right answer, and nothing else."""
    write("access", BAD_ACCESS)
    p = run(MCF, "map", "check", "access")
    said = [line for line in p.stdout.decode().splitlines(True) if line.startswith("access:")]
    expect(p.returncode == 1 and "".join(said) == CHECKED, "".join(said))
    # As a plain map only what is wrong in any map.
    p = run(MCF, "map", "check", "-k", "plain", "access")
    expect(re.findall(rb"^access:(\d+)", p.stdout, re.M) == [b"5", b"13", b"14", b"15"], p)
    p = run(MCF, "map", "check", "--fix", "access")
    with open("access", "rb") as f:
        after = f.read()
    expect(after == MENDED, after)
    write("access", b"Connect:10 RELAY\nTo:a@b 550 no\nx@ SKIP\nIPv6:2001:db8 ok\nGreetPause:a 5000 \nSpam: HATER\n"
                    b"To:c ERROR:\nTo:d QUARANTINE:x\nTry_TLS:x NO\nd.e 4.4.4.4\nf\tgo away\n1.2.3.4.5 OK\n")
    p = run(MCF, "map", "check", "access")
    expect(p.returncode == 0 and p.stdout == b"", p)
    write("mailertable", b"*.example.com smtp:x\n")
    expect(run(MCF, "map", "check", "--fix", "mailertable").returncode == 0, "mailertable")
    with open("mailertable", "rb") as f:
        expect(f.read() == b".example.com smtp:x\n", "the dot")
    expect(run(MCF, "map", "check", "nosuch").returncode == 66, "no source")
    for arguments in (["check"], ["check", "-x"], ["check", "-k"]):
        expect(run(MCF, "map", *arguments).returncode == 2, arguments)


def test_reading():
    """query, dump and diff, of every type, with and without the suffix."""
    write("old", b"a OK\nb RELAY\n")
    write("new", b"b REJECT\nc OK\n")
    for kind, suffix in (("hash", ".db"), ("btree", ".db"), ("cdb", ".cdb")):
        for name in ("old", "new"):
            expect(run(MCF, "map", "build", "-t", kind, name).returncode == 0, kind)
        for name in ("old", "old" + suffix):
            p = run(MCF, "map", "query", name, "a", "nosuch", "B")
            expect(p.returncode == 1 and p.stdout == b"a\tOK\nnosuch\t(not found)\nb\tRELAY\n", p)
            p = run(MCF, "map", "dump", name)
            expect(p.returncode == 0 and sorted(p.stdout.split(b"\n")) == [b"", b"a\tOK", b"b\tRELAY"], p)
        p = run(MCF, "map", "query", "old", "-", given=b"B\n\nnosuch\na")
        expect(p.returncode == 1 and p.stdout == b"b\tRELAY\na\tOK\n", p)
        p = run(MCF, "map", "diff", "old", "new")
        expect(p.returncode == 1 and p.stdout == b"-a\tOK\n-b\tRELAY\n+b\tREJECT\n+c\tOK\n", p)
        expect(run(MCF, "map", "diff", "old", "old").returncode == 0, "the same")
        for name in ("old", "new"):
            os.remove(name + suffix)
    for arguments in (["dump", "nosuch"], ["dump", "old"], ["query", "nosuch", "a"], ["diff", "old", "x"]):
        p = run(MCF, "map", *arguments)
        expect(p.returncode == 66 and b"cannot read" in p.stderr, p)
    for arguments in ([], ["nosuch"], ["dump"], ["build"], ["build", "-t", "x", "a"], ["query", "a"]):
        p = run(MCF, "map", *arguments)
        expect(p.returncode == 2 and b"usage: mcf map" in p.stderr, p)


class Asked:
    """The reference, with a map open."""

    def __init__(self, cf):
        # In a little world where the host has a full name: elsewhere it waits for one.
        self.p = subprocess.Popen([os.path.join(HERE, "..", "lib", "ns"), "/usr/sbin/sendmail", "-C",
                                   os.path.abspath(cf), "-bt"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.until_prompt()

    def until_prompt(self):
        said = b""
        while not said.endswith(b"\n> "):
            c = os.read(self.p.stdout.fileno(), 1)
            expect(c, "sendmail ended: %r" % said)
            said += c
        return said

    def ask(self, key):
        self.p.stdin.write(b"/map t %s\n" % key)
        self.p.stdin.flush()
        said = self.until_prompt()
        m = re.search(rb"\) returns (.*) \(0\)", said)
        return m.group(1) if m else b"no match" if b"no match" in said else said

    def end(self):
        self.p.stdin.write(b"/quit\n")
        self.p.stdin.close()
        self.p.wait(timeout=20)


def test_a_reader_sees_the_new_one():
    """sendmail, which has the map open, sees the new one at its next lookup, twice in a second."""
    home = os.getcwd()
    program = ours()
    # sendmail reads no map below a folder that others can write to.
    safe = tempfile.mkdtemp(prefix="mcf-maps-", dir=os.path.expanduser("~root"))
    os.chmod(safe, 0o755)
    try:
        os.chdir(safe)
        write("t.cf", b"V10\nCwlocalhost\nDwlocalhost\nDjlocalhost.localdomain\nKt hash %s/m\nStest\n" % safe.encode())
        run(program, "hash", "m", given=b"a first\n")
        asked = Asked("t.cf")
        try:
            said = asked.ask(b"a")
            expect(said == b"first", "the first one: %r" % said)
            for i in range(3):
                text = b"round%d" % i
                expect(run(program, "hash", "m", given=b"a " + text + b"\nb x\n").returncode == 0, "makemap")
                said = asked.ask(b"a")
                expect(said == text, "round %d: %r" % (i, said))
        finally:
            asked.end()
    finally:
        os.chdir(home)
        shutil.rmtree(safe, ignore_errors=True)


def built_slowly(kind, lines, stderr):
    """mcf map build of a source that takes longer than a second to come."""
    if os.path.exists("slow"):
        os.remove("slow")
    os.mkfifo("slow")
    p = subprocess.Popen([MCF, "map", "build", "-t", kind, "slow"], stderr=stderr)
    with open("slow", "wb") as f:
        for part in range(3):
            f.write(b"".join(b"key%d.%d\tvalue\n" % (part, i) for i in range(lines)))
            f.flush()
            if part < 2 and lines > 1:
                time.sleep(1.1)
    return p


def test_progress():
    """A line on a terminal, where it takes long, and nothing of it is left; elsewhere none."""
    for kind in ("hash", "btree", "cdb"):
        for lines in (1, 70000):
            master, slave = pty.openpty()
            p = built_slowly(kind, lines, slave)
            os.close(slave)
            said = b""
            try:
                while part := os.read(master, 4096):
                    said += part
            except OSError:  # how a terminal ends
                pass
            os.close(master)
            expect(p.wait() == 0, said)
            if lines == 1:
                expect(said == b"", said)
            else:
                expect(re.fullmatch(rb"(\r\d+ entries read|\r\d+ of 210000 entries written)+\r\033\[K", said), said)
        p = built_slowly(kind, 70000, subprocess.PIPE)
        expect(p.communicate()[1] == b"" and p.returncode == 0, "a pipe")


def killed(kind):
    r = random.Random(7)
    big = b"".join(b"key%d value%d\n" % (i, i) for i in range(60000)) + b"old no\n"
    small = b"old yes\n"
    whole = {b"old\tyes\n": 1, b"old\tno\n": 60001}
    write("big", big)
    write("small", small)
    run(ours(), kind, "m", given=small)
    start = time.monotonic()
    run(ours(), kind, "other", given=big)
    takes = time.monotonic() - start
    seen = set()
    for i in range(KILLS):
        with open("big", "rb") as f:
            p = subprocess.Popen([ours(), kind, "m"], stdin=f)
        time.sleep(r.random() * takes * 1.2)
        p.send_signal(signal.SIGKILL)
        p.wait()
        said = run(MCF, "map", "query", "-t", kind, "m", "old").stdout
        expect(said in whole, said)
        for program in [ours()] + [REFERENCE] * (kind != "cdb"):  # not every reference has cdb
            n = len(entries(program, kind, "m")) - 1
            expect(n == whole[said], "%s: %s: %d entries" % (program, said, n))
        seen.add(said)
        if said == b"old\tno\n":
            run(ours(), kind, "m", given=small)
    expect(b"old\tyes\n" in seen, "it was never killed before the end")
    run(ours(), kind, "m", given=small)
    left = [f for f in os.listdir(".") if f.startswith(".")]
    expect(not left, "left behind: %s" % left)


def test_killed():
    """Killed at any moment, makemap leaves the old database, whole, or the new one; and no litter."""
    killed("hash")
    killed("cdb")


def checked(name, given, *options):
    """What is said of a source, a finding a line without its picture; and how it ended."""
    write(name, given)
    os.chmod(name, 0o644)
    p = run(MCF, "map", "check", *options, name)
    said = [line for line in p.stdout.decode("utf-8", "replace").split("\n") if line.startswith(name + ":")]
    return p.returncode, "\n".join(line[len(name) + 1:] for line in said)


def expect_checked(name, given, want, code=0, options=()):
    said = checked(name, given, *options)
    expect(said == (code, want.strip("\n")), "%s: %d\n%s" % (name, *said))


def mended(name, given):
    write(name, given)
    run(MCF, "map", "check", "--fix", name)
    with open(name, "rb") as f:
        return f.read()


KINDS = ("plain", "access", "mailertable", "virtusertable", "genericstable", "domaintable", "authinfo", "aliases")
OTHER_NAMES = ("mailertab", "virtuser", "virtusers", "generics", "domains", "auth-info", "alias")


def test_check_degenerate():
    """Nothing, remarks, NULs and bare marks: each kind takes any bytes."""
    for kind in KINDS:
        for given in (b"", b"\n", b"# remark\n", b"\n\n#\n"):
            expect_checked("m", given, "", options=("-k", kind))
        for given in (b"\0", b"a\0 b\n", b" ", b"a", b":", b"\"", b"a \"", b"a: \"", b"\\", b"a b\\", b"@ @", b". .",
                      b"a error:", b"a :", b"IPv6: x", b"a:,", b"[ x", b"Connect:[] x", b"a %", b"\xff\xfe \xff",
                      b"IPv6::: x", b"Connect:: x", b"ClientRate:[ 1", b"error: error:", b"AuthInfo: \"", b"a: :"):
            code, _ = checked("m", given, "-k", kind)
            expect(code in (0, 1), "%s of %r: %d" % (kind, given, code))
    p = run(MCF, "map", "check", "-k", "nosuch", "m")
    expect(p.returncode == 2 and b"there is no kind nosuch" in p.stderr, p)


def test_check_guesses_kinds():
    """A source of the kind's name is of that kind; -k overrides it; any other name is plain."""
    for name in OTHER_NAMES:
        code, said = checked(name, b"a@ @b c\n@. .\n")
        expect(said != "", name)
    expect_checked("mailertable", b"a b\n", "", options=("-k", "plain"))
    expect_checked("other", b"a b\n", "")
    expect_checked("other", b"a b\n", "1:3: warning: b names no mailer: the entry is passed over [map-no-mailer]",
                   options=("-k", "mailertable"))


def test_check_mailertable():
    expect_checked("mailertable", b"""a.test	smtp:mail.example.com
.a.test	esmtp:[10.0.0.1]
.	relay:one.example.com:two.example.com
b.test	local:
c.test	local:bob
d.test	error:5.7.1:550 no mail
e.test	error:nohost:no such host
f.test	error:550 no mail
g.test	mymailer:host
h.test	smtp:bob@host
i.test	discard:
j.test	esmtp:[IPv6:2001:db8:0:0:0:0:0:25]
k.test	error:go away
""", "")
    bad = b"""a.test	mail.example.com
b.test	smtp
c.test	smtp:
d.test	smtp:one two
e.test	smtp:mail.example.com:587
f.test	emstp:host
g.test	error:
h.test	error:5.7.1 550 no
i.test	error:nohost no such host
bob@j.test	smtp:host
k.test.	smtp:host
*.l.test	smtp:host
"""
    expect_checked("mailertable", bad, """
1:8: warning: mail.example.com names no mailer: the entry is passed over [map-no-mailer]
2:8: warning: smtp names no mailer: the entry is passed over [map-no-mailer]
3:8: warning: smtp: has no host [map-mailer-host]
4:13: warning: one two is no host: it has a blank or a comma [map-mailer-host]
5:30: warning: 587 is taken for a host, not a port [map-mailer-host]
6:8: warning: no mailer emstp came with sendmail [map-unknown-mailer]
7:8: warning: error: has no text [map-error-form]
8:14: warning: the code 5.7.1 becomes part of the text: a colon belongs behind it [map-error-form]
9:14: warning: nohost becomes part of the text: in a mailertable a colon belongs behind it [map-error-form]
10:1: warning: bob@j.test is never looked up: the keys are hosts [map-dead-key]
11:1: warning: k.test. is never looked up: names have no dot at their end [map-dead-key]
12:1: warning: * stands for itself in a map: *.l.test is never looked up [map-star]
""")
    want = bad
    for old, new in ((b"emstp", b"esmtp"), (b"5.7.1 ", b"5.7.1:"), (b"nohost no", b"nohost:no"), (b"k.test.", b"k.test"),
                     (b"*.l", b".l")):
        want = want.replace(old, new)
    got = mended("mailertable", bad)
    expect(got == want, got)


def test_check_virtusertable():
    expect_checked("virtusertable", b"""a@v.test	bob
a+*@v.test	bob+%2
++@v.test	%1%3@x.test
@v.test	%1@x.test
b@v.test	error:nouser no such user
c@v.test	error:5.7.1:550 no
d@v.test	"bob, the boss"@x.test
e@v.test	%0@x.test
""", "")
    expect_checked("virtusertable", b"""sales	bob
sales@	bob
a@v.test	bob,eve@x.test
b@v.test	bob eve
c@v.test	x%4@x.test
d@v.test	|/usr/bin/sort
e@v.test	:include:/etc/list
f@v.test	@x.test
g@v.test	error:nouser
h@v.test	error:550 no
i@v.test	error:
j@v.test	error:5.7.1 550 no
@k.test.	bob
""", """
1:1: warning: sales is never looked up: the keys are USER@DOMAIN and @DOMAIN [map-dead-key]
2:1: warning: sales@ is never looked up: there is no domain behind its @ [map-dead-key]
3:10: warning: bob,eve@x.test is not one address [map-one-address]
4:10: warning: bob eve is not one address [map-one-address]
5:11: warning: %4 stands for nothing [map-placeholder]
6:10: warning: |/usr/bin/sort may stand in aliases only [map-only-aliases]
7:10: warning: :include:/etc/list may stand in aliases only [map-only-aliases]
8:10: warning: @x.test has no user [map-one-address]
9:16: warning: nothing follows nouser: what is sent is a piece of the address [map-error-form]
10:16: warning: 550 is no code that may stand here [map-error-form]
11:10: warning: error: has no text [map-error-form]
12:16: warning: the code 5.7.1 becomes part of the text: a colon belongs behind it [map-error-form]
13:1: warning: @k.test. is never looked up: names have no dot at their end [map-dead-key]
""")


def test_check_other_tables():
    expect_checked("genericstable", b"bob\tb.o@x.test\neve@g.test\teve\n@g.test\tall@x.test\na+*\tb\n", "")
    expect_checked("genericstable", b"a\tb@x.test,c@x.test\nb\t@x.test\nc@\tx\nd\t/var/mail/d\n", """
1:3: warning: b@x.test,c@x.test is not one address [map-one-address]
2:3: warning: @x.test has no user [map-one-address]
3:1: warning: c@ is never looked up: there is no domain behind its @ [map-dead-key]
4:3: warning: /var/mail/d may stand in aliases only [map-only-aliases]
""")
    expect_checked("domaintable", b"old.test\tnew.test\nhost\thost.example.com\n", "")
    bad = b".a.test\tb.test\na@b.test\tc.test\nd.test\tbob@e.test\nf.test\tg h\n*.i.test\tj.test\n"
    expect_checked("domaintable", bad, """
1:1: warning: .a.test is never looked up: names are looked up whole [map-dead-key]
2:1: warning: a@b.test is never looked up: the keys are hosts [map-dead-key]
3:8: warning: bob@e.test is no domain [map-no-domain]
4:8: warning: g h is no domain [map-no-domain]
5:1: warning: * stands for itself in a map: *.i.test is never looked up [map-star]
""")
    expect(mended("domaintable", bad) == bad, "nothing in it has one right answer")
    expect_checked("authinfo", b"""AuthInfo:a.test	"U:bob" "I:bob" "P:secret" "R:realm" "M:PLAIN LOGIN"
AuthInfo:	"u:bob" "P=c2VjcmV0"
authinfo:10.0.0.1	"I:bob" "P:a b"
AuthInfo:b.test	"U:root" "M:EXTERNAL"
""", "")
    bad = b"""a.test	"U:bob" "P:secret"
AuthInfo:.b.test	"U:bob" "P:secret"
AuthInfo:c.test	U:bob "P:secret"
AuthInfo:d.test	"U:bob" "P:secret
AuthInfo:e.test	"user:bob" "P:secret"
AuthInfo:f.test	"U:bob"
AuthInfo:g.test	"P:secret"
"""
    expect_checked("authinfo", bad, """
1:1: warning: a.test is never looked up: the keys begin with AuthInfo: [map-dead-key]
2:1: warning: AuthInfo:.b.test is never looked up: names are looked up whole [map-dead-key]
3:17: warning: U:bob has no quotes [map-authinfo]
4:25: warning: the quote of "P:secret is never closed [map-authinfo]
5:17: warning: "user:bob" is no item [map-authinfo]
6:17: warning: there is no password: "P:..." [map-authinfo]
7:17: warning: there is no user: "U:..." [map-authinfo]
""")
    got = mended("authinfo", bad)
    expect(got == bad.replace(b"a.test\t", b"AuthInfo:a.test\t", 1).replace(b"U:bob \"", b"\"U:bob\" \""), got)


def test_check_aliases():
    """As newaliases takes them: what continues a line, quotes, commas, the last of two counts."""
    expect_checked("aliases", b"""# remark
Postmaster: root
root: bob,
	eve
a: "|/usr/bin/sort -r, x", \\root, /var/mail/x, :include:/etc/mail/list, :include: /etc/x
b : Bob <bob@example.com>, bob@example.com (the boss)
"c d": bob
"e f": g
h: i,\\
j
owner-a: bob,,
k: |/usr/bin/sort -r
l:bob

m: error:5.1.1 no such user
""", "")
    expect_checked("aliases", b""" x: y
postmaster: root
a b
: c
d:
"e: f
g: "|/usr/bin/sort
h: bob # the boss
i: bob eve
j: bob
  eve
k: :inclde:/etc/mail/list
l: bob,
# between
  eve
I: x
""", """
1:1: error: the line begins with a blank and continues nothing [map-alias-syntax]
3:1: error: a b has no colon [map-alias-syntax]
4:1: error: : c has no name [map-alias-syntax]
5:1: error: d has no value [map-no-value]
6:1: error: "e: f: the quote is never closed [map-alias-quote]
7:4: warning: the quote of "|/usr/bin/sort is never closed [map-alias-quote]
8:8: warning: # the boss is no remark: it is part of the address [map-alias-remark]
9:8: warning: no comma stands before eve: it is part of the address before it [map-alias-comma]
11:3: warning: no comma stands before eve: it is part of the address before it [map-alias-comma]
12:4: warning: :inclde: is no word for a list [map-alias-include]
15:1: warning: this continues a remark: it is not read [map-alias-remark]
16:1: warning: i is there already, in line 9: the last one counts [map-duplicate-alias]
""", 1)
    expect_checked("aliases", b"root: bob\n", " warning: there is no alias postmaster [map-no-postmaster]")
    expect_checked("aliases", b"postmaster: a\n\n b\n",
                   "3:1: error: the line begins with a blank and continues nothing [map-alias-syntax]", 1)


def test_check_alias_names():
    """Names that newaliases leaves out, or keeps otherwise than they are written."""
    expect_checked("aliases", b"""postmaster: root
"bob smith": bob
bob smith: bob
Bob (the boss) <bob>: carol
eve@localhost: bob
a/b: bob
""", "")
    expect_checked("aliases", b"""postmaster: root
bob@example.com: bob
bob%x: bob
/bob: bob
|bob: bob
bob,eve: bob
bob@: bob
bob(x: bob
"a:b": bob
\xc3\x84: bob
""" + b"k" * 256 + b""": bob
eve@localhost: bob
Eve: bob
"a b
c: bob
d: bob \0
e: """ + b"x" * 8190 + b"\n", """
2:1: warning: bob@example.com has a host [map-alias-host]
3:1: error: bob%x is not local [map-alias-name]
4:1: error: /bob is not local [map-alias-name]
5:1: error: |bob is not local [map-alias-name]
6:1: error: bob,eve is no address [map-alias-name]
7:1: error: bob@ is no address [map-alias-name]
8:1: error: bob(x is no address [map-alias-name]
9:1: error: "a:b": bob: the name has a colon [map-alias-syntax]
10:1: error: \u00c4 has a byte that no address has [map-alias-name]
11:1: error: LONG is longer than 255 bytes [map-alias-name]
13:1: warning: eve is there already, in line 12: the last one counts [map-duplicate-alias]
14:1: error: "a b: the quote is never closed [map-alias-quote]
16:1: error: the line has a NUL byte [map-nul-byte]
17:1: error: the entry is longer than 8190 bytes [map-alias-syntax]
""".replace("LONG", "k" * 256), 1)


def test_check_alias_loops():
    """Aliases that lead back to themselves; what ends at a user, or in the same name, is none."""
    expect_checked("aliases", b"""postmaster: root
root: root
a: a, bob
b: \\b
c: d
d: \\c
e: f@example.com
f: e
g: :include:g
h: "|/bin/h"
x: y, z
y: w
z: w
w: bob
""", "")
    expect_checked("aliases", b"""postmaster: a
a: b
b: a
C: bob, "D"
d: The Boss <e@localhost>,
  eve
e: c
f+*: g
f: f+x
g: f
h: i
i: h
h: bob
j: k
k: k, l
l: j, k
""", """
2:1: warning: a leads back to itself: b in line 3 [map-alias-loop]
4:1: warning: c leads back to itself: d in line 5, e in line 7 [map-alias-loop]
8:1: warning: f+* leads back to itself: g in line 10, f in line 9 [map-alias-loop]
13:1: warning: h is there already, in line 11: the last one counts [map-duplicate-alias]
14:1: warning: j leads back to itself: k in line 15, l in line 16 [map-alias-loop]
15:1: warning: k leads back to itself: l in line 16 [map-alias-loop]
""")
    deep = b"postmaster: n0\n" + b"".join(b"n%d: n%d\n" % (i, i + 1) for i in range(200000))
    write("aliases", deep)
    p = run(MCF, "map", "check", "aliases")
    expect(p.returncode == 0 and p.stdout == b"", p)


def test_loops_as_sendmail():
    """What sendmail does with aliases that lead back: no user in the ring, and one."""
    def compare(here):
        alias_cf(here)
        write("a", b"nosuch: nosuch2\nnosuch2: nosuch\nroot: daemon\ndaemon: root\nbin: bin\nhost@localhost: root\n")
        os.chmod("a", 0o644)
        (said, rc), *answers = in_ns(["./newaliases -C t.cf"] + ["/usr/sbin/sendmail -C %s/t.cf -bv %s" % (here, x) for x in
                                                               ("nosuch", "root", "bin")])
        expect(rc.strip() == "0", said)
        for (text, _), want in zip(answers, ("loop broken", "root... deliverable", "bin... deliverable")):
            expect(want in text, (want, answers))
    in_a_safe_folder(compare)


def test_check_access_keys():
    """What no lookup of the tag can find, and IPv6 as it is looked up."""
    expect_checked("access", b"""Connect:IPv6:2001:db8:0:1	REJECT
IPv6:2001:DB8	REJECT
Connect:[IPv6:2001:db8:0:0:0:0:0:1]	REJECT
Connect:[10.0.0.1]	REJECT
From:[10.0.0.1]	REJECT
ClientRate:IPv6:2001:db8	5
ClientRate:10.0	SKIP
ClientRate:	5
GreetPause:host.example.com	5000
example.com	OK
From:example.com	OK
To:example.com	OK
Connect:example.com	OK
TLS_Srv:a.test	VERIFY:128+CITag:Mine
Mine:/CN=x	OK
CERTISSUER:/O=x.	RELAY
Connect:IPv6:::1	OK
Connect:IPv6:0:0:0:0:0:0:0:1	OK
""", "")
    bad = b"""Connect:2001:db8::1	REJECT
Connect:IPv6:2001:db8::1	REJECT
Connect:IPv6:2001:db8::	REJECT
Connect:IPv6:2001:db8:	REJECT
IPv6:2001:0db8:0:2	REJECT
fe80::1	REJECT
dead:beef::2	REJECT
IPv6:::1	REJECT
IPv6:2001:db9::/32	REJECT
IPv6:2001:dba::/33	REJECT
Connect:IPv6:2001:db80000	REJECT
ClientRate:[IPv6:2001:db8:0:0:0:0:0:1]	5
ClientRate:[10.0.0.1]	5
ClientRate:host.example.com	5
GreetPause:bob@example.com	5
example.com.	OK
a.test	OK
Connect:A.test	OK
From:a.test	OK
To:a.test	OK
rhs:a.test	OK
"""
    full = "is not how an IPv6 address is looked up: each part is written, without zeros before it [map-ipv6]"
    expect_checked("access", bad, """
1:9: warning: 2001:db8::1 is never looked up: an IPv6 address begins with IPv6: [map-ipv6]
2:9: warning: IPv6:2001:db8::1 FULL
3:9: warning: IPv6:2001:db8:: FULL
4:9: warning: IPv6:2001:db8: FULL
5:1: warning: IPv6:2001:0db8:0:2 FULL
6:1: warning: fe80::1 is never looked up: an IPv6 address begins with IPv6: [map-ipv6]
7:1: warning: dead:beef::2 is never looked up: an IPv6 address begins with IPv6: [map-ipv6]
8:1: warning: IPv6:::1 FULL
9:1: warning: a map has no networks with a length: IPv6:2001:db9::/32 is never looked up [map-cidr]
10:1: warning: a map has no networks with a length: IPv6:2001:dba::/33 is never looked up [map-cidr]
11:9: warning: IPv6:2001:db80000 is no IPv6 address [map-bad-address]
12:12: warning: [IPv6:2001:db8:0:0:0:0:0:1] is never looked up: this tag's addresses have no brackets [map-brackets]
13:12: warning: [10.0.0.1] is never looked up: this tag's addresses have no brackets [map-brackets]
14:1: warning: ClientRate:host.example.com is never looked up: the keys are addresses [map-dead-key]
15:1: warning: GreetPause:bob@example.com is never looked up: the keys are hosts [map-dead-key]
16:1: warning: example.com. is never looked up: names have no dot at their end [map-dead-key]
17:1: warning: a.test never answers: Connect:, From:, To:, rhs: have entries of their own [map-hidden-key]
""".replace("FULL", full))
    got = mended("access", bad).decode().split("\n")[:16]
    expect([line.split("\t")[0] for line in got] == [
        "Connect:IPv6:2001:db8:0:0:0:0:0:1", "Connect:IPv6:2001:db8:0:0:0:0:0:1", "Connect:IPv6:2001:db8",
        "Connect:IPv6:2001:db8", "IPv6:2001:db8:0:2", "IPv6:fe80:0:0:0:0:0:0:1", "IPv6:dead:beef:0:0:0:0:0:2",
        "IPv6:0:0:0:0:0:0:0:1", "IPv6:2001:db9", "IPv6:2001:dba::/33", "Connect:IPv6:2001:db80000",
        "ClientRate:IPv6:2001:db8:0:0:0:0:0:1", "ClientRate:10.0.0.1", "ClientRate:host.example.com",
        "GreetPause:bob@example.com", "example.com"], got)


def test_check_access_values():
    """A value of another tag, or one that only refuses."""
    expect_checked("access", b"""From:b.test	SKIP
To:bob@b.test	SKIP
Spam:b.test	SKIP
Connect:11	550
To:c.test	ERROR:5.7.1:550 no
To:d.test	ERROR:550 5.7.1 no
CERTISSUER:x	SUBJECT
AuthInfo:e.test	"U:bob" "P:secret"
""", "")
    expect_checked("access", b"""Spam:a@b.test	RELAY
a.test	FRIEND
Connect:10	5000
From:bob@b.test	SKIP
To:c.test	SUBJECT
To:d.test	ERROR:5.7.1 550 no
AuthInfo:e.test	U:bob "P:secret"
""", """
1:15: warning: RELAY is no value for Spam: [map-no-effect]
2:8: warning: FRIEND is no value for a key without a tag [map-no-effect]
3:12: warning: 5000 is no value for Connect: [map-no-effect]
4:17: warning: SKIP stops the way up from a domain: for From:bob@b.test it is the text of a refusal [map-no-effect]
5:11: warning: SUBJECT is no value for To: [map-no-effect]
6:17: warning: the code 5.7.1 becomes part of the text: a colon belongs behind it [map-error-form]
7:17: warning: U:bob has no quotes [map-authinfo]
""")


def test_check_files():
    """The database older than its source, or none; who may write; and what mends it."""
    os.mkdir("d", 0o755)
    os.chmod("d", 0o755)
    good = b"a\tOK\n"
    expect_checked("d/access", good, "")  # no database is no fault: it may be made elsewhere
    for kind, suffix in (("hash", "db"), ("btree", "db"), ("cdb", "cdb")):
        database = "d/access." + suffix
        option = "-t cdb " if kind == "cdb" else ""
        expect(run(MCF, "map", "build", "-t", kind, "d/access").returncode == 0, kind)
        os.chmod(database, 0o640)
        p = run(MCF, "map", "check", "d/access")
        expect(p.returncode == 0 and p.stdout == b"", p)
        os.utime("d/access", (2e9, 2e9))
        p = run(MCF, "map", "check", "d/access")
        expect(p.returncode == 0 and p.stdout.decode() ==
               "d/access: warning: %s is older than its source [map-old-database]\n  hint: mcf map build %sd/access\n"
               % (database, option), p)
        os.utime("d/access", (1e9, 1e9))
        os.chmod(database, 0o240)
        p = run(MCF, "map", "check", "d/access")
        expect(p.returncode == 1 and p.stdout.decode() ==
               "d/access: error: %s may not be read by its owner [map-unreadable-database]\n  hint: chmod u+r %s\n"
               % (database, database), p)
        write(database, b"no database\n" * 100)
        os.chmod(database, 0o640)
        p = run(MCF, "map", "check", "d/access")
        expect(p.returncode == 1 and p.stdout.decode() ==
               "d/access: error: %s is no database [map-unreadable-database]\n  hint: mcf map build %sd/access\n"
               % (database, option), p)
        os.remove(database)
    run(MCF, "map", "build", "d/access")
    for path, mode, who in (("d/access", 0o664, "its group"), ("d/access", 0o646, "everybody"),
                            ("d/access.db", 0o660, "its group"), ("d", 0o775, "its group"), ("d", 0o777, "everybody")):
        before = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode)
        p = run(MCF, "map", "check", "d/access")
        expect(p.returncode == 0 and p.stdout.decode() ==
               "d/access: warning: %s can be written by %s [map-writable]\n  hint: chmod go-w %s\n" % (path, who, path), p)
        os.chmod(path, before)
    os.chmod("d", 0o1777)  # where only owners may remove files
    p = run(MCF, "map", "check", "d/access")
    expect(p.returncode == 0 and p.stdout == b"", p)
    os.chmod("d", 0o755)
    write("d/aliases", b"postmaster: root\n")
    os.chmod("d/aliases", 0o644)
    write("d/aliases.db", b"no database\n")
    p = run(MCF, "map", "check", "d/aliases")
    expect(p.returncode == 1 and p.stdout.endswith(b"  hint: newaliases\n"), p)


if __name__ == "__main__":
    need_programs("makemap", "db5.3_load")
    need_root()
    run_functions("maps", __doc__, globals())
