"""What signals do, and what whoever starts mcfd hears."""
import os
import shutil
import signal
import smtplib
import ssl
import subprocess
import time

import certificates

from mta import PLACE, Client, Mta, is_alive, locals_got, until
from report import expect


def refused():
    """Not at all: who waited to be let in when it ended is cut off, and may try again."""
    try:
        Client(3).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


def begin(*commands):
    c = Client()
    said = [c.say(line) for line in ("HELO x",) + commands]
    expect(all(s[:1] in "23" for s in said), said)
    return c


def test_stop():
    """SIGTERM: who is idle is told, a message that comes is taken, nobody is let in; the number's file goes."""
    m = Mta().start()
    expect(open(PLACE + "/pid").read() == "%d\n%s\n" % (m.process.pid, " ".join(m.command())), open(PLACE + "/pid").read())
    idle, busy = begin(), begin("MAIL FROM:<a@example.net>", "RCPT TO:<alice>", "DATA")
    m.process.terminate()
    start = time.time()
    expect(idle.reply().startswith("421 4.3.2 "), "an idle client is not told")
    until(refused, 2, "somebody is let in")
    said = busy.say("Subject: x\r\n\r\nlast\r\n.")
    expect(said.startswith("250 2.0.0 "), said)
    expect(busy.reply().startswith("421 4.3.2 "), "it goes on behind the message")
    expect(m.process.wait(8) == 0, m.process.returncode)
    expect(time.time() - start < 8, "it takes its time")
    expect(not os.path.exists(PLACE + "/pid"), "the file of the number stays")
    m.start()
    until(lambda: any("last" in text for to, text, *when in locals_got()), 5, "the message that was taken last is not delivered")
    m.stop()


def test_stop_late():
    """Who does not end is ended after some seconds; at a second SIGTERM at once."""
    m = Mta().start()
    busy = begin("MAIL FROM:<a@example.net>", "RCPT TO:<alice>", "DATA")
    m.process.terminate()
    start = time.time()
    m.process.wait(15)
    expect(5 < time.time() - start < 14, "it took %.1f seconds" % (time.time() - start))
    busy.close()
    m.start()
    busy = begin("MAIL FROM:<a@example.net>", "RCPT TO:<alice>", "DATA")
    m.process.terminate()
    time.sleep(0.3)
    expect(m.process.poll() is None, "it did not wait")
    m.process.terminate()
    m.process.wait(2)
    busy.close()


def test_restart():
    """SIGHUP: the new configuration counts, the process and its sockets stay; a bad one changes nothing."""
    m = Mta().start()
    roles = m.all_roles()
    m.write_cf(["O MaxMessageSize=4321"])
    os.kill(m.process.pid, signal.SIGHUP)

    def size():
        c = Client()  # nobody is refused meanwhile
        c.socket.sendall(b"EHLO x\r\n")
        lines = iter(lambda: c.file.readline(), b"")
        out = []
        for line in lines:
            out.append(line)
            if line[3:4] == b" ":
                break
        c.close()
        return any(b"SIZE 4321" in line for line in out)
    until(size, 8, "the new configuration does not count: " + m.said())
    expect(m.process.poll() is None and not any(is_alive(p) for p in roles.values()), "the old roles are there")
    roles = m.all_roles()
    m.write_cf(["O MaxMessageSize=99", "O NoSuchOption=1"])
    os.kill(m.process.pid, signal.SIGHUP)
    time.sleep(1.5)
    expect(m.process.poll() is None and m.all_roles() == roles and size(), "a bad configuration is not refused: " + m.said())
    m.stop()
    expect(refused(), "somebody listens")


def certificate():
    """Whose STARTTLS shows; None: there is no STARTTLS."""
    with smtplib.SMTP("127.0.0.1", 25, timeout=10) as s:
        s.ehlo("x")
        if not s.has_extn("starttls"):
            return None
        s.starttls()
        return ssl.DER_cert_to_PEM_cert(s.sock.getpeercert(True))


def test_new_certificate():
    """The front, which has no files, gets another certificate by SIGHUP; it has its key again when it was killed."""
    folder = PLACE + "/tls"
    certificates.make(folder)
    names = {"ServerCertFile": "server.pem", "ServerKeyFile": "server.key", "CACertFile": "ca.pem", "CACertPath": "."}
    m = Mta(cf=["%s=%s/%s" % (option, folder, name) for option, name in names.items()] + ["DontBlameSendmail=GroupWritableDirPathSafe"]).start()
    with open(folder + "/server.pem") as f:
        expect(certificate() == f.read(), "another certificate: " + m.said())
    os.kill(m.roles()["front"], signal.SIGKILL)
    until(lambda: safely(certificate), 8, "no STARTTLS behind a kill")
    shutil.copy(folder + "/other.pem", folder + "/server.pem")
    shutil.copy(folder + "/other.pem", folder + "/server.key")
    with open(folder + "/other.pem") as f:
        wanted = f.read().partition("-----BEGIN PRIVATE")[0]
    expect(certificate() != wanted, "it is read all the time")
    os.kill(m.process.pid, signal.SIGHUP)
    until(lambda: safely(certificate) == wanted, 8, "the new certificate is not shown: " + m.said())
    os.chmod(folder + "/server.key", 0o644)
    os.kill(m.process.pid, signal.SIGHUP)
    until(lambda: safely(certificate) is None, 8, "a key that everybody reads is used")
    m.stop()


def safely(ask):
    try:
        return ask()
    except (OSError, smtplib.SMTPException):
        return False


def test_detached():
    """-bd comes back when mail is taken, with 0; or with another status, and a word, where that cannot be."""
    m = Mta(arguments=("-bd", "-q1s"))
    start = time.time()
    p = subprocess.run(m.command(), capture_output=True, text=True, timeout=20)
    took = time.time() - start
    expect(p.returncode == 0, p)
    expect(Client().greeting.startswith("220"), "nobody greets when it comes back")
    expect(took < 3, "it took %.1f seconds" % took)
    pid = int(open(PLACE + "/pid").readline())
    second = subprocess.run(m.command(), capture_output=True, text=True, timeout=20)
    expect(second.returncode == 71 and "port 25" in second.stderr, second)
    os.kill(pid, signal.SIGTERM)
    until(lambda: not is_alive(pid), 8, "it does not end")
    os.chmod(m.queue, 0o777)
    third = subprocess.run(m.command(), capture_output=True, text=True, timeout=20)
    expect(third.returncode == 78 and "chmod go-w" in third.stderr, third)
    os.chmod(m.queue, 0o755)
    m.options.append("QueueDirectory=/nowhere")
    m.write_cf()
    fourth = subprocess.run(m.command(), capture_output=True, text=True, timeout=20)
    expect(fourth.returncode == 78 and "/nowhere" in fourth.stderr, fourth)


def test_check():
    """--check says whether it could be started, and starts nothing."""
    m = Mta()
    p = subprocess.run(m.command() + ["--check"], capture_output=True, text=True, timeout=20)
    expect(p.returncode == 0 and refused(), p)
    m.write_cf(["O NoSuchOption=1"])
    p = subprocess.run(m.command() + ["--check"], capture_output=True, text=True, timeout=20)
    expect(p.returncode == 70 and "t.cf:" in p.stderr, p)
