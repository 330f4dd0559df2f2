#!/usr/bin/env python3
"""run.py [-v] [CASE]...

Tests of the command line: what mcf and make print, write, keep and return. Each case is
a function test_NAME below; its first words say what must hold. A case runs in an empty
folder of its own.
"""
import glob
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import compat
from report import BUILD, MCF, ROOT, expect, run_functions

GOOD = """VERSIONID(`case')dnl
OSTYPE(`linux')dnl
define(`SMART_HOST', `smart.example.org')dnl
FEATURE(`access_db')dnl
LOCAL_DOMAIN(`here.example')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
DXvalue
"""
BAD = GOOD.replace("FEATURE(`access_db')", "FEATURE(`acces_db')")
LAX = GOOD.replace("LOCAL_CONFIG", "FEATURE(`mailertable')dnl\nLOCAL_CONFIG")
WARNS = GOOD.replace("FEATURE(`access_db')", "FEATURE(`promiscuous_relay')")


class Result:
    def __init__(self, command, p, out, err):
        self.command, self.status = command, p.returncode
        self.out, self.err = out.decode("latin-1"), err.decode("latin-1")

    def __str__(self):
        return "%s\nexit status %d\n--- standard output:\n%s\n--- standard error:\n%s" % (
            " ".join(self.command), self.status, self.out[:800], self.err[:1500])


def run(*command, cwd=None, env=None, data=b"", stdout=None):
    p = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.PIPE,
                         stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = p.communicate(data, timeout=300)
    return Result(list(command), p, out or b"", err)


def mcf(*arguments, **more):
    return run(MCF, *arguments, **more)


def write(name, text):
    with open(name, "w", encoding="latin-1") as f:
        f.write(text)


def read(name):
    with open(name, encoding="latin-1") as f:
        return f.read()


def expect_status(result, status):
    expect(result.status == status, "wanted exit status %d\n%s" % (status, result))


def expect_match(pattern, text, result):
    expect(re.search(pattern, text, re.M), "nothing matches %s\n%s" % (pattern, result))


def expect_files(*names):
    found = sorted(os.listdir("."))
    expect(found == sorted(names), "the folder holds %s, not %s" % (found, sorted(names)))


# ---- mcf build ---------------------------------------------------------------------------

def test_build_prints_the_cf():
    """mcf build prints the .cf and nothing else."""
    write("case.mc", GOOD)
    r = mcf("build", "case.mc")
    expect_status(r, 0)
    expect(r.err == "", r)
    for line in ("DSsmart.example.org", "DXvalue", "V10/Berkeley"):
        expect(line in r.out.split("\n"), "no line %s\n%s" % (line, r))
    expect_files("case.mc")


def test_build_writes_a_file():
    """-o writes what would be printed, readable for all, and prints nothing."""
    write("case.mc", GOOD)
    printed = mcf("build", "case.mc").out
    os.umask(0o022)
    for arguments in (["-o", "a.cf"], ["-oa.cf"]):
        r = mcf("build", *arguments, "case.mc")
        expect_status(r, 0)
        expect(r.out == "" and r.err == "", r)
        expect(read("a.cf") == printed, "the file is not what is printed")
        expect(stat.S_IMODE(os.stat("a.cf").st_mode) == 0o644, oct(os.stat("a.cf").st_mode))
        expect_files("case.mc", "a.cf")
        os.remove("a.cf")


def test_build_is_repeatable():
    """Two runs make the same bytes, in another folder and under another locale too."""
    write("case.mc", GOOD)
    first = mcf("build", "case.mc").out
    os.mkdir("other")
    shutil.copy("case.mc", "other")
    env = dict(os.environ, LC_ALL="de_DE.UTF-8", TZ="Asia/Tokyo")
    second = mcf("build", "case.mc", cwd="other", env=env).out
    expect(first and first == second, "the two differ")


def test_build_keeps_the_old_file():
    """A file that does not compile leaves the old .cf as it was, and nothing beside it."""
    write("case.mc", BAD)
    write("a.cf", "old\n")
    before = os.stat("a.cf")
    r = mcf("build", "-o", "a.cf", "case.mc")
    expect_status(r, 65)
    after = os.stat("a.cf")
    expect(read("a.cf") == "old\n", "the old file was changed")
    expect((before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), "touched")
    expect_files("case.mc", "a.cf")


def test_build_keeps_mode_and_link():
    """The mode of the old file stays; a symbolic link stays one."""
    write("case.mc", GOOD)
    os.mkdir("real")
    write("real/a.cf", "old\n")
    os.chmod("real/a.cf", 0o640)
    os.symlink("real/a.cf", "a.cf")
    expect_status(mcf("build", "-o", "a.cf", "case.mc"), 0)
    expect(os.path.islink("a.cf"), "the link is gone")
    expect("DXvalue" in read("real/a.cf"), "the file behind the link was not written")
    expect(stat.S_IMODE(os.stat("real/a.cf").st_mode) == 0o640, "the mode was changed")


def test_build_failing_prints_nothing():
    """With an error there is not one byte on standard output."""
    write("case.mc", BAD)
    r = mcf("build", "case.mc")
    expect_status(r, 65)
    expect(r.out == "", r)


def test_build_killed():
    """Killed at any moment, the old file or the whole new one is there."""
    write("case.mc", GOOD)
    new = mcf("build", "case.mc").out
    start = time.time()
    mcf("build", "-o", "a.cf", "case.mc")
    whole = time.time() - start
    seen = set()
    for i in range(60):
        write("a.cf", "old\n")
        p = subprocess.Popen([MCF, "build", "-o", "a.cf", "case.mc"], stderr=subprocess.DEVNULL,
                             start_new_session=True)
        time.sleep(whole * 1.2 * i / 60)
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        text = read("a.cf")
        expect(text in ("old\n", new), "after %d of 60: %d bytes of %d" % (i, len(text), len(new)))
        seen.add(text)
    expect(len(seen) == 2, "the kills came all too early or too late: no test")


def test_build_disk_full():
    """On a full disk the old file stays, and the exit status is 73 or 74."""
    write("case.mc", GOOD)
    os.mkdir("small")
    script = ("mount -t tmpfs -o size=8k none small && printf 'old\\n' > small/a.cf && "
              "'%s' build -o small/a.cf case.mc; echo $?; cat small/a.cf; ls small" % MCF)
    r = run("unshare", "-m", "sh", "-c", script)
    lines = r.out.split("\n")
    expect(lines[0] in ("73", "74") and lines[1:3] == ["old", "a.cf"], r)
    expect_match(r"small/a\.cf", r.err, r)


def test_build_cannot_write():
    """A folder that is not there, a folder as the file, a full device: said, not ignored."""
    write("case.mc", GOOD)
    for target in ("nowhere/a.cf", "."):
        r = mcf("build", "-o", target, "case.mc")
        expect(r.status in (73, 74), r)
        expect(r.err.strip(), r)
    with open("/dev/full", "wb") as full:
        r = mcf("build", "case.mc", stdout=full)
    expect(r.status in (73, 74), r)


