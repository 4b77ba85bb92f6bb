#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tools/packages.sh, with every command it would disturb the machine with replaced by a fake.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

. tools/taplib.sh packages

# A machine: the usual commands, id, and an apt-get that writes down what it is asked for.
machine() { # USER-ID
    rm -rf "${scratch:?}/bin" && mkdir "$scratch/bin" && : >"$scratch/asked"
    for command in bash env echo awk sed sort xargs cut cat sleep flock touch chmod dirname; do
        ln -s "$(type -P "$command")" "$scratch/bin/$command"
    done
    fake id "echo $1"
    fake there 'exit 0'
    fake apt-get "echo \"\$@\" >>$scratch/asked; case \"\$*\" in *install*) $2 ;; esac"
}
fake() { printf '#!/usr/bin/env bash\n%s\n' "$2" >"$scratch/bin/$1" && chmod +x "$scratch/bin/$1"; }
creates() { echo "cd $scratch/bin && touch gone1 gone2 && chmod +x gone1 gone2"; }
packages() { PATH=$scratch/bin PACKAGES_TABLE=$scratch/table TMPDIR=$scratch \
    "$(command -v bash)" tools/packages.sh "$@" >"$scratch/out" 2>&1 </dev/null; }
installs() { grep -c -- "install --no-install-recommends $1\$" "$scratch/asked"; }

cat >"$scratch/table" <<END
full   package0   there
bare   package0   there
bare   package1   gone1
bare   package2   gone2
other  package2   gone2
file   package3   $scratch/no/such/*
glob   README*    gone1
of     pack-GCC   gone1
END

echo 1..13
machine 0 "$(creates)"
packages full && [ ! -s "$scratch/asked" ] && [ ! -s "$scratch/out" ]
verdict $? "nothing missing: silent, nothing asked for"

packages bare && [ "$(installs 'package1 package2')" = 1 ] &&
    [ "$(wc -l <"$scratch/asked")" = 1 ] &&
    grep -q 'packages: installing package1 package2' "$scratch/out"
verdict $? "two missing: those two installed at once, and told"

machine 0 "$(creates)"
packages bare other && [ "$(installs 'package1 package2')" = 1 ]
verdict $? "two groups with a package in common: named once"

machine 0 "$(creates)"
packages glob && [ "$(installs 'README\*')" = 1 ]
verdict $? "a pattern for a name: apt-get's, not the shell's"

machine 0 "$(creates)"
fake gcc 'echo 14'
packages of && [ "$(installs 'pack-14')" = 1 ] && [ "$(wc -l <"$scratch/asked")" = 1 ]
verdict $? "GCC in a name: the version of the gcc that is here"

machine 0 "cd $scratch/bin; case \"\$*\" in *pack*) $(creates) ;; esac
    printf '#!/bin/sh\necho 15\n' >gcc; chmod +x gcc"
packages of && [ "$(installs gcc)" = 1 ] && [ "$(installs 'pack-15')" = 1 ]
verdict $? "GCC in a name, and no gcc: it comes first"

machine 0 'exit 100'
! packages bare && grep -q 'could not install: package1 package2' "$scratch/out" &&
    grep -q update "$scratch/asked"
verdict $? "apt-get fails: lists read anew, then an error that names the packages"

machine 0 'exit 0'
! packages file && grep -q 'no sign of: package3' "$scratch/out"
verdict $? "installed without a sign of it: told"

machine 1000 "$(creates)"
fake sudo 'exit 1'
! packages bare && [ ! -s "$scratch/asked" ] &&
    grep -q 'apt-get install --no-install-recommends package1 package2' "$scratch/out"
verdict $? "not root, sudo would ask: the line to run is told"

fake sudo 'shift; "$@"'
packages bare && [ "$(installs 'package1 package2')" = 1 ]
verdict $? "not root, sudo does not ask: installed"

machine 0 "$(creates)"
rm "$scratch/bin/apt-get"
! packages bare && grep -q 'no apt-get here: package1 package2' "$scratch/out"
verdict $? "no apt-get: told what is needed"

machine 0 "$(creates)"
! PACKAGES_INSTALL=no packages bare && [ ! -s "$scratch/asked" ] &&
    grep -q 'PACKAGES_INSTALL is no: package1 package2' "$scratch/out"
verdict $? "PACKAGES_INSTALL=no: told what is needed, nothing asked for"

! packages bear && grep -q "no group 'bear'; there are: bare file full glob of other" "$scratch/out"
verdict $? "no such group: told, with those there are"
