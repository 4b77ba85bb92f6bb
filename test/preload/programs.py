# SPDX-License-Identifier: MIT
"""Real programs on libloam.so: each runs with the malloc that it has and with ours; what it prints,
once times, process numbers and addresses are gone, and its exit code must be the same. Processor
time and peak memory are reported beside each other, and never judged.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
OWN = ""             # preloads nothing
GLIBC = "libc.so.6"  # preloads the C library's: redis-server brings a malloc of its own
MEASURE = os.path.join(ROOT, "build/host/bench/measure")
LIMIT = 600
VOLATILE = [
    (r"(?m)^\S+ passed in .*\n", ""),  # python's regrtest says so of what took 30 seconds
    (r"0x[0-9a-f]+", "ADDRESS"),
    (r"\b[0-9.]+ ?(?:seconds?|secs?|min|ms|s|sec|msec)\b", "TIME"),
    (r"\b(?:PID|pid) ?[0-9]+", "PID"),
    (r"/tmp/\S+", "PATH"),
]


class Outcome:
    def __init__(self, code, output, cpu, peak):
        self.code, self.output, self.cpu, self.peak = code, output, cpu, peak


def plain(text):
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text


def environment(conf=None):
    clean = {key: value for key, value in os.environ.items()
             if key not in ("LD_PRELOAD", "LOAM_CONF", "SEED")}
    clean.update(LC_ALL="C", LANG="C", PYTHONHASHSEED="1", GIT_CONFIG_GLOBAL="/dev/null",
                 HOME=clean.get("HOME", "/"))
    if conf:
        clean["LOAM_CONF"] = conf
    return clean


def wait(child):
    """The exit code; a program that hangs is ended, with all that it started."""
    try:
        return child.wait(LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def run(command, folder, library, conf=None):
    """A command (a list, or text for the shell) with a malloc: Outcome."""
    words = ["bash", "-c", command] if isinstance(command, str) else command
    with tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile("r+") as used:
        with subprocess.Popen([MEASURE, used.name, library, *words], cwd=folder,
                              env=environment(conf), stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT, start_new_session=True) as child:
            code = wait(child)
        out.seek(0)
        text = out.read().decode(errors="replace")
        numbers = (used.read().split() + ["0", "0"])[:2]
    return Outcome(code, text, int(numbers[0]) / 1e6, int(numbers[1]))


def compare(tap, name, command, setup=None):
    """One program both ways, each in a folder of its own. Without the library it has its own
    malloc: redis-server that of jemalloc, whose calls are not those of the C library alone."""
    results = []
    for library in (OWN, LIBRARY):
        with tempfile.TemporaryDirectory(prefix="loam-programs-") as folder:
            if setup:
                setup(folder)
            results.append(run(command, folder, library))
    theirs, ours = results
    same = plain(theirs.output) == plain(ours.output)
    notes = [f"exit code {ours.code}, without {theirs.code}",
             *plain(ours.output).splitlines()[-8:], "without:",
             *plain(theirs.output).splitlines()[-8:]]
    tap.check(theirs.code == ours.code and same, f"{name}: as without", notes)
    tap.check(theirs.code == 0, f"{name}: ran at all", notes)
    print(f"# {name}: {ours.cpu:.2f} s, {ours.peak} KiB; without: {theirs.cpu:.2f} s, "
          f"{theirs.peak} KiB", flush=True)


PYTHON = "/usr/bin/python3"


def python_tests(name):
    """The suites say how long they took and in what order: only their verdict is kept."""
    return (f"{PYTHON} -m test {name} >log 2>&1; code=$?; "
            f"grep -E '^(test_|Tests? result|[0-9]+ tests?)' log | grep -v load; exit $code")


def sources(folder):
    for name in ("core", "include", "port"):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(folder, name))


COMPILE = ("for f in core/buddy.c core/zone.c core/slab.c core/range.c; do "
           "{compiler} -O2 -Iinclude -Iport/hosted -c $f -o out.o && md5sum out.o || exit 1; done")

CPLUS = r"""
#include <map>
#include <memory>
#include <new>
#include <regex>
#include <string>
#include <vector>
#include <iostream>
struct alignas(256) wide { char c[256]; };
int main()
{
    std::map<std::string, std::vector<int>> m;
    for (int i = 0; i < 200000; i++)
        m[std::to_string(i % 5000)].push_back(i);
    std::unique_ptr<wide[]> w(new wide[100]);
    bool thrown = false;
    try {
        volatile std::size_t n = (std::size_t)-1 / 4;
        delete[] new char[n];
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    void *none = operator new((std::size_t)-1 / 4, std::nothrow);
    std::cout << m.size() << " " << ((std::size_t)w.get() % 256) << " " << thrown << " "
              << (none == nullptr) << " " << std::regex_match("aaab", std::regex("a+b")) << "\n";
}
"""


def cplus(folder):
    with open(os.path.join(folder, "x.cc"), "w", encoding="ascii") as file:
        file.write(CPLUS)


def repository(folder):
    """A repository of 40 commits."""
    git = "git -c user.name=a -c user.email=a@b"
    subprocess.run(["bash", "-c", f"""git init -q -b main from && cd from && for i in $(seq 40); do
        seq $((i * 50)) >file$i && git add . && d="$((1700000000 + i)) +0000" && \
        GIT_AUTHOR_DATE=$d GIT_COMMITTER_DATE=$d \
        {git} commit -q -m "commit $i"; done"""], cwd=folder, env=environment(), check=True)


def number_lines(folder):
    with open(os.path.join(folder, "numbers"), "w", encoding="ascii") as file:
        file.writelines(f"{i * 7919 % 1000003}\n" for i in range(1000000))


SQL = ("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); "
       "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000) "
       "INSERT INTO t SELECT x, 'row ' || (x * 7919 % 100003) FROM n; "
       "CREATE INDEX i ON t(b); SELECT count(*), sum(a), count(DISTINCT b) FROM t;")

NODE = ("const o = {}; for (let i = 0; i < 300000; i++) o['k' + i % 5000] = [i, 's' + i]; "
        "const b = []; for (let i = 0; i < 300; i++) b.push(Buffer.alloc(100000, i)); "
        "console.log(Object.keys(o).length, JSON.stringify(o).length, b[299][5])")

PERL = (r"my %h; $h{$_ % 50000} .= $_ for 1 .. 500000; my @s = sort { $a <=> $b } keys %h; "
        r"print scalar(@s), ' ', length(join ',', @h{@s}), qq{\n}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def redis(requests):
    """A server with ours, asked by redis-benchmark, which saves in a child meanwhile."""
    port = free_port()
    return (f"redis-server --port {port} --bind 127.0.0.1 --save '' --dir . --daemonize no "
            f">log 2>&1 & server=$!; for i in $(seq 200); do redis-cli -p {port} ping >up 2>&1 && "
            f"grep -q PONG up && break; sleep 0.05; done; "
            f"redis-benchmark -p {port} -q -n {requests} -d 200 -r 20000 -t set,get,lpush,sadd "
            f">bench 2>&1 || exit 1; redis-cli -p {port} bgsave >/dev/null; "
            f"redis-benchmark -p {port} -q -n {requests} -r 20000 -t set,hset >bench 2>&1; "
            f"for i in $(seq 600); do redis-cli -p {port} info persistence >info; "
            f"grep -q rdb_bgsave_in_progress:0 info && break; sleep 0.05; done; "
            f"grep -o 'rdb_last_bgsave_status:[a-z]*' info; "
            f"redis-cli -p {port} shutdown nosave >/dev/null 2>&1; wait $server")


QUICK = [
    ("python3: test_list", python_tests("test_list"), None),
    ("python3: test_dict", python_tests("test_dict"), None),
    ("python3: test_json", python_tests("test_json"), None),
    ("gcc: four files", COMPILE.format(compiler="gcc"), sources),
    ("g++: compiles and runs", "g++ -O1 x.cc -o x && ./x", cplus),
    ("git: clone and gc", "git clone -q from to && cd to && git gc -q && git fsck && git log "
     "--format=%H | md5sum", repository),
    ("perl: hashes", f"perl -e '{PERL}'", None),
    ("sqlite3: a million inserts", f'sqlite3 db "{SQL}"', None),
    ("redis: benchmark and a save in a child", redis(20000), None),
    ("node: objects and buffers", f'node -e "{NODE}"', None),
    ("xz: two threads", "xz -1 -T2 -k numbers && xz -dc numbers.xz | md5sum && md5sum numbers.xz",
     number_lines),
    ("zstd: two threads", "zstd -q -5 -T2 numbers -o z && zstd -dc z | md5sum", number_lines),
    ("stress-ng: malloc", "stress-ng --malloc 2 --malloc-ops 20000 --verify -q", None),
]

LONG = [
    ("python3: test_threading", python_tests("test_threading"), None),
    ("python3: test_subprocess", python_tests("test_subprocess"), None),
    ("redis: longer", redis(400000), None),
    ("g++: at -O2", "for i in 1 2 3; do g++ -O2 -g x.cc -o x && ./x || exit 1; done", cplus),
    ("stress-ng: malloc, longer", "stress-ng --malloc 8 --malloc-ops 1000000 --verify -q", None),
    ("stress-ng: malloc, large", "stress-ng --malloc 2 --malloc-bytes 64M --malloc-ops 2000 -q",
     None),
]


def main(table):
    tap = Tap()
    for name, command, setup in table:
        compare(tap, name, command, setup)
    tap.done()