def test_build_no_such_file():
    """An .mc that cannot be read is 66, with its name and the reason."""
    for name in ("nowhere.mc", "."):
        r = mcf("build", "-o", "a.cf", name)
        expect_status(r, 66)
        expect_match(r"No such file|Is a directory", r.err, r)
        expect_files()


def test_usage():
    """Wrong use is 2 and says so on standard error; help is 0 and on standard output."""
    write("case.mc", GOOD)
    for arguments in ([], ["nonsense"], ["build"], ["build", "--nonsense", "case.mc"],
                      ["build", "case.mc", "case.mc"], ["build", "case.mc", "-o"],
                      ["build", "-D", "", "case.mc"], ["init"], ["check"],
                      ["check", "--output", "x", "case.mc"], ["check", "--format", "x", "case.mc"],
                      ["check", "--format", "case.mc"], ["build", "--fix", "case.mc"],
                      ["check", "--fix=yes", "case.mc"], ["list"], ["diff", "one.cf"]):
        r = mcf(*arguments)
        expect_status(r, 2)
        expect(r.err and not r.out, r)
    for arguments in (["--help"], ["--version"], ["build", "--help"], ["init", "--help"],
                      ["check", "--help"], ["list", "--help"],
                      ["diff", "--help"]):
        r = mcf(*arguments)
        expect_status(r, 0)
        expect(r.out and not r.err, r)
    expect_files("case.mc")


def test_version():
    """What it is built with, and which m4 it runs; one that is missing, or is none, is said."""
    libraries = r"  Berkeley DB \d+\.\d+\.\d+: maps of the type hash, btree\n  tinycdb \d[\d.]*: maps of the type cdb\n" \
                r"  GNU C library \d+\.\d+\n  (Landlock \d+ of the kernel: --confine|no Landlock in this kernel: --confine is refused)\n"
    for program, want in (("m4", r"m4 \(GNU M4\) \d+\.\S+, run as m4"), ("cat", r"no GNU M4: cat is another program \(cat .*\)"),
                          ("true", r"no GNU M4: true is another program \(.*\)"),
                          ("/nonexistent", r"no m4: /nonexistent cannot be run \(No such file or directory\): \.mc files need "
                           r"GNU M4, in \$PATH or \$MCF_M4")):
        r = mcf("--version", env=dict(os.environ, MCF_M4=program))
        expect_status(r, 0)
        expect(re.fullmatch(r"mcf \S+\n  %s\n%s" % (want, libraries), r.out) and not r.err, r)


def test_finding_form():
    """A finding has file, line, column, kind, text and id, then the line with a caret."""
    write("case.mc", BAD)
    r = mcf("build", "case.mc")
    m = re.search(r"^case\.mc:4:(\d+): error: (.*acces_db.*) \[[a-z-]+\]\n"
                  r"  FEATURE\(`acces_db'\)dnl\n( +)\^", r.err, re.M)
    expect(m, r)
    expect(int(m.group(1)) == len(m.group(3)) - 1, "the caret is not at the column\n%s" % r)
    expect_match(r"access_db", r.err.replace("acces_db", ""), r)
    expect("\033" not in r.err, "colours in a pipe\n%s" % r)


def test_finding_in_an_include():
    """A finding in an included file says by which lines m4 came there, through every file."""
    os.makedirs("sub")
    write("sub/inner.m4", "define(`confLOG_LEVLE', `9')dnl\n")
    write("outer.m4", "dnl\nsinclude(`inner.m4')dnl\n")
    write("case.mc", GOOD.replace("MAILER(`local')", "include(`outer.m4')"))
    r = mcf("check", "-I", "sub", "case.mc")
    expect_match(r"inner\.m4:1:9: warning: nothing reads confLOG_LEVLE", r.out + r.err, r)
    expect_match(r"included from outer\.m4:2\n +included from case\.mc:6\n", r.out + r.err, r)


def test_feature_after_mailer():
    """The mailer that does not see a late feature is named, where the library knows which."""
    write("case.mc", "OSTYPE(`linux')dnl\nMAILER(`local')dnl\nFEATURE(`smrsh')dnl\nFEATURE(`nouucp', `reject')dnl\n")
    r = mcf("build", "case.mc")
    expect_status(r, 65)
    expect(r.err.count("hint: move it above MAILER(`local'), which does not see it") == 1, r)
    expect(r.err.count("hint: move it above the first MAILER line") == 1, r)


def test_lax():
    """What the reference survives is an error without --lax and a warning with it."""
    write("case.mc", LAX)
    r = mcf("build", "-o", "a.cf", "case.mc")
    expect_status(r, 65)
    expect_match(r"^case\.mc:8:\d+: error: ", r.err, r)
    r = mcf("build", "--lax", "-o", "a.cf", "case.mc")
    expect_status(r, 0)
    expect_match(r"^case\.mc:8:\d+: warning: ", r.err, r)
    expect(": error: " not in r.err, r)
    expect("\nKmailertable " in read("a.cf"), "the late feature is not in the file")


def test_werror():
    """--werror makes an error of a warning."""
    write("case.mc", WARNS)
    r = mcf("build", "-o", "a.cf", "case.mc")
    expect_status(r, 0)
    expect_match(r"^case\.mc:4:\d+: warning: ", r.err, r)
    os.remove("a.cf")
    r = mcf("build", "--werror", "-o", "a.cf", "case.mc")
    expect_status(r, 65)
    expect_match(r"^case\.mc:4:\d+: error: ", r.err, r)
    expect_files("case.mc")


def test_define():
    """-D defines before the first line, with and without a value."""
    write("case.mc", GOOD + "ifdef(`FLAG', `DYflag', `DYnone')\nDZ`'HOST\n".replace("DZ", "DW"))
    r = mcf("build", "-D", "HOST=one.example", "-DFLAG", "case.mc")
    expect_status(r, 0)
    expect("\nDWone.example\n" in r.out and "\nDYflag\n" in r.out, r)
    r = mcf("build", "-D", "HOST=a=b", "case.mc")
    expect("\nDWa=b\n" in r.out and "\nDYnone\n" in r.out, r)


def test_fips3():
    """FEATURE(fips3), which the reference of the other tests lacks, names OpenSSL's files, each once."""
    for call, wanted in (("", ["EOPENSSL_CONF=/etc/mail/fips.ossl"]),
                         (", `/etc/own.ossl', `/opt/modules'",
                          ["EOPENSSL_CONF=/etc/own.ossl", "EOPENSSL_MODULES=/opt/modules"])):
        write("a.mc", GOOD.replace("LOCAL_DOMAIN", "FEATURE(`fips3'%s)dnl\nLOCAL_DOMAIN" % call))
        r = mcf("build", "a.mc")
        expect_status(r, 0)
        expect(re.findall(r"^E.*", r.out, re.M) == wanted, r)


