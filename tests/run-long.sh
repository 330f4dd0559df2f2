#!/bin/bash
# run-long.sh [SEED [MINUTES]]
#
# What takes too long for every day: all suites with a compiler built with AddressSanitizer
# and UndefinedBehaviorSanitizer, breaks of good files by the thousand, random .mc files against the
# reference, and fuzzing where clang is there. SEED (default: the day) makes the same files
# again. Last line as run.sh's.
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

# The suites that are not sanitized run this one.
if ! make -s build/mcf build/mcfd > "$out" 2>&1; then
    cat "$out"
    echo "FAILED  the compiler: it does not build"
    echo "0 passed, 1 failed"
    exit 1
fi
san=build/sanitized
if make -s BUILD=$san CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined' \
    $san/mcf $san/mcfd $san/lookup unit fuzz > "$out" 2>&1; then
    export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
    count "sanitized" env BUILD=$san tests/run.sh unit golden formats maps lookups rewrite head pages fuzz cage story features differential
else
    cat "$out"
    echo "FAILED  sanitized: it does not build"
    failed=$((failed + 1))
fi
count "roles" env KILLS=200 tests/roles/run.py kills
count "smtp" tests/smtp/run.py --long
count "cluster" env LOAD=3000 tests/cluster/run.py stopped killed hanging
count "maps" env MAPS_KILLS=100 tests/maps/run.py
# Other breaks than in make test, and what --fix makes of them.
count "breakage $seed" tests/breakage/run.py --seed "$seed" --cases 10000
count "breakage --fix $seed" tests/breakage/run.py --seed "$seed" --cases 5000 --fix
# Random rules and addresses, other ones than in make test.
compare() { # what, command...
    local what=$1
    shift
    echo "--- $what: $*"
    if "$@" > "$out" 2>&1; then
        passed=$((passed + 1))
    else
        cat "$out"
        echo "FAILED  $what"
        failed=$((failed + 1))
    fi
}
compare "random rules" tests/rewrite/fuzz.py --seed $((seed * 1000)) --cases 100000
compare "random addresses" tests/lib/ns tests/rewrite/forms.py --seed "$seed" --cases 100000
end=$((SECONDS + minutes * 60))
while [ $SECONDS -lt $end ]; do
    count "random $seed" tests/differential/run.py --random "$seed,100"
    seed=$((seed + 1))
done
# The words of the language, for the fuzzers of .mc files.
dictionary() {
    awk '/^\[/ { kind = $1; gsub(/[][]/, "", kind); next }
         { sub(/#.*/, "")
           for (i = 1; i <= NF; i++)
               if (kind == "macros") print "\"" $i "(`\""
               else if (kind == "variables") print "\"define(`" $i "\047, `\""
               else print "\"" kind "(`" $i "\047)dnl\\x0a\"" }' tests/golden/vocabulary.txt
}
if command -v clang >/dev/null; then
    fuzz=build/fuzzing
    mkdir -p $fuzz
    dictionary > $fuzz/words
    # Warnings are the other compiler's business.
    flags="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
    if make -s BUILD=$fuzz CC=clang WARN=-w FUZZER=-fsanitize=fuzzer CFLAGS="$flags" fuzz > "$out" 2>&1; then
        for program in $fuzz/fuzz/*; do
            name=$(basename "$program")
            seconds=120 seeds=("tests/fuzz/corpus/$name")
            case $name in
            mc|front) seeds+=(samples tests/golden/diag tests/golden/mc);;
            esac
            [ "$name" != front ] || seconds=$((minutes * 60))
            mkdir -p "$fuzz/new/$name"
            echo "--- fuzz $name, $seconds seconds"
            # 256 MB of freed memory, the usual, would hide what the program itself takes.
            if ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16 "$program" -max_total_time=$seconds -max_len=4000 -timeout=20 -dict=$fuzz/words \
                -artifact_prefix="$fuzz/$name-" "$fuzz/new/$name" "${seeds[@]}" > "$out" 2>&1; then
                passed=$((passed + 1))
            else
                tail -30 "$out"
                echo "FAILED  fuzz $name: the input is $fuzz/$name-*"
                failed=$((failed + 1))
            fi
        done
    else
        cat "$out"
        echo "FAILED  fuzz: it does not build"
        failed=$((failed + 1))
    fi
else
    echo "FAILED  fuzz: needs clang: run tools/deps.sh develop"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
