#!/usr/bin/env python3
"""run.py [-v] [NAME.mc]...

The same dialogues (kit/dialogues.py) spoken to the reference and to mcfd, each on the reference's .cf and on ours: reply
codes, enhanced codes and what was delivered must be the same in all four. README.md says how the kit is written.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "kit"))
from reference import SENDMAIL, compile_mc, refuses
from report import BUILD, MCF, Report, need, need_programs, need_root

MCFD = os.environ.get("MCFD", os.path.join(BUILD, "mcfd"))
MOVED = re.compile(r"O\s*(DaemonPortOptions|QueueDirectory|StatusFile|PidFile|LogLevel|RunAsUser|TrustedUser|DeliveryMode|RefuseLA|QueueLA|"
                   r"MinFreeBlocks|DontBlameSendmail|Timeout\.ident|DefaultUser|DontProbeInterfaces)\b")
WORLD = """ip link set lo up; hostname mail.test.example; t=$(mktemp -d); chmod 755 $t; cp -a /etc/. $t/; mount --bind $t /etc
printf '127.0.0.1 mail.test.example mail localhost\\n::1 mail.test.example\\n' > /etc/hosts
printf 'nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n' > /etc/resolv.conf
i=4000; for u in user user2 catchall info2; do i=$((i+1)); echo "$u:x:$i:$i::/tmp:/bin/sh" >> /etc/passwd; done
rm -rf /etc/mail; mkdir /etc/mail; cp {0}/maps/* /etc/mail/; chmod 644 /etc/mail/*
makemap -C /dev/null hash /etc/mail/access < /etc/mail/access
python3 {0}/../../lib/dns.py {0}/zone.txt 127.0.0.1"""


def moved(cf, place):
    out = []
    for line in cf.split("\n"):
        if not MOVED.match(line):
            out.append(re.sub(r"P=[^,]+", "P=%s/record" % place, line, count=1) if re.match(r"M(local|prog),", line) else line)
    return "\n".join(out + ["O DaemonPortOptions=Port=25,Addr=127.0.0.1,Name=MTA", "O QueueDirectory=%s/q" % place, "O PidFile=%s/pid" % place,
                            "O LogLevel=0", "O DontProbeInterfaces=True", "O DeliveryMode=interactive", "O Timeout.ident=0s", "O QueueLA=1000",
                            "O RefuseLA=1000", "O DontBlameSendmail=safe,GroupWritableDirPathSafe", ""])

# ---------------------------------------------------------------- inside the namespace


def sink(c, address, got):
    f, words = c.makefile("rb"), []
    c.sendall(b"220 sink ESMTP\r\n")
    for line in f:
        text = line.decode("latin-1").strip()
        verb, reply = text[:4].upper(), "250 2.0.0 ok"
        if verb == "EHLO":
            reply = "250-sink\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES"
        elif verb in ("MAIL", "RCPT"):
            words = [text] if verb == "MAIL" else words + [text]
            reply = "550 5.1.1 no such user" if "refused" in text else reply
        elif verb == "DATA":
            c.sendall(b"354 go\r\n")
            data = b""
            while not data.endswith(b"\r\n.\r\n"):
                data += f.readline()
            got.append(["%s %s" % (address, " ".join(words)), data[:-5].decode("latin-1")])
        elif verb == "QUIT":
            c.sendall(b"221 2.0.0 bye\r\n")
            break
        c.sendall(reply.encode() + b"\r\n")
    c.close()


def serve(address, got):
    listening = socket.create_server((address, 25))
    while True:
        threading.Thread(target=sink, args=(listening.accept()[0], address, got), daemon=True).start()


class Talk:
    def __init__(self, source):
        self.socket = socket.socket()
        self.socket.bind((source, 0))
        self.socket.settimeout(6)
        self.socket.connect(("127.0.0.1", 25))
        self.buffer = b""

    def reply(self):
        while True:
            lines = self.buffer.split(b"\r\n")
            for i, line in enumerate(lines[:-1]):
                if line[3:4] in (b" ", b""):
                    self.buffer = b"\r\n".join(lines[i + 1:])
                    return b"\r\n".join(lines[:i + 1]).decode("latin-1")
            try:
                more = self.socket.recv(65536)
            except OSError as e:
                return "closed" if isinstance(e, ConnectionResetError) else "none: " + type(e).__name__
            if not more:
                return "closed"
            self.buffer += more


def inside(place, engine):
    subprocess.run(WORLD.format(HERE + "/kit"), shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ["WIRE_INSIDE"] = "yes"
    plain = socket.socket
    import dialogues
    got, replies = [], {}
    for address in dialogues.ADDRESSES:
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    spoken, socket.socket = socket.socket, plain
    for address in dialogues.SINKS:
        threading.Thread(target=serve, args=(address, got), daemon=True).start()
    with open(place + "/log", "wb") as log:
        mta = subprocess.Popen(engine + ["-bD", "-q2s", "-C", place + "/t.cf"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    for _ in range(100):
        try:
            Talk("127.0.0.1").socket.close()
            break
        except OSError:
            time.sleep(0.1)
    socket.socket = spoken
    for name, source, steps in dialogues.DIALOGUES:
        try:
            talk, last = Talk(source), ""
            replies[name + " 0"] = talk.reply()
            for i, step in enumerate(steps, 1):
                step, n = step if isinstance(step, tuple) else (step, 1)
                if isinstance(step, bytes) and step.endswith(b".\r\n") and not last.startswith("354"):
                    continue  # DATA was refused
                talk.socket.sendall(step if isinstance(step, bytes) else step.encode("latin-1") + b"\r\n")
                for k in range(n):
                    last = replies["%s %d.%d %s" % (name, i, k, (step if isinstance(step, str) else step[:30].decode("latin-1")).split("\r\n")[0][:50])] = talk.reply()
            talk.socket.close()
        except OSError as e:
            replies[name + " error"] = type(e).__name__
    last, since = -1, time.time()
    while time.time() - since < 3:  # until nothing has been delivered for three seconds
        now = len(got) + len(os.listdir(place + "/got"))
        last, since = (now, time.time()) if now != last else (last, since)
        time.sleep(0.1)
    os.killpg(mta.pid, signal.SIGTERM)
    for name in os.listdir(place + "/got"):
        with open(place + "/got/" + name, encoding="latin-1") as f:
            got.append(f.read().split("\n", 1))
    print("\n" + json.dumps([replies, got]))
    sys.stdout.flush()
    os._exit(0)

# ---------------------------------------------------------------- outside


def essence(reply):
    if reply.startswith("250-"):
        return "ehlo " + " ".join(sorted("-".join(sorted(l[4:].split())) for l in reply.split("\r\n")[1:]))
    return " ".join("".join(m) for m in re.findall(r"(?m)^(\d{3})([ -])(\d\.\d{1,3}\.\d{1,3})?", reply)) or reply


def letter(text):
    """A message without what no two runs have in common."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    if "multipart/report" in head:
        return ["report"] + sorted(re.findall(r"(?m)^(?:Status|Action|Final-Recipient): .*", body))
    fields = []
    for field in re.split(r"\n(?=\S)", head):
        name = field.split(":")[0].lower()
        fields.append(name if name in ("received", "date", "message-id") or field.startswith("From ") else re.sub(r"\s+", " ", field))
    return sorted(fields) + [body]


def facts(replies, got):
    out = {k: essence(v) for k, v in replies.items()}
    for to, text in got:
        tag = re.search(r"tag-\w+", text)
        out.setdefault("delivered " + (tag.group() if tag else "?"), []).append([re.sub(r"\b[0-9A-Za-z]{8}\d{6,8}\b", "#", to), letter(text)])
    return {k: sorted(v, key=str) if isinstance(v, list) else v for k, v in out.items()}


def cell(engine, cf):
    with tempfile.TemporaryDirectory(prefix="mcf-wire.") as place:
        os.chmod(place, 0o755)
        os.mkdir(place + "/q")
        os.mkdir(place + "/got")
        os.chmod(place + "/got", 0o1777)
        with open(place + "/t.cf", "w", encoding="latin-1") as f:
            f.write(moved(cf, place))
        with open(place + "/record", "w") as f:
            f.write('#!/bin/sh\nf=$(mktemp -u %s/got/XXXXXX)\n{ echo "$*"; cat; } > $f\ncase "$*" in *exit*) exit ${*##*exit?};; esac\n' % place)
        os.chmod(place + "/record", 0o755)
        p = subprocess.run(["unshare", "-n", "-m", "-u", "-p", "-f", "--mount-proc", "--kill-child", sys.executable, os.path.realpath(__file__), "--inside", place, engine],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        try:
            return facts(*json.loads(p.stdout.strip().split("\n")[-1]))
        except ValueError:
            return {"error": p.stderr[-500:]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("cases", nargs="*")
    given = parser.parse_args()
    need_root()
    need_programs("sendmail", "makemap", "saslpasswd2", "openssl", "unshare", "ip", "m4")
    need(os.access(MCFD, os.X_OK), "the program %s: run make" % MCFD)
    report = Report("wire", "tests/wire/run.py '{}'", given.verbose)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for path in sorted(glob.glob(HERE + "/*.mc")):
            name = os.path.basename(path)
            if given.cases and name not in given.cases:
                continue
            status, theirs, said = compile_mc(path)
            ours = subprocess.run([MCF, "build", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if not report.check(name + " compiles", not refuses(status, said) and ours.returncode == 0, said + ours.stderr):
                continue
            cells = {"R/R": (SENDMAIL, theirs), "R/O": (SENDMAIL, ours.stdout), "O/R": (MCFD, theirs), "O/O": (MCFD, ours.stdout)}
            runs = {k: pool.submit(cell, e, cf.decode("latin-1")) for k, (e, cf) in cells.items()}
            base = runs.pop("R/R").result()
            report.check(name + ": as the kit means it", sum(v == "235 2.0.0" for v in base.values()) > 1 and len(base) > 300, "too few facts: %r" % (base if len(base) < 5 else len(base)))
            for k, run in runs.items():
                got = run.result()
                wrong = ["%s: %r, and not %r" % (key, got.get(key), base.get(key)) for key in sorted(set(base) | set(got)) if got.get(key) != base.get(key)]
                print("wire: %s %s: %d of %d" % (name, k, len(set(base) | set(got)) - len(wrong), len(set(base) | set(got))))
                report.check("%s: %s" % (name, k), not wrong, "\n".join(w[:300] for w in wrong[:20]))
    report.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
    main()
