#!/usr/bin/env python3
"""maps.py [LINES [RUNS]]: databases of an access map of LINES lines (1000000): mcf, called as makemap,
beside the reference's makemap with its default cache, and tinycdb; then that many lookups beside
postmap's, where there is one (POSTMAP names it). Wall clock of whole processes, in turn; the medians of
RUNS (3), peak memory, and ratios. Figures of one run compare with each other only."""
import os, random, resource, shutil, statistics, subprocess, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
MCF = os.environ.get('MCF', TOP + '/build/mcf')
POSTMAP = os.environ.get('POSTMAP', shutil.which('postmap', path='/usr/sbin:/usr/bin'))


def source(path, lines):
    r = random.Random(5)
    with open(path, 'w') as f:
        for i in range(lines):
            key = ('Connect:%d.%d.%d.%d' % (r.randrange(1, 224), i >> 16 & 255, i >> 8 & 255, i & 255),
                   'From:user%d@example%d.com' % (i, r.randrange(10**5)),
                   'To:box%d@host%d.example.org' % (i, r.randrange(10**4)), 'spam%d.example.net' % i)[i % 4]
            f.write(key + '\t' + r.choice(['REJECT', 'OK', 'RELAY', 'ERROR:5.7.1:550 no mail from you']) + '\n')


def timed(command, given):
    """seconds, peak KiB"""
    for name in os.listdir('.'):
        if name.startswith('new.'):
            os.remove(name)
    with open(given) as f, open(os.devnull, 'w') as null:
        start = time.perf_counter()
        p = subprocess.Popen(command, stdin=f, stdout=null)
        _, status, used = os.wait4(p.pid, 0)
        took = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit('%s: exit status %d' % (' '.join(command), os.waitstatus_to_exitcode(status)))
    return took, used.ru_maxrss


def beside(runs, given, *commands):
    results = [[] for _ in commands]
    for _ in range(runs):
        for c, r in zip(commands, results):
            r.append(timed(c[1], given))
    medians = [statistics.median(t for t, _ in r) for r in results]
    for (name, _), r, m in zip(commands, results, medians):
        print('%-34s %8.2f s %8.0f MiB %8.2f' % (name, m, max(k for _, k in r) / 1024, m / medians[0]))
    sys.stdout.flush()


def main():
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR', '/var/tmp')) as tmp:
        os.chdir(tmp)
        os.symlink(MCF, 'makemap')
        source('access', lines)
        with open('access') as f, open('cdb', 'w') as out, open('keys', 'w') as keys:
            for line in f:
                key, value = line.lower().rstrip('\n').split('\t', 1)
                out.write('%s %s\n' % (key, value))
                keys.write(key + '\n')
        print('%-34s %10s %12s %8s' % ('%d lines' % lines, 'wall', 'peak', 'times'))
        reference = shutil.which('makemap', path='/usr/sbin:/usr/bin')
        beside(runs, 'access', ('mcf hash', ['./makemap', 'hash', 'new']), ('makemap hash', [reference, 'hash', 'new']))
        beside(runs, 'access', ('mcf btree', ['./makemap', 'btree', 'new']), ('makemap btree', [reference, 'btree', 'new']))
        if shutil.which('tinycdb') or shutil.which('cdb'):
            tiny = shutil.which('tinycdb') or shutil.which('cdb')
            beside(runs, 'access', ('mcf cdb', ['./makemap', 'cdb', 'new']), ('tinycdb -c', [tiny, '-c', '-m', 'new.tiny', 'cdb']))
        timed(['./makemap', 'hash', 'kept'], 'access')
        lookups = [('mcf, %d lookups' % lines, [MCF, 'map', 'query', '-t', 'hash', 'kept', '-'])]
        if POSTMAP:
            lookups.append(('postmap -q -', [POSTMAP, '-q', '-', 'hash:kept']))
        beside(runs, 'keys', *lookups)


if __name__ == '__main__':
    main()