def test_few_descriptors():
    """Where no more files can be opened that is said, and nothing is written."""
    write("case.mc", GOOD)
    for files in (4, 6, 8, 10):
        r = run("sh", "-c", "ulimit -n %d; exec \"$@\"" % files, "sh", MCF, "build", "-o", "case.cf", "case.mc")
        expect(r.status != 0 and not os.path.exists("case.cf"), "%d files\n%s" % (files, r))
        expect_match(r"^case\.mc: error: .*\[system\]$", r.err, r)


def test_include_folders():
    """-I finds includes and a site's own library; what stands beside the .mc goes first."""
    write("case.mc", GOOD.replace("LOCAL_DOMAIN", "include(`more.m4')FEATURE(`own')dnl\nLOCAL_DOMAIN"))
    os.makedirs("lib/feature")
    write("lib/more.m4", "LOCAL_DOMAIN(`more.example')dnl\n")
    write("lib/feature/own.m4", "LOCAL_CONFIG\nDYfrom lib\ndivert(0)\n")
    r = mcf("build", "case.mc")
    expect(r.status == 65 and "more.m4" in r.err and "own" in r.err, r)
    r = mcf("build", "-I", "lib", "case.mc")
    expect_status(r, 0)
    expect("more.example" in r.out and "\nDYfrom lib\n" in r.out, r)
    os.mkdir("feature")
    write("feature/own.m4", "LOCAL_CONFIG\nDYfrom here\ndivert(0)\n")
    r = mcf("build", "-Ilib", "case.mc")
    expect("\nDYfrom here\n" in r.out, r)


def test_hacks_of_the_reference():
    """A hack that only the reference's library has is said to be there, and can be used."""
    write("case.mc", GOOD.replace("LOCAL_DOMAIN", "HACK(`xconnect')dnl\nLOCAL_DOMAIN"))
    r = mcf("build", "case.mc")
    expect_status(r, 65)
    expect_match(r"hint: there is a (/usr/\S+)/hack/xconnect\.m4: build with -I \1$", r.err, r)
    library = re.search(r"build with -I (\S+)$", r.err, re.M).group(1)
    r = mcf("build", "-I", library, "case.mc")
    expect_status(r, 0)
    expect("\nSx_connect" in r.out, r)
    expect_status(mcf("build", "--confine", ".", "case.mc"), 65)
    write("case.mc", GOOD.replace("LOCAL_DOMAIN", "HACK(`../hack/xconnect')dnl\nLOCAL_DOMAIN"))
    expect("build with" not in mcf("build", "case.mc").err, "a path is no name")


def test_library_where_the_file_says():
    """include(/path/m4/cf.m4): own files under that path are found; the rest is built in."""
    os.makedirs("site/m4")
    os.makedirs("site/feature")
    write("site/feature/own.m4", "LOCAL_CONFIG\nDYfrom site\ndivert(0)\n")
    here = os.getcwd()
    write("case.mc", "include(`%s/site/m4/cf.m4')dnl\n" % here +
          GOOD.replace("LOCAL_DOMAIN", "FEATURE(`own')dnl\nLOCAL_DOMAIN"))
    r = mcf("build", "case.mc")
    expect_status(r, 0)
    expect("\nDYfrom site\n" in r.out, r)


def test_from_another_folder():
    """The .mc's own folder is where its includes are looked for; findings name the file as given."""
    os.mkdir("conf")
    write("conf/case.mc", GOOD.replace("LOCAL_DOMAIN", "include(`more.m4')LOCAL_DOMAIN"))
    write("conf/more.m4", "LOCAL_DOMAIN(`more.example')dnl\n")
    r = mcf("build", "conf/case.mc")
    expect_status(r, 0)
    expect("more.example" in r.out, r)
    write("conf/bad.mc", BAD)
    r = mcf("build", "conf/bad.mc")
    expect_match(r"^conf/bad\.mc:4:\d+: error: ", r.err, r)


def test_without_m4():
    """Without GNU m4 the word is clear and there is no file."""
    write("case.mc", GOOD)
    r = mcf("build", "-o", "a.cf", "case.mc", env=dict(os.environ, MCF_M4="/nonexistent/m4"))
    expect(r.status not in (0, 2) and "m4" in r.err, r)
    expect_files("case.mc")


# ---- mcf check ---------------------------------------------------------------------------

def test_check():
    """check prints the findings on standard output: 0 without errors, 1 with them, no .cf."""
    write("good.mc", GOOD)
    write("bad.mc", BAD)
    write("warns.mc", WARNS)
    write("lax.mc", LAX)
    for name, arguments, status in (("good", [], 0), ("bad", [], 1), ("warns", [], 0), ("lax", [], 1),
                                    ("warns", ["--werror"], 1), ("lax", ["--lax"], 0)):
        r = mcf("check", *arguments, name + ".mc")
        expect_status(r, status)
        expect(r.err == "", r)
        expect((r.out == "") == (name == "good"), r)
    expect_files("good.mc", "bad.mc", "warns.mc", "lax.mc")
    r = mcf("check", "nowhere.mc")
    expect(r.status == 66 and "nowhere.mc" in r.out, r)


def test_check_says_what_build_says():
    """check and build say the same about an .mc."""
    for text in (GOOD, BAD, LAX, WARNS, "", "OSTYPE(`linux'", "\n"):
        write("case.mc", text)
        built, checked = mcf("build", "-o", "/dev/null", "case.mc"), mcf("check", "case.mc")
        expect(built.err == checked.out, "%s\n%s" % (built, checked))


def test_check_cf():
    """A .cf is checked as it is, from wherever it came."""
    write("case.mc", GOOD)
    mcf("build", "-o", "a.cf", "case.mc")
    r = mcf("check", "a.cf")
    expect(r.status == 0 and r.err == "", r)
    lines = read("a.cf").split("\n")
    write("b.cf", "\n".join(lines[:20] + ["R$* no tab"] + lines[20:]))
    r = mcf("check", "b.cf")
    expect_status(r, 1)
    expect_match(r"^b\.cf:21(:\d+)?: error: ", r.out, r)
    expect_status(mcf("check", "nowhere.cf"), 66)
    for name in ("a.cf.bak", "a.cf~", "a.cf-2019"):
        shutil.copy("a.cf", name)
        expect_status(mcf("check", name), 0)


def test_check_cf_class_files():
    """The files of F lines are looked for: beside the .cf they must be, elsewhere they may."""
    here = os.getcwd()
    write("there", "word\n")
    cf = os.path.join(here, "f.cf")
    for line, found in (("Fw%s/there" % here, None), ("Fw%s/none" % here, "warning"), ("Fw-o %s/none" % here, None),
                        ("Fw/nowhere/none", "note"), ("F{x}key@hash:/nowhere/none", None), ("F{x}|/nowhere/none", None),
                        ("Fw%s/none %%s" % here, "warning")):
        write("f.cf", "V10\n%s\nMlocal, P=/bin/true, A=true $u\n" % line)
        r = mcf("check", cf)
        expect_status(r, 0)
        if found:
            expect_match(r":2:1: %s: there is no file .*none.* \[class-file\]" % found, r.out, r)
        else:
            expect(r.out == "", r)


