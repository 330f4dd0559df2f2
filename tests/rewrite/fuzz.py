#!/usr/bin/env python3
"""fuzz.py [--seed N] [--cases N] [--engine PROGRAM] [--keep DIR]: random rules and random addresses, asked of the
reference and of mcfd in address-test mode; every line that they print must agree.

A case is one question to one configuration.  Rules are made of few words, so that they match often; a configuration is
thrown away where the reference reports an error in it.  Prints each disagreement with the
configuration that shows it, and the totals; status 1 if there is any. Runs in namespaces of its own (tests/lib/ns), as
root."""
import argparse
import errno
import os
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.realpath(__file__))
NS = os.path.join(HERE, '..', 'lib', 'ns')
REFERENCE = '/usr/sbin/sendmail'
REFERENCE_SECONDS = 4
WORDS = ['a', 'b', 'c', 'x', 'A', 'foo', 'bar.baz', '1', '12']
OPS = ['@', '.', ':', '<', '>', '!', '%', '[', ']', '(', ')', ',', ';', '/', '+', '^', '|', '$', '"q w"', '""', '\\a']
BYTES = ['caf\xe9', '\xa0', '\xfe', '\xc3\xbc', 'x\xe9.\xfc', '"\xe9 b"']
HOSTS = ['example.net', 'www.example.com', 'alias.example.net', 'nomx.example.net', 'nosuch.example', 'mail', 'EXAMPLE.net', '[127.0.0.1]',
         '[203.0.113.7]', '[192.0.2.1]', '[IPv6:::1]', '127.0.0.1', 'example.net.', 'a..b', '[x', '[]']
