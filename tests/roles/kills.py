"""What is left when a role is killed."""
import collections
import json
import os
import random
import re
import signal
import threading
import time

from mta import PLACE, Client, Mta, Sink, greeted, is_alive, locals_got, until
from report import expect

CLIENTS = 4
ROLES = ("front", "policy", "store", "parent")
BACK = 4.0  # seconds until somebody greets again; the machine may be busy
LEFT = 90   # seconds for all that is in the queue
KEEPS = 0.3  # seconds until an outcome is kept; the machine may be busy
BEGINS = 0.3 # seconds until the other end hears of what was begun
OF_LOCAL, OF_REMOTE = ("store", "parent"), ("front", "store", "parent")  # who of them has to live, so that nothing comes twice
LOG = PLACE + "/log.json"
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


Copy = collections.namedtuple("Copy", "end begin id message_id")


def deliveries(sink):
    """(token, recipient) -> [Copy], the oldest first"""
    out = collections.defaultdict(list)
    for to, text, end, begin in locals_got() + list(sink.got):
        token = re.search(r"^X-Token: (\S+)$", text, re.M)
        expect(token and whole(token.group(1), text), "half a message was delivered to %s: %s" % (to, text[:300]))
        out[token.group(1), to].append(Copy(end, begin, re.search(r"\bid (\S+)", text).group(1), re.search(r"^Message-Id: (\S+)", text, re.M | re.I).group(1)))
    for copies in out.values():
        copies.sort()
    return out


def said_sent():
    """(queue id, recipient) -> how often the log says that it was sent."""
    out = collections.Counter()
    with open(LOG) as f:
        for line in f:
            event = json.loads(line)
            if event["event"] == "to" and event["stat"].startswith("Sent"):
                out.update((event["id"], re.sub(r"[<>]|@.*", "", to)) for to in event["to"].split(","))
    return out


def check_twice(got, kills):
    """What came twice was on its way at a kill of who delivered it, and its outcome not yet kept. kills: (when, role). How many copies too many
    there are by role and by kind of delivery, and how many seconds before the kill the last of them had come."""
    twice, early = collections.Counter(), [0]
    for (token, to), copies in got.items():
        expect(len(set(c[2:] for c in copies)) == 1, "copies of %s to %s differ: %r" % (token, to, copies))
        for first, second in zip(copies, copies[1:]):
            near = [(k, role) for k, role in kills if first.begin - BEGINS <= k <= first.end + KEEPS and k < second.begin
                    and role in (OF_LOCAL if to in LOCAL else OF_REMOTE)]
            expect(near, "%s was delivered to %s twice, and was not on its way at a kill: %r; kills: %r" % (token, to, copies, kills))
            when, role = near[-1]
            twice["%s, %s" % (role, "local" if to in LOCAL else "remote")] += 1
            early.append(when - first.end)
    for (queue_id, to), n in said_sent().items():
        expect(n == 1, "that %s was sent to %s was kept, and it was sent again" % (queue_id, to))
    return twice, max(early)


def kill(m, role):
    """Kills it; when, and how long nobody greeted."""
    roles = until(lambda: (lambda r: r if len(r) == 3 else None)(m.roles()), 10, "the roles are not there again: " + m.said())
    when = time.time()
    if role != "parent":
        os.kill(roles[role], signal.SIGKILL)
        return when, greeted(20, m.said)
    m.process.kill()
    m.process.wait()
    start = time.time()
    m.start()
    took = time.time() - start
    for pid in roles.values():
        expect(not is_alive(pid), "a role outlives its parent (%r)" % (roles,))
    return when, took


def test_kills():
    """Each role is killed in turn under load: what was acknowledged is delivered whole, and twice only what was on its way at a kill."""
    n, seed = int(os.environ.get("KILLS", 12)), int(os.environ.get("SEED", 1))
    rnd, sink = random.Random(seed), Sink()
    m = Mta(cf=["MinQueueAge=1s", "Timeout.hoststatus=0s"], arguments=("-bD", "-q1s", "--log-json", LOG)).start()
    load, kills, slow = Load(seed), [], []
    for i in range(n):
        time.sleep(0.2 + rnd.random() * 0.8)
        role = ROLES[i % len(ROLES)]
        when, took = kill(m, role)
        kills.append((when, role))
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
    got = deliveries(sink)
    twice, early = check_twice(got, kills)
    on_way = sum(any(c.begin <= k <= c.end for k, role in kills) for copies in got.values() for c in copies)
    expect(not slow, "too long until somebody greeted: %s" % slow)
    m.stop()
    print("%d kills, %d messages acknowledged, %d deliveries, %d of them on their way at a kill; %d came again (%s), %.3f s before a kill at most"
          % (n, len(load.acked), sum(map(len, got.values())), on_way, sum(twice.values()), "; ".join("%s: %d" % t for t in sorted(twice.items())), early))
