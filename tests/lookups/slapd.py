#!/usr/bin/env python3
"""slapd.py PORT FOLDER LDIF...: a directory for class ldap, for tests.

Runs slapd in the foreground on ldap://127.0.0.1:PORT, with a database of its own in FOLDER made of
the LDIF files, and prints ready when it answers. Nothing of the machine's own directory is read:
what the entries need of a schema is here.
"""
import os
import signal
import socket
import subprocess
import sys
import time

STRING = "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch " \
         "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
ATTRIBUTES = ("mailBox", "route", "number", "sendmailMTAKey", "sendmailMTAMapName",
              "sendmailMTAMapValue", "sendmailMTAMapSearch", "sendmailMTAMapURL")
CLASSES = ("thing", "sendmailMTAMapObject")


def configuration(folder):
    lines = ["pidfile %s/pid" % folder, "argsfile %s/args" % folder]
    for n, name in enumerate(ATTRIBUTES, 1):
        # Numbers that are free for examples (RFC 5612).
        lines.append("attributetype ( 1.3.6.1.4.1.32473.1.%d NAME '%s' %s )" % (n, name, STRING))
    for n, name in enumerate(CLASSES, 1):
        lines.append("objectclass ( 1.3.6.1.4.1.32473.3.%d NAME '%s' SUP top STRUCTURAL "
                     "MAY ( cn $ description $ uid $ userPassword $ seeAlso $ %s ) )" %
                     (n, name, " $ ".join(ATTRIBUTES)))
    lines += ["allow bind_v2", "database ldif", "suffix \"cn=test\"", "directory %s/data" % folder,
              "rootdn \"cn=root,cn=test\"", "rootpw secret",
              "access to attrs=userPassword by anonymous auth by * none",
              "access to dn.subtree=\"cn=closed,cn=test\" by dn=\"uid=reader,cn=test\" read "
              "by anonymous auth by * none",
              "access to * by * read"]
    return "".join(l + "\n" for l in lines)


def main():
    port, folder, ldif = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.makedirs(folder + "/data")
    with open(folder + "/slapd.conf", "w", encoding="utf-8") as f:
        f.write(configuration(folder))
    for name in ldif:
        subprocess.run(["slapadd", "-f", folder + "/slapd.conf", "-l", name], check=True,
                       stderr=subprocess.DEVNULL)
    p = subprocess.Popen(["slapd", "-h", "ldap://127.0.0.1:%d" % port, "-f",
                          folder + "/slapd.conf", "-d", "0"], stderr=subprocess.DEVNULL)

    def stop(*_):
        p.kill()  # its folder goes with it
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    else:
        sys.exit("slapd does not listen")
    print("ready", flush=True)
    p.wait()


if __name__ == "__main__":
    main()
