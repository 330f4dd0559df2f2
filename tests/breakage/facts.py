"""facts: the names that the kinds misspell, from the tables of the compiler and the tests."""
import glob
import os
import re

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def _read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf8") as f:
        return f.read()


def _vocabulary():
    out, kind = {}, None
    for line in _read("tests", "golden", "vocabulary.txt").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            kind = line.strip("[]")
        elif line:
            out.setdefault(kind, set()).update(line.split())
    return out


def _stems(folder):
    files = glob.glob(os.path.join(ROOT, "rulesets", folder, "*.rules"))
    return {os.path.basename(f)[:-len(".rules")] for f in files}


_words = _vocabulary()
MACROS = {w for w in _words["macros"] if w.isupper() or w.startswith("_")} | {"HACK"}
FEATURES = _words["FEATURE"] | _stems("feature")
MAILERS = _words["MAILER"] | _stems("mailer") | set(
    "uucp fax pop usenet phquery qpage mail11 cyrus ssh xagent".split())
OSTYPES = set(re.findall(r'^OSTYPE\("([^"]+)"', _read("lib", "model", "ostypes.def"), re.M))
DOMAINS = set(re.findall(r'^DOMAIN\("([^"]+)"', _read("lib", "model", "domains.def"), re.M))
_types = dict(re.findall(r"^OPTION(?:_ELSEWHERE)?\((\w+), [^,]+, \w+, (\w+)",
                         _read("lib", "model", "options.def"), re.M))
OPTIONS = set(_types)
# {variable: option}
VARIABLE_OPTION = dict(re.findall(r'^OPTION_VARIABLE\((\w+), "([^"]+)"',
                                  _read("lib", "model", "variables.def"), re.M))
VARIABLES = _words["variables"] | set(VARIABLE_OPTION)


def variable_type(name):
    """BOOL, NUMBER, TIME, ... of an option's variable; None for any other."""
    option = VARIABLE_OPTION.get(name)
    if not option:
        return None
    if option.startswith("Timeout."):
        return "NUMBER" if option.startswith("Timeout.resolver.retry") else "TIME"
    return _types.get(option)


def of_type(kind):
    return sorted(v for v in VARIABLE_OPTION if variable_type(v) == kind)


SIZES = ("confMAX_MESSAGE_SIZE", "confMAX_HEADERS_LENGTH", "confDF_BUFFER_SIZE", "confXF_BUFFER_SIZE",
         "confMIN_FREE_BLOCKS")
# The variables whose value a client or a person reads, where quotes belong to the text.
MESSAGES = re.compile(r"_MSG$|_HEADER$|_LINE$|MESSAGE|LOGIN|_ARGS$|confCF_VERSION|OPERATORS|QUOTE")
PRIVACY = """needmailhelo needexpnhelo needvrfyhelo noexpn novrfy restrictexpand restrictmailq
    restrictqrun noetrn noverb authwarnings noreceipts nobodyreturn goaway""".split()
BLAME = """AssumeSafeChown ForwardFileInGroupWritableDirPath GroupWritableForwardFileSafe
    GroupWritableIncludeFileSafe GroupReadableKeyFile GroupWritableDirPathSafe NonRootSafeAddr
    IncludeFileInGroupWritableDirPath TrustStickyBit DontWarnForwardFileInUnsafeDirPath""".split()
# Letters that no mailer flag and no daemon modifier has.
NO_FLAGS = "GJOQTY"
NO_MODIFIERS = "ZQqxWk"
DAEMON_KEYS = set("Name Port Addr Family Modify Listen InputMailFilters SndBufSize RcvBufSize".split())
SERVICES = {"25": "smtp", "587": "submission"}
MODIFY_NAMES = ("LOCAL", "SMTP", "ESMTP", "SMTP8", "DSMTP", "RELAY")
# FEATURE(access_db) must stand before these.
NEED_ACCESS = sorted(
    name for name in _stems("feature")
    if re.search(r"^%needs .*\baccess_db\b", _read("rulesets", "feature", name + ".rules"), re.M)
    and name not in ("blacklist_recipients",))
MAP_FEATURES = """access_db mailertable virtusertable genericstable domaintable authinfo bitdomain
    uucpdomain""".split()


def listener(value):
    """(port, address, family) of DAEMON_OPTIONS; the port by number where it is well known."""
    keys = {}
    for equate in value.split(","):
        key, _, v = equate.partition("=")
        keys[key.strip()[:1].lower()] = v.strip()
    port = keys.get("p", "25")
    numbers = {name: number for number, name in SERVICES.items()}
    return numbers.get(port, port), keys.get("a"), keys.get("f", "inet")
