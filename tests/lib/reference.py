"""reference: what the reference (Debian's sendmail-cf under GNU m4, and sendmail) says.

A file is compiled in its own folder, and every include of a .../m4/cf.m4, wherever it
points, means the installed library. Folders feature/, mailer/ and so on beside the
file are laid over the library's, as in a site's own copy of it.
"""
import os
import re
import shutil
import subprocess
import tempfile

LIBRARY = "/usr/share/sendmail/cf/"
SENDMAIL = "/usr/sbin/sendmail"
OWN_FOLDERS = ("domain", "feature", "hack", "mailer", "ostype", "siteconfig")
CF_M4 = re.compile(rb"^(\s*s?include\(`)[^'\n]*cf\.m4'", re.M)
# m4 ends with 0 all the same when the library prints one of these.
ERRORS = re.compile(rb"\*\*\* ERROR|requires (?:FEATURE|two arg)|must appear after")


def own_library(folder):
    """A library tree with folder's own files laid over it; LIBRARY if there are none."""
    own = [d for d in OWN_FOLDERS if os.path.isdir(os.path.join(folder, d))]
    if not own:
        return LIBRARY, None
    tree = tempfile.mkdtemp(prefix="mcf-library.")
    for name in os.listdir(LIBRARY):
        if name not in own:
            os.symlink(LIBRARY + name, os.path.join(tree, name))
    for name in own:
        os.mkdir(os.path.join(tree, name))
        for place in (LIBRARY + name, os.path.join(folder, name)):
            for f in os.listdir(place):
                target = os.path.join(tree, name, f)
                if os.path.lexists(target):
                    os.remove(target)
                os.symlink(os.path.join(place, f), target)
    return tree + "/", tree


def compile_mc(path, timeout=60):
    """(exit status, .cf, what was said) of m4 and the reference's library."""
    folder, name = os.path.split(os.path.abspath(path))
    with open(path, "rb") as f:
        text = f.read()
    library, tree = own_library(folder)
    try:
        here, includes = CF_M4.subn(rb"\g<1>" + library.encode() + rb"m4/cf.m4'", text)
        if includes:
            command, data = ["m4", "-"], here
        else:
            command, data = ["m4", "-D_CF_DIR_=" + library, library + "m4/cf.m4", name], b""
        p = subprocess.run(command, cwd=folder, input=data, capture_output=True, timeout=timeout)
    finally:
        if tree:
            shutil.rmtree(tree)
    return p.returncode, p.stdout, p.stderr


def refuses(status, said):
    """Did the library print an error, whether or not m4 went on?"""
    return status != 0 or bool(ERRORS.search(said))


def ask(cf, commands, mail_dir=None, program=SENDMAIL, timeout=120):
    """The answers to commands in address-test mode, one text a command, and what the
    program said when it read cf. Must run inside tests/lib/ns; with mail_dir, that
    folder is /etc/mail."""
    run = [program, "-C", cf, "-bt"]
    if mail_dir:
        run = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/mail && exec "$@"',
               mail_dir] + run
    p = subprocess.run(run, input="".join(c + "\n" for c in commands).encode("latin-1"),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    text = p.stdout.decode("latin-1")
    # A prompt before every answer; a command that answers nothing leaves two in a row.
    head, *parts = re.split(r"^> ", text, flags=re.M)
    answers = []
    for part in parts:
        while part.startswith("> "):
            answers.append("")
            part = part[2:]
        answers.append(part)
    said = [line for line in head.splitlines()
            if not line.startswith(("ADDRESS TEST MODE", "Enter <ruleset> <address>"))]
    return answers[:len(commands)], said


def essence(command, answer):
    """What an answer says in the end, without the steps on the way."""
    lines = [line.rstrip() for line in answer.splitlines()]
    if command.startswith("=M"):  # numbers are the order of definition
        return "\n".join(sorted(re.sub(r"^mailer \d+ ", "", l) for l in lines))
    if command.startswith("$="):
        return "\n".join(sorted(lines))
    if command.startswith(("$", "/map", "/mx", "/canon")):
        return "\n".join(lines)
    result, more = "", []
    for line in lines:
        m = re.match(r"(\S+)\s+returns: ?(.*)", line)
        if m:
            result = m.group(2)
        elif line.startswith(("Rcode", "mailer ")) or "ndefined ruleset" in line:
            more.append(line)
    return "\n".join([result] + more).strip()
