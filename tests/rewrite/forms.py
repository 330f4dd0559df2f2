#!/usr/bin/env python3
"""forms.py [--seed N] [--cases N] [--engine PROGRAM] [--keep DIR]: addresses as they stand in headers, at random, asked of
the reference and of mcfd: /parse, and /try of all four kinds; every line that they print must agree.

A case is one address to one configuration.  Prints the first disagreements, with the configuration, and the totals;
status 1 if there is any.  Run it in tests/lib/ns."""
import argparse
import os
import random
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import fuzz

PIECES = ['a', 'b', 'x.y', 'Full Name', 'host.dom', '1', 'grp', 'Smith, J.', "O'B",
          '"', '""', '"q"', '"q.w"', '"a\\"b"', '(', ')', '()', '(c)', '(c (d) e)', '(c"d)', '(c\\)d)',
          '<', '>', '<>', '<a@b>', '<@x,@y:c@d>', '<a (c)>', '<<', '>>',
          ':', '::', ';', ',', 'g: a, b;', 'g:', ';', '\\', '\\\\', '\\"', '\\(', '\\<', '@', '%', '!', '.', '[', ']',
          '[1.2.3.4]', '[IPv6:::1]', '\u00e9', '\u00fc.', ' ', '  ', '\t', ' ', ' ', '', ':include:/x', '|prog', '/file', '"|prog x"',
          '"/f x"', '\\|x', '=', '+', '$', "'", '&', '^', '\x7f', '\x01', '$x', 'err', 'q1', 'q2', 'q3', 'temp']
STATUSES = range(64, 79)
CUT, CUT_WHOLE = 254, 256  # the reference cuts an address that was rewritten, and what the form makes of it
KINDS = ['ER', 'ES', 'HR', 'HS']


def config(r, table):
    out = ['V%s' % r.choice(['10/Berkeley', '10', '9', '6', '5', '10/Berkeley'])]
    out.append('O OperatorChars=%s' % r.choice(['.:%@!^/[]+', '.:@[]', '.:%@!^=/[]|+']))
    for name, values in (('MustQuoteChars', ['', 'x', '.', "@.%'", ' ', '%=', 'x y']), ('ColonOkInAddr', ['True', 'False', '']),
                         ('BlankSub', ['.', '_', ''])):
        if r.random() < .3:
            out.append('O %s=%s' % (name, r.choice(values)))
    out += ['Djmail.test.example', 'Dx macro', 'CA x.y a', 'Ktab hash ' + table, 'Kgone hash -t /nosuch/table', 'S3']
    if r.random() < .7:
        out += ['R$* < $* > $*\t$: $2', 'R$* @ $*\t$: $1 < @ $2 >']
    if r.random() < .3:
        out.append('R$* temp $*\t$: $1 $(gone $2 $) $2')
    out.append('S0')
    if r.random() < .7:
        out += ['R$* err $*\t$#error %s $: %s' % (r.choice(['', '$@ nouser', '$@ 5.1.1', '$@ 4.2.0', '$@ tempfail', '$@ 99', '$@ $2', '$@ 5.1.1:', '$@']),
                                               r.choice(['"550 no " $1', '553 5.1.3 $1 $2', 'text $2', '"450-4.2.1 a" $1', '$1', '', '"a" "b"', '550', '"550 "', '5.1.1 x', '550 x.y'])),
                'R$* q1 $*\t$#%s $@ %s $: %s' % (r.choice(['esmtp', 'local', 'cc', 'none', 'E$1', 'prog', '*file*']), r.choice(['$1', 'a:b.c', '"h q"', '', '[1.2]']), r.choice(['$2', '$1 $2', '', '"u v"', '@ $2', '$1 $@ $2', '$1 $: $2'])),
                'R$* q2 $*\t%s' % r.choice(['$#local', '$#local $@ h', '$#local $: u', '$#esmtp $: u', 'x $#local $: u', '$@', '$#local $: $: x']),
                'R$* q3 $*\t$#local $: $(gone $1 $: $2 $)',
                'R$* @ $*\t$#%s $@ $2 $: $1 @ $2' % r.choice(['esmtp', 'cc', 'local'])]
    out.append('R$*\t$#%s $: $1' % r.choice(['local', 'local', 'local', 'cc', 'lf']))
    out.append('S4')
    if r.random() < .7:
        out.append('R$* < @ $* >\t$@ $1 @ $2')
    for s in 'S1', 'S2', 'S7', 'S8':
        out.append(s)
        if r.random() < .4:
            out.append('R$*\t$: $1 %s' % r.choice(['@ dom', 'x', '', '.', '$&x', '$(gone $1 $)', '< @ h >']))
    sets = lambda: 'S=%s, R=%s' % (r.choice(['7', '7/8', '8', '0']), r.choice(['8', '8/7', '7', '0']))
    flags = lambda: ''.join(r.choice('lsDFMnSu5:|/@CcKk%RhrAabgz0') for _ in range(r.randint(0, 9)))
    out += ['Mlocal, P=/bin/true, F=lsDFMnSu%s, %s, A=x' % (r.choice(['5:|/@', ':|/', '', '5', '@']), sets()),
            'Mprog, P=/bin/true, F=lsDFMnSu, %s, A=x $u' % sets(),
            'Mesmtp, P=[IPC], F=mDFMuX%s, %s, A=TCP $h' % (flags(), sets()),
            'Mcc, P=/bin/true, F=C%s, %s, A=x' % (flags(), sets()),
            'Mlf, P=/bin/true, F=%s, %s, A=x' % (flags(), sets())]
    return '\n'.join(out) + '\n'


