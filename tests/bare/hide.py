"""hide: a Debian without a mail server, in a mount namespace: what sendmail's packages have put there is not to be seen.

Folders that names are put into (/usr/sbin, /usr/bin, /usr/lib) are replaced by folders of links to what was there, so that
what is installed there is gone with the namespace.
"""
import os
import re
import shutil
import subprocess

REAL = "/run/real"
THEIRS = re.compile(r"(/usr)?/(libexec|share|lib)/sendmail\b|(^|/)sendmail-m[st][pa]$|/etc/alternatives/(lib\.)?(sendmail|mailq|newaliases|runq)|/sm\.bin\b")
NAMES = re.compile(r"^(sendmail.*|sm\.bin|makemap|mailq|newaliases|runq|hoststat|purgestat|editmap|praliases|mailstats)$")


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def empty(folder):
    if os.path.isdir(folder):
        mount("-t", "tmpfs", "-o", "mode=755", "none", folder)


def farm(folder):
    """The folder again, of links, without what is sendmail's."""
    real = REAL + folder
    os.makedirs(real)
    mount("--bind", folder, real)
    empty(folder)
    for name in os.listdir(real):
        path = os.path.join(real, name)
        to = os.readlink(path) if os.path.islink(path) else path
        if NAMES.match(name) or THEIRS.search(to):
            continue
        os.symlink(to, os.path.join(folder, name))


def hide():
    for folder in ("/usr/sbin", "/usr/bin", "/usr/lib"):
        farm(folder)
    alternatives = "/var/lib/dpkg/alternatives"
    kept = {n: open(os.path.join(alternatives, n), "rb").read() for n in os.listdir(alternatives) if not n.startswith("sendmail")}
    for folder in (alternatives, "/usr/libexec/sendmail", "/usr/share/sendmail", "/usr/share/sendmail-cf", "/usr/share/man/man1", "/usr/share/man/man5",
                   "/usr/share/man/man8", "/opt", "/var/log"):
        empty(folder)
    for name, text in kept.items():
        with open(os.path.join(alternatives, name), "wb") as f:
            f.write(text)
    for name in os.listdir("/etc/alternatives"):
        path = "/etc/alternatives/" + name
        if os.path.islink(path) and THEIRS.search(os.readlink(path)):
            os.unlink(path)
    shutil.rmtree("/etc/mail")
    os.makedirs("/etc/mail")
    for name in ("passwd", "group"):
        with open("/etc/" + name) as f:
            lines = [line for line in f if not line.startswith(("smmta:", "smmsp:"))]
        with open("/etc/" + name, "w") as f:
            f.writelines(lines)
    with open("/etc/debian_version", "w") as f:
        f.write("12\n")
    for folder in ("/var/spool/mqueue", "/var/spool/clientmqueue"):
        if os.path.isdir(folder):
            os.rmdir(folder)


def left():
    """What is there of sendmail all the same."""
    out = [p for p in ("/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/sbin/makemap", "/etc/mail/sendmail.cf") if os.path.lexists(p)]
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                exe = os.readlink("/proc/%s/exe" % name)
            except OSError:
                continue
            if "/sendmail/" in exe:
                out.append(exe)
    return out
