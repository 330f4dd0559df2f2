#!/bin/bash
# run.sh [-v] [SUITE]...
#
# Runs the tests, or the suites named.  Prints what fails and how to run that case alone, a line a
# suite, and last N passed, N failed.
# $BUILD names the build folder.  Suites that start servers need root (namespaces).
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
export BUILD=${BUILD:-build}
all="unit golden cli formats maps lookups rewrite head smtp wire milter submit safety modes
roles pages fuzz breakage cage peers cluster bare story features differential"
verbose=
[ "${1:-}" = -v ] && { verbose=-v; shift; }
suites=${*:-$all}
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# A program of cmocka's says on standard error how many of its tests passed.
unit() {
    local p good=0 bad=0 any=
    for p in "$BUILD"/tests/*; do
        [ -f "$p" ] && [ -x "$p" ] || continue
        any=1
        local said status g b
        said=$("$p" 2>&1); status=$?
        g=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' <<< "$said" | tail -1)
        b=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' <<< "$said" | tail -1)
        good=$((good + ${g:-0}))
        # A program that dies, or says nothing, has failed whatever it counted.
        if [ $status -ne 0 ] || [ "${g:-0}" = 0 ]; then
            [ "${b:-0}" != 0 ] || b=1
            bad=$((bad + b))
            echo "FAILED  unit: $(basename "$p") (exit status $status)"
            grep -vE '^\[ +(RUN|OK) +\]' <<< "$said" | head -40 | sed 's/^/        /'
            echo "        again: $p"
        elif [ -n "$verbose" ]; then
            echo "ok      unit: $(basename "$p"), $g tests"
        fi
    done
    if [ -z "$any" ]; then
        echo "FAILED  unit: no programs in $BUILD/tests: run make unit"
        bad=1
    fi
    echo "$good passed, $bad failed"
}

# Every input that the fuzzers start from, and what they found once.
fuzz() {
    local p name file good=0 bad=0
    for p in "$BUILD"/fuzz/*; do
        name=$(basename "$p")
        [ -f "$p" ] && [ -x "$p" ] && [ -d "tests/fuzz/corpus/$name" ] || continue
        local files=(tests/fuzz/corpus/"$name"/*)
        case $name in mc|front) files+=(samples/*/*.mc tests/golden/diag/*.mc);; esac
        local said status done_
        said=$("$p" "${files[@]}" 2>&1); status=$?
        done_=$(grep -c '^done ' <<< "$said")
        good=$((good + done_))
        if [ $status -ne 0 ] || [ "$done_" != ${#files[@]} ]; then
            bad=$((bad + 1))
            file=${files[$done_]:-}
            echo "FAILED  fuzz: $name $file (exit status $status)"
            grep -v '^done ' <<< "$said" | head -20 | sed 's/^/        /'
            echo "        again: $p $file"
        fi
    done
    if [ $((good + bad)) = 0 ]; then
        echo "FAILED  fuzz: no programs in $BUILD/fuzz: run make fuzz"
        bad=1
    fi
    echo "$good passed, $bad failed"
}

for suite in $suites; do
    start=$SECONDS
    [[ " ${all//$'\n'/ } " == *" $suite "* ]] || { echo "run.sh: there is no suite $suite; there are: $all" >&2; exit 2; }
    case $suite in
    unit|fuzz) $suite > "$out" 2>&1; status=0;;
    *) tests/$suite/run.py $verbose > "$out" 2>&1; status=$?;;
    esac
    last=$(tail -1 "$out")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
        # An exit status that does not fit the count is a failure of its own.
        if [ $status -ne 0 ] && [ "$bad" = 0 ]; then bad=1; fi
        sed '$d' "$out"
    else
        good=0 bad=1
        cat "$out"
        echo "FAILED  $suite: it did not come to its end (exit status $status)"
        echo "        again: tests/$suite/run.py"
    fi
    printf '%-13s %5d passed, %d failed, %d seconds\n' "$suite:" "$good" "$bad" $((SECONDS - start))
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