def address(r):
    n = r.choice([1, 2, 3, 4, 5, 6, 8, 12])
    if r.random() < .01:
        n = r.randint(40, 90)
    if r.random() < .01:
        return r.choice(['a', '(', '.', ')', 'a.', 'g: ', '(c)']) * r.randint(100, 260) + ''.join(r.choice(PIECES) for _ in range(n))
    glue = r.choice(['', ' ', '', None])
    return ''.join(r.choice(PIECES) + (r.choice(['', '', ' ']) if glue is None else glue) for _ in range(n))


def is_cut(x, y):
    """Do they differ only in what the reference cut off of an address?"""
    def cut(u, v):
        head = re.match(r'Rcode = \d+, addr = |mailer .*?, user ', v)
        if not head or not u.startswith(head[0]):
            return False
        n = len(head[0])
        lost = len(v[len(u):]) - len(v[len(u):].lstrip(' '))  # blanks at the cut are not shown
        same = len(os.path.commonprefix([u[n:], v[n:]]))
        return len(v) > len(u) and len(u) - n <= CUT_WHOLE and min(len(u) - n, same) + lost >= CUT
    # What was cut within quotes is called wrong, too.
    x = [l for l in x if l in y or not re.match(r'Syntax error in mailbox address ".{%d}" \(unbalanced quote\)$' % (CUT + 1), l)]
    return len(x) == len(y) and all(u == v or cut(u, v) for u, v in zip(x, y))


def is_leftover(x, y):
    """Behind an answer $#error, the reference takes an empty host for that one's."""
    return 'buildaddr: no host' in y and x[:len(y) - 2] == y[:-2]


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--cases', type=int, default=2000)
    p.add_argument('--per', type=int, default=200, help='addresses a configuration')
    p.add_argument('--engine', default='build/mcfd')
    p.add_argument('--show', type=int, default=5)
    p.add_argument('--keep')
    a = p.parse_args()
    folder = a.keep or tempfile.mkdtemp(dir='/root')
    os.makedirs(folder, exist_ok=True)
    table = folder + '/table'
    with open(table, 'w', encoding='latin1') as f:
        f.write('a first\n')
    done = bad = seed = crashes = 0
    while done < a.cases:
        r = random.Random('%d.%d' % (a.seed, seed))
        seed += 1
        cf = '%s/%d.cf' % (folder, seed)
        with open(cf, 'w', encoding='latin1') as f:
            f.write(config(r, table))
        questions, cases = [], 0
        for _ in range(a.per):
            x = address(r)
            if r.random() < .1:
                questions.append('/tryflags ' + r.choice(['h', 'e', 's', 'r', 'hs', 'er', 'X']))
            questions.append('/parse ' + x)
            cases += 1
            m = r.choice(['local', 'esmtp', 'cc', 'lf', 'prog'])
            for kind in KINDS:
                questions += ['/tryflags ' + kind, '/try %s %s' % (m, x)]
        ref, _, ended = fuzz.ask(fuzz.REFERENCE, cf, questions, 60)
        our, _, rc = fuzz.ask(a.engine, cf, questions, 60)
        if a.keep:
            with open(cf[:-3] + '.questions', 'w', encoding='latin1') as f:
                f.write('\n'.join(questions) + '\n')
        wrong = 0
        for i, q in enumerate(questions):
            if ended and ended not in STATUSES and i >= len(ref) - 1:
                crashes += 1  # the reference's; it answers nothing more
                break
            x = ref[i] if i < len(ref) else ['(no answer)']
            y = our[i] if i < len(our) else ['(no answer)']
            x = [l for l in x if 'missing map file' not in l]  # said once, where the map is first asked
            if x == y or is_cut(x, y) or is_leftover(x, y):
                continue
            wrong += 1
            if wrong == 1 and a.show > 0:
                a.show -= 1
                print('%s: %r' % (cf, q))
                u, v = next((uv for uv in zip(x + [None] * len(y), y + [None] * len(x)) if uv[0] != uv[1]))
                print('  reference: %s\n  ours:      %s' % (u and u[:300], v and v[:300]))
        if rc < 0:
            print('%s: ended by signal %d' % (cf, -rc))
            wrong += 1
        done += cases
        bad += wrong
        if not wrong and not a.keep:
            os.unlink(cf)
    print('%d configurations, %d addresses, %d disagreements; the reference crashed %d times' % (seed, done, bad, crashes))
    if not bad and not a.keep:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