def test_fix():
    """--fix mends what has one answer and nothing else, says what, and a second run has nothing
    to mend; mode, comments, layout, CRLF and 8-bit bytes stay."""
    text = ("dnl  two  blanks\t\xfc\r\n" + GOOD.replace("\n", "\r\n")
            .replace("FEATURE(`access_db')dnl", "  FEATURE( `acces_db') dnl \xe9"))
    with open("case.mc", "w", encoding="latin-1", newline="") as f:
        f.write(text)
    os.chmod("case.mc", 0o600)
    r = mcf("check", "--fix", "case.mc")
    expect_status(r, 0)
    expect_match(r"^case\.mc:5: mended: .* \[unknown-feature\]$", r.err, r)
    with open("case.mc", encoding="latin-1", newline="") as f:
        now = f.read()
    expect(now == text.replace("acces_db", "access_db"), repr(now))
    expect(stat.S_IMODE(os.stat("case.mc").st_mode) == 0o600, "the mode was changed")
    before = os.stat("case.mc")
    r = mcf("check", "--fix", "case.mc")
    expect(r.status == 0 and r.out == r.err == "", r)
    after = os.stat("case.mc")
    expect((before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), "touched")
    expect_files("case.mc")


def test_fix_keeps_what_has_no_answer():
    """What has no one answer stays, is said, and the status is 1."""
    text = BAD.replace("LOCAL_DOMAIN", "FEATURE(`nothing_like_it')dnl\nLOCAL_DOMAIN")
    write("case.mc", text)
    r = mcf("check", "--fix", "case.mc")
    expect_status(r, 1)
    expect(read("case.mc") == text.replace("acces_db", "access_db"), read("case.mc"))
    expect("nothing_like_it" in r.out and "acces_db" not in r.out, r)


def test_fix_link():
    """A symbolic link stays one; the file behind it is mended."""
    os.mkdir("real")
    write("real/case.mc", BAD)
    os.symlink("real/case.mc", "case.mc")
    r = mcf("check", "--fix", "case.mc")
    expect(r.status == 0 and os.path.islink("case.mc"), r)
    expect("access_db" in read("real/case.mc"), r)


def test_fix_included():
    """Files below the .mc's folder are mended too, others are not touched."""
    os.makedirs("conf/parts")
    os.mkdir("other")
    part = "FEATURE(`acces_db')dnl\n"
    write("conf/parts/one.m4", part)
    write("other/two.m4", part.replace("acces_db", "mailertabel"))
    write("conf/case.mc", GOOD.replace("FEATURE(`access_db')dnl\n",
                                       "include(`parts/one.m4')include(`../other/two.m4')"))
    r = mcf("check", "--fix", "conf/case.mc")
    expect_status(r, 1)
    expect(read("conf/parts/one.m4") == part.replace("acces_db", "access_db"), r)
    expect("mailertabel" in read("other/two.m4") and "mailertabel" in r.out, r)


def test_diff():
    """--diff prints what --fix would do as a unified diff, that patch takes, and changes nothing."""
    write("case.mc", BAD)
    r = mcf("check", "--diff", "case.mc")
    expect_status(r, 1)
    expect(read("case.mc") == BAD, "the file was changed")
    expect("\n-FEATURE(`acces_db')dnl\n+FEATURE(`access_db')dnl\n" in r.out, r)
    expect_match(r"acces_db", r.err, r)
    difference = r.out
    write("copy.mc", BAD)
    mcf("check", "--fix", "copy.mc")
    rebuilt = run("patch", "case.mc", data=difference.encode("latin-1"))
    expect(rebuilt.status == 0 and read("case.mc") == read("copy.mc"), rebuilt)
    r = mcf("check", "--diff", "case.mc")
    expect(r.status == 0 and r.out == "", r)


def test_fix_disk_full():
    """Where the file cannot be written it stays whole, and the status is 73."""
    os.mkdir("small")
    write("case.mc", BAD + "dnl " + "x" * 5000 + "\n")
    script = ("mount -t tmpfs -o size=8k none small && cp case.mc small && "
              "'%s' check --fix small/case.mc; echo $?; cmp case.mc small/case.mc && ls small" % MCF)
    r = run("unshare", "-m", "sh", "-c", script)
    expect(r.out.split("\n")[-3:-1] == ["73", "case.mc"], r)
    expect_match(r"small/case\.mc", r.err, r)


def test_list_findings():
    """list prints a line a finding; with an id, everything about it; a wrong id is 2."""
    r = mcf("list", "findings")
    expect_status(r, 0)
    for line in r.out.splitlines():
        expect(re.match(r"[a-z0-9-]+ +(error|error \(lax\)|warning|note) +\S", line) and
               "%" not in line, line)
    expect(len(r.out.splitlines()) > 50, r)
    r = mcf("list", "findings", "unknown-feature")
    expect_status(r, 0)
    expect_match(r"why: +\S", r.out, r)
    r = mcf("list", "findings", "unknown-featur")
    expect(r.status == 2 and "unknown-feature" in r.err, r)
    for arguments in ([], ["nonsense"], ["findings", "x", "y"]):
        expect_status(mcf("list", *arguments), 2)


def listed(table):
    """{name: its paragraph} of a table."""
    r = mcf("list", table)
    expect_status(r, 0)
    names = [line.split()[0] for line in r.out.splitlines()]
    expect(names and len(names) == len(set(names)), "names of %s: none, or one twice" % table)
    found = {}
    for name in names:
        one = mcf("list", table, name)
        expect_status(one, 0)
        expect_match(r"\A%s: \S" % re.escape(name), one.out, one)
        found[name] = one.out
    return found


def example(paragraph):
    m = re.search(r"^  example +(\S.*)$", paragraph, re.M)
    expect(m, "no example\n" + paragraph)
    return m.group(1)


def test_list_tables():
    """list prints features, variables, mailers, ostypes, options and macros, and all of each name."""
    for table in ("features", "variables", "mailers", "ostypes", "options", "macros"):
        for paragraph in listed(table).values():
            example(paragraph)
    one = mcf("list", "features", "access_db").out
    for word in (" 1 map: ", " 2 how: ", "_ACCESS_TABLE_"):
        expect(word in one, one)
    expect_match(r"^  needs +access_db$", mcf("list", "features", "compat_check").out, one)
    expect_match(r"^  not in .*8\.14", mcf("list", "features", "fips3").out, one)
    expect_match(r"^  variable +confPRIVACY_FLAGS$", mcf("list", "options", "PrivacyOptions").out, one)
    expect_match(r"PROCMAIL_MAILER_PATH +/usr/bin/procmail", mcf("list", "ostypes", "linux").out, one)
    wrong = mcf("list", "features", "acces_db")
    expect(wrong.status == 2 and "access_db" in wrong.err and not wrong.out, wrong)


