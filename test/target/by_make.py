# SPDX-License-Identifier: MIT
"""What a person types: `make run` and its like, with a terminal and without one."""
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qemu_machine import PROMPT, ROOT  # noqa: E402

LIMIT = 100  # seconds: more than a machine has that nobody sits at (tools/run_qemu.sh)


def make(*words, terminal=False, **more):
    """`make WORDS` where nobody has a display: its exit code and what it printed. On a terminal
    `off` is typed at the prompt. more: of the environment."""
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith(("MAKE", "MFLAGS", "DISPLAY", "WAYLAND"))}
    environment.update(more)
    command = ["timeout", str(LIMIT), "make", "-s", *words]
    if not terminal:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode("ascii", "replace").replace("\r", "")
    master, slave = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=slave, stdout=slave,
                               stderr=slave, start_new_session=True)
    os.close(slave)
    output, typed = b"", False
    try:
        while new := os.read(master, 4096):
            output += new
            if output.endswith(PROMPT.encode()) and not typed:
                typed = True
                os.write(master, b"off\r")
    except OSError:
        pass  # the other end is closed
    os.close(master)
    return process.wait(), output.decode("ascii", "replace").replace("\r", "")
