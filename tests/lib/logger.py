"""logger: the system's log of a namespace, as a file.

start(place) gives the namespace a /dev of its own, where nobody else's log is, and writes what comes to
/dev/log to place/syslog, a line each, until stop() or the namespace's end.
"""
import os
import subprocess
import sys
import time

PROGRAM = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
os.chmod("/dev/log", 0o666)
while True:
    data = s.recv(65536).rstrip(b"\\0\\n")
    with open(sys.argv[1] + "/syslog", "ab") as f:
        f.write(data + b"\\n")
"""
RUNNING = []


def own_devices(place):
    os.makedirs(place + "/dev")
    subprocess.run("mount -t tmpfs -o mode=755 tmpfs {0}; for d in null zero random urandom full tty; do touch {0}/$d; "
                   "mount --bind /dev/$d {0}/$d; done; mkdir {0}/shm; ln -s /proc/self/fd {0}/fd; mount --rbind {0} /dev".format(
                       place + "/dev"), shell=True, check=True)


def start(place):
    """The second time: what was there has ended, and another takes its place."""
    if not RUNNING:
        own_devices(place)
    stop()
    RUNNING[:] = [subprocess.Popen([sys.executable, "-c", PROGRAM, place])]
    while not os.path.exists("/dev/log") or not os.stat("/dev/log").st_mode & 0o2:
        time.sleep(0.01)


def stop():
    for old in RUNNING:
        old.kill()
        old.wait()
        os.unlink("/dev/log")