LONG = ['{m1}', '{m2}', '{m3}', 'z', 'Y', '{a_name_of_25_bytes_or_so}', '{Long_name_with_signs}']
RULESETS = ['r0', 'r1', 'r2', 'r3', '50', 'Named_x', '7']
PATTERNS = ['^(a+)(b*)$', 'a|b', '.', '^foo@(.*)$', '(x)(y)?', '[0-9]+', '^[^.]*[.]', 'B', '^$', '(a)|(b)', '((a.)b)c']
NUMBERS = ['7', '0', '-1', '2147483647', '2147483648', '-2147483648', '99999999999', '08', '0x10', '1a', 'a', '', '1 2', '+5', '%']


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *choices):
        return self.r.choice(choices)

    def word(self):
        k = self.r.random()
        return self.r.choice(WORDS if k < .68 else OPS if k < .96 else BYTES)

    def left(self):
        out = []
        for _ in range(self.r.randint(1, 6)):
            k = self.r.random()
            if k < .35:
                out.append(self.pick('$*', '$*', '$+', '$-'))
            elif k < .5:
                out.append(self.pick('$=', '$~', '$=') + self.pick('A', 'B', '{C}'))
            elif k < .55:
                out.append('$&' + self.r.choice(LONG))
            elif k < .58:
                out.append(self.pick('$@', '$|', '$#'))
            elif k < .61:
                out.append('$' + self.r.choice(LONG))
            else:
                out.append(self.word())
        return self.join(out)

    def join(self, parts):
        text = ''.join(p + (' ' if self.r.random() < .8 else '') for p in parts).strip() or 'a'
        # To the reference, $ and such a byte is the macro with a long name that has this number.
        return re.sub(r'\$(?=[\x80-\xff])', '$ ', text)

    def inner(self, n, depth=0):
        out = []
        for _ in range(self.r.randint(0 if depth else 1, 4)):
            k = self.r.random()
            if k < .45 and n:
                out.append('$%d' % self.r.randint(1, n))
            elif k < .5:
                out.append('$&' + self.r.choice(LONG))
            elif k < .53:
                out.append('$' + self.r.choice(LONG))
            elif k < .56:
                out.append('$?%s %s $| %s $.' % (self.r.choice(LONG), self.word(), self.word()))
            elif k < .62 and depth == 0:
                out.append(self.lookup(n))
            elif k < .65 and depth == 0:
                out.append(self.pick('$|', '$#', '$@', '$:'))
            else:
                out.append(self.word())
        return out

    def lookup(self, n):
        m = self.pick('dq', 'dqs', 'set', 'sum', 'tab', 'seq', 'nul', 'nosuch', 'tab', 'tabq', 'tabm', 'rx', 'rxa', 'rxn', 'rxs', 'seqr', 'host', 'host')
        if m == 'set':
            s = '$(set {%s} ' % self.pick('m1', 'm2', 'm9')
            return s + (('$@ ' + self.join(self.inner(n, 1))) if self.r.random() < .8 else '') + ' $)'
        if m == 'sum':
            return '$(sum %s $@ %s $@ %s $: E $)' % (self.pick('+', '-', '*', '/', '%', 'l', '=', '&', '|', '+ -', '^'),
                                                     self.pick('$1' if n else '3', *NUMBERS), self.pick(*NUMBERS))
        if m == 'host':
            s = '$[ ' + self.pick(self.pick(*HOSTS), '$1' if n else 'mail', self.join(self.inner(n, 1)))
            return s + self.pick('', ' $: ' + self.join(self.inner(n, 1))) + ' $]'
        s = '$(%s %s' % (m, self.join(self.inner(n, 1)))
        if self.r.random() < .3:
            s += ' $@ ' + self.join(self.inner(n, 1))
        if self.r.random() < .5:
            s += ' $: ' + self.join(self.inner(n, 1))
        return s + ' $)'

    def right(self, n, level):
        out = [self.pick('$:', '$:', '$:', '$@', '$@', '')]
        if self.r.random() < .1:
            out.append('$#%s $@ %s $: ' % (self.pick('error', 'local', 'error', '"x"'), self.pick(self.word(), '5.1.1', '4.7.0')))
        out += self.inner(n)
        if self.r.random() < .3 and level < 5:
            out.append('$>' + self.pick(*RULESETS[level + 1:], RULESETS[5]) + ' ')
            out += self.inner(n)
        elif self.r.random() < .01:
            out.append('$>' + self.pick(*RULESETS) + ' ')
            out += self.inner(n)
        return self.join([o for o in out if o])

    def config(self, table):
        r = self.r
        operators = self.pick('.:%@!^/[]+', '.:@[]', '.:%@!^=/[]|+', '.@', '.:%@!^/[]+-_"', '@!')
        lines = ['V10/Berkeley', 'O OperatorChars=' + operators, 'Djmail.test.example']
        if r.random() < .3:
            lines.append('O BlankSub=' + self.pick('.', '_', '-', '+', 'x'))
        for m in LONG:
            if r.random() < .8:
                lines.append('D%s%s' % (m, self.pick('a', 'a b', 'x.y', '', 'foo@bar.baz', 'q(c)r', '"s t"', '12')))
        for c in 'A', 'B', '{C}':
            lines.append('C%s %s' % (c, ' '.join(self.pick('a', 'b', 'c', 'a.b', 'a@b', 'foo', 'bar.baz', 'x', 'b.c.d', '1', 'foo.bar.baz') for _ in range(r.randint(1, 4)))))
        lines += ['Kdq dequote', 'Kdqs dequote -s_ -a.end', 'Kset macro', 'Ksum arith', 'Knul null', 'Ktab hash -o ' + table,
                  'Ktabq hash -q -a@APP ' + table, 'Ktabm hash -m -f ' + table, 'Kseq sequence dq tab',
                  'Krx regex ' + self.pick(*PATTERNS), 'Krxa regex -a@M ' + self.pick(*PATTERNS),
                  'Krxn regex -n ' + self.pick('', '-aN ') + self.pick(*PATTERNS),
                  self.substrings(),
                  'Kseqr sequence rxa seq nul rxs']
        for level, s in enumerate(RULESETS):
            lines.append('S' + s)
            for _ in range(r.randint(0, 5)):
                left = self.left()
                n = len(re.findall(r'\$[*+\-=~]', left))
                lines.append('R%s\t%s' % (left, self.right(min(n, 9), level)))
        return '\n'.join(lines) + '\n'

    def substrings(self):
        pattern = self.pick(*PATTERNS)
        fields = range(pattern.count('(') + 1)
        return 'Krxs regex -f -a.S -s%s %s%s' % (','.join(str(self.r.choice(fields)) for _ in range(self.pick(0, 1, 2, 3))), self.pick('', '-d+ '), pattern)

    def address(self):
        out = []
        for _ in range(self.r.randint(1, 7)):
            out.append(self.word())
        return ''.join(p + (' ' if self.r.random() < .3 else '') for p in out) or 'a'

    def questions(self, n):
        out = []
        for _ in range(n):
            k = self.r.random()
            if k < .05:
                out.append('.D%s%s' % (self.r.choice(LONG), self.pick('a', 'b c', '', 'x@y', '"')))
            elif k < .07:
                out.append('.C%s %s' % (self.pick('A', 'B', '{C}'), self.pick('x', 'q.r', 'a b', '12', 'a.b c@d', 'b.c.a', '\xe9')))
            elif k < .08:
                out.append('=S' + self.r.choice(RULESETS))
            elif k < .09:
                out.append('$' + self.pick(*LONG))
            else:
                names = ','.join(self.r.choice(RULESETS) for _ in range(self.pick(1, 1, 1, 2)))
                out.append('%s %s' % (names, self.address()))
        return out


