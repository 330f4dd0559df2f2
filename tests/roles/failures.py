"""What is not to be had: clients hear 4xx, nothing that was acknowledged is lost, and it goes on by itself."""
import os
import resource
import socket
import subprocess
import sys
import threading
import time

from mta import HERE, Client, Mta, Sink, greeted, locals_got, until
from report import expect

ACCESS = """FEATURE(`access_db', `hash -T<TMPF> /etc/mail/access')dnl
"""


def send(to="alice", text="text", **more):
    c = Client(30)
    said = c.send([to], "Subject: x\r\n\r\n" + text, **more)[-1]
    c.close()
    return said


def delivered(mark, seconds=15):
    until(lambda: [1 for to, text, *when in locals_got() if mark in text], seconds, mark + " is not delivered")


def test_full_disk():
    """A disk that fills up: 452 or 4xx, then mail again; what was acknowledged is there."""
    m = Mta(queue="/run/small", size="4m", cf=["MinFreeBlocks=0", "Timeout.hoststatus=0s", "MinQueueAge=1s"]).start()
    sent, refused, big = [], 0, "\r\n".join(["y" * 70] * 3000)
    sink_is_away = "one@example.org"  # nobody listens there yet: it stays in the queue
    for i in range(40):
        said = send(sink_is_away, "mark-%d-\r\n%s" % (i, big))
        if said.startswith("250"):
            sent.append(i)
        else:
            refused += 1
            expect(said[:1] == "4", said)
            if refused > 3:
                break
    expect(sent and refused, "it was never full")
    expect(greeted(5) < 5 and len(m.roles()) == 3, "the roles are gone")
    sink = Sink()  # now it empties

    def missing():
        return [i for i in sent if not any("mark-%d-" % i in text for to, text, *when in sink.got)]
    until(lambda: not missing(), 60, lambda: "of %d messages %r are lost: %s" % (len(sent), missing(), m.said()))
    until(lambda: send("alice", "room-again").startswith("250"), 10, "it stays full")
    delivered("room-again")
    m.stop()


def test_no_name_server():
    """A name server that is silent: 4xx for who needs it, and others are served meanwhile; it answers again, and all is as before."""
    with open("/etc/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.3\noptions timeout:1 attempts:1\n")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.3", 53))
    m = Mta().start()
    hanging = [threading.Thread(target=send, kwargs={"sender": "a@example.net"}) for i in range(5)]
    for t in hanging:
        t.start()
    start = time.time()
    said = send("alice", "no-names", sender="alice@mail.example.com")
    expect(said[:1] in "24" and time.time() - start < 25, "a name server that is silent holds up all: %s" % said)
    for t in hanging:
        t.join()
    said = send("x@example.org", sender="alice@mail.example.com")
    expect(said[:1] in "24", said)
    silent.close()
    subprocess.run([sys.executable, os.path.join(HERE, "..", "lib", "dns.py"), os.path.join(HERE, "..", "lib", "world", "zone"), "127.0.0.3"], check=True)
    until(lambda: send("alice", "names-again").startswith("250"), 20, "it does not go on")
    delivered("names-again")
    m.stop()


def test_maps():
    """A map that is gone, unreadable or rubbish: 4xx, and as before when it is back."""
    subprocess.run("echo 'bad@example.net\tREJECT' > /etc/mail/access; makemap -C /dev/null hash /etc/mail/access < /etc/mail/access; cp -p /etc/mail/access.db /run/kept.db",
                   shell=True, check=True)
    m = Mta(mc=ACCESS).start()

    def asked():
        c = Client()
        c.say("HELO x")
        said = c.say("MAIL FROM:<bad@example.net>")[:3]
        c.close()
        return said
    expect(asked() == "550", asked())
    rubbish = os.urandom(20000)

    def write(data):
        with open("/etc/mail/access.db", "wb") as f:
            f.write(data)
    with open("/run/kept.db", "rb") as f:
        good = f.read()
    for what, do in (("gone", lambda: os.unlink("/etc/mail/access.db")), ("unreadable", lambda: os.chmod("/etc/mail/access.db", 0)),
                     ("rubbish", lambda: write(rubbish)), ("half written", lambda: write(good[:len(good) // 2])), ("empty", lambda: write(b""))):
        do()
        said = asked()
        expect(said[:1] == "4", "%s: %s" % (what, said))
        subprocess.run("cp -p /run/kept.db /etc/mail/access.new && mv /etc/mail/access.new /etc/mail/access.db", shell=True, check=True)
        until(lambda: asked() == "550", 5, "it is not asked again when it was " + what)
    expect(send("alice", "maps-again").startswith("250"), "no mail")
    delivered("maps-again")
    m.stop()


def test_no_descriptors():
    """More clients than descriptors: they wait or are refused, the loop does not turn in vain, and it goes on when they leave."""
    m = Mta()
    m.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    front = m.all_roles()["front"]
    clients = []
    for i in range(60):
        try:
            clients.append(socket.create_connection(("127.0.0.1", 25), 2))
        except OSError:
            break
    time.sleep(1)

    def ticks():
        with open("/proc/%d/stat" % front) as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    before = ticks()
    time.sleep(2)
    expect(ticks() - before < 60, "the front is busy with nothing: %d ticks" % (ticks() - before))
    for c in clients:
        c.close()
    until(lambda: send("alice", "after-all").startswith("250"), 20, "it does not go on")
    delivered("after-all")
    expect(m.all_roles()["front"] == front, "the front had to be started anew")
    m.stop()
