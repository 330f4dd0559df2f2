"""filters: mail filters that follow a script, and keep a record of what they were told.

They speak the protocol of filters by hand, so that they can say what no library would. A script is lines
"NAME STAGE [~WORD] ANSWER": what the filter says to that stage (where WORD is in what it was told); lines for the same
stage are said one after the other, and where none of them ends the answer, `continue' follows.

Stages: negotiate connect helo mail rcpt data unknown header eoh body eom abort quit.
Answers: accept continue reject tempfail discard skip shutdown fail, and

    offer VERSION ACTIONS PROTOCOL [STAGE=MACROS]...   what is answered to the negotiation (hexadecimal; MACROS with commas)
    reply CODE TEXT      add-header NAME|VALUE      insert-header N NAME|VALUE    change-header N NAME|VALUE
    add-rcpt A           add-rcpt-with A|PARAMETERS  delete-rcpt A                 change-from A[|PARAMETERS]
    body TEXT            quarantine TEXT            progress
    packet X BYTES       bytes BYTES (as they are)  wait SECONDS                  close          nothing

`macros' and `answers' as a stage switch on the record of macros; `quiet' says that headers are not recorded.
"""
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

STAGES = {"negotiate": "O", "connect": "C", "helo": "H", "mail": "M", "rcpt": "R", "data": "T", "unknown": "U", "header": "L", "eoh": "N",
          "body": "B", "eom": "E", "abort": "A", "quit": "Q", "quit-nc": "K"}
NAMES = {v: k for k, v in STAGES.items()}
ORDER = ["connect", "helo", "mail", "rcpt", "data", "eom", "eoh"]  # as lists of macros are numbered
FINAL = {"accept": "a", "continue": "c", "reject": "r", "tempfail": "t", "discard": "d", "skip": "s", "shutdown": "4", "fail": "f"}
PIPED = {"connect": 0x1000, "helo": 0x2000, "mail": 0x4000, "rcpt": 0x8000, "data": 0x10000, "unknown": 0x20000, "eoh": 0x40000, "body": 0x80000,
         "header": 0x80}
USUAL = "offer 6 1ff 0"


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command.encode() + data


def halves(raw, text):
    one, _, two = text.partition("|")
    return raw(one) + b"\0" + raw(two) + b"\0"


def in_order(events):
    """That something is over nobody answers, and others may hear something else before: an abort stands right behind what
    its filter heard before, a quit at the end."""
    out = []
    for e in events:
        at = len(out)
        while e.endswith(" abort") and at and out[at - 1].split(" ")[1] != e.split(" ")[1]:
            at -= 1
        if not e.endswith(" quit"):
            out.insert(at, e)
    return out + sorted(e for e in events if e.endswith(" quit"))