# How lines begin that are no notes, whatever stands in them.
ANSWERS = 'Cracked address = ', 'Trying ', 'mailer ', 'Rcode = '


def plain(line):
    """Without what the reference adds by accident: the text of an old errno, and in notes the bytes that are operators to
    it; and without its remark on fields that a pattern has not. Of a long text in a
    note the beginning: which bytes of it are left out depends on bytes that are not shown."""
    line = re.sub(r': (Unknown error -\d+|%s)$' % '|'.join(map(os.strerror, (errno.EMSGSIZE, errno.EINVAL, errno.ENOENT, errno.ENOTCONN))), '', line)
    if re.match(r'field \(.*\) out of range, only \d+ substrings in pattern$|too many fields, \d+ max$', line):
        return None
    if re.match(r'(invalid ruleset name: "[\x00-\x1f]"|Unknown ruleset [\x00-\x1f])$', line):
        return re.sub(r' ?[\x00-\x1f]', '', line) if line[0] == 'U' else 'invalid ruleset name: ""'
    line = re.sub(r'\d\d ?: ?\d\d ?: ?\d\d(?= GMT)', 'TIME', line)  # of $b: a second may go by
    if '... ' not in line or line.startswith(ANSWERS):
        return line
    line = re.sub(r'[\x00-\x1f]', '', line)
    return line if len(line) < 200 else line[:90] + line[line.rindex('... '):]


def answers(text):
    """Each answer by itself; the prompt stands before each question."""
    text = text[text.find('Enter <ruleset> <address>\n') + 26:]
    out, now = [], None
    for line in text.split('\n'):
        while line.startswith('> ') or line == '>':
            if now is not None:
                out.append(now)
            now = []
            line = line[2:]
        if line and now is not None:
            line = plain(line.rstrip())
            if line is not None:
                now.append(line)
    if now:
        out.append(now)
    return [until_failure(x) for x in out]


def until_failure(lines):
    """What the reference gives the next ruleset when a text could not be read (status 65) is what happens to be left in
    its buffers."""
    for i, line in enumerate(lines):
        if line.startswith('== Ruleset ') and line.endswith(' status 65'):
            return lines[:i + 1]
    return lines


def parting(ref, our):
    """Where they differ first."""
    k = next((k for k in range(min(len(ref), len(our))) if ref[k] != our[k]), min(len(ref), len(our)))
    return ref[k] if k < len(ref) else '', our[k] if k < len(our) else ''


def overgrown(ref, our):
    """The reference limits what a rule makes to 1000 tokens, but not what a call of a call gives back; ours ends there."""
    return parting(ref, our)[1] == 'rewrite: expansion too long' and any(line.count(' ') > 990 for line in ref)


def stopped(ref, our):
    """Ours has a limit of steps."""
    return re.match(r'rewrite: ruleset \S+ takes too long$', parting(ref, our)[1])


def came_back(ref, our):
    """Operators in the key of a map are text to ours, brackets and all; to the reference they are bytes, and come back
    inside of words. No question and no rule has a word with $> or $# in it, but for quoted ones."""
    return re.search(r'[^ "]\$[>#]|\$[>#][^ "]', re.sub(r'^\S+ +(input|returns): ', '', parting(ref, our)[0]))


EXCUSES = {overgrown: 'workspaces that it let grow', stopped: 'questions that ours took too long for', came_back: 'operators that came back from a map'}


def ask(engine, cf, questions, limit):
    p = subprocess.run([engine, '-C', cf, '-bt'], input='\n'.join(questions) + '\n', stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       encoding='latin1', timeout=limit)
    return answers(p.stdout), p.stdout[:p.stdout.find('ADDRESS TEST')], p.returncode


