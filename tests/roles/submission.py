"""Messages that ordinary users submit: what was taken (exit status 0) arrives, whatever happens; what is not taken leaves nothing behind."""
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from mta import MCF, MCFD, PLACE, Mta, locals_got, until
from report import expect

QUEUE = PLACE + "/mq"
DROP = QUEUE + ".drop"
CF = "/etc/mail/submit.cf"
OWN = PLACE + "/mcfd"
MC = """OSTYPE(`linux')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"""
HEADER = struct.Struct(">8sQQ")


def set_up(make_drop=True, **options):
    """submit.cf, its queue, mcfd as sendmail, and a /tmp of this test alone: what others leave there for a moment is theirs."""
    os.makedirs(QUEUE)
    shutil.chown(QUEUE, "smmsp", "smmsp")
    os.chmod(QUEUE, 0o2770)
    with open(PLACE + "/s.mc", "w") as f:
        f.write(MC)
    cf = subprocess.run([MCF, "build", PLACE + "/s.mc"], capture_output=True, text=True, check=True).stdout
    lines = [l for l in cf.split("\n") if not re.match(r"O\s*(QueueDirectory|StatusFile|PidFile|QueueLA|RefuseLA)\b", l)]
    own = {"QueueDirectory": QUEUE, "PidFile": PLACE + "/msp.pid", "QueueLA": "1000", "RefuseLA": "1000", "MinQueueAge": "1s", **options}
    with open(CF, "w") as f:
        f.write("\n".join(lines + ["O %s=%s" % o for o in own.items()]) + "\n")
    shutil.copy(MCFD, OWN)
    shutil.copy(MCF, PLACE + "/mcf")
    os.symlink("mcfd", PLACE + "/sendmail")
    for folder in ("/tmp", "/var/tmp"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "none", folder], check=True)
    if make_drop:
        queue("-q")
        st = os.stat(DROP)
        expect((st.st_mode & 0o7777, st.st_uid) == (0o3733, pwd.getpwnam("smmsp").pw_uid), "the folder beside the queue: %o" % st.st_mode)


def command(*words, user="alice"):
    number = str(pwd.getpwnam(user).pw_uid)
    return ["setpriv", "--reuid", number, "--regid", number, "--clear-groups", PLACE + "/sendmail"] + list(words)


def submit(text, *words, to="bob", **how):
    p = subprocess.run(command(*words, to, **how), input=("Subject: x\n\n%s\n" % text).encode(), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60)
    return p.returncode, p.stdout.decode("latin-1")


def queue(*words):
    p = subprocess.run([PLACE + "/sendmail", "-Ac", *words], capture_output=True, text=True, timeout=60)
    expect(p.returncode == 0, "%s: %d %s" % (words, p.returncode, p.stdout + p.stderr))
    return p.stdout


def waiting():
    return int(re.search(r"Total requests: (\d+)", queue("-bp")).group(1))


