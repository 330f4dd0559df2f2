"""Mail filters: one that takes its time holds up its session alone, its socket may be root's, and a body passes in pieces."""
import os
import signal
import threading
import time

import filters
from mta import Client, Mta, greeted, locals_got, status_of, until
from report import expect

SOCKET = "/run/filters/one"
CF = ["InputMailFilters=one"]
X = "Xone, S=local:%s, F=T, T=S:10s;R:10s;E:30s" % SOCKET


def plain(text):
    return text.encode("latin-1")


def begun(script):
    f = filters.Filters({"one": "unix:" + SOCKET}, plain, lambda data: data if isinstance(data, str) else data.decode("latin-1"))
    os.chmod(SOCKET, 0o600)
    f.begin(["one quiet"] + script)
    m = Mta(cf=CF)
    m.write_cf([X])
    return f, m.start()


def send(token, lines=1, **more):
    c = Client(30)
    said = c.send(["alice"], "Subject: %s\r\n\r\n" % token + "\r\n".join(["%s line" % token] * lines), **more)[-1]
    c.close()
    return said


def test_socket_of_root():
    """What is open to root alone is connected by the parent."""
    f, m = begun([])
    expect(os.stat(SOCKET).st_mode & 0o777 == 0o600 and os.stat(SOCKET).st_uid == 0, "the socket is not root's")
    expect(status_of(m.all_roles()["policy"])["Uid"].split()[0] != "0", "policy is root")
    said = send("root-only")
    expect(said.startswith("250"), said + m.said())
    expect("% one eom" in f.end(), f.end())
    m.stop()


def test_slow_filters():
    """Sixty sessions whose filter takes two seconds are done in little more: each waits for itself."""
    f, m = begun(["one mail wait 2"])
    said = [None] * 60

    def client(i):
        said[i] = send("slow-%d" % i)
    threads = [threading.Thread(target=client, args=(i,)) for i in range(len(said))]
    start = time.time()
    for t in threads:
        t.start()
        time.sleep(0.02)  # the port lets so many wait, and no more
    for t in threads:
        t.join(60)
    took = time.time() - start
    expect(all(s and s.startswith("250") for s in said), "%r" % said)
    expect(took < 12, "it took %.1f s" % took)
    until(lambda: len([1 for to, text, *when in locals_got() if "slow-" in text]) == len(said), 20, "they are not delivered")
    m.stop()


def test_killed_beneath_a_filter():
    """Policy is killed while a filter looks at a message: nobody is told that it was taken, and nothing comes of it."""
    f, m = begun(["one eom wait 4"])
    said = []

    def client():
        try:
            said.append(send("lost"))
        except OSError:
            said.append("")
    t = threading.Thread(target=client)
    t.start()
    until(lambda: "% one eom" in f.events, 10, "the filter is not shown the message")
    os.kill(m.all_roles()["policy"], signal.SIGKILL)
    t.join(20)
    expect(said and not said[0].startswith("250"), "%r" % said)
    f.begin(["one quiet"])
    expect(greeted(10) < 10, "it does not come back")
    again = until(lambda: send("kept"), 10, "nothing is taken")
    expect(again.startswith("250"), again)
    until(lambda: any("kept" in text for to, text, *when in locals_got()), 15, "what came later is not delivered")
    expect(not any("lost" in text for to, text, *when in locals_got()), "what was not acknowledged is delivered")
    m.stop()


def test_large_bodies():
    """Thirty megabytes pass a filter, and come back from it, in pieces: policy does not keep them."""
    f, m = begun([])
    send("small")
    policy = m.all_roles()["policy"]
    before = int(status_of(policy)["VmHWM"].split()[0])
    said = send("large", 2500000)
    expect(said.startswith("250"), said)
    grown = int(status_of(policy)["VmHWM"].split()[0]) - before
    expect(grown < 10000, "policy has grown by %d KiB" % grown)
    f.begin(["one quiet"] + ["one eom body " + "y" * 60000 + "\r\n"] * 200)
    said = send("replaced")
    expect(said.startswith("250"), said)
    grown = int(status_of(policy)["VmHWM"].split()[0]) - before
    expect(grown < 10000, "policy has grown by %d KiB" % grown)
    until(lambda: any(text.count("y" * 60000) == 200 for to, text, *when in locals_got()), 20, "the new body is not delivered")
    m.stop()
