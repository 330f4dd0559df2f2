#!/bin/bash
# install-units.sh PREFIX
#
# Puts units/*.service into $DESTDIR/PREFIX/lib/systemd/system. A unit or init script of the same
# name that is not ours keeps its place: ours would hide it, and no mail would be taken after the
# next start of the machine. Says what it leaves; the exit status is 0 then, too.
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."
prefix=$1 root=${DESTDIR:-}
to=$root$prefix/lib/systemd/system
install -d "$to"
for unit in units/*.service; do
    name=$(basename "$unit")
    other=
    for place in "$root/etc/systemd/system/$name" "$root/lib/systemd/system/$name" \
        "$root/usr/lib/systemd/system/$name" "$root/etc/init.d/${name%.service}"; do
        [ ! -e "$place" ] || [ "$place" -ef "$to/$name" ] || other=$place
    done
    if [ -n "$other" ]; then
        echo "$name is not installed: $other is there, which it would take the place of."
        echo "  It is $PWD/$unit: put it to /etc/systemd/system yourself, with $prefix/sbin for @SBIN@."
        continue
    fi
    sed "s|@SBIN@|$prefix/sbin|g" "$unit" > "$to/$name.new"
    chmod 644 "$to/$name.new"
    mv "$to/$name.new" "$to/$name"
done