class Filters:
    """Those of a configuration: {name: socket}, a socket as X lines have it; behind "made by" a program of one argument,
    whose lines are what it was told."""

    def __init__(self, sockets, raw, shown):
        self.raw, self.shown, self.lock, self.events, self.script, self.open = raw, shown, threading.Lock(), [], [], 0
        self.listening, self.programs = [], []
        for name, where in sockets.items():
            if where.startswith("made by "):
                self.start(name, *where.split(" ")[2:])
                continue
            kind, _, place = where.partition(":")
            if kind in ("unix", "local"):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if os.path.exists(place):
                    os.unlink(place)
                s = socket.socket(socket.AF_UNIX)
                s.bind(place)
            else:
                port, _, address = place.partition("@")
                s = socket.socket(socket.AF_INET6 if kind == "inet6" else socket.AF_INET)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address.strip("[]"), int(port)))
            s.listen(20)
            self.listening.append(s)
            threading.Thread(target=self.serve, args=(s, name), daemon=True).start()

    def start(self, name, program, where):
        p = subprocess.Popen([program, where], stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.programs.append(p)

        def read():
            for line in p.stdout:
                self.open -= line.startswith("close")
                self.open += line.startswith("connect")
                self.note(self.events, "%s %s" % (name, self.shown(line.rstrip("\n"))))
        threading.Thread(target=read, daemon=True).start()
        path, end = where.partition(":")[2], time.time() + 5
        while not os.path.exists(path) and time.time() < end:
            time.sleep(0.02)

    def begin(self, script):
        """A dialogue begins."""
        with self.lock:
            self.events, self.script = [], [l.split(" ", 2) + [""] * (2 - l.count(" ")) for l in script]

    def end(self):
        """It is over: what they were told."""
        until = time.time() + 3
        while self.open and time.time() < until:
            time.sleep(0.01)
        with self.lock:
            return in_order(self.events)

    def close(self):
        for s in self.listening:
            s.shutdown(socket.SHUT_RDWR)  # who waits there would keep it
            s.close()
        for p in self.programs:
            p.kill()
            p.wait()

    def serve(self, listening, name):
        while True:
            try:
                c = listening.accept()[0]
            except OSError:
                return
            self.open += 1
            threading.Thread(target=self.talk, args=(c, name), daemon=True).start()

    def note(self, events, text):
        with self.lock:
            events.append("%% %s" % text if text else "%")

    def talk(self, c, name):
        try:
            with self.lock:
                script, events = [(s, a) for n, s, a in self.script if n == name], self.events
            self.converse(c, name, script, events)
        except OSError:
            self.note(events, "%s (closed)" % name)
        finally:
            c.close()
            self.open -= 1

    def receive(self, c, n):
        data = b""
        while len(data) < n:
            more = c.recv(n - len(data))
            if not more:
                return None
            data += more
        return data

    def answers(self, script, stage, told):
        out = []
        for s, answer in script:
            if s != stage:
                continue
            if answer.startswith("~"):
                word, _, answer = answer[1:].partition(" ")
                if self.raw(word) not in told:
                    continue
            out.append(answer)
        return out

    def say(self, c, answer):
        """Whether the answer is over: True, or None: hang up."""
        raw = self.raw
        word, _, rest = answer.partition(" ")
        if word in FINAL:
            c.sendall(packet(FINAL[word]))
            return True
        if word == "reply":
            c.sendall(packet("y", raw(rest) + b"\0"))
            return True
        if word == "nothing":
            return True
        if word == "close":
            return None
        if word == "wait":
            end = time.time() + float(rest)
            while time.time() < end:
                if select.select([c], [], [], 0.05)[0] and c.recv(1, socket.MSG_PEEK) == b"":
                    return None
        elif word == "bytes":
            c.sendall(raw(rest))
        elif word == "packet":
            letter, _, data = rest.partition(" ")
            c.sendall(packet(letter, raw(data)))
            return letter in "yO"
        elif word == "add-header":
            c.sendall(packet("h", halves(raw, rest)))
        elif word in ("insert-header", "change-header"):
            n, _, header = rest.partition(" ")
            c.sendall(packet("i" if word[0] == "i" else "m", struct.pack(">I", int(n)) + halves(raw, header)))
        elif word in ("add-rcpt", "delete-rcpt"):
            c.sendall(packet("+" if word[0] == "a" else "-", raw(rest) + b"\0"))
        elif word == "add-rcpt-with":
            c.sendall(packet("2", halves(raw, rest)))
        elif word == "change-from":
            c.sendall(packet("e", halves(raw, rest) if "|" in rest else raw(rest) + b"\0"))
        elif word == "body":
            c.sendall(packet("b", raw(rest)))
        elif word == "quarantine":
            c.sendall(packet("q", raw(rest) + b"\0"))
        elif word == "progress":
            c.sendall(packet("p"))
        else:
            raise ValueError(answer)
        return False

    def offer(self, c, words):
        data = struct.pack(">III", *[int(w, 16) for w in words[:3]])
        for w in words[3:]:
            stage, _, macros = w.partition("=")
            n = ORDER.index(stage) if stage in ORDER else int(stage)
            data += struct.pack(">I", n) + macros.replace(",", " ").encode() + b"\0"
        c.sendall(packet("O", data))
        return int(words[2], 16)

    def told(self, stage, data):
        if stage == "negotiate":
            return "%d %x %x" % struct.unpack(">III", data) if len(data) == 12 else self.shown(data)
        if stage == "connect":
            host, _, rest = data.partition(b"\0")
            port = struct.unpack(">H", rest[1:3])[0] if len(rest) > 3 else 0
            return "%s %s%s %s" % (self.shown(host), self.shown(rest[:1]), " port" if port else "", self.shown(rest[3:]))
        fields = [self.shown(f) for f in data.split(b"\0")] if stage not in ("body", "eom") else [self.shown(data)]
        if stage not in ("body", "eom") and fields[-1] == "":
            fields.pop()
        return "|".join(fields)

    def converse(self, c, name, script, events):
        stages = {s for s, _ in script}
        shows_macros, quiet, protocol = "macros" in stages, "quiet" in stages, 0
        pause = None
        while True:
            head = self.receive(c, 4)
            if head is None:
                self.note(events, "%s (closed)" % name)
                return
            data = self.receive(c, struct.unpack(">I", head)[0])
            if data is None:
                self.note(events, "%s (closed in a packet)" % name)
                return
            letter, data = chr(data[0]), data[1:]
            if letter == "D":
                fields = data[1:].split(b"\0")[:-1]
                if shows_macros:
                    self.note(events, "%s macros of %s:%s" % (name, NAMES.get(chr(data[0]), "?"), "".join(
                        " %s=%s" % (self.shown(fields[i]), self.shown(fields[i + 1])) for i in range(0, len(fields) - 1, 2))))
                continue
            stage = NAMES.get(letter, letter)
            if not (quiet and stage == "header"):
                self.note(events, ("%s %s %s" % (name, stage, self.told(stage, data))).rstrip(" "))
            if stage == "quit":
                return
            todo = self.answers(script, stage, data)
            if stage == "negotiate":
                if not any(a.split(" ")[0] in ("packet", "bytes", "close", "nothing", "offer", *FINAL) for a in todo):
                    todo.append(USUAL)
            elif stage in ("abort", "quit-nc"):
                continue
            over = False
            for a in todo:
                if a.startswith("offer "):
                    protocol, over = self.offer(c, a.split(" ")[1:]), True
                else:
                    over = self.say(c, a)
                if over is None:
                    return
                if over:
                    break
            if not over and not protocol & PIPED.get(stage, 0):
                c.sendall(packet("c"))


class Log:
    """Lines of /dev/log that a pattern is in, without what no two runs have in common."""

    def __init__(self, pattern):
        self.pattern, self.lines = re.compile(pattern), []
        if os.path.exists("/dev/log") or os.path.islink("/dev/log"):
            os.unlink("/dev/log")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            line = re.sub(r"^<\d+>.*?\]: ([0-9A-Za-z]{14}: )?", lambda m: "ID: " if m.group(1) else "", self.socket.recv(8192).decode("latin-1").rstrip("\n\0"))
            if self.pattern.search(line):
                self.lines.append("% log " + line)

    def take(self):
        time.sleep(0.05)
        lines, self.lines = self.lines, []
        # Of which command it was, the reference says what is left of another.
        return [re.sub(r"( unknown=).*?(, (?:reject|discard))", r"\1...\2", l) for l in lines]
