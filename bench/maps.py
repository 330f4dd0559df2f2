#!/usr/bin/env python3
"""maps.py [LINES [RUNS]] [--scale]: databases of an access map of LINES lines (1000000): mcf, called as
makemap, beside the reference's makemap with its default cache, and tinycdb; then that many lookups by
`mcf map query MAP -' beside postmap's, where there is one (POSTMAP names it), and beside the library
alone (lookups.c). --scale: then ten times as many lines, beside LINES again. Wall clock of whole
processes, in turn, the library's of its lookups only; the medians of RUNS (3), peak memory, and how many
times the first line's time. Figures of one run compare with each other only."""
import os, random, shutil, statistics, subprocess, sys, tempfile, time

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
    """seconds, peak KiB, what it printed if it is the library's loop"""
    for name in os.listdir('.'):
        if name.startswith('new.'):
            os.remove(name)
    os.sync()  # what others wrote is not to be waited for
    alone = command[0] == './lookups'
    with open(given) as f, open('printed' if alone else os.devnull, 'w+') as out:
        start = time.perf_counter()
        p = subprocess.Popen(command, stdin=f, stdout=out)
        _, status, used = os.wait4(p.pid, 0)
        took = time.perf_counter() - start
        if os.waitstatus_to_exitcode(status) not in (0, 1):
            sys.exit('%s: exit status %d' % (' '.join(command), os.waitstatus_to_exitcode(status)))
        if alone:
            out.seek(0)
            took = float(out.read().split()[0])
    return took, used.ru_maxrss


def beside(runs, *commands):
    """commands: (name, command, file that it reads)"""
    results = [[] for _ in commands]
    for _ in range(runs):
        for c, r in zip(commands, results):
            r.append(timed(c[1], c[2]))
    medians = [statistics.median(t for t, _ in r) for r in results]
    for (name, _, _), r, m in zip(commands, results, medians):
        print('%-34s %8.2f s %8.0f MiB %8.2f' % (name, m, max(k for _, k in r) / 1024, m / medians[0]))
    sys.stdout.flush()


def build(kind, given):
    return ['./makemap', kind, 'new'], given


def main():
    arguments = [a for a in sys.argv[1:] if a != '--scale']
    lines = int(arguments[0]) if arguments else 1000000
    runs = int(arguments[1]) if len(arguments) > 1 else 3
    with tempfile.TemporaryDirectory(dir=os.environ.get('TMPDIR', '/var/tmp')) as tmp:
        os.chdir(tmp)
        os.symlink(MCF, 'makemap')
        subprocess.run(['cc', '-O2', '-D_GNU_SOURCE', '-o', 'lookups', TOP + '/bench/lookups.c', '-ldb', '-lcdb'], check=True)
        source('access', lines)
        with open('access') as f, open('cdb', 'w') as out, open('keys', 'w') as keys:
            for line in f:
                key, value = line.lower().rstrip('\n').split('\t', 1)
                out.write('%s %s\n' % (key, value))
                keys.write(key + '\n')
        print('%-34s %10s %12s %8s' % ('%d lines' % lines, 'wall', 'peak', 'times'))
        reference = shutil.which('makemap', path='/usr/sbin:/usr/bin')
        for kind in ('hash', 'btree'):
            beside(runs, ('mcf ' + kind, *build(kind, 'access')), ('makemap ' + kind, [reference, kind, 'new'], 'access'))
        tiny = shutil.which('tinycdb') or shutil.which('cdb')
        if tiny:
            beside(runs, ('mcf cdb', *build('cdb', 'access')), ('tinycdb -c', [tiny, '-c', '-m', 'new.tiny', 'cdb'], 'cdb'))
        print('%d lookups' % lines)
        for kind in ('hash', 'btree', 'cdb'):
            kept = 'kept.' + ('cdb' if kind == 'cdb' else 'db')
            timed(['./makemap', kind, 'kept'], 'access')
            lookups = [('mcf ' + kind, [MCF, 'map', 'query', '-t', kind, 'kept', '-'], 'keys'),
                       ('the library alone', ['./lookups', kind, kept, str(min(os.path.getsize(kept), 1 << 28))], 'keys')]
            if kind != 'cdb':
                lookups.append(('the library alone, its own cache', ['./lookups', kind, kept], 'keys'))
            if POSTMAP:
                lookups.append(('postmap -q - ' + kind, [POSTMAP, '-q', '-', kind + ':kept'], 'keys'))
            beside(runs, *lookups)
            os.remove(kept)
        if '--scale' in sys.argv:
            source('more', 10 * lines)
            print('%d lines' % (10 * lines))
            for kind in ('hash', 'btree', 'cdb'):
                beside(runs, ('mcf %s of %d' % (kind, lines), *build(kind, 'access')),
                       ('mcf %s of %d' % (kind, 10 * lines), *build(kind, 'more')))


if __name__ == '__main__':
    main()
