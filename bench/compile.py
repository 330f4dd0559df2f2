#!/usr/bin/env python3
"""compile.py [RUNS] [MC...]: how long mcf takes for an .mc, side by side with m4 and the reference library in one run.
Prints a line a file: both medians and their ratio (above 1: mcf is faster).  Figures of one run compare with each other only."""
import os, statistics, subprocess, sys, time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
LIB = '/usr/share/sendmail/cf/'


def seconds(cmd, cwd):
    t = time.perf_counter()
    subprocess.run(cmd, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - t


def main():
    args = sys.argv[1:]
    runs = int(args.pop(0)) if args and args[0].isdigit() else 30
    files = args or [TOP + '/samples/%s/sendmail.mc' % s for s in ('centos6', 'debian', 'gateway')]
    print('%-40s %12s %12s %8s' % ('file', 'reference ms', 'mcf ms', 'ratio'))
    for f in files:
        cwd, name = os.path.dirname(os.path.abspath(f)), os.path.basename(f)
        ref, our = [], []
        for _ in range(runs):  # in turn, so that both see the same machine
            ref.append(seconds(['m4', '-D_CF_DIR_=' + LIB, LIB + 'm4/cf.m4', name], cwd))
            our.append(seconds([TOP + '/build/mcf', 'build', name], cwd))
        r, o = statistics.median(ref), statistics.median(our)
        print('%-40s %12.1f %12.1f %8.1f' % (os.path.relpath(f), r * 1e3, o * 1e3, r / o))


if __name__ == '__main__':
    main()
