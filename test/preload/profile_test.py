#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LOAM_CONF=profile: the file is what pprof reads, and its figures are right within chance.

The program below keeps blocks in one function and frees them in others, so that what a profile must
say is known. At a rate of 1 every block is a sample, and the figures are exact.
"""
import math
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, read, run  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")

PROGRAM = r"""
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define OWN __attribute__((noinline))
static void *kept[3000];
OWN void keep(void) { for (int i = 0; i < 3000; i++) kept[i] = malloc(4000); }
OWN void churn(void) { for (int i = 0; i < 40000; i++) free(malloc(100)); }
OWN void grow(void) { kept[0] = realloc(kept[0], 3000000); }
OWN void mixed(void) { for (int i = 0; i < 1000; i++) free(malloc(i % 2 ? 16 : 100000)); }
OWN void *thread(void *arg) { churn(); return arg; }
OWN void half(void) { for (int i = 1; i < 3000; i += 2) free(kept[i]); }
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pthread_t t;
    keep();
    churn();
    mixed();
    grow();
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    half();
    if (strcmp(what, "signal") == 0)
        for (int i = 0; i < 2; i++) {
            raise(SIGUSR2);
            free(malloc(10));
        }
    int (*profile)(const char *) = dlsym(RTLD_DEFAULT, "loam_process_heap_profile");
    if (strcmp(what, "call") == 0)
        printf("%d %d %d\n", profile(argv[2]), profile(NULL) == EINVAL,
               profile("/none/x") == ENOENT);
    if (strcmp(what, "off") == 0)
        printf("%d\n", profile(argv[2]) == ENOTSUP);
    if (strcmp(what, "fork") == 0) {
        if (fork() == 0)
            keep();
        else
            wait(NULL);
    }
    return 0;
}
"""

LINE = re.compile(r"^ *(\d+): +(\d+) \[ *(\d+): +(\d+)\] @(.*)$")


def build(folder):
    program = os.path.join(folder, "program")
    subprocess.run(["gcc", "-O1", "-no-pie", "-fno-builtin", "-w", "-x", "c", "-", "-o", program,
                    "-lpthread"], input=PROGRAM, text=True, check=True)
    return program


def start(program, words, conf):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": conf}
    done = subprocess.run([program, *words], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def functions_of(program):
    """[(address, name)] ascending."""
    found = re.findall(r"^([0-9a-f]+) [tT] (\w+)$", run(["nm", program])[1], re.M)
    return sorted((int(address, 16), name) for address, name in found)


def name_of(functions, address):
    names = [name for start_, name in functions if start_ < address]
    return names[-1] if names and address < functions[-1][0] + 4096 else "?"


class Profile:
    def __init__(self, text, functions):
        head, _, maps = text.partition("\n\nMAPPED_LIBRARIES:\n")
        lines = head.splitlines()
        first = re.match(r"heap profile: (.*) heap_v2/(\d+)$", lines[0])
        self.rate = int(first.group(2))
        self.total = [int(n) for n in LINE.match(first.group(1)).groups()[:4]]
        self.rows = []
        for line in lines[1:]:
            match = LINE.match(line)
            names = [name_of(functions, int(a, 16)) for a in match.group(5).split()]
            self.rows.append(([int(n) for n in match.groups()[:4]], names))
        self.maps = maps

    def sum_of(self, name, column, scaled=True):
        """Of the rows whose calls have this function: as pprof scales them."""
        total = 0.0
        for figures, names in self.rows:
            if name not in names or figures[column] == 0:
                continue
            mean = figures[3] / figures[2]
            total += figures[column] / (1 - math.exp(-mean / self.rate) if scaled else 1)
        return total


def near(value, want, part):
    return abs(value - want) <= part * want


def check_profile(tap, program, folder, functions):
    path = os.path.join(folder, "heap")
    code, out, errors = start(program, [], f"profile={path},profile_rate=16K")
    text = read(folder, "heap")
    profile = Profile(text, functions)
    tap.check(code == 0 and out == errors == "", "profile: the program goes on, and says nothing",
              [errors])
    sums = [sum(row[0][i] for row in profile.rows) for i in range(4)]
    tap.check(sums == profile.total and profile.rate == 16384, "profile: the rows are the sum",
              [str(sums), str(profile.total)])
    tap.check("r-xp" in profile.maps and program in profile.maps, "profile: what is mapped", [])
    for name, column, want, part in (("keep", 1, 1499 * 4000, 0.2), ("keep", 3, 12e6, 0.2),
                                     ("keep", 0, 1499, 0.2), ("churn", 3, 8e6, 0.25),
                                     ("mixed", 3, 50e6, 0.15), ("grow", 1, 3e6, 0.01)):
        value = profile.sum_of(name, column)
        tap.check(near(value, want, part), f"profile: {name}, column {column}: {want:.0f}",
                  [f"{value:.0f}"])
    tap.check(profile.sum_of("churn", 1) == 0 and profile.sum_of("mixed", 0) == 0,
              "profile: what was freed is not in use")
    tap.check(any("thread" in names and "churn" in names for _, names in profile.rows) and
              any("main" in names and names[0] == "keep" for _, names in profile.rows),
              "profile: calls, in threads, too", [str(row) for row in profile.rows])


def check_exact(tap, program, folder, functions):
    start(program, [], f"profile={os.path.join(folder, 'exact')},profile_rate=1")
    profile = Profile(read(folder, "exact"), functions)
    want = {("keep", 0): 1499, ("keep", 1): 1499 * 4000, ("keep", 2): 3000, ("keep", 3): 12000000,
            ("churn", 2): 80000, ("churn", 0): 0, ("mixed", 2): 1000, ("mixed", 3): 500 * 100016,
            ("grow", 0): 1, ("grow", 1): 3000000}
    for (name, column), number in want.items():
        value = profile.sum_of(name, column, scaled=False)
        tap.check(value == number, f"profile_rate=1: {name}, column {column}: {number}",
                  [str(value)])


def check_requests(tap, program, folder, functions):
    path = os.path.join(folder, "asked")
    start(program, ["signal"], f"profile={path},profile_rate=64K,profile_signal=12")
    names = sorted(name for name in os.listdir(folder) if name.startswith("asked"))
    tap.check(names == ["asked", "asked.1", "asked.2"], "profile_signal: a file each time", names)
    called = os.path.join(folder, "called")
    out = start(program, ["call", called], f"profile={path}")[1]
    tap.check(out == "0 1 1\n" and Profile(read(folder, "called"), functions).rate == 524288,
              "loam_process_heap_profile: a file, and errors", [out])
    out = start(program, ["off", called], "stats,file=/dev/null")[1]
    tap.check(out == "1\n", "loam_process_heap_profile: without a profile: ENOTSUP", [out])
    start(program, ["fork"], f"profile={os.path.join(folder, 'both.%p')},profile_rate=64K")
    both = [name for name in os.listdir(folder) if name.startswith("both.")]
    live = sorted(Profile(read(folder, name), functions).sum_of("keep", 1) for name in both)
    tap.check(len(both) == 2 and live[1] > 2 * live[0], "profile: a child of fork has its own",
              [str(live)])
    code, _, _ = start(program, [], "profile=/none/of/these")
    tap.check(code == 0, "profile: a path that cannot be: the program goes on")
    code, _, errors = start("/usr/bin/python3", ["-c", "import json, threading"],
                            f"profile={path},profile_rate=1,hardened")
    tap.check(code == 0 and errors == "", "profile_rate=1,hardened: python3 runs", [errors])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-profile-") as folder:
        program = build(folder)
        functions = functions_of(program)
        check_profile(tap, program, folder, functions)
        check_exact(tap, program, folder, functions)
        check_requests(tap, program, folder, functions)
    tap.done()


if __name__ == "__main__":
    main()
