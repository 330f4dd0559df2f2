#!/usr/bin/env python3
"""check-own: are the rules in rulesets/ our own?  Compares runs of five consecutive rules with those of an
installed reference library, by left-hand sides, and says which share of ours lies in such runs.  Exit 1 above 5%."""
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
for i in sorted(same):
    print('%s: %s' % (ours[i][1], ours[i][0]))
print('check-own: %d of %d rules (%.1f%%) lie in runs of %d that the reference has too'
      % (len(same), len(ours), 100 * len(same) / max(1, len(ours)), RUN))
sys.exit(len(same) > 0.05 * len(ours))
