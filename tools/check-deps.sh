#!/bin/sh
# Holds the house's edges (ARCHITECTURE.md): which folder may include which.
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
bad=0
check() { # FOLDER 'ALLOWED PATTERN'
    for f in $(git ls-files "$1/*.c" "$1/*.h" "$1/*.l" "$1/*.y"); do
        grep -nE '^#include "(lib|grammar|compiler|mta)/' "$f" | grep -vE "#include \"($2)/" |
            while IFS= read -r l; do echo "$f:$l"; done
    done
}
out=$(check lib/base 'lib/base'
      check lib/model 'lib/base|lib/model'
      check lib/maps 'lib/base|lib/model|lib/maps'
      check grammar 'lib/base|lib/model|grammar'
      check lib/rewrite 'lib/base|lib/model|lib/maps|lib/rewrite'
      check mta 'lib/base|lib/model|lib/maps|lib/rewrite|grammar|mta'
      check compiler 'lib/base|lib/model|lib/maps|lib/rewrite|grammar|compiler')
# mcfd reads .cf files, and nothing of what belongs to the .mc.
out="$out$(grep -nE '#include "grammar/(mc|rule|map)' mta/*.[ch])"
# The compiler reaches the template parser only through the build-time tool.
out="$out$(grep -lE '#include "grammar/rule_' compiler/*.c | grep -v compiler/embed.c)"
# What mcfd says of an option in its table is what its code does with it.
for o in $(grep -hoE 'setting_(text|true|number|time)\([^,]*, *"[A-Za-z]+"' $(git ls-files 'mta/*.c') |
    grep -oE '[A-Za-z]+"$' | tr -d '"' | sort -u); do
    row=$(grep -E "^DOES\(OPTION, \"$o\", (HARMLESS|REFUSED)" mta/implemented.def) &&
        out="$out
mta/implemented.def: mta reads $o: $row"
done
if [ -n "$out" ]; then
    echo "$out"
    echo 'check-deps: an include crosses the house, or a table says otherwise than the code' >&2
    exit 1
fi
exit $bad
