"""Cases of run.py: the units, and the names that install-compat registers, below a DESTDIR."""
import gzip
import os
import re
import shutil
import subprocess

from report import ROOT, expect

OURS = "/usr/local/sbin/mcfd"
NAMES = ["/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases", "/usr/sbin/hoststat", "/usr/sbin/purgestat",
         "/usr/sbin/sendmail-mta", "/usr/sbin/sendmail-msp"]
PATH = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
THEIRS = "/usr/libexec/sendmail/sendmail"


def run(*words, fails=False):
    p = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=PATH)
    expect((p.returncode != 0) == fails, "%s: exit status %d\n%s" % (" ".join(words), p.returncode, p.stdout))
    return p.stdout


def make(target, root, fails=False):
    return run("make", "-s", "--no-print-directory", "-C", ROOT, target, "DESTDIR=" + root, fails=fails)


def script(name, root, *words, fails=False):
    """The same without a build: everything is there already."""
    return run("env", "DESTDIR=" + root, os.path.join(ROOT, "tools", name), *words, "/usr/local", fails=fails)


def leads_to(root, path):
    """What the name is in the end, below root; None: it is not there."""
    for _ in range(5):
        if not os.path.islink(root + path):
            return path if os.path.exists(root + path) else None
        path = os.readlink(root + path)
    return None


def files(root):
    """All names below root that are not the alternatives system's own records, and what links say."""
    out = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not path.startswith(root + "/var/"):
                out[path] = os.readlink(path) if os.path.islink(path) else ""
    return out


def installed():
    root = os.path.abspath("root")
    make("install", root)
    return root


def debian(root):
    """As Debian's sendmail registers itself."""
    for folder in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec/sendmail", "/var/lib/dpkg/alternatives"):
        os.makedirs(root + folder, exist_ok=True)
    with open(root + THEIRS, "w") as f:
        f.write("theirs\n")
    for group, slaves in (("sendmail-mta", (("mailq", "/usr/bin/mailq"), ("newaliases", "/usr/sbin/newaliases"))),
                          ("sendmail-msp", (("sendmail", "/usr/sbin/sendmail"), ("lib.sendmail", "/usr/lib/sendmail")))):
        words = ["--install", "/usr/sbin/" + group, group, THEIRS, "25"]
        for name, link in slaves:
            words += ["--slave", link, name, THEIRS]
        run("update-alternatives", "--quiet", "--root", root, *words)


def test_install_compat():
    """make install-compat registers the names with the alternatives system; uninstall-compat takes them out; both may be repeated."""
    root = installed()
    before = files(root)
    for _ in range(2):
        said = make("install-compat", root)
        for name in NAMES:
            expect(leads_to(root, name) == OURS and name in said, "%s is %s\n%s" % (name, leads_to(root, name), said))
        expect(leads_to(root, "/usr/sbin/makemap") == "/usr/local/bin/mcf", said)
        with gzip.open(root + leads_to(root, "/usr/share/man/man8/sendmail.8.gz"), "rt") as f:
            expect(".TH MCFD 8" in f.read(), "the page of sendmail is another")
    for _ in range(2):
        make("uninstall-compat", root)
        expect(files(root) == before, "left: %s" % sorted(set(files(root)) ^ set(before)))


def test_install_compat_beside_debian_s_sendmail():
    """It takes Debian's places in its groups, and gives them back; whoever was chosen by hand stays."""
    root = installed()
    debian(root)
    before = files(root)
    said = script("install-compat.sh", root)
    expect(leads_to(root, "/usr/sbin/sendmail") == OURS and leads_to(root, "/usr/sbin/newaliases") == OURS, said)
    expect(not os.path.lexists(root + "/usr/bin/newaliases"), "newaliases is in two places")
    script("install-compat.sh", root, "--remove")
    expect(files(root) == before and leads_to(root, "/usr/sbin/sendmail") == THEIRS, files(root))
    run("update-alternatives", "--quiet", "--root", root, "--set", "sendmail-msp", THEIRS)
    said = script("install-compat.sh", root)
    expect(leads_to(root, "/usr/sbin/sendmail") == THEIRS and "update-alternatives --set sendmail-msp " + OURS in said, said)
    expect(leads_to(root, "/usr/bin/mailq") == OURS, said)


def test_install_compat_replaces_nothing():
    """A file that is no link of the alternatives system stays: sendmail itself ends it, another name is left out; it says so."""
    for place in ("/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/sbin/makemap", "/usr/bin/mailq"):
        root = installed()
        os.makedirs(root + os.path.dirname(place), exist_ok=True)
        with open(root + place, "w") as f:
            f.write("somebody's\n")
        ends = place.endswith("/sendmail")
        before = files(root)
        said = script("install-compat.sh", root, fails=ends)
        expect(place in said and "belongs to" in said, said)
        with open(root + place) as f:
            expect(f.read() == "somebody's\n", place + " is replaced")
        expect(not ends or files(root) == before, "something was changed: %s" % sorted(set(files(root)) ^ set(before)))
        expect(ends or leads_to(root, "/usr/sbin/sendmail") == OURS, said)
        script("install-compat.sh", root, "--remove")
        expect(files(root) == before, "left: %s" % sorted(set(files(root)) ^ set(before)))
        shutil.rmtree(root)


def test_install_compat_needs_what_it_registers():
    """Without make install nothing is registered."""
    root = os.path.abspath("root")
    said = script("install-compat.sh", root, fails=True)
    expect("make install" in said and not os.path.exists(root + "/etc"), said)


def test_units():
    """make install puts the units there, with mcfd's place; systemd finds nothing wrong with them; their commands are mcfd's."""
    root = installed()
    folder = root + "/usr/local/lib/systemd/system"
    expect(sorted(os.listdir(folder)) == ["sendmail.service", "sm-client.service"], os.listdir(folder))
    for name in os.listdir(folder):
        with open(os.path.join(folder, name)) as f:
            text = f.read()
        command = re.search(r"^ExecStart=(.*)$", text, re.M).group(1).split()
        expect(command[0] == OURS and "@" not in text, text)
        # Flags that are not known are a usage error, before the configuration is looked for.
        p = subprocess.run([root + command[0]] + command[1:] + ["-C", "/nonexist.cf"], stdout=subprocess.PIPE, text=True)
        expect(p.returncode == 72, p)
    if shutil.which("systemd-analyze"):
        # Its own rules: a command has to be there.
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with open(path) as f:
                text = f.read().replace(OURS, root + OURS)
            with open(path, "w") as f:
                f.write(text)
        paths = [os.path.join(folder, name) for name in os.listdir(folder)]
        p = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wrong = [line for line in p.stdout.splitlines() if re.search(r"(sendmail|sm-client)\.service", line)]
        expect(not wrong, "\n".join(wrong))


def test_units_of_others_stay():
    """A service of the same name that is not ours keeps its place, whether a unit or an init script."""
    for place in ("/lib/systemd/system/sendmail.service", "/etc/init.d/sendmail", "/etc/systemd/system/sm-client.service"):
        root = os.path.abspath("root")
        os.makedirs(root + os.path.dirname(place))
        with open(root + place, "w") as f:
            f.write("somebody's\n")
        said = script("install-units.sh", root)
        name = "sm-client" if "sm-client" in place else "sendmail"
        expect(place in said, said)
        expect(not os.path.exists(root + "/usr/local/lib/systemd/system/%s.service" % name), said)
        expect(len(os.listdir(root + "/usr/local/lib/systemd/system")) == 1, said)
        shutil.rmtree(root)
