"""What each role is, seen from outside."""
import os
import pwd
import subprocess

from mta import PLACE, Client, Mta, Sink, children, locals_got, status_of, until
from report import expect

READ_ALL = 1 << 2  # CAP_DAC_READ_SEARCH


def rights(pid):
    s = status_of(pid)
    return {"uids": set(s["Uid"].split()), "gids": set(s["Gid"].split()), "groups": s["Groups"].split(), "seccomp": s["Seccomp"].strip(),
            "no new": s["NoNewPrivs"].strip(), "eff": int(s["CapEff"], 16), "prm": int(s["CapPrm"], 16), "inh": int(s["CapInh"], 16),
            "bnd": int(s["CapBnd"], 16), "amb": int(s["CapAmb"], 16)}


def check_roles(m, user):
    roles = m.all_roles()
    entry = pwd.getpwnam(user)
    for role, pid in roles.items():
        r = rights(pid)
        expect(r["uids"] == {str(entry.pw_uid)} and r["gids"] == {str(entry.pw_gid)}, "%s is %r, not %s" % (role, r, user))
        expect(r["seccomp"] == "2" and r["no new"] == "1", "%s has no filter: %r" % (role, r))
        caps = READ_ALL if role == "policy" else 0
        expect(r["eff"] == r["prm"] == caps and not r["inh"] and not r["bnd"] and not r["amb"], "%s has capabilities: %r" % (role, r))
        expect(role != "front" or not r["groups"], "the front has groups")
        for fd in os.listdir("/proc/%d/fd" % pid):
            where = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            good = where.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null", PLACE + "/log")) or (role == "store" and "mcfd.queue" in where)
            expect(good, "%s has %s open" % (role, where))
    root = "/proc/%d/root" % roles["front"]
    expect(os.readlink(root).endswith(" (deleted)") and os.listdir(root) == [], "the front's root is " + os.readlink(root))
    return roles


def deliver(to="alice"):
    said = Client().send([to], "Subject: x\r\n\r\ntext")
    expect(said[-1].startswith("250 2.0.0 "), said)
    until(lambda: any(t == to for t, text, *when in locals_got()), 5, "it is not delivered to " + to)


def test_rights():
    """No role but the parent is root, or may do what it has no business with."""
    m = Mta().start()
    check_roles(m, "smmta")
    deliver()
    queue = os.stat(m.queue + "/mcfd.queue")
    expect(queue.st_uid == pwd.getpwnam("smmta").pw_uid and queue.st_mode & 0o777 == 0o700, "the queue is %r" % (queue,))
    m.stop()


def test_run_as_user():
    """RunAsUser says who the roles are."""
    m = Mta(cf=["RunAsUser=bob"]).start()
    check_roles(m, "bob")
    deliver()
    m.stop()


def test_queue_owner():
    """Else it is the owner of the queue directory, which nobody else can enter; a queue of root's is taken over."""
    m = Mta()
    os.chmod(m.queue, 0o700)
    m.start()
    deliver()
    m.stop()
    os.chown(m.queue, 4003, 4003)
    m.start()
    check_roles(m, "carol")
    deliver("bob")
    m.stop()


def test_without_root():
    """Started by somebody who is not root, all stay who they are, in filters."""
    m = Mta()
    os.chown(m.queue, 4001, 4001)
    os.chmod(PLACE, 0o777)
    subprocess.run(["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=25"], check=True)
    m.start(user=4001, group=4001, extra_groups=[])
    for pid in m.process.pid, *[p for p in _children(m)]:
        r = rights(pid)
        expect(r["uids"] == {"4001"} and not r["eff"], r)
        expect(pid == m.process.pid or r["seccomp"] == "2" and r["no new"] == "1", r)
    sink = Sink()
    said = Client().send(["x@example.org"], "Subject: x\r\n\r\ntext")
    expect(said[-1].startswith("250 2.0.0 "), said)
    until(lambda: sink.got, 5, "it is not delivered")
    m.stop()


def _children(m):
    return until(lambda: (lambda c: c if len(c) == 3 and all(status_of(p)["Seccomp"].strip() == "2" for p in c) else None)(children(m.process.pid)),
                 3, "the roles are not there")


def test_private_maps():
    """Maps that only root may read are read; programs that are maps run as the roles' user, and may not read them."""
    os.makedirs("/etc/private", mode=0o700)
    with open("/run/show", "w") as f:
        f.write("#!/bin/sh\nif [ -r /etc/private/secret ]; then echo reads; else id -un; fi\n")
    os.chmod("/run/show", 0o755)
    with open("/etc/private/secret", "w") as f:
        f.write("secret")
    os.chmod("/etc/private/secret", 0o600)
    with open("/etc/private/refused", "w") as f:
        f.write("x@example.net\tyes\n")
    subprocess.run("makemap -C /dev/null hash /etc/private/refused < /etc/private/refused && chmod 600 /etc/private/refused.db", shell=True, check=True)
    m = Mta(mc="""LOCAL_CONFIG
Kshow program /run/show
Krefused hash /etc/private/refused
LOCAL_RULESETS
SLocal_check_mail
R<x@example.net>\t\t$: $(refused x@example.net $)
Ryes\t\t\t$#error $@ 5.7.1 $: "550 read"
R<y@example.net>\t\t$: $(show y $)
R$+\t\t\t$: $1
Rsmmta\t\t\t$#error $@ 5.7.1 $: "550 smmta"
""").start()
    c = Client()
    c.say("HELO x")
    said = [c.say("MAIL FROM:<x@example.net>"), c.say("MAIL FROM:<y@example.net>")]
    expect(said == ["550 5.7.1 <x@example.net>... read", "550 5.7.1 <y@example.net>... smmta"], said)
    m.stop()
