"""probes: the address-test commands that a case is asked, from probes.txt and probes/CASE.txt."""
import os

HERE = os.path.dirname(os.path.realpath(__file__))
# Every how many-th address is tried with every mailer and mode.
STRIDE = 4


def sections(path):
    found, current = {}, None
    with open(path, encoding="latin-1") as f:
        for line in f:
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
                current = found.setdefault(line[1:-1], [])
            else:
                current.append(line)
    return found


def client(line):
    name, address, pointer, resolve = line.split()
    return name, [".D{client_name}" + name, ".D{client_addr}" + address,
                  ".D{client_ptr}" + pointer, ".D{client_resolve}" + resolve,
                  ".Ds" + name, ".Drsmtp",
                  "check_relay %s $| %s" % (name, address),
                  "checkrelay %s $| %s" % (name, address)]


def of_case(case):
    """The commands of the file named after the case, to be asked first."""
    path = os.path.join(HERE, "probes", case.replace("/", "-") + ".txt")
    if not os.path.exists(path):
        return []
    with open(path, encoding="latin-1") as f:
        return [l.rstrip("\n") for l in f if l.strip() and not l.startswith("#")]


def commands(case):
    """Every command for that case, in order."""
    p = sections(os.path.join(HERE, "probes.txt"))
    addresses = p["names"] + [n + d for n in p["names"][:3] for d in p["domains"]] + \
        [n + p["domains"][0] for n in p["names"][3:]] + p["odd"]
    out = of_case(case)
    out += ["3,0 " + a for a in addresses]
    out += ["3,5 " + a for a in p["names"]]
    for flags in ("ES", "ER", "HS", "HR"):
        out.append("/tryflags " + flags)
        for i, mailer in enumerate(p["mailers"]):
            out += ["/try %s %s" % (mailer, a) for a in addresses[i % STRIDE::STRIDE]]
    for i, line in enumerate(p["clients"]):
        name, setting = client(line)
        out += setting
        # Every sender meets a third of the clients, every recipient most of both.
        for j, sender in enumerate(p["senders"]):
            if (i + j) % 3:
                continue
            out += [".Df" + sender.strip("<>"), "check_mail " + sender]
            out += ["check_rcpt " + r for r in p["recipients"][(i + j // 3) % 5::5]]
    return out + p["commands"]


def is_setting(command):
    """A command that answers nothing."""
    return command.startswith((".", "/tryflags"))
