#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The range unit as a part of other files: a root compiled alone, and two of them in one program,
# by the plainest of compiler calls.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

. tools/taplib.sh amalgam

cat >"$scratch/one.c" <<END
#include "$PWD/test/house/range_one.h"
END
for name in first second; do
    cat >"$scratch/$name.c" <<END
#include "$PWD/test/house/range_one.h"

unsigned long long $name(void);
unsigned long long $name(void)
{
    loam_range r;
    loam_range_tag tag[4];
    uint64_t at = 0;
    if (loam_range_init(&r, 0x1000, 0x1000, 8, tag, 4, 0) != LOAM_OK)
        return 0;
    loam_range_alloc(&r, 256, 0, &at);
    loam_range_alloc(&r, 8, 0, &at);
    return loam_range_check(&r) == 0 ? at : 0;
}
END
done
cat >"$scratch/main.c" <<'END'
unsigned long long first(void), second(void);
int main(void)
{
    return first() == 0x1100 && second() == 0x1100 ? 0 : 1;
}
END

echo 1..6
for cc in gcc clang; do
    $cc -Wall -Wextra -Wpedantic -Werror -c "$scratch/one.c" -o "$scratch/one.o" \
        >"$scratch/out" 2>&1
    verdict $? "$cc: a root compiles alone"
    [ -z "$(nm "$scratch/one.o" | grep -i ' [a-z] loam' | grep ' [A-Z] ')" ]
    verdict $? "$cc: and exports nothing of it"
    $cc -Wall -Wextra -Werror "$scratch/first.c" "$scratch/second.c" "$scratch/main.c" \
        -o "$scratch/two" >"$scratch/out" 2>&1 && "$scratch/two"
    verdict $? "$cc: two of them are one program, and it works"
done