def test_list_examples():
    """What list gives as an example compiles."""
    def builds(name, before, text, after):
        write("case.mc", "".join(l + "\n" for l in before + [text] + after))
        r = mcf("build", "case.mc")
        expect(r.status == 0 and ": error: " not in r.err, "%s\n%s\n%s" % (name, text, r))
        return r
    head, tail = ["OSTYPE(`linux')dnl"], ["MAILER(`local')dnl", "MAILER(`smtp')dnl"]
    access = ["FEATURE(`access_db')dnl"]
    for name, p in listed("features").items():
        whole = name in ("msp", "nullclient")
        builds(name, head + ([] if whole or name == "access_db" else access), example(p), [] if whole else tail)
    for name, p in listed("variables").items():
        if not name.startswith("_"):
            filters = ["MAIL_FILTER(`name', `S=local:/run/name')dnl"] if name == "confINPUT_MAIL_FILTERS" else []
            r = builds(name, head + filters, example(p), tail)
            expect("bad-" not in r.err and "unknown-variable" not in r.err, "%s\n%s" % (example(p), r))
    for name, p in listed("mailers").items():
        first = {"uucp": tail, "ssh": ["define(`SSH_MAILER_%s', `%s')dnl" % x
                                       for x in (("USER", "mail:mail"), ("DIR", "/var/mail"))]}
        builds(name, head + first.get(name, []), example(p), [] if name in ("local", "uucp") else tail[:1])
    for name, p in listed("ostypes").items():
        if name != "unknown":
            builds(name, [], example(p), tail)
    for name, p in listed("macros").items():
        if name not in ("OSTYPE", "MAILER", "SITECONFIG", "MAIL_FILTER"):
            late = name == "UUCPSMTP" or "(" not in example(p)
            before = tail + ["LOCAL_RULE_3"] if name == "UUCPSMTP" else tail if late else []
            builds(name, head + before, example(p), [] if late else tail)


# ---- --confine ---------------------------------------------------------------------------

def test_confine():
    """With --confine nothing is read outside of the folder, whatever it is called; each attempt
    is said where it stands, and no byte of it is shown."""
    os.makedirs("in/sub")
    os.mkdir("out")
    here = os.getcwd()
    write("in/sub/ok.m4", "LOCAL_DOMAIN(`fine.example')dnl\n")
    for name in ("out/x.m4", "x.m4"):
        write(name, "EXPOSED_USER(`secret')dnl\n")
    os.symlink("../out/x.m4", "in/link.m4")
    os.symlink("sub/ok.m4", "in/inside.m4")
    os.symlink(here + "/out", "in/folder")
    write("hard.m4", "LOCAL_DOMAIN(`hard.example')dnl\n")
    os.link("hard.m4", "in/hard.m4")  # a name of its own below the folder: that is inside
    good = "include(`sub/ok.m4')include(`inside.m4')sinclude(`nowhere.m4')dnl\n"
    write("in/good.mc", GOOD + good + "include(`hard.m4')dnl\n")
    r = mcf("build", "--confine", "in", "in/good.mc")
    expect_status(r, 0)
    expect("fine.example" in r.out and "hard.example" in r.out, r)
    attempts = ["include(`../out/x.m4')", "include(`link.m4')", "include(`folder/x.m4')",
                "include(`%s/out/x.m4')" % here, "sinclude(`../out/x.m4')", "undivert(`link.m4')",
                "include(`../x.m4')", "include(`/proc/self/environ')",
                "include(`/proc/self/cwd/out/x.m4')", "include(`in/../out/x.m4')",
                "builtin(`include', `link.m4')", "builtin(`sinclude', `link.m4')",
                "include(`x.m4')", "include(`/usr/lib/os-release')", "include(`/etc/passwd')"]
    env = dict(os.environ, SECRET="secret text")
    for attempt in attempts:
        write("in/bad.mc", GOOD + attempt + "dnl\n")
        r = mcf("build", "--confine", "in", "-o", "bad.cf", "in/bad.mc", env=env)
        expect_status(r, 65)
        expect_match(r"^in/bad\.mc:10(:\d+)?: error: .* is outside of in: it is not read \[confined\]",
                     r.err, "%s\n%s" % (attempt, r))
        expect("secret" not in r.out + r.err, "%s\n%s" % (attempt, r))
        expect(not os.path.exists("bad.cf"), "a .cf was written")
        r = mcf("build", "in/bad.mc", env=env)
        expect("secret" in r.out or re.search("/etc/|/usr/|environ", attempt),
               "this reads nothing without --confine either\n%s" % r)
    # A file that says it is another shows no line of that.
    write("in/bad.mc", "undefine(`__file__')define(`__file__', `%s/out/x.m4')"
          "FEATURE(`nonsense')dnl\n" % here)
    r = mcf("check", "--confine", "in", "in/bad.mc")
    expect(r.status == 1 and "secret" not in r.out, r)


def test_confine_file_and_folders():
    """The file itself, -I and the site's library must be below the folder too."""
    os.makedirs("in")
    os.makedirs("out/feature")
    write("in/case.mc", GOOD.replace("LOCAL_DOMAIN", "FEATURE(`own')dnl\nLOCAL_DOMAIN"))
    write("out/case.mc", GOOD)
    write("out/feature/own.m4", "LOCAL_CONFIG\nDYsecret\ndivert(0)\n")
    os.symlink("../out/case.mc", "in/link.mc")
    for name in ("out/case.mc", "in/link.mc"):
        for verb in ("build", "check"):
            r = mcf(verb, "--confine", "in", name)
            expect(r.status in (66, 1), r)
            expect("DS" not in r.out, r)
            expect_match(r"outside of in: it is not read \[confined\]", r.out + r.err, r)
    expect_status(mcf("build", "-I", "out", "in/case.mc"), 0)
    r = mcf("build", "--confine", "in", "-I", "out", "in/case.mc")
    expect(r.status == 65 and "secret" not in r.out, r)
    expect_match(r"out is outside of in: it is not read \[confined\]", r.err, r)
    write("out/a.cf", "V10/Berkeley\n")
    r = mcf("check", "--confine", "in", "out/a.cf")
    expect_match(r"\[confined\]", r.out, r)
    for arguments in (["--confine", "nowhere"], ["--confine", "in/case.mc"],
                      ["--confine", "in", "--allow-commands"]):
        expect_status(mcf("build", *arguments, "in/case.mc"), 2)