def start_runner(every="1s"):
    return subprocess.Popen([OWN, "-L", "sm-msp-queue", "-Ac", "-q" + every], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def runner_pid():
    return until(lambda: os.path.exists(PLACE + "/msp.pid") and int(open(PLACE + "/msp.pid").readline() or 0), 5, "the runner has no file of its number")


def count(mark):
    return sum(mark in text for to, text, *when in locals_got())


def nothing_left():
    left = glob.glob("/tmp/mcfd.*") + glob.glob("/var/tmp/mcfd.*")
    expect(not left, "left: %r" % left)


def test_submission_waits():
    """No MSA: the message waits in the folder, comes into the queue by -bp, and to the MSA by the runner, within seconds."""
    m = Mta(binary=OWN)
    set_up()
    expect(submit("mark-one-") == (0, ""), "it is not taken")
    expect(len(os.listdir(DROP)) == 1 and waiting() == 1 and os.listdir(DROP) == [], "it does not come into the queue")
    submit("mark-two-")
    start_runner().wait(10)
    until(lambda: not os.listdir(DROP), 6, "the runner does not take it")
    submit("mark-three-")
    until(lambda: waiting() == 3, 6, "the runner does not take what comes later")
    m.start()
    until(lambda: all(count("mark-%s-" % n) == 1 for n in ("one", "two", "three")), 20, "they do not arrive")
    until(lambda: waiting() == 0, 5, "they stay in the queue")
    os.kill(runner_pid(), signal.SIGTERM)
    m.stop()
    nothing_left()


def test_submission_many():
    """Many at once, before and behind the start of the MSA: all arrive, once; a single one takes no second."""
    m = Mta(binary=OWN)
    set_up()
    start_runner().wait(10)
    done = {}

    def send(i):
        done[i] = submit("mark-%d-" % i, user="alice" if i % 2 else "bob")

    def send_all(numbers):
        threads = [threading.Thread(target=send, args=(i,)) for i in numbers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    send_all(range(20))
    m.start()
    send_all(range(20, 40))
    bad = {i: d for i, d in done.items() if d != (0, "")}
    expect(not bad, "not taken: %r" % bad)
    until(lambda: all(count("mark-%d-" % i) for i in range(40)), 30, lambda: "missing: %r" % [i for i in range(40) if not count("mark-%d-" % i)])
    times = []
    for i in range(40, 45):
        start = time.time()
        send(i)
        times.append(time.time() - start)
    expect(min(times) < 1, "seconds: %r" % times)
    print("one submission: %.0f ms" % (1000 * min(times)))
    until(lambda: all(count("mark-%d-" % i) for i in range(45)), 10, "some do not arrive")
    twice = [i for i in range(45) if count("mark-%d-" % i) != 1]
    expect(not twice, "not once: %r" % twice)
    os.kill(runner_pid(), signal.SIGTERM)
    m.stop()
    nothing_left()


def test_submission_runner_killed():
    """The runner is killed again and again while messages come: none that was taken is lost."""
    m = Mta(binary=OWN)
    set_up()
    for i in range(12):
        start_runner().wait(10)
        expect(submit("mark-%d-" % i)[0] == 0, "not taken")
        pid = runner_pid()
        time.sleep(0.3 * (i % 4))
        os.kill(pid, signal.SIGKILL)
        until(lambda: not os.path.exists("/proc/%d" % pid) or "Z" in open("/proc/%d/stat" % pid).read().split()[2], 5, "it does not die")
        os.unlink(PLACE + "/msp.pid")
    m.start()
    start_runner().wait(10)
    until(lambda: all(count("mark-%d-" % i) for i in range(12)), 30, lambda: "missing: %r" % [i for i in range(12) if not count("mark-%d-" % i)])
    os.kill(runner_pid(), signal.SIGTERM)
    m.stop()


def test_submission_interrupted():
    """SIGINT, SIGKILL while the message is read, and SIGKILL behind that: nothing, or all of it, and never half."""
    m = Mta(binary=OWN)
    set_up()
    m.start()
    for number in (signal.SIGINT, signal.SIGKILL, signal.SIGHUP):
        p = subprocess.Popen(command("bob"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        p.stdin.write(b"Subject: x\n\nmark-half-\n" + b"x" * 100000)
        p.stdin.flush()
        time.sleep(0.2)
        p.send_signal(number)
        p.wait(5)
        expect(p.returncode != 0, "exit status 0 behind signal %d" % number)
        p.stdin.close()
    for i in range(20):
        p = subprocess.Popen(command("bob"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        p.stdin.write(("Subject: x\n\nmark-late-%d-\n%s\nthe end\n" % (i, "y" * 70000)).encode())
        p.stdin.close()
        time.sleep(0.004 * i)
        p.kill()
        p.wait(5)
    expect(submit("mark-last-")[0] == 0, "not taken")
    until(lambda: count("mark-last-") == 1, 10, "the last one does not arrive")
    time.sleep(1)
    expect(count("mark-half-") == 0, "half a message was sent")
    broken = [text[-50:] for to, text, *when in locals_got() if "mark-late-" in text and not text.endswith("the end\n")]
    expect(not broken, "half of it: %r" % broken)
    m.stop()
    until(lambda: not glob.glob("/tmp/mcfd.*"), 5, "a folder is left")


def test_submission_full_disk():
    """Where the message cannot be kept it is not taken: status 75, and nothing lies there."""
    set_up()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=3733,uid=%d,gid=%d" % (pwd.getpwnam("smmsp").pw_uid, pwd.getpwnam("smmsp").pw_gid),
                    "none", DROP], check=True)
    status, said = submit("y" * 200000)
    expect(status == 75 and DROP in said, "%d %s" % (status, said))
    expect(os.listdir(DROP) == [], "left: %r" % os.listdir(DROP))
    expect(submit("small")[0] == 0, "a small one is not taken")
    nothing_left()


def test_submission_no_folder():
    """The folder is not there: status 75, and mcfd check says how to make it, which helps."""
    set_up(make_drop=False)
    status, said = submit("text")
    expect(status == 75 and DROP in said, "%d %s" % (status, said))
    said = subprocess.run([OWN, "check", "-C", CF], capture_output=True, text=True).stdout
    hint = re.search(r"hint: (install -d .*%s)" % re.escape(DROP), said)
    expect(hint, "check does not say it: " + said)
    expect("port" not in said, "check looks at ports: " + said)
    subprocess.run(hint.group(1).split(), check=True)
    expect(submit("text")[0] == 0, "it is not taken then")


def drop(name, data, mode=0o644):
    """A file of alice's in the folder."""
    path = "%s/%s" % (DROP, name)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    shutil.chown(path, "alice")


def test_submission_hostile_files():
    """What else lies in the folder is no message, and harms nobody."""
    m = Mta(binary=OWN)
    set_up()
    submit("mark-good-")
    whole = open("%s/%s" % (DROP, os.listdir(DROP)[0]), "rb").read()
    os.unlink("%s/%s" % (DROP, os.listdir(DROP)[0]))
    mark, envelope, body = HEADER.unpack(whole[:HEADER.size])
    drop("empty", b"")
    drop("text", b"Subject: x\n\ntext\n" * 10)
    drop("huge", HEADER.pack(mark, 2 ** 63, 2 ** 63) + whole[HEADER.size:])
    drop("huge2", HEADER.pack(mark, envelope, 2 ** 62) + whole[HEADER.size:])
    drop("short", whole[:-1])
    drop("long", whole + b"x")
    drop("shifted", HEADER.pack(mark, envelope - 1, body + 1) + whole[HEADER.size:])
    drop("noise", whole[:HEADER.size] + bytes((b * 7 + 3) % 256 for b in whole[HEADER.size:-8]) + whole[-8:])
    drop("unreadable", whole, 0)
    for i in range(0, envelope, 7):  # each a message with one byte of its envelope changed, or none
        drop("flip%d" % i, whole[:HEADER.size + i] + bytes([whole[HEADER.size + i] ^ 0x80]) + whole[HEADER.size + i + 1:])
    os.mkfifo(DROP + "/fifo")
    os.mkdir(DROP + "/folder")
    os.symlink("/etc/shadow", DROP + "/link")
    with open(PLACE + "/hard", "wb") as f:
        f.write(whole.replace(b"mark-good-", b"mark-hard-"))
    os.chmod(PLACE + "/hard", 0o644)
    os.link(PLACE + "/hard", DROP + "/hard")
    s = socket.socket(socket.AF_UNIX)
    s.bind(DROP + "/socket")
    start_runner().wait(10)
    submit("mark-last-")
    m.start()
    until(lambda: count("mark-last-") == 1, 30, lambda: "the runner is stuck: %r" % os.listdir(DROP))
    left = set(os.listdir(DROP))
    # What may still be written, may become readable, or is another release's; and what is no file.
    expect(left <= {"empty", "huge2", "short", "folder", "unreadable", "noise", "flip0", "flip7"}, "left: %r" % left)
    expect(os.path.exists(PLACE + "/hard"), "a file elsewhere is gone")
    expect(count("mark-hard-") == 0, "a link to a file elsewhere is a message")
    os.kill(runner_pid(), signal.SIGTERM)
    m.stop()


def test_submission_bounces():
    """The MSA refuses a message that waited: a report to whoever sent it, by the runner."""
    m = Mta(binary=OWN)
    set_up()
    expect(submit("mark-refused-", to="nosuchuser") == (0, ""), "it is not taken")
    m.start()
    start_runner().wait(10)
    until(lambda: any(to == "alice" and "mark-refused-" in text and "User unknown" in text for to, text, *when in locals_got()), 15, "no report")
    os.kill(runner_pid(), signal.SIGTERM)
    m.stop()


def test_submission_dialogue():
    """-bs by an ordinary user: as with -bm, MSA or not; and the head tells who it was."""
    m = Mta(binary=OWN)
    set_up(PrivacyOptions="authwarnings")

    def speak(mark):
        p = subprocess.Popen(command("-bs", "-Ac"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        said = [p.stdout.readline()]
        for line in ("HELO x", "MAIL FROM:<joe@example.org>", "RCPT TO:<bob>", "DATA", "Subject: x\r\n\r\n%s\r\n." % mark, "QUIT"):
            p.stdin.write(line.encode() + b"\r\n")
            p.stdin.flush()
            said.append(p.stdout.readline())
        expect(said[-2].startswith(b"250 "), "%r" % said)
        p.wait(10)
    speak("mark-one-")
    until(lambda: waiting() == 1, 5, "it is not in the queue")
    m.start()
    speak("mark-two-")
    until(lambda: count("mark-two-") == 1, 5, "it does not arrive")
    queue("-q")
    until(lambda: count("mark-one-") == 1, 10, "what waited does not arrive")
    expect(count("X-Authentication-Warning: mail.example.com: alice owned process doing -bs") == 2, "nothing is said of alice")
    m.stop()
    nothing_left()
