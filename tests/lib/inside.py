"""inside: a program in a namespace that is given jobs, a line of JSON each, and answers with such a line."""
import json
import subprocess
import tempfile


class Inside:
    def __init__(self, command):
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True)

    def ask(self, job):
        """The answer; OSError or ValueError where it has ended: why() then says what it said."""
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def why(self, error, most):
        """The error, and the last bytes that the program said."""
        self.said.seek(0)
        return "%r %s" % (error, self.said.read().decode("latin-1")[-most:])

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