WITHOUT_LANDLOCK = """
import ctypes, errno, os, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7fff0000)]
text = b"".join(struct.pack("HBBI", *c) for c in code)
buffer = ctypes.create_string_buffer(text)
program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_confine_where_the_kernel_cannot():
    """On a kernel without Landlock nothing is run, and that is said."""
    write("case.mc", GOOD)
    r = run(sys.executable, "-c", WITHOUT_LANDLOCK, MCF, "build", "case.mc")
    expect(r.status == 0 and "DXvalue" in r.out, r)
    r = run(sys.executable, "-c", WITHOUT_LANDLOCK, MCF, "build", "--confine", ".", "case.mc")
    expect(r.status == 65 and r.out == "", r)
    expect_match(r"^case\.mc: error: cannot confine m4 to \.: .*Landlock.* \[system\]$", r.err, r)


def test_confine_fix():
    """--fix changes nothing outside of the folder."""
    os.makedirs("conf/in")
    write("conf/x.m4", "FEATURE(`acces_db')dnl\n")
    write("conf/in/case.mc", GOOD + "include(`../x.m4')dnl\n")
    r = mcf("check", "--fix", "--confine", "conf/in", "conf/in/case.mc")
    expect(r.status == 1 and "acces_db" in read("conf/x.m4"), r)


def test_confine_without_privileges():
    """It needs no privilege, and temporary files of large diversions still work."""
    os.mkdir("in")
    write("in/case.mc", GOOD + "LOCAL_CONFIG\n" + "".join(
        "divert(%d)%s\n" % (i % 9 + 1, "# " + "x" * 6000) for i in range(300)) + "divert(0)dnl\n")
    os.chmod(".", 0o755)
    inside = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]
    env = dict(os.environ, TMPDIR="/tmp")
    free = run(MCF, "build", "in/case.mc")
    r = run(*inside, MCF, "build", "--confine", "in", "in/case.mc", env=env)
    expect(free.status == 0 and len(free.out) > 1000000, free)
    expect(r.status == 0 and r.out == free.out, r)


# ---- the source map, mcf where -----------------------------------------------------------

def test_where():
    """--map and mcf where: a line of the .cf comes from this line of the .mc, or that rule file."""
    write("case.mc", GOOD + "LOCAL_RULE_0\nR$* < @ x.example. > $*\t$#local $: root\n")
    expect_status(mcf("build", "--map", "a.cf.map", "-o", "a.cf", "case.mc"), 0)
    lines = read("a.cf").split("\n")

    def where(text):
        number = next((i for i, l in enumerate(lines, 1) if l.startswith(text)), 0)
        expect(number, "no line %s in the .cf" % text)
        r = mcf("where", "a.cf:%d" % number)
        expect_status(r, 0)
        return r
    for text, pattern in (("DXvalue", r"case\.mc:9\b"), ("R$* < @ x.example", r"case\.mc:11\b"),
                          ("C{w}here.example", r"case\.mc:5\b"),
                          ("Kaccess", r"case\.mc:4\b|rulesets/feature/access_db\S*:\d+"),
                          ("Mlocal", r"case\.mc:6\b|rulesets/mailer/local\S*:\d+"),
                          ("DSsmart", r"case\.mc:3\b"),
                          ("Scheck_rcpt", r"rulesets/\S+:\d+")):
        r = where(text)
        expect_match(pattern, r.out, "%s\n%s" % (text, r))
    r = mcf("where", "a.cf:999999")
    expect(r.status in (1, 65), r)
    expect_status(mcf("where", "nonsense"), 2)
    r = mcf("where", "nowhere.cf:3")
    expect_status(r, 66)


def test_where_says_it_is_stale():
    """A map that does not belong to the .cf is not believed."""
    write("case.mc", GOOD)
    mcf("build", "--map", "a.cf.map", "-o", "a.cf", "case.mc")
    write("a.cf", "# another file\n" + read("a.cf"))
    r = mcf("where", "a.cf:40")
    expect(r.status != 0 or re.search("stale|changed|not.*match|other", r.out + r.err), r)


# ---- changes -----------------------------------------------------------------------------

def test_compare_with():
    """--compare-with says what changes in the configuration, and that nothing does."""
    write("case.mc", GOOD)
    mcf("build", "-o", "a.cf", "case.mc")
    r = mcf("build", "--compare-with", "a.cf", "-o", "b.cf", "case.mc")
    expect_status(r, 0)
    expect_match(r"same configuration", r.err, r)
    write("case.mc", GOOD.replace("smart.example.org", "other.example.org")
          .replace("LOCAL_DOMAIN", "define(`confLOG_LEVEL', `14')dnl\nLOCAL_DOMAIN"))
    r = mcf("build", "--compare-with", "a.cf", "-o", "a.cf", "case.mc")
    expect_status(r, 0)
    for pattern in (r"other\.example\.org", r"smart\.example\.org", r"LogLevel"):
        expect_match(pattern, r.err, r)
    expect(r.out == "" and "other.example.org" in read("a.cf"), r)
    r = mcf("build", "--compare-with", "nowhere.cf", "case.mc")
    expect_match(r"nowhere\.cf", r.err, r)


def test_backup():
    """--backup keeps the file that is replaced; without one there is no backup."""
    write("case.mc", GOOD)
    r = mcf("build", "--backup", ".bak", "-o", "a.cf", "case.mc")
    expect_status(r, 0)
    expect_files("case.mc", "a.cf")
    old = read("a.cf")
    write("case.mc", GOOD.replace("DXvalue", "DXother"))
    expect_status(mcf("build", "--backup", ".bak", "-o", "a.cf", "case.mc"), 0)
    expect(read("a.cf.bak") == old and "DXother" in read("a.cf"), "no good backup")


def test_diff():
    """mcf diff: 0 for the same configuration, 1 and what it is for another."""
    write("one.mc", GOOD)
    write("two.mc", GOOD.replace("LOCAL_DOMAIN(`here", "LOCAL_DOMAIN(`there.example here"))
    mcf("build", "-o", "one.cf", "one.mc")
    mcf("build", "-o", "two.cf", "two.mc")
    write("same.cf", "# a comment\n\n" + read("one.cf"))
    expect_status(mcf("diff", "one.cf", "same.cf"), 0)
    r = mcf("diff", "one.cf", "two.cf")
    expect_status(r, 1)
    expect_match(r"there\.example", r.out, r)
    expect("here.example" not in r.out.replace("there.example", ""), "what is equal is shown\n%s" % r)
    expect_status(mcf("diff", "one.cf", "nowhere.cf"), 66)


# ---- mcf init and its Makefile -----------------------------------------------------------

def test_init():
    """mcf init puts a Makefile; again is no change; another Makefile is left and the difference shown."""
    os.mkdir("mail")
    r = mcf("init", "mail")
    expect_status(r, 0)
    first = read("mail/Makefile")
    expect(sorted(os.listdir("mail")) == ["Makefile"], os.listdir("mail"))
    expect_status(mcf("init", "mail"), 0)
    expect(read("mail/Makefile") == first, "the second run changed it")
    write("mail/Makefile", first.replace("all:", "mine:"))
    r = mcf("init", "mail")
    expect(r.status in (0, 1), r)
    expect("mine:" in read("mail/Makefile"), "the administrator's file was overwritten")
    expect_match(r"^[-+<>] ?.*mine:", r.out + r.err, r)
    expect(mcf("init", "nowhere").status != 0, "a folder that is not there")


def test_make_in_etc_mail():
    """The Makefile builds .cf and maps, does nothing when all is new, and keeps the old on an error."""
    os.mkdir("mail")
    expect_status(mcf("init", "mail"), 0)
    write("mail/sendmail.mc", GOOD)
    write("mail/access", "Connect:192.168\tRELAY\n")
    write("mail/aliases", "postmaster: root\n")
    r = run("make", "-C", "mail", "MCF=" + MCF)
    expect_status(r, 0)
    made = sorted(f for f in os.listdir("mail") if not f.startswith("."))
    for f in ("sendmail.cf", "access.db", "aliases.db"):
        expect(f in made, "%s was not made: %s\n%s" % (f, made, r))
    stamp = os.stat("mail/sendmail.cf").st_mtime_ns, os.stat("mail/access.db").st_mtime_ns
    r = run("make", "-C", "mail", "MCF=" + MCF)
    expect_status(r, 0)
    expect(stamp == (os.stat("mail/sendmail.cf").st_mtime_ns, os.stat("mail/access.db").st_mtime_ns),
           "it was made again though nothing changed\n%s" % r)
    expect_match(r"(?m)^postmaster\troot$", mcf("map", "dump", "mail/aliases").out, "read as aliases")
    old, old_db = read("mail/sendmail.cf"), read("mail/access.db")
    time.sleep(0.05)
    write("mail/sendmail.mc", BAD)
    expect(run("make", "-C", "mail", "MCF=" + MCF, "sendmail.cf").status != 0, "a bad .mc")
    expect(read("mail/sendmail.cf") == old, "the old .cf is gone")
    write("mail/access", "Connect:192.168\n")
    r = run("make", "-C", "mail", "MCF=" + MCF, "access.db")
    expect(r.status != 0 and read("mail/access.db") == old_db, "the old map is gone\n%s" % r)
    write("mail/sendmail.mc", GOOD.replace("smart.example.org", "other.example.org"))
    r = run("make", "-C", "mail", "MCF=" + MCF, "sendmail.cf")
    expect_status(r, 0)
    expect(read("mail/sendmail.cf.bak") == old, "no backup")
    expect_match(r"smart\.example\.org", r.out + r.err, r)
    expect_match(r"^access:1:1: error: connect:192\.168 has no value \[map-no-value\]$", run(
        "make", "-C", "mail", "MCF=" + MCF, "access.db").err, "the line")
    write("mail/access", "Connect:192.168\tRELAY\nConnect:10\tRELAY\n")
    r = run("make", "-C", "mail", "MCF=" + MCF, "MAPTYPE=cdb")
    expect_status(r, 0)
    expect(os.path.exists("mail/access.cdb"), r)


# ---- the project's own Makefile ----------------------------------------------------------

def copy_of_the_tree():
    """A copy of the project that uses the same build folder, so that nothing is built again."""
    run("sh", "-c", "mkdir tree && tar -C '%s' --exclude=./build --exclude=./.git --exclude='./sendmail.cf*'"
        " -cf - . | tar -C tree -xpf -" % ROOT)


def make(*arguments):
    return run("make", "-C", "tree", "BUILD=" + BUILD, *arguments)


def test_make_submit_cf():
    """make submit.cf compiles the sample for this system, or the one that MC names, and says what comes next."""
    copy_of_the_tree()
    r = make("submit.cf")
    expect_status(r, 0)
    expect_match(r"^submit\.cf is made from samples/submission/", r.out, r)
    expect_match(r"sendmail -Ac", r.out, r)
    expect("\nO UseMSP=True\n" in read("tree/submit.cf"), "not the submission program's\n%s" % r)
    r = make("submit.cf", "MC=samples/submission/freebsd.mc")
    expect_status(r, 0)
    expect_match(r"freebsd\.mc", r.out, r)
    expect(os.path.exists("tree/submit.cf.bak"), "the old file was not kept as .bak")


def test_make_sendmail_cf():
    """make sendmail.cf compiles the sample, says what comes next, keeps a .bak, shows what changed."""
    copy_of_the_tree()
    r = make("sendmail.cf")
    expect_status(r, 0)
    first = read("tree/sendmail.cf")
    expect("O DaemonPortOptions=Name=MTA" in first and "192.168" not in first,
           "not the sample's configuration\n%s" % r)
    expect_match(r"sendmail\.cf", r.out, r)
    expect(3 <= len(r.out.strip().split("\n")) <= 40, "a few lines\n%s" % r)
    write("own.mc", GOOD)
    r = make("sendmail.cf", "MC=" + os.path.abspath("own.mc"))
    expect_status(r, 0)
    expect("\nDXvalue\n" in read("tree/sendmail.cf"), "not the file that MC names\n%s" % r)
    expect(read("tree/sendmail.cf.bak") == first, "the old file was not kept as .bak")
    expect_match(r"smart\.example\.org", r.out + r.err, r)
    write("own.mc", BAD)
    second = read("tree/sendmail.cf")
    r = make("sendmail.cf", "MC=" + os.path.abspath("own.mc"))
    expect(r.status != 0 and read("tree/sendmail.cf") == second, "an error must keep the old file\n%s" % r)
    expect_match(r"own\.mc:4:\d+: error: ", r.err, r)


def test_make_install():
    """make install honours DESTDIR and PREFIX and installs nothing that belongs to sendmail."""
    copy_of_the_tree()
    r = make("install", "DESTDIR=" + os.path.abspath("root"), "PREFIX=/opt/mcf")
    expect_status(r, 0)
    files = sorted(os.path.relpath(os.path.join(d, f), "root")
                   for d, _, names in os.walk("root") for f in names)
    expect("opt/mcf/bin/mcf" in files, files)
    expect("opt/mcf/sbin/mcfd" in files, files)
    expect("opt/mcf/share/man/man1/mcf.1" in files, files)
    for page in glob.glob(os.path.join(ROOT, "man", "*.[0-9]")):
        to = "opt/mcf/share/man/man%s/%s" % (page[-1], os.path.basename(page))
        expect(to in files, "not installed: %s, of %s" % (to, files))
    outside = [f for f in files if not f.startswith("opt/mcf/")]
    expect(not outside, "outside of PREFIX: %s" % outside)
    theirs = [f for f in files if os.path.basename(f) in
              ("sendmail", "makemap", "newaliases", "mailq", "sendmail.cf", "sendmail.mc")]
    expect(not theirs, "sendmail's names: %s" % theirs)
    write("case.mc", GOOD)
    page = read("root/opt/mcf/share/man/man1/mcf.1").replace("\\-", "-")
    for line in mcf("list", "findings").out.splitlines():
        expect("\n.B %s\n" % line.split()[0] in page, "not in the manual: " + line)
    for verb in ("build", "check", "list", "diff", "where", "dump"):
        for option in re.findall(r"^  (--?[A-Za-z-]+)", mcf(verb, "--help").out, re.M):
            expect(re.search(r"[ \[]%s\b" % option, page), "not in the manual: " + option)
    expect(not re.search("^@[A-Z]+@$", page, re.M), "a mark was left in the manual")
    for table in ("features", "macros"):
        for line in mcf("list", table).out.splitlines():
            expect("\n.B %s\n" % line.split()[0] in page, "not in the manual: " + line)
    moved = os.path.abspath("root/opt/mcf/bin/mcf")
    r = run(moved, "build", "case.mc")
    expect(r.status == 0 and r.out == mcf("build", "case.mc").out, r)


# ---- --target ----------------------------------------------------------------------------

def test_target():
    """--target writes for a release; the default is what is installed, and 8.17 without one."""
    write("case.mc", GOOD.replace("LOCAL_CONFIG", "define(`confHELO_NAME', `x.example')dnl\nLOCAL_CONFIG"))
    default = mcf("build", "case.mc")
    expect_status(default, 0)
    expect(mcf("build", "--target", "8.17", "case.mc").out == default.out, "8.17 is another")
    expect("EOPENSSL_CONF" not in default.out and "O HeloName=x.example" in default.out, default)
    old = mcf("build", "--target=8.13.8", "case.mc")
    expect_status(old, 0)
    expect("HeloName" not in old.out and "not-in-release" in old.err, old)
    new = mcf("build", "--target", "8.18", "case.mc")
    expect("\nEOPENSSL_CONF=/etc/mail/sendmail.ossl\n" in new.out and new.err == "", new)
    for wrong in ("8.9", "8.19", "9", "8.", "8.14.x", "8.14.4.1.1"):
        r = mcf("build", "--target", wrong, "case.mc")
        expect_status(r, 2)
        expect("8.12 8.13 8.14 8.15 8.16 8.17 8.18" in r.err, r)
    with open("sendmail", "wb") as f:
        f.write(b"\x7fELF\x008.1x\x008.18.1\x00")
    installed = mcf("build", "case.mc", env=dict(os.environ, MCF_SENDMAIL="./sendmail"))
    expect(installed.out == new.out, installed)


# ---- mcfd --------------------------------------------------------------------------------

TRIED = """V10/Berkeley
O OperatorChars=.:%@!^/[]+
O BlankSub=.
Dxfile
Kdq dequote
Mlocal, P=/bin/true, F=lu, A=x
S0
R$- at $+\t$#local $@ $2 $: $(dq $1 $: none $)
R$*\t$#local $: $1
"""


def mcfd(*arguments, lines=""):
    return run(os.path.join(BUILD, "mcfd"), "-bt", *arguments, data=lines.encode("latin-1"))


def test_mcfd_command_line():
    """Options of the command line stay, macros of it do not; a folder's own names are found."""
    write("try.cf", TRIED)
    r = mcfd("-C", "try.cf", lines="/parse a b\n$x\n$y\n")
    expect_status(r, 0)
    expect("user a.b\n> file\n> Undefined\n> " in r.out and not r.err, r)
    for option in (["-OBlankSub=_"], ["-O", "BlankSub=_"]):
        r = mcfd("-C", "try.cf", *option, "-Mxline", "-M{y}line", "-M", "zline", lines="/parse a b\n$x\n${y}\n$z\n")
        expect("user a_b\n> file\n> line\n> line\n> " in r.out, r)
    write("short.cf", TRIED.replace("O BlankSub=.\n", ""))
    expect("user a_b\n" in mcfd("-C", "short.cf", "-oB_", lines="/parse a b\n").out, "-o")
    for wrong, why in ((["-Z"], "illegal option -- Z"), (["-bq"], "Invalid operation mode q")):
        r = mcfd("-C", "try.cf", *wrong)
        expect_status(r, 64)
        expect(why in r.err and not r.out, r)
    r = mcfd("-C", "nosuch.cf")
    expect_status(r, 72)
    expect(r.out == "nosuch.cf: line 0: cannot open: No such file or directory\n", r)
    write("nolocal.cf", "V10/Berkeley\n")
    r = mcfd("-C", "nolocal.cf", lines="$j")
    expect_status(r, 70)
    expect("no mailer named local" in r.err and "ADDRESS TEST MODE" in r.out, r)


