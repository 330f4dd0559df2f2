#!/bin/bash
# deps.sh [build|test|develop]
#
# Installs what is missing to build mcf (build), to run its tests too (test), or to work
# on it (develop), on Debian 12; says what and why, and is quick when all is there.
# Needs root only when something is missing; without it, it says which command to run.
# Nothing is removed and no service is started. For tests, a package that cannot be installed beside
# the others is unpacked below build.
set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# package, what shows that it is there (a program, or a path with wildcards), why
BUILD='
gcc              cc                          compiles C
libc6-dev        /usr/include/stdio.h        the C library
make             make                        builds
m4               m4                          expands .mc files, when building and when running
flex             flex                        makes the lexers
bison            bison                       makes the parsers
libdb5.3-dev     /usr/include/db.h           hash and btree maps
libcdb-dev       /usr/include/cdb.h          cdb maps
libuv1-dev       /usr/include/uv.h           mcfd: the loop of what speaks to the network
liblmdb-dev      /usr/include/lmdb.h         mcfd: the queue
libsasl2-dev     /usr/include/sasl/sasl.h    mcfd: AUTH
libssl-dev       /usr/include/openssl/ssl.h  mcfd: TLS
libseccomp-dev   /usr/include/seccomp.h      mcfd: confines what reads from the network
'
TEST='
sendmail-bin     /usr/libexec/sendmail/sendmail   the reference: runs and tests what we make
sendmail-cf      /usr/share/sendmail/cf/m4/cf.m4  the reference: the library to compare with
procmail         procmail                    delivers in the story of samples/centos6
libsasl2-modules /usr/lib/*/sasl2/libcrammd5.so   logins in that story
sasl2-bin        saslpasswd2                 a password for them
libmilter-dev    /usr/include/libmilter/mfapi.h   a filter that the tests make
opendkim         opendkim                    a filter that people have
opendkim-tools   opendkim-genkey             a key for it
python3          python3                     runs the tests
python3-jsonschema /usr/lib/python3/dist-packages/jsonschema/__init__.py validates what is written for programs
iproute2         ip                          networks of their own for the tests
openssl          openssl                     certificates for the tests
util-linux       unshare                     namespaces for the tests
mount            mount                       a private /etc for the tests
procps           ps                          sees that no process is left
patch            patch                       takes what --diff prints
groff-base       groff                       formats the manual pages
db5.3-util       db5.3_load                  writes databases in the other byte order
libcmocka-dev    /usr/include/cmocka.h       unit tests
libldap-dev      /usr/include/ldap.h         class ldap of the lookups
slapd            slapd                       a directory for its tests, which run their own
ldap-utils       ldapadd                     fills it
swaks            swaks                       a client that speaks what it is told
libnet-ssleay-perl /usr/lib/*/perl5/*/Net/SSLeay.pm its TLS
libauthen-sasl-perl /usr/share/perl5/Authen/SASL.pm its DIGEST-MD5
libdigest-hmac-perl /usr/share/perl5/Digest/HMAC_MD5.pm what that needs
mutt             mutt                        a client that people have
bsd-mailx        bsd-mailx                   mail, for the story of a whole server
dovecot-imapd    /usr/lib/dovecot/imap       shows mailboxes in that story
dovecot-pop3d    /usr/lib/dovecot/pop3       the same by POP3
'
# These cannot be installed beside the reference: they are unpacked into build/unpacked/PACKAGE, and
# are run from there. What they need of the system stands here.
UNPACK='
postfix          usr/lib/postfix/sbin/master a server that mail is relayed to and from
'
TEST+='
libicu72         /usr/lib/*/libicuuc.so.72   for Postfix, which is unpacked and not installed
libnsl2          /usr/lib/*/libnsl.so.2      the same
'
DEVELOP='
git              git                         which files are ours
clang            clang                       a second compiler, and fuzzing
clang-format     clang-format                the house style
clang-tidy       clang-tidy                  looks for mistakes
'

here=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
case ${1:-build} in
build) set=$BUILD UNPACK=;;
test) set=$BUILD$TEST;;
develop) set=$BUILD$TEST$DEVELOP;;
*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2;;
esac

is_there() {
    case $1 in
    /*) compgen -G "$1" >/dev/null;;
    *) command -v "$1" >/dev/null;;
    esac
}

missing=() lines=()
while read -r package shows why; do
    [ -n "$package" ] || continue
    is_there "$shows" && continue
    missing+=("$package")
    lines+=("$(printf '  %-17s %s' "$package" "$why")")
done <<< "$set"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
has_lists() { compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; }
update() { echo "Reading the lists of packages ..."; apt-get -q update >>"$log" 2>&1; }

# Needs no root, and nothing of the system is changed.
unpack() { # package, what shows that it is there, why
    local to=$here/build/unpacked/$1 folder
    [ ! -e "$to/$2" ] || return 0
    echo "Unpacking $1 ($3) into build/unpacked ..."
    rm -rf "$to" && mkdir -p "$here/build/unpacked"
    folder=$(mktemp -d "$here/build/unpacked/$1.XXXXXX")
    get() { (cd "$folder" && apt-get -q download "$1" >>"$log" 2>&1); }
    if { get "$1" || { [ "$(id -u)" = 0 ] && update && get "$1"; }; } &&
        dpkg -x "$folder"/*.deb "$folder/all" 2>>"$log" && [ -e "$folder/all/$2" ]; then
        mv "$folder/all" "$to" && rm -rf "$folder"
        return 0
    fi
    tail -10 "$log" >&2
    rm -rf "$folder"
    echo "deps.sh: this did not work: apt-get download $1" >&2
    return 1
}
unpack_all() {
    while read -r package shows why; do
        [ -z "$package" ] || unpack "$package" "$shows" "$why" || return 1
    done <<< "$UNPACK"
}

if [ ${#missing[@]} -eq 0 ]; then
    unpack_all
    exit
fi

echo "Missing:"
printf '%s\n' "${lines[@]}"
install="apt-get install -y --no-install-recommends --no-remove ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "deps.sh: this is no Debian; please install these (or what they are called here)." >&2
    exit 1
fi
# The reference would replace another mail server; that is not ours to decide.
if [[ " ${missing[*]} " == *" sendmail-bin "* ]] &&
    other=$(dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Provides}\n' 2>/dev/null |
        sed -n 's/^ii *\([^ ]*\) .*mail-transport-agent.*/\1/p' | head -1) && [ -n "$other" ]; then
    echo "deps.sh: the tests need sendmail, which would take the place of $other on this machine." >&2
    echo "         Run them in a container or a chroot, or remove $other yourself." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "deps.sh: only root can install them. Please run (or repeat this command as root):" >&2
    echo "  sudo apt-get update && sudo $install" >&2
    exit 1
fi

# Packages start their services unless this file says no; one that is there already decides itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy
    trap 'rm -f $policy "$log"' EXIT
fi
try() { apt-get -q -o Dpkg::Use-Pty=0 ${install#apt-get} >>"$log" 2>&1 </dev/null; }
has_lists || update
echo "Installing ${missing[*]} ..."
if ! try && ! { update && try; }; then
    tail -30 "$log" >&2
    echo "deps.sh: this did not work: $install" >&2
    exit 1
fi
for package in "${missing[@]}"; do
    shows=$(awk -v p="$package" '$1 == p { print $2 }' <<< "$set")
    is_there "$shows" || { echo "deps.sh: $package is installed, but $shows is not there" >&2; exit 1; }
done
unpack_all
