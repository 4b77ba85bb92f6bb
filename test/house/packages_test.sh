#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tools/packages.sh, with every command it would disturb the machine with replaced by a fake.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
verdict() { # TRUE NAME
    number=$((number + 1))
    if [ "$1" = 0 ]; then echo "ok $number - packages: $2"; return; fi
    echo "not ok $number - packages: $2"
    sed 's/^/#   /' "$work/out"
}

# A machine: the usual commands, id, and an apt-get that writes down what it is asked for.
machine() { # USER-ID
    rm -rf "${work:?}/bin" && mkdir "$work/bin" && : >"$work/asked"
    for command in bash env echo awk sort xargs cut cat sleep flock touch chmod dirname; do
        ln -s "$(type -P "$command")" "$work/bin/$command"
    done
    fake id "echo $1"
    fake there 'exit 0'
    fake apt-get "echo \"\$@\" >>$work/asked; case \"\$*\" in *install*) $2 ;; esac"
}
fake() { printf '#!/usr/bin/env bash\n%s\n' "$2" >"$work/bin/$1" && chmod +x "$work/bin/$1"; }
creates() { echo "cd $work/bin && touch gone1 gone2 && chmod +x gone1 gone2"; }
packages() { PATH=$work/bin PACKAGES_TABLE=$work/table TMPDIR=$work \
    "$(command -v bash)" tools/packages.sh "$@" >"$work/out" 2>&1 </dev/null; }
installs() { grep -c -- "install --no-install-recommends $1\$" "$work/asked"; }

cat >"$work/table" <<END
full   package0   there
bare   package0   there
bare   package1   gone1
bare   package2   gone2
other  package2   gone2
file   package3   $work/no/such/*
END

echo 1..9
machine 0 "$(creates)"
packages full && [ ! -s "$work/asked" ] && [ ! -s "$work/out" ]
verdict $? "nothing missing: silent, nothing asked for"

packages bare && [ "$(installs 'package1 package2')" = 1 ] && [ "$(wc -l <"$work/asked")" = 1 ] &&
    grep -q 'packages: installing package1 package2' "$work/out"
verdict $? "two missing: those two installed at once, and told"

machine 0 "$(creates)"
packages bare other && [ "$(installs 'package1 package2')" = 1 ]
verdict $? "two groups with a package in common: named once"

machine 0 'exit 100'
! packages bare && grep -q 'could not install: package1 package2' "$work/out" &&
    grep -q update "$work/asked"
verdict $? "apt-get fails: lists read anew, then an error that names the packages"

machine 0 'exit 0'
! packages file && grep -q 'no sign of: package3' "$work/out"
verdict $? "installed without a sign of it: told"

machine 1000 "$(creates)"
fake sudo 'exit 1'
! packages bare && [ ! -s "$work/asked" ] &&
    grep -q 'apt-get install --no-install-recommends package1 package2' "$work/out"
verdict $? "not root, sudo would ask: the line to run is told"

fake sudo 'shift; "$@"'
packages bare && [ "$(installs 'package1 package2')" = 1 ]
verdict $? "not root, sudo does not ask: installed"

machine 0 "$(creates)"
rm "$work/bin/apt-get"
! packages bare && grep -q 'no apt-get here: package1 package2' "$work/out"
verdict $? "no apt-get: told what is needed"

! packages bear && grep -q "no group 'bear'; there are: bare file full other" "$work/out"
verdict $? "no such group: told, with those there are"