def test_mcfd_trace():
    """-d21.12: each rule by file and line, what its wildcards took, and maps that were asked."""
    write("try.cf", TRIED)
    want = ("  try.cf:8: R$- at $+\t$#local $@ $2 $: $(dq $1 $: none $)\n    $1 = \"q\"\n    $2 = b . c\n"
            "    map dq, key \"\"q\"\": found: \"q\"\n    makes: $# local $@ b . c $: q\n")
    for given, first in ((["-d21.12"], ""), ([], "-d21.12\n")):
        r = mcfd("-C", "try.cf", *given, lines=first + '0 "q" at b.c\n')
        expect(want in r.out, r)
    expect("try.cf:8" not in mcfd("-C", "try.cf", "-d21.12", lines="-d21.1\n0 a\n").out, "-d21.1")


def test_mcfd_json():
    """--json: an answer is one line, and has all that the text has."""
    write("try.cf", TRIED)
    r = mcfd("-C", "try.cf", "--json", lines='0 "q" at b\n/parse <a at b\n$x\n\n100 a\n/map dq "a"\n/quit\n$x\n')
    expect_status(r, 70)
    lines = [json.loads(l) for l in r.out.splitlines()]
    expect(len(lines) == 7 and all(l["question"] for l in lines[:3]), r)
    tokens = ["$#", "local", "$@", "b", "$:", "q"]
    expect(lines[0] == {"question": '0 "q" at b', "trace": [
        {"event": "enter", "ruleset": "0", "number": 0, "tokens": ['"q"', "at", "b"]},
        {"event": "leave", "ruleset": "0", "number": 0, "tokens": tokens}],
        "lookups": [{"map": "dq", "key": '"q"', "verdict": "found", "value": "q"}], "notes": [],
        "result": {"tokens": tokens}, "text": "", "status": 0}, lines[0])
    expect(lines[1]["result"] == {"form": "<$g>", "mailer": "local", "host": None, "user": "<a.at.b>"}, lines[1])
    expect(lines[1]["notes"] == ["<a at b... Unbalanced '<'"] and lines[1]["status"] == 0, lines[1])
    expect(lines[2]["text"] == "file\n" and lines[3]["text"] == "" and lines[4]["status"] == 70, lines[2:5])
    expect(lines[5]["result"] == {"verdict": "found"} and lines[5]["lookups"][0]["value"] == "a", lines[5])


def test_mcfd_page():
    """The help and the page name each command."""
    write("try.cf", TRIED)
    helped = mcfd("-C", "try.cf", lines="?\n").out
    page = read(os.path.join(ROOT, "man", "mcfd.8"))
    rows = re.findall(r'^SLASH\((\w+)', read(os.path.join(ROOT, "mta", "commands.def")), re.M)
    expect(len(rows) > 5, "commands.def reads otherwise now")
    for name in rows:
        expect("\n/%s " % name in helped, "not in the help: " + name)
        expect(re.search(r"^\.BI? /%s\b" % name, page, re.M), "not in the page: " + name)


def main():
    os.environ["MCF_SENDMAIL"] = ""  # whatever this machine has
    run_functions("cli", __doc__, {**globals(), **vars(compat)})


if __name__ == "__main__":
    main()
