#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the TAP files of a run and says `N passed, N failed`; exit code 1 when any failed.

    tap_count.py FILE...

A subtest fails by `not ok`, or by never having run: what the plan promised and did not come, a
test program that ended badly without saying why, a plan that is missing.
"""
import re
import sys


def count(text):
    """(passed, failed) of the output of one test program."""
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    code = re.search(r"^# exit code (\d+)$", text, re.M)
    results = re.findall(r"^(not ok|ok)\b(.*)$", text, re.M)
    passed = sum(1 for word, rest in results
                 if word == "ok" or re.search(r"# *TODO", rest, re.I))
    failed = len(results) - passed
    if plan is None:
        failed += 1
    else:
        failed += max(0, int(plan.group(1)) - len(results))
    ended_badly = code is None or code.group(1) != "0"
    if failed == 0 and (ended_badly or plan and len(results) > int(plan.group(1))):
        failed = 1
    return passed, failed


def main():
    passed = failed = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8", errors="replace") as file:
            one_passed, one_failed = count(file.read())
        passed += one_passed
        failed += one_failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
