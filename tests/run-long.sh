#!/bin/bash
# run-long.sh [SEED [MINUTES]]
#
# What takes too long for every day: all suites with a compiler built with AddressSanitizer
# and UndefinedBehaviorSanitizer, random .mc files against the reference, and fuzzing where
# clang is there. SEED (default: the day) makes the same files again. Last line as run.sh's.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
seed=${1:-$(date +%j)} minutes=${2:-10}
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

count() { # what, command...
    local what=$1 last good=0 bad=1
    shift
    echo "--- $what: $*"
    "$@" > "$out" 2>&1
    last=$(tail -1 "$out")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
        sed '$d' "$out"
    else
        cat "$out"
        echo "FAILED  $what: it did not come to its end"
    fi
    passed=$((passed + good)) failed=$((failed + bad))
}

san=build/sanitized
if make -s BUILD=$san CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined' \
    $san/mcf unit > "$out" 2>&1; then
    export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
    count "sanitized" env BUILD=$san tests/run.sh unit golden cage story differential
else
    cat "$out"
    echo "FAILED  sanitized: it does not build"
    failed=$((failed + 1))
fi
end=$((SECONDS + minutes * 60))
while [ $SECONDS -lt $end ]; do
    count "random $seed" tests/differential/run.py --random "$seed,100"
    seed=$((seed + 1))
done
if command -v clang >/dev/null; then
    for source in tests/fuzz/*_fuzz.c; do
        name=$(basename "$source" _fuzz.c)
        fuzz=build/fuzz/$name
        mkdir -p "$fuzz/new"
        # shellcheck disable=SC2086
        if ! clang -w -std=c11 -D_GNU_SOURCE -I. -Ibuild -Igrammar -O1 -g \
            -fsanitize=fuzzer,address,undefined $source lib/base/*.c lib/model/*.c \
            $(ls grammar/*.c | grep -v '/rule') build/grammar/{mc,cf}.{tab,lex}.c \
            -o "$fuzz/run" > "$out" 2>&1; then
            cat "$out"
            echo "FAILED  fuzz $name: it does not build"
            failed=$((failed + 1))
            continue
        fi
        echo "--- fuzz $name, two minutes"
        if "$fuzz/run" -max_total_time=120 -max_len=4000 -artifact_prefix="$fuzz/" "$fuzz/new" \
            tests/fuzz/corpus/"$name" > "$out" 2>&1; then
            passed=$((passed + 1))
        else
            tail -30 "$out"
            echo "FAILED  fuzz $name: the input is in $fuzz/"
            failed=$((failed + 1))
        fi
    done
else
    echo "FAILED  fuzz: needs clang: run tools/deps.sh develop"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
