#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LOAM_CONF's files: what cannot be written is said in one line; a slow reader gets all of it.

The line names the option, the file and the reason, and the program goes on.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, read  # noqa: E402
from trace_sums import events_of  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")

PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static void tick(int number) { (void)number; }
/* Standard error takes no byte more, until somebody reads. */
static void fill(void)
{
    char full[4096] = {0};
    int flags = fcntl(2, F_GETFL);
    fcntl(2, F_SETFL, flags | O_NONBLOCK);
    while (write(2, full, sizeof(full)) > 0) {
    }
    fcntl(2, F_SETFL, flags);
}
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct itimerval often = {{0, 2000}, {0, 2000}};
    struct sigaction act = {.sa_handler = tick};
    char path[6000];
    char *volatile p = malloc(100);
    for (int i = 0; i < 2000; i++)
        free(malloc(100));
    if (strcmp(what, "interrupted") == 0) {
        fill();
        sigaction(SIGALRM, &act, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
    }
    if (strcmp(what, "nonblocking") == 0) {
        fill();
        fcntl(2, F_SETFL, fcntl(2, F_GETFL) | O_NONBLOCK);
    }
    if (strcmp(what, "signal") == 0) {
        raise(SIGUSR2);
        free(malloc(10));
    }
    if (strcmp(what, "call") == 0) {
        int (*profile)(const char *) = dlsym(RTLD_DEFAULT, "loam_process_heap_profile");
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        errno = 77;
        printf("%d ", profile("/dev/full") == ENOSPC && errno == 77);
        memcpy(path, argv[2], strlen(argv[2]));
        printf("%d\n", profile(path) == ENAMETOOLONG && errno == 77);
    }
    if (strcmp(what, "fork") == 0) {
        chdir("/proc"); /* where nobody makes a file */
        if (fork() == 0) {
            free(malloc(77777));
            return 0;
        }
        wait(NULL);
    }
    if (strcmp(what, "closed") == 0)
        fclose(stderr);
    if (strcmp(what, "all closed") == 0) { /* and the numbers are another file's */
        int victim = open("victim", O_RDWR | O_CREAT, 0666);
        for (int i = 3; i < 1000; i++)
            if (i != victim)
                close(i);
        for (int i = 200; i < 210; i++)
            dup2(victim, i);
        for (int i = 0; i < 3000; i++)
            free(malloc(77777));
    }
    return 0;
}
"""


def start(program, words, conf, **more):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": conf}
    done = subprocess.run([program, *words], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def check_lines(tap, program):
    where = "/none/of/these"
    missing, full = "No such file or directory", "No space left on device"
    for words, conf, line in (
            ([], f"trace={where}", f"trace={where}: {missing}; no trace"),
            ([], "trace=/dev/full", f"trace=/dev/full: {full}; events are missing"),
            ([], f"profile={where}", f"profile={where}: {missing}; no heap profile"),
            ([], "profile=/dev/full", f"profile=/dev/full: {full}; no heap profile"),
            (["closed"], f"profile={where}", f"profile={where}: {missing}; no heap profile"),
            ([], "profile=/dev/null,profile_signal=9",
             "profile_signal=9: Invalid argument; no profile on request")):
        code, out, errors = start(program, words, conf)
        tap.check((code, out, errors) == (0, "", f"loam: LOAM_CONF: {line}\n"),
                  f"{conf} {' '.join(words)}: one line", [f"{code}", out, errors])
    conf = f"profile={where},profile_signal=12"
    errors = start(program, ["signal"], conf)[2]
    tap.check(errors == "".join(f"loam: LOAM_CONF: profile={name}: {missing}; no heap profile\n"
                                for name in (f"{where}.1", where)),
              f"{conf}: a line each time", [errors])
    for conf, line in ((f"stats,file={where}", f"file={where}: {missing}; here instead"),
                       ("stats,file=/dev/full", f"file=/dev/full: {full}; here instead"),
                       ("leaks,file=/dev/full", f"file=/dev/full: {full}; here instead")):
        code, _, errors = start(program, ["closed"], conf)
        lines = errors.splitlines()
        tap.check(code == 0 and lines[:1] == [f"loam: LOAM_CONF: {line}"] and
                  sum("LOAM_CONF" in one for one in lines) == 1 and
                  ("blocks are still out" if "leaks" in conf else "blocks are out") in errors,
                  f"{conf}: one line, and the figures", [f"{code}", errors])
    code, out, errors = start(program, ["call", "/tmp/"], "profile=/dev/null")
    tap.check((code, out, errors) == (0, "1 1\n", ""),
              "loam_process_heap_profile: full, too long: an errno, no other file", [out, errors])


def check_fifos(tap, program, folder):
    """A pipe with a reader has what is written; one without is refused, and nobody waits."""
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    refused = "No such device or address"
    for conf, line in ((f"trace={fifo}", f"trace={fifo}: {refused}; no trace"),
                       (f"stats,file={fifo}", f"file={fifo}: {refused}; here instead")):
        code, _, errors = start(program, [], conf)
        tap.check((code, errors.splitlines()[0]) == (0, f"loam: LOAM_CONF: {line}"),
                  f"{conf.split(folder)[0]} a pipe that nobody reads: one line",
                  [str(code), errors])
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    code, _, errors = start(program, [], f"stats,file={fifo}")
    text = os.read(reader, 100000)
    os.close(reader)
    tap.check((code, errors) == (0, "") and b"blocks are out" in text,
              "stats into a pipe: its reader has them", [str(code), errors, str(text)])


def check_children(tap, program, folder):
    """Where a child cannot have a file of its own."""
    code, _, errors = start(program, ["fork"], "trace=t.%p", cwd=folder)
    want = r"loam: LOAM_CONF: trace=t\.\d+: No such file or .*; a child writes to its parent's\n"
    tap.check(code == 0 and re.fullmatch(want, errors),
              "trace=%p: a child that cannot write its own: one line", [errors])
    code, _, errors = start(program, [], f"trace={folder}/none%p/x")
    tap.check(code == 0 and errors.count("\n") == 1 and f"trace={folder}/none" in errors and
              "%p" not in errors, "trace=%p: the line names the very file", [errors])


def check_closed(tap, program, folder):
    """Some programs close every number there is, and get it again for a file of their own."""
    victim = os.path.join(folder, "victim")
    for conf in ("stats", "stats,file=told", f"trace={folder}/events", "profile=heap,stats"):
        code, out, errors = start(program, ["all closed"], conf, cwd=folder)
        said = errors if "file=" not in conf else read(folder, "told")
        told = "blocks are out" in said if "stats" in conf else errors == ""
        tap.check((code, out) == (0, "") and told and os.path.getsize(victim) == 0,
                  f"{conf}: all numbers closed, and used again: no other file is written",
                  [f"{code}", errors, str(os.path.getsize(victim))])
    with open(os.path.join(folder, "events"), "rb") as file:
        told = [event for event in events_of(file.read())[0] if event.b == 77777]
    tap.check(len(told) == 3000, "trace: the file is opened again, and goes on", [str(len(told))])


def late(program, word):
    """What standard error got, whose reader takes its time."""
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": "stats,json"}
    with subprocess.Popen([program, word], env=environment, stderr=subprocess.PIPE) as child:
        time.sleep(0.3)
        text = child.stderr.read()
    return child.returncode, text.lstrip(b"\0").decode()


def check_slow(tap, program):
    for word in ("interrupted", "nonblocking"):
        code, text = late(program, word)
        tap.check(code == 0 and text.startswith("{") and text.endswith("}\n"),
                  f"stats: a pipe that is full, {word}: all figures come", [f"{code}", text])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-written-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["gcc", "-O1", "-fno-builtin", "-w", "-x", "c", "-", "-o", program],
                       input=PROGRAM, text=True, check=True)
        check_lines(tap, program)
        check_fifos(tap, program, folder)
        check_children(tap, program, folder)
        check_closed(tap, program, folder)
        check_slow(tap, program)
        names = [name for name in os.listdir(folder) if name.startswith("x")]
        tap.check(names == [], "no file by another name", names)
    tap.done()


if __name__ == "__main__":
    main()
