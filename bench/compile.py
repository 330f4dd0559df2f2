#!/usr/bin/env python3
"""compile.py [RUNS] [--lax] [MC...]: how long mcf takes for an .mc, side by side with m4 and the
reference library in one run, and with the floor: m4 started on a frozen state that holds nothing.
Whole processes, started in turn; wall clock.  Prints a line a file: the medians, how many times
faster mcf is than the reference, and how many times it takes the floor; then the medians of both.
Figures of one run compare with each other only."""
import os, statistics, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
MCF = os.environ.get('MCF', TOP + '/build/mcf')
LIB = '/usr/share/sendmail/cf/'
NULL = os.open('/dev/null', os.O_RDWR)
STREAMS = [(os.POSIX_SPAWN_DUP2, NULL, fd) for fd in (0, 1, 2)]


def seconds(command):
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=STREAMS)
    status = os.waitpid(pid, 0)[1]
    return time.perf_counter() - start, status


def main():
    args = sys.argv[1:]
    lax = ['--lax'] if '--lax' in args else []
    args = [a for a in args if a != '--lax']
    runs = int(args.pop(0)) if args and args[0].isdigit() else 30
    files = [os.path.abspath(a) for a in args] or [TOP + '/samples/%s/sendmail.mc' % s for s in ('centos6', 'debian', 'gateway')]
    with tempfile.TemporaryDirectory() as tmp:
        nothing = tmp + '/nothing.m4f'
        os.system('m4 -F %s /dev/null' % nothing)
        print('%-44s %9s %9s %9s %8s %9s' % ('file', 'reference', 'mcf', 'floor', 'faster', 'x floor'))
        ratios, floors = [], []
        for f in files:
            os.chdir(os.path.dirname(f))
            commands = (['m4', '-D_CF_DIR_=' + LIB, LIB + 'm4/cf.m4', os.path.basename(f)],
                        [MCF, 'build', *lax, os.path.basename(f)], ['m4', '-R', nothing, '/dev/null'])
            times, failed = ([], [], []), 0
            for i in range(runs + 1):  # in turn, so that all see the same machine; the first warms up
                for c, t in zip(commands, times):
                    took, status = seconds(c)
                    if i:
                        t.append(took)
                    failed |= status if c is commands[1] else 0
            ref, our, floor = (statistics.median(t) for t in times)
            ratios.append(ref / our)
            floors.append(our / floor)
            print('%-44s %6.1f ms %6.1f ms %6.1f ms %8.1f %9.1f%s' % (
                '/'.join(f.split('/')[-2:]), ref * 1e3, our * 1e3, floor * 1e3, ref / our, our / floor,
                '  (mcf finds errors)' if failed else ''))
        print('%-44s %33s %8.1f %9.1f' % ('median', '', statistics.median(ratios), statistics.median(floors)))


if __name__ == '__main__':
    main()
