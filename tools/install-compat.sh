#!/bin/bash
# install-compat.sh [--remove] PREFIX
#
# Registers mcfd and mcf of PREFIX as sendmail, mailq, newaliases, hoststat, purgestat and makemap
# with Debian's alternatives system, in the groups that Debian's sendmail has: where that is
# installed too, `update-alternatives --config sendmail-msp' (and sendmail-mta) chooses. --remove
# takes them out again. A file that is no link of that system is never replaced: it is a package's,
# or somebody's; where that is sendmail itself, nothing is changed at all. $DESTDIR: below that.
set -eu
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
priority=50
remove=
[ "${1:-}" != --remove ] || { remove=1; shift; }
prefix=$1 root=${DESTDIR:-}
mcfd=$prefix/sbin/mcfd mcf=$prefix/bin/mcf pages=$prefix/share/mcf/compat

if ! command -v update-alternatives >/dev/null; then
    echo "install-compat: this system has no update-alternatives (it is Debian's)." >&2
    echo "  Link /usr/sbin/sendmail, /usr/bin/mailq and /usr/bin/newaliases to $mcfd yourself." >&2
    exit 1
fi
alternatives() { update-alternatives ${root:+--root "$root"} "$@"; }
query() { alternatives --query "$1" 2>/dev/null || true; }
is_ours() { query "$1" | grep -qx "Alternative: $2"; }
# Where the link of a group or of one of its slaves is: there already, or the usual.
place_of() { # group, name, usual
    local there
    there=$(query "$1" | sed -n "s/^Link: //p; /^Alternative:/q" | head -1)
    [ "$1" = "$2" ] || there=$(query "$1" | sed -n "/^Alternative:/q; s/^ $2 //p" | head -1)
    echo "${there:-$3}"
}
# Whose it is, where something is there that is no link of the alternatives system.
owner_of() { # path
    local path=$root$1 package
    [ -e "$path" ] || [ -L "$path" ] || return 0
    case $(readlink "$path" 2>/dev/null) in /etc/alternatives/*) return 0;; esac
    package=$(dpkg-query ${root:+--root="$root"} -S "$1" 2>/dev/null | sed 's/: .*//' | head -1) || true
    echo "${package:-no package}"
}

# group, name, usual link, what it leads to; the first of each group is its master
table="
sendmail-msp sendmail-msp    /usr/sbin/sendmail-msp                $mcfd
sendmail-msp sendmail        /usr/sbin/sendmail                    $mcfd
sendmail-msp lib.sendmail    /usr/lib/sendmail                     $mcfd
sendmail-msp sendmail.8.gz   /usr/share/man/man8/sendmail.8.gz     $pages/mcfd.8.gz
sendmail-mta sendmail-mta    /usr/sbin/sendmail-mta                $mcfd
sendmail-mta mailq           /usr/bin/mailq                        $mcfd
sendmail-mta newaliases      /usr/bin/newaliases                   $mcfd
sendmail-mta hoststat        /usr/sbin/hoststat                    $mcfd
sendmail-mta purgestat       /usr/sbin/purgestat                   $mcfd
sendmail-mta mailq.1.gz      /usr/share/man/man1/mailq.1.gz        $pages/mcfd.8.gz
sendmail-mta newaliases.8.gz /usr/share/man/man8/newaliases.8.gz   $pages/mcfd.8.gz
sendmail-mta aliases.5.gz    /usr/share/man/man5/aliases.5.gz      $pages/mcf-aliases.5.gz
makemap      makemap         /usr/sbin/makemap                     $mcf
makemap      makemap.8.gz    /usr/share/man/man8/makemap.8.gz      $pages/mcf-map.1.gz
"

if [ -n "$remove" ]; then
    while read -r group name usual target; do
        [ -n "$group" ] && [ "$group" = "$name" ] || continue
        if is_ours "$group" "$target"; then
            alternatives --quiet --remove "$group" "$target"
            now=$(query "$group" | sed -n 's/^Value: //p')
            echo "$group: $target is taken out${now:+; it is $now now}"
        else
            echo "$group: $target was not registered"
        fi
    done <<< "$table"
    exit 0
fi

for program in "$mcfd" "$mcf"; do
    [ -x "$root$program" ] || { echo "install-compat: $program is not there: run make install" >&2; exit 1; }
done
# Without these nothing is worth doing, and half of it would be worse.
while read -r group name usual target; do
    case $name in sendmail | lib.sendmail | sendmail-msp | sendmail-mta) ;; *) continue;; esac
    place=$(place_of "$group" "$name" "$usual")
    owner=$(owner_of "$place")
    [ -n "$owner" ] || continue
    echo "install-compat: $place is there, and belongs to $owner: nothing was changed." >&2
    echo "  It is no link of the alternatives system. Remove what it belongs to, or call $mcfd by its own name." >&2
    exit 1
done <<< "$table"

install_group() { # group
    local group name usual target place owner master= words=() said=()
    while read -r group name usual target; do
        [ "$group" = "$1" ] || continue
        place=$(place_of "$group" "$name" "$usual")
        owner=$(owner_of "$place")
        if [ -n "$owner" ]; then
            echo "$place is left as it is: it belongs to $owner"
            [ "$group" != "$name" ] || return 0
            continue
        fi
        case $name in *.gz) [ -e "$root$target" ] || continue;; *) said+=("$place");; esac
        if [ "$group" = "$name" ]; then
            words=(--install "$place" "$name" "$target" "$priority")
        else
            words+=(--slave "$place" "$name" "$target")
        fi
    done <<< "$table"
    [ -z "$root" ] || mkdir -p "$root"/usr/{bin,sbin,lib,share/man/man{1,5,8}} "$root"/var/lib/dpkg/alternatives
    alternatives --quiet "${words[@]}"
    if [ "$(query "$1" | sed -n 's/^Value: //p')" = "${words[3]}" ]; then
        echo "${said[*]}: ${words[3]}"
    else
        echo "${said[*]}: $(query "$1" | sed -n 's/^Value: //p'), as somebody has chosen; for ours:"
        echo "  update-alternatives --set $1 ${words[3]}"
    fi
}
install_group sendmail-msp
install_group sendmail-mta
install_group makemap
