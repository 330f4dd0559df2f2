#!/usr/bin/env python3
"""rewrite.py [LINES [RUNS]]: samples/centos6, compiled, answers LINES (20000) questions in address-test mode, by mcfd and
by the reference in turn: `3,0 userN@foo.com', and check_rcpt of a client. Processor time of whole processes, medians of
RUNS (3), and whether the answers are the same to the byte; the answers go to a file, or through a pipe, as to a program
that asks (the reference writes byte by byte, and what that costs depends on where it goes). Then the engine by itself, in this process' memory
(rewrite.c): addresses a second, nanoseconds a rule, memory; and with two threads that share the program, how much more
processor time an address takes. Runs as root, in the tests' world (tests/lib/ns). Figures of one run compare with each
other only."""
import os, shutil, statistics, subprocess, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
NS = TOP + '/tests/lib/ns'
REFERENCE = '/usr/sbin/sendmail'


def asked(program, cf, questions, answers, piped):
    with open(questions) as f, open(answers, 'wb') as out:
        p = subprocess.Popen([program, '-C', cf, '-bt'], stdin=f, stdout=subprocess.PIPE if piped else out, stderr=subprocess.DEVNULL)
        if piped:
            shutil.copyfileobj(p.stdout, out, 1 << 16)
        _, status, used = os.wait4(p.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit('%s: exit status %d' % (program, os.waitstatus_to_exitcode(status)))
    return used.ru_utime + used.ru_stime


def beside(title, runs, mcfd, cf, lines, piped):
    with open('questions', 'w') as f:
        f.write('\n'.join(lines) + '\n')
    took = {mcfd: [], REFERENCE: []}
    for _ in range(runs):
        for program, times in took.items():
            times.append(asked(program, cf, 'questions', os.path.basename(program), piped))
    ours, theirs = (statistics.median(took[p]) for p in (mcfd, REFERENCE))
    with open('mcfd', 'rb') as a, open('sendmail', 'rb') as b:
        same = a.read() == b.read()
    print('%-34s %8.3f s %8.3f s %8.1f times  %s' % (title, ours, theirs, theirs / ours, 'same' if same else 'DIFFERENT'))
    sys.stdout.flush()
    return same


def alone(cf, evaluations, threads):
    out = subprocess.run(['./rewrite', cf, str(evaluations), str(threads)], stdout=subprocess.PIPE, check=True, text=True).stdout
    return {k: float(v) for k, v in (l.split() for l in out.splitlines())}


def main():
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not os.environ.get('BENCH_INSIDE'):
        os.environ['BENCH_INSIDE'] = 'yes'
        os.execv(NS, [NS, sys.executable, os.path.realpath(__file__), *sys.argv[1:]])
    build = os.path.abspath(os.environ.get('BUILD', TOP + '/build'))
    subprocess.run(['make', '-s', '-C', TOP, 'BUILD=' + build, *(build + p for p in ('/bench/rewrite', '/mcfd', '/mcf'))], check=True,
                   stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(dir='/run') as tmp:
        os.chdir(tmp)
        os.chmod(tmp, 0o755)
        os.symlink(build + '/bench/rewrite', 'rewrite')
        cf = tmp + '/sendmail.cf'
        with open(cf, 'w') as f:
            subprocess.run([build + '/mcf', 'build', TOP + '/samples/centos6/sendmail.mc'], stdout=f, check=True)
        print('%-34s %10s %10s' % ('%d questions' % lines, 'mcfd', 'reference'))
        addresses = ['3,0 user%d@foo.com' % i for i in range(lines)]
        client = ['.D{client_name}good.client.example', '.D{client_addr}203.0.113.7', '.D{client_ptr}good.client.example', '.D{client_resolve}OK']
        recipients = client + ['check_rcpt <user%d@foo.com>' % i for i in range(lines)]
        same = True
        for piped in False, True:
            to = ', pipe' if piped else ', file'
            same &= beside('3,0' + to, runs, build + '/mcfd', cf, addresses, piped)
            same &= beside('check_rcpt' + to, runs, build + '/mcfd', cf, recipients, piped)
        ones, twos = [], []
        for _ in range(runs):
            ones.append(alone(cf, 5 * lines, 1))
            twos.append(alone(cf, 5 * lines, 2))
        one = statistics.median(r['processor'] / r['evaluations'] for r in ones)
        two = statistics.median(r['processor'] / r['evaluations'] for r in twos)
        r = ones[0]
        print('by itself: %.0f addresses a second, %.2f us each; %.0f rules looked at for one, %.0f ns a rule' %
              (1 / one, one * 1e6, r['rules'], one * 1e9 / r['rules']))
        print('           %.0f bytes an evaluation, %.1f MiB in all' % (r['arena'], r['memory'] / 1024))
        print('two threads: %.2f times the processor time an address; %.2f times the addresses a second' %
              (two / one, statistics.median(t['evaluations'] / t['seconds'] for t in twos) / statistics.median(t['evaluations'] / t['seconds'] for t in ones)))
    return 0 if same else 1


if __name__ == '__main__':
    sys.exit(main())
