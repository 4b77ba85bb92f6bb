#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keys_at_prompt.py PROMPT SECONDS COMMAND... - types standard input into a machine that boots.

The command's output is passed on; once the prompt is in it, what standard input has is given to the
command's, and at its end Ctrl-D. A machine that takes longer than SECONDS is ended: 124. Otherwise
the exit code is the command's. (A serial port that is set up forgets what came before.)
"""
import os
import signal
import subprocess
import sys
import threading


def main():
    prompt, seconds, command = sys.argv[1].encode(), float(sys.argv[2]), sys.argv[3:]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    late = []

    def stop():
        late.append(True)
        process.send_signal(signal.SIGTERM)

    def feed():
        try:
            while keys := os.read(sys.stdin.fileno(), 4096):
                process.stdin.write(keys)
                process.stdin.flush()
            process.stdin.write(b"\x04")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # the machine has ended before us

    timer = threading.Timer(seconds, stop)
    timer.start()
    seen, fed = b"", False
    while text := os.read(process.stdout.fileno(), 4096):
        sys.stdout.buffer.write(text.replace(b"\r\n", b"\n"))
        sys.stdout.flush()
        seen = (seen + text)[-4096 - len(prompt):]
        if not fed and prompt in seen:
            fed = True
            threading.Thread(target=feed, daemon=True).start()
    code = process.wait()
    timer.cancel()
    sys.stdout.flush()
    os._exit(124 if late else code)  # the thread may still be waiting for input


if __name__ == "__main__":
    main()
