"""How many are let in, and when nobody is: as the reference was measured."""
import multiprocessing
import os
import time

from mta import Client, Mta, Sink, until
from report import expect

FULL = "452 4.4.5 Insufficient disk space; try again later"


def greets():
    try:
        c = Client()
        return c if c.greeting.startswith("220") else None
    except ConnectionRefusedError:
        return None


def test_min_free_blocks():
    """MinFreeBlocks: nearly all commands are refused where there is no room, and MAIL where SIZE= says that there will be none."""
    m = Mta(cf=["MinFreeBlocks=100000000000"]).start()
    c = Client()
    said = [c.say(line) for line in ("NOOP", "RCPT TO:<root>", "HELO x", "MAIL FROM:<>", "MAIL", "VRFY root", "HELP", "FOO", "RSET", "DATA")]
    expect(said == ["250 2.0.0 OK", FULL, "250 mail.example.com Hello mail.example.com [127.0.0.1], pleased to meet you", FULL, FULL, FULL, FULL,
                    '500 5.5.1 Command unrecognized: "FOO"', "250 2.0.0 Reset state", FULL], said)
    m.stop()
    m = Mta(cf=["MinFreeBlocks=100"]).start()
    c = Client()
    said = [c.say(line) for line in ("EHLO x", "MAIL FROM:<a@example.net> SIZE=900000000000000", "RCPT TO:<root>", "MAIL FROM:<a@example.net> SIZE=900")]
    expect(said[1:] == [FULL, "503 5.0.0 Need MAIL before RCPT", "250 2.1.0 <a@example.net>... Sender ok"], said)
    m.stop()


def test_max_daemon_children():
    """MaxDaemonChildren: who comes then is refused, until somebody leaves."""
    m = Mta(cf=["MaxDaemonChildren=2"]).start()
    first, second = until(greets, 3, "nobody greets"), until(greets, 3, "there is no room for two")
    expect(not greets() and not greets(), "a third one is let in")
    first.close()
    third = until(greets, 3, "nobody is let in again")
    for c in (second, third):
        c.close()
    m.stop()


def test_connection_rate_throttle():
    """ConnectionRateThrottle: so many a second; the others wait."""
    m = Mta(cf=["ConnectionRateThrottle=3"]).start()
    time.sleep(1.1)
    start = time.time()
    clients = [Client() for i in range(10)]
    took = time.time() - start
    expect(1.8 < took < 6, "ten at three a second took %.1f seconds" % took)
    for c in clients:
        c.close()
    m.stop()


def test_no_delay():
    """No delivery waits for the other end's late acknowledgement of what was written before (40 ms)."""
    m, sink = Mta().start(), Sink()
    for i in range(15):
        c = Client()
        expect(c.send(["one@example.org"], "Subject: x\r\n\r\n" + "text\r\n" * 500)[-1].startswith("250"), "it is not taken")
        c.close()
    until(lambda: len(sink.got) == 15, 10, "not all are delivered")
    took = sorted(end - begin for to, text, end, begin in sink.got)
    expect(took[7] < 0.035, "a delivery takes %.3f seconds" % took[7])
    m.stop()


def burn():
    while True:
        pass


def test_load():
    """RefuseLA and DelayLA, while the machine has much to do."""
    busy = [multiprocessing.Process(target=burn, daemon=True) for i in range(4)]
    for p in busy:
        p.start()
    try:
        until(lambda: os.getloadavg()[0] >= 1.6, 90, "the load does not rise")
        m = Mta(cf=["RefuseLA=1"])
        m.options.remove("RefuseLA=1000")
        m.write_cf()
        m.start(wait=False)
        until(lambda: os.path.exists("/run/roles/pid") and len(m.roles()) == 3, 10, "the roles are not there: " + m.said())
        time.sleep(1)
        expect(not greets(), "somebody is let in")
        m.stop()
        m.options[-1] = "DelayLA=1"
        m.options.append("RefuseLA=1000")
        m.write_cf()
        m.start()
        c = Client()
        for line, delay in (("NOOP", 1), ("FOO", 0), ("RSET", 0), ("HELP", 1), ("QUIT", 0)):
            start = time.time()
            c.say(line)
            took = time.time() - start
            expect(delay - 0.05 < took < delay + 0.7, "%s took %.1f seconds" % (line, took))
        m.stop()
    finally:
        for p in busy:
            p.kill()
