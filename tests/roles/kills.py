"""What is left when a role is killed."""
import collections
import os
import random
import re
import signal
import threading
import time

from mta import Client, Mta, Sink, greeted, is_alive, locals_got, until
from report import expect

CLIENTS = 4
ROLES = ("front", "policy", "store", "parent")
BACK = 4.0  # seconds until somebody greets again; the machine may be busy
LEFT = 90   # seconds for all that is in the queue
LOCAL, REMOTE = ["alice", "bob", "carol"], ["one@example.org", "two@example.org"]


def text_of(token, n):
    """A message of which half is known for half."""
    lines = ["%s line %d %s" % (token, i, "x" * 60) for i in range(n)]
    return "Subject: test\r\nX-Token: %s\r\nX-Lines: %d\r\n\r\n%s\r\n%s the end" % (token, n, "\r\n".join(lines), token)


class Load:
    """Clients that send until it is over."""

    def __init__(self, seed):
        self.acked, self.sent, self.over, self.lock = {}, 0, False, threading.Lock()
        self.threads = [threading.Thread(target=self.client, args=(random.Random(seed * 100 + i), i), daemon=True) for i in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def client(self, rnd, number):
        n = 0
        while not self.over:
            n += 1
            token = "t%d-%d" % (number, n)
            to = rnd.sample(LOCAL, rnd.randint(0, 2)) + rnd.sample(REMOTE, rnd.randint(0, 2)) or ["alice"]
            try:
                c = Client(20)
                said = c.send(to, text_of(token, rnd.choice([1, 5, 50, 3000])))
                if said[-1].startswith("250 2.0.0 "):
                    with self.lock:
                        self.acked[token] = ([r.split("@")[0] for r in to], said[-1].split()[2])
                c.close()
            except OSError:
                time.sleep(0.05)
            time.sleep(rnd.random() * 0.1)

    def end(self):
        self.over = True
        for t in self.threads:
            t.join(30)


def whole(token, text):
    n = int(re.search(r"^X-Lines: (\d+)$", text, re.M).group(1))
    return text.rstrip("\n").endswith(token + " the end") and text.count("\n%s line " % token) == n


def deliveries(sink):
    """(token, recipient) -> [(when, queue id, Message-Id)]"""
    out = collections.defaultdict(list)
    for to, text, when in locals_got() + list(sink.got):
        token = re.search(r"^X-Token: (\S+)$", text, re.M)
        expect(token and whole(token.group(1), text), "half a message was delivered to %s: %s" % (to, text[:300]))
        out[token.group(1), to].append((when, re.search(r"\bid (\S+)", text).group(1), re.search(r"^Message-Id: (\S+)", text, re.M | re.I).group(1)))
    return out


def kill(m, role, rnd):
    """Kills it; how long nobody greeted."""
    roles = until(lambda: (lambda r: r if len(r) == 3 else None)(m.roles()), 10, "the roles are not there again: " + m.said())
    if role != "parent":
        os.kill(roles[role], signal.SIGKILL)
        return greeted(20, m.said)
    m.process.kill()
    m.process.wait()
    start = time.time()
    m.start()
    took = time.time() - start
    for pid in roles.values():
        expect(not is_alive(pid), "a role outlives its parent (%r)" % (roles,))
    return took


def test_kills():
    """Each role is killed in turn under load: what was acknowledged is delivered whole, and twice only what was on its way at a kill."""
    n, seed = int(os.environ.get("KILLS", 12)), int(os.environ.get("SEED", 1))
    rnd, sink = random.Random(seed), Sink()
    m = Mta(cf=["MinQueueAge=1s", "Timeout.hoststatus=0s"]).start()
    load, kills, slow = Load(seed), [], []
    for i in range(n):
        time.sleep(0.2 + rnd.random() * 0.8)
        role = ROLES[i % len(ROLES)]
        kills.append(time.time())
        took = kill(m, role, rnd)
        if took > BACK:
            slow.append("%s: %.1f s" % (role, took))
    time.sleep(0.5)
    load.end()
    expect(load.acked, "nothing was acknowledged")

    def missing():
        got = deliveries(sink)
        return ["%s (%s) to %s" % (t, queue_id, r) for t, (to, queue_id) in load.acked.items() for r in to if (t, r) not in got]
    end = time.time() + LEFT
    while missing() and time.time() < end:
        time.sleep(0.5)
    lost = missing()
    expect(not lost, "%d of %d deliveries are lost: %s\n%s" % (len(lost), sum(len(a) for a, b in load.acked.values()), lost[:10], m.said()))
    time.sleep(1.5)  # what comes twice has come
    got, twice = deliveries(sink), 0
    for (token, to), copies in got.items():
        copies.sort()
        expect(len(set(c[1:] for c in copies)) == 1, "copies of %s to %s differ: %r" % (token, to, copies))
        for first, second in zip(copies, copies[1:]):
            twice += 1
            expect(any(first[0] - 1 < k < second[0] for k in kills), "%s was delivered to %s twice without a kill: %r" % (token, to, copies))
    expect(not slow, "too long until somebody greeted: %s" % slow)
    m.stop()
    print("%d kills, %d messages acknowledged, %d deliveries, %d of them again" % (n, len(load.acked), sum(map(len, got.values())), twice))
