"""The cases of `mcfd start`, `stop` and `status`: exit codes as LSB has them, and what is there behind them."""
import json
import os
import re
import signal
import socket
import subprocess
import time


def cases(case, run, fresh, speak, mail, MCFD, SENDMAIL, PLACE):
    def number():
        with open(PLACE + "/pid") as f:
            return int(f.readline())

    def gone(pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                return f.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    def greets():
        try:
            with socket.create_connection(("127.0.0.1", 25), 2) as s:
                return s.recv(3) == b"220"
        except OSError:
            return False

    class Steps:
        """Each step's exit code and a pattern of what it says; all that was wrong."""

        def __init__(self, cf):
            self.cf, self.wrong = cf, []

        def __call__(self, status, pattern, *words):
            got = run(MCFD, *words, "-C", self.cf)
            if got[0] != status or not re.search(pattern, got[1]):
                self.wrong.append("%s: wanted %d and %s: %r" % (" ".join(words), status, pattern, got))

        def true(self, good, why):
            if not good:
                self.wrong.append(why)

        def end(self):
            run(MCFD, "stop", "-C", self.cf)
            return "\n".join(self.wrong)

    @case
    def start_stop_and_status_of_a_daemon():
        step = Steps(fresh(DeliveryMode="queueonly"))
        step(3, "does not run", "status")
        step(0, "does not run", "stop")
        step(0, r"takes mail at 127\.0\.0\.1:25 \(pid \d+\)", "start")
        step.true(greets(), "nobody greets when start comes back")
        first = number()
        step(0, r"runs already \(pid %d\)" % first, "start")
        step.true(number() == first and not gone(first), "another one was started")
        speak(MCFD, step.cf, *mail)
        step(0, r"it runs \(pid %d\)\nports: 127\.0\.0\.1:25\nqueue: 1 message in %s/q\n" % (first, PLACE), "status")
        told = json.loads(run(MCFD, "status", "--json", "-C", step.cf)[1])
        step.true(told == {"configuration": step.cf, "state": "runs", "pid": first, "ports": ["127.0.0.1:25"], "queued": 1}, "as JSON: %r" % told)
        step(0, r"has ended \(pid %d\)" % first, "stop")
        step.true(gone(first) and not greets() and not os.path.exists(PLACE + "/pid"), "stop comes back too early")
        return step.end()

    @case
    def what_start_and_status_say_of_a_daemon_that_was_killed():
        step = Steps(fresh())
        step(0, "takes mail", "start")
        os.kill(number(), signal.SIGKILL)
        time.sleep(0.1)
        step(1, "was killed: %s/pid is there" % PLACE, "status")
        step(0, "does not run", "stop")
        step(0, "takes mail", "start")
        return step.end()

    @case
    def a_number_that_is_another_process_is_left_alone():
        step = Steps(fresh())
        other = subprocess.Popen(["sleep", "60"])
        with open(PLACE + "/pid", "w") as f:
            f.write("%d\n%s -bd -q30m -C %s\n" % (other.pid, MCFD, step.cf))
        step(1, "was killed", "status")
        step(0, "does not run", "stop")
        step.true(other.poll() is None, "another process was ended")
        other.kill()
        other.wait()
        # A sendmail writes the file in the same form; its title is another one.
        os.makedirs("/run/sendmail/mta", exist_ok=True)
        theirs = subprocess.Popen([SENDMAIL, "-bD", "-C", step.cf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + 10
        while not greets() and time.time() < end:
            time.sleep(0.05)
        time.sleep(0.2)
        step(0, "does not run", "stop")
        step.true(theirs.poll() is None, "the reference was ended")
        step(1, "port 25", "start")
        theirs.terminate()
        theirs.wait()
        return step.end()

    @case
    def why_it_is_not_started():
        step = Steps(fresh(NoSuchOption="1"))
        step(6, "no option NoSuchOption", "start")
        step(3, "does not run", "status")
        step.cf = PLACE + "/nonexist.cf"
        step(6, "cannot open", "start")
        step(6, "cannot open", "stop")
        step(4, "cannot open", "status")
        step.cf = fresh()
        step(2, "illegal option", "start", "-Y")
        step(2, "flags only", "start", "now")
        step(4, "flags only", "status", "now")
        step.cf = fresh(PidFile="")
        step(6, "confPID_FILE", "start")
        step.cf = fresh()
        busy = socket.socket()
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", 25))
        busy.listen()
        step(1, "port 25", "start")
        busy.close()
        os.chmod(PLACE + "/q", 0o777)
        step(6, "chmod", "start")
        return step.end()

    @case
    def a_configuration_that_was_broken_meanwhile_does_not_keep_it_from_being_stopped():
        step = Steps(fresh())
        step(0, "takes mail", "start")
        with open(step.cf, "a") as f:
            f.write("O NoSuchOption=1\nRthis is no rule\n")
        step(0, "it runs", "status")
        step(0, "has ended", "stop")
        return step.end()

    @case
    def start_stop_and_status_of_the_runner_of_the_client_queue():
        step = Steps(fresh(UseMSP="True", RunAsUser="smmsp"))
        subprocess.run(["chown", "smmsp:smmsp", PLACE + "/q"], check=True)
        step(0, r"runs the queue %s/q \(pid \d+\)" % PLACE, "start", "-Ac")
        with open("/proc/%d/cmdline" % number(), "rb") as f:
            step.true(f.read().split(b"\0")[1:3] == [b"-q30m", b"-Ac"], "another command")
        step.true(not greets(), "it takes mail")
        step(0, r"it runs \(pid \d+\)\nqueue: 0 messages", "status", "-Ac")
        step(0, "has ended", "stop", "-Ac")
        return step.end()

    @case
    def a_service_manager_is_told_when_mail_is_taken():
        step = Steps(fresh())
        for name in (PLACE + "/notify", "\0mcfd-test"):
            manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            manager.bind(name)
            manager.settimeout(10)
            p = subprocess.Popen([MCFD, "-bd", "--foreground", "-C", step.cf], stderr=subprocess.DEVNULL,
                                 env=dict(os.environ, NOTIFY_SOCKET=name.replace("\0", "@")))
            said = manager.recv(100).decode()
            step.true(said == "READY=1\nMAINPID=%d\n" % p.pid, "%s: %r" % (p.pid, said))
            step.true(greets(), "nobody greets behind READY=1")
            p.send_signal(signal.SIGHUP)  # in its own place, with the same number
            said = manager.recv(100).decode()
            step.true(said == "READY=1\nMAINPID=%d\n" % p.pid, "behind SIGHUP: %r" % said)
            p.terminate()
            p.wait(20)
            manager.close()
        return step.end()

    @case
    def names_of_debian_s_alternatives():
        step = Steps(fresh())
        for name in ("sendmail-mta", "sendmail-msp"):
            link = PLACE + "/" + name
            os.path.exists(link) or os.symlink(MCFD, link)
            got = run(link, "-bv", "-C", step.cf, "alice")
            step.true(got[0] == 0 and "deliverable" in got[1], "%s: %r" % (name, got))
        return step.end()
