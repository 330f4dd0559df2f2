#!/bin/bash
# run.sh [MCF]: the golden tests of the .cf reader and of the verbs that read a .cf; see README.md.
# UPDATE=1 writes what came out: read it before you commit it.
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 2
mcf=$(readlink -f "${1:-../../../build/mcf}")
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
failed=0 count=0

fail() { echo "not ok: $1"; failed=$((failed + 1)); }
golden() { # NAME FILE: what came out against what is expected
    count=$((count + 1))
    if [ -n "${UPDATE:-}" ]; then cp "$2" "$1"; return; fi
    diff -u "$1" "$2" || fail "$1"
}
code() { # WANTED COMMAND...: the exit code of a command without output
    local want=$1 got; shift
    count=$((count + 1))
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; got=$?
    [ "$got" = "$want" ] || fail "exit $got, not $want: ${*#"$mcf"}"
}

for cf in *.cf; do
    case $cf in change.*) continue ;; esac
    code 0 "$mcf" dump "$cf"
    golden "${cf%.cf}.json" "$tmp/out"
    [ -s "$tmp/err" ] || [ -e "${cf%.cf}.err" ] && golden "${cf%.cf}.err" "$tmp/err"
    code 0 "$mcf" diff "$cf" "$cf"
    [ -s "$tmp/out" ] && fail "$cf differs from itself"
done
code 1 "$mcf" diff change.old.cf change.new.cf
golden change.diff "$tmp/out"
code 1 "$mcf" diff --json change.old.cf change.new.cf
golden change.json "$tmp/out"

code 0 "$mcf" dump --no-comments kinds.cf
grep -q '"comment",$\|"blank"' "$tmp/out" && fail "dump --no-comments has comments"
for verb in dump diff where; do
    code 2 "$mcf" $verb
    code 2 "$mcf" $verb --nonsense x.cf:1
    code 0 "$mcf" $verb --help
done
code 2 "$mcf" dump kinds.cf folds.cf
code 2 "$mcf" diff kinds.cf
code 2 "$mcf" diff kinds.cf folds.cf broken.cf
code 66 "$mcf" dump "$tmp/none.cf"
code 66 "$mcf" dump "$tmp"
code 66 "$mcf" diff kinds.cf "$tmp/none.cf"
code 66 "$mcf" diff "$tmp/none.cf" kinds.cf
[ -e /dev/full ] && { count=$((count + 1)); "$mcf" dump kinds.cf >/dev/full 2>/dev/null; [ $? = 73 ] || fail "dump to a full device"; }

# A map: made, asked, gone stale.
cat >"$tmp/x.mc" <<'MC'
OSTYPE(`linux')dnl
FEATURE(`redirect')dnl
MAILER(`local')dnl
LOCAL_CONFIG
D{Mine}x
MC
code 0 "$mcf" build -o "$tmp/x.cf" --map "$tmp/x.cf.map" "$tmp/x.mc"
mine=$(grep -n '^D{Mine}' "$tmp/x.cf" | cut -d: -f1)
redirect=$(grep -n '^C.*REDIRECT' "$tmp/x.cf" | cut -d: -f1)
ask() { # LINE TEXT: the answer contains the text
    code 0 "$mcf" where "$tmp/x.cf:$1"
    grep -qF -- "$2" "$tmp/out" || fail "where $1: $(cat "$tmp/out") has no $2"
}
ask "$mine" "$tmp/x.cf:$mine: $tmp/x.mc:5"
ask "$redirect" "rulesets/feature/redirect.rules:"
ask "$redirect" ", because of $tmp/x.mc:2 FEATURE(\`redirect')"
code 0 "$mcf" where --map="$tmp/x.cf.map" "$tmp/x.cf:1" "$tmp/x.cf:2"
[ "$(wc -l <"$tmp/out")" = 2 ] || fail "two places, two answers"
code 65 "$mcf" where "$tmp/x.cf:100000"
code 2 "$mcf" where "$tmp/x.cf"
code 2 "$mcf" where "$tmp/x.cf:0"
code 66 "$mcf" where kinds.cf:1
code 66 "$mcf" where "$tmp/none.cf:1"
code 65 "$mcf" where --map kinds.cf "$tmp/x.cf:1"
echo 'DXa' >>"$tmp/x.cf"
code 65 "$mcf" where "$tmp/x.cf:1"
grep -q 'does not belong' "$tmp/err" || fail "a stale map is not named so: $(cat "$tmp/err")"

echo "$((count - failed)) of $count"
[ $failed = 0 ]
