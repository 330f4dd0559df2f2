#!/usr/bin/env python3
"""check-own: are the rules in rulesets/ our own?  Compares runs of five consecutive rules with those of an
installed reference library, by left-hand sides, and names ours that lie in such runs.  Exit 1 when
these are more than 5% of any file."""
import glob, os, re, sys

os.chdir(os.path.dirname(os.path.realpath(__file__)) + '/..')
RUN = 5


def left_sides(files):
    out = []
    for f in files:
        for line in open(f, errors='replace'):
            line = re.sub(r"dnl.*|`|'", '', line.strip())
            if re.match(r'R\s*[$<"\w!@%(\[]', line) and '$' in line:
                out.append((re.sub(r'\s+', ' ', re.split(r'\t+', line)[0])[:80], f))
    return out


reference = [r for r, _ in left_sides(sorted(glob.glob('/usr/share/sendmail/cf/**/*.m4', recursive=True)))]
if not reference:
    sys.exit('check-own: the reference library is not installed (sendmail-cf)')
ours = left_sides(sorted(glob.glob('rulesets/**/*.rules', recursive=True)))
grams = {tuple(reference[i:i + RUN]) for i in range(len(reference) - RUN + 1)}
same = set()
for i in range(len(ours) - RUN + 1):
    if tuple(r for r, _ in ours[i:i + RUN]) in grams:
        same.update(range(i, i + RUN))
files = {}
for i, (r, f) in enumerate(ours):
    n = files.setdefault(f, [0, 0])
    n[0] += i in same
    n[1] += 1
    if i in same:
        print('%s: %s' % (f, r))
bad = ['%s (%d of %d)' % (f, a, b) for f, (a, b) in files.items() if a > 0.05 * b]
print('check-own: %d of %d rules lie in runs of %d that the reference has too' % (len(same), len(ours), RUN)
      + ('; too many in ' + ', '.join(bad) if bad else ''))
sys.exit(bool(bad))
