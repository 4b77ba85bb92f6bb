# SPDX-License-Identifier: MIT
"""The mallocs of others that Debian packages: which are here, and of which version."""
import glob
import os
import subprocess

FILES = {"jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.[0-9]*",
         "tcmalloc": "libtcmalloc_minimal.so.4"}
NAMES = list(FILES)


def newest(files):
    """name -> path of each of these libraries that is here; of several versions the newest."""
    paths = {name: sorted(glob.glob(f"/usr/lib/{os.uname().machine}-linux-gnu/{file}"))
             for name, file in files.items()}
    return {name: some[-1] for name, some in paths.items() if some}


def found():
    """Those of FILES that are here."""
    return newest(FILES)


def _told(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def version(path):
    """That of the package which brought a file; "" where nobody knows."""
    real = os.path.realpath(path)
    for name in (real, real.removeprefix("/usr")):  # /lib is /usr/lib, and packages say either
        package = _told("dpkg-query", "-S", name).split(": ")[0]
        if package:
            return _told("dpkg-query", "-W", "-f", "${Version}", package)
    return ""
