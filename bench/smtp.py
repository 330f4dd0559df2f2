#!/usr/bin/env python3
"""smtp.py --postfix DIR [MESSAGES [RUNS]]: mail through mcfd, the reference and Postfix, in turn.

DIR is Postfix unpacked: `apt-get download postfix && dpkg -x postfix_*.deb DIR'; it cannot be installed beside
sendmail. Its smtp-source sends MESSAGES (2000) of 4 KiB over 1 and over 20 connections to each MTA, which hands them
to smtp-sink by one smart host; .mc: smtp.mc. Each MTA has a namespace of its own with the queue on the disk of /var/tmp.
Printed: messages a second that were acknowledged, and that had reached the sink, both from the first one's start on; the
medians of RUNS (3), and how many times the reference's. Needs root. Figures of one run compare with each other only."""
import argparse, os, re, shutil, signal, statistics, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tests", "peers"))
from postfix import SERVICES

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ME = os.path.realpath(__file__)
BUILD = os.environ.get('BUILD', TOP + '/build')
ENGINES = ('mcfd', 'sendmail', 'postfix')
PATIENCE = 180  # seconds for all to arrive


def wait_for(what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def listens(port, host='127.0.0.1'):
    import socket
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


def start_sendmail(program, cf, spool):
    os.makedirs(spool, exist_ok=True)
    return subprocess.Popen([program, '-bD', '-q1m', '-C', cf, '-O', 'QueueDirectory=' + spool, '-O', 'PidFile=' + spool + '.pid'],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


# What it has of its own beside these: mail by its sendmail command, and mailboxes.
MASTER = SERVICES + """pickup unix n - n 60 1 pickup
local unix - n n - - local
"""


def start_postfix(root, spool):
    """Its programs and libraries where they expect themselves; users and folders of its own."""
    with open('/etc/passwd', 'a') as f:
        f.write('postfix:x:990:990::/:/bin/false\n')
    with open('/etc/group', 'a') as f:
        f.write('postfix:x:990:\npostdrop:x:991:\n')
    os.makedirs('/run/bench/etc', exist_ok=True)
    lib = '/usr/lib/postfix'
    if not os.path.isdir(lib):  # the namespace's own /usr is the machine's: a mount over an empty folder
        sys.exit('smtp.py: %s has to be there, empty, to unpack Postfix over it: mkdir %s' % (lib, lib))
    subprocess.run(['mount', '--bind', root + lib, lib], check=True)
    conf = '/run/bench/etc'
    data = spool + '.data'
    for d in (spool, data):
        os.makedirs(d, exist_ok=True)
    os.chown(data, 990, 990)
    with open(conf + '/main.cf', 'w') as f:
        f.write('queue_directory = %s\ndata_directory = %s\ncommand_directory = %s/usr/sbin\ndaemon_directory = %s/sbin\n'
                'mail_owner = postfix\nsetgid_group = postdrop\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n'
                'mydestination =\nmynetworks = 127.0.0.0/8\nrelayhost = [127.0.0.2]:2525\nalias_maps =\nalias_database =\n'
                'compatibility_level = 3.6\nmyhostname = mail.example.com\nmaillog_file = %s.log\nsmtp_tls_security_level = none\n'
                'default_process_limit = 100\nsmtpd_client_connection_count_limit = 0\n' % (spool, data, root, lib, spool))
    with open(conf + '/master.cf', 'w') as f:
        f.write(MASTER)
    for d in ('active bounce corrupt defer deferred flush hold incoming private saved trace'.split()):
        os.makedirs(spool + '/' + d, exist_ok=True)
        os.chown(spool + '/' + d, 990, 0)
    for d, mode in (('maildrop', 0o1730), ('public', 0o2710), ('pid', 0o755)):
        os.makedirs(spool + '/' + d, exist_ok=True)
        os.chown(spool + '/' + d, 990 if d != 'pid' else 0, 991 if d != 'pid' else 0)
        os.chmod(spool + '/' + d, mode)
    env = dict(os.environ, MAIL_CONFIG=conf, MAIL_LOGTAG='postfix')
    return subprocess.Popen([lib + '/sbin/master', '-c', conf, '-d'], env=env, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def inside(engine, postfix, messages, connections, cf):
    spool = tempfile.mkdtemp(prefix='bench-smtp.', dir='/var/tmp')
    os.chmod(spool, 0o755)
    tools = postfix + '/usr/sbin/'
    lib = postfix + '/usr/lib/postfix'
    env = dict(os.environ, LD_LIBRARY_PATH=lib)
    counted = open('/run/sink', 'wb+')
    sink = subprocess.Popen([tools + 'smtp-sink', '-c', '-u', 'nobody', '127.0.0.2:2525', '1000'], env=env, stdout=counted, stderr=subprocess.DEVNULL)

    def arrived():
        counted.flush()
        with open('/run/sink', 'rb') as f:
            f.seek(max(0, os.path.getsize('/run/sink') - 4000))
            n = re.findall(rb'mesg=(\d+)', f.read())  # quit=.. smtp=.. mesg=N
        return int(n[-1]) if n else 0

    if engine == 'mcfd':
        mta = start_sendmail(BUILD + '/mcfd', cf, spool + '/q')
    elif engine == 'sendmail':
        mta = start_sendmail('/usr/sbin/sendmail', cf, spool + '/q')
    else:
        mta = start_postfix(postfix, spool + '/q')
    try:
        if not wait_for(lambda: listens(25)) or not listens(2525, '127.0.0.2'):
            sys.exit('smtp.py: %s does not listen' % engine)
        begin = time.time()
        p = subprocess.run([tools + 'smtp-source', '-s', str(connections), '-m', str(messages), '-l', '4096', '-d', '-f',
                            'sender@example.net', '-t', 'recipient@example.org', '127.0.0.1:25'], env=env, capture_output=True, text=True)
        if p.returncode:
            sys.exit('smtp.py: %s: smtp-source: %s' % (engine, p.stderr.strip()[-300:]))
        taken = time.time() - begin
        whole = wait_for(lambda: arrived() >= messages, PATIENCE)
        print('%f %f' % (taken, time.time() - begin) if whole else '%f -1' % taken)
    finally:
        mta.terminate()
        sink.kill()
        shutil.rmtree(spool, ignore_errors=True)


def outside(a):
    folder = tempfile.mkdtemp()
    cf = folder + '/t.cf'
    os.chmod(folder, 0o755)
    with open(cf, 'w') as f:
        subprocess.run([BUILD + '/mcf', 'build', TOP + '/bench/smtp.mc'], stdout=f, stderr=subprocess.DEVNULL, check=True)
    print('%-10s %11s %16s %16s' % ('', 'connections', 'acknowledged/s', 'arrived/s'))
    for connections in (1, 20):
        results = {e: [] for e in ENGINES}
        for _ in range(a.runs):
            for e in ENGINES:
                p = subprocess.run([TOP + '/tests/lib/ns', '-a', '127.0.0.2', sys.executable, ME, '--inside', e, '--postfix', a.postfix,
                                    '--cf', cf, '--connections', str(connections), str(a.messages)], capture_output=True, text=True)
                words = p.stdout.split()[-2:]
                if p.returncode or len(words) < 2:
                    print('%s: %s' % (e, (p.stderr or p.stdout).strip()[-300:]))
                    continue
                results[e].append([a.messages / float(w) if float(w) > 0 else 0 for w in words])
        base = [statistics.median(r[i] for r in results['sendmail']) if results['sendmail'] else 0 for i in (0, 1)]
        for e in ENGINES:
            if results[e]:
                m = [statistics.median(r[i] for r in results[e]) for i in (0, 1)]
                print('%-10s %11d %8.0f (%5.2f) %8.0f (%5.2f)' % (e, connections, m[0], m[0] / base[0] if base[0] else 0, m[1], m[1] / base[1] if base[1] else 0))
        sys.stdout.flush()
    shutil.rmtree(folder)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('messages', nargs='?', type=int, default=2000)
    p.add_argument('runs', nargs='?', type=int, default=3)
    p.add_argument('--postfix', required=True)
    p.add_argument('--inside')
    p.add_argument('--cf')
    p.add_argument('--connections', type=int, default=1)
    a = p.parse_args()
    a.postfix = os.path.realpath(a.postfix)
    if a.inside:
        inside(a.inside, a.postfix, a.messages, a.connections, a.cf)
    else:
        outside(a)


if __name__ == '__main__':
    main()