def without_crashes(cf, questions):
    """The questions that do not end the reference by a signal."""
    questions = list(questions)
    while ask(REFERENCE, cf, questions, REFERENCE_SECONDS)[2] < 0:
        good, bad = 0, len(questions)  # so many of the first
        while bad - good > 1:
            n = (good + bad) // 2
            if ask(REFERENCE, cf, questions[:n], REFERENCE_SECONDS)[2] < 0:
                bad = n
            else:
                good = n
        del questions[bad - 1]
    return questions


def one(a, folder, table, seed):
    """A configuration and its questions, and both's answers; None, and why, where the reference has none."""
    m = Maker(seed)
    cf = '%s/%d.cf' % (folder, seed)
    with open(cf, 'w', encoding='latin1') as f:
        f.write(m.config(table))
    questions = m.questions(a.per)
    try:
        ref, said, ended = ask(REFERENCE, cf, questions, REFERENCE_SECONDS)
        if ended < 0:
            ask(a.engine, cf, questions, 60)
            questions = without_crashes(cf, questions)
            ref, said, ended = ask(REFERENCE, cf, questions, REFERENCE_SECONDS)
    except subprocess.TimeoutExpired:
        # Matching explodes in the reference, which has no limit; ours must end all the same.
        ask(a.engine, cf, questions, 60)
        return seed, cf, questions, None, 'endless', 0
    if re.search(r': line \d+:', said):
        ask(a.engine, cf, questions, 60)
        return seed, cf, questions, None, 'refused', 0
    our, _, rc = ask(a.engine, cf, questions, 60)
    return seed, cf, questions, ref, our, rc


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--cases', type=int, default=2000)
    p.add_argument('--per', type=int, default=100, help='questions a configuration')
    p.add_argument('--engine', default='build/mcfd')
    p.add_argument('--show', type=int, default=5)
    p.add_argument('--keep')
    p.add_argument('--jobs', type=int, default=os.cpu_count())
    a = p.parse_args()
    if not os.environ.get('FUZZ_INSIDE'):
        os.environ['FUZZ_INSIDE'] = 'yes'
        os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), *sys.argv[1:]])
    folder = a.keep or tempfile.mkdtemp(dir='/run')
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    table = folder + '/table'
    with open(table, 'w') as f:
        f.write('a first\nb second %0 %1\nfoo x.y@z\nbar.baz (com) q\nx "s t"\n12 <a\nc z\n1 %1%2\na.b phrase\n')
    subprocess.run(['/usr/sbin/makemap', '-C', '/dev/null', 'hash', table + '.db'], stdin=open(table), check=True)
    done = bad = configs = endless = refused = crashes = 0
    excused = dict.fromkeys(EXCUSES, 0)
    seeds = range(a.seed, a.seed + (a.cases + a.per - 1) // a.per)
    with ThreadPoolExecutor(a.jobs) as ex:
        for seed, cf, questions, ref, our, rc in ex.map(lambda seed: one(a, folder, table, seed), seeds):
            if ref is None:
                endless += our == 'endless'
                refused += our == 'refused'
                continue
            configs += 1
            crashes += a.per - len(questions)
            wrong = 0
            for i, q in enumerate(questions):
                x = ref[i] if i < len(ref) else ['(no answer)']
                y = our[i] if i < len(our) else ['(no answer)']
                done += 1
                if x == y:
                    continue
                why = next((e for e in EXCUSES if e(x, y)), None)
                if why:
                    excused[why] += 1
                    continue
                bad += 1
                wrong += 1
                if wrong == 1 and a.show > 0:
                    a.show -= 1
                    print('seed %d: %s' % (seed, q))
                    for k in range(max(len(x), len(y))):
                        u = x[k] if k < len(x) else None
                        v = y[k] if k < len(y) else None
                        if u != v:
                            print('  reference: %s\n  ours:      %s' % (u and u[:300], v and v[:300]))
                            break
            if rc < 0:
                print('seed %d: ended by signal %d' % (seed, -rc))
                bad += 1
            if not a.keep:
                os.unlink(cf)
    print('%d configurations, %d questions, %d disagreements; %d configurations that the reference refused, %d that it did not end, '
          '%d questions that it crashed at; %s' % (configs, done, bad, refused, endless, crashes, ', '.join('%d %s' % (excused[e], EXCUSES[e]) for e in EXCUSES)))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
