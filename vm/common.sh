# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of vm/, and those of tools/, tests/ and bench/ that use its cache,
# share: where things are, and how they speak. Sourced.
#
# Everything that takes long to make lies in $cache, outside the checkout, under
# a name that contains a hash of what went in. Whoever makes something there
# holds the lock, makes it under another name and renames it: a reader without
# the lock sees all of it or nothing.

set -euo pipefail
# What programs say is read here.
export LC_ALL=C.UTF-8

# What was said to our make is not for the kernel's.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-~}/.cache}/bpfilter
umh=$top/target/bpfilter_umh

say() { echo "$*" >&2; }
die() { say "error: $*"; exit 1; }

# hash: 16 hex digits over stdin.
hash() { sha256sum | cut -c1-16; }

# hash_files FILE...: over names (without the checkout's place) and contents.
hash_files() { (cd "$top" && sha256sum -- "${@#"$top"/}") | hash; }

# lock: waits for the cache and keeps it until the script ends, and with it
# whatever it has started: a build that outlives its script keeps the lock.
lock() {
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock -n 9 || { say "waiting for another build in $cache"; flock 9; }
}

# boot_rules FOLDER: puts the boot rules of tests/vm/boot_rules there, and some of which
# the end is missing.
boot_rules() {
	local rules more
	[ -f "$top/target/boot-rules" ] || die "target/boot-rules is missing: run 'make boot-rules'"
	for rules in "$top"/tests/vm/boot_rules/*.rules; do
		more=()
		[ ! -f "${rules}6" ] || more=(-6 "${rules}6")
		"$top/target/boot-rules" -4 "$rules" "${more[@]}" -o "$1/$(basename "$rules" .rules)" 2>"$1/log" ||
			die "$(cat "$1/log")"
	done
	rm "$1/log"
	head -c -1000 "$1/router" >"$1/truncated"
}

# log_of NAME: a file for the output of a long step.
log_of() { mkdir -p "$cache/log"; echo "$cache/log/$1.log"; }

# slowly NAME COMMAND...: runs it with its output in a log, tells every ten
# seconds how far it is, and shows the end of the log if it fails.
slowly() {
	local name=$1 log pid start=$SECONDS next=10 rc=0
	shift
	log=$(log_of "${name//[^a-z0-9.-]/_}")
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		sleep 0.2
		if [ $((SECONDS - start)) -ge $next ]; then
			say "  $name: ${next} s, $(wc -l <"$log") steps, now: $(tail -n1 "$log" | cut -c1-60)"
			next=$((next + 10))
		fi
	done
	wait $pid || rc=$?
	if [ $rc -ne 0 ]; then
		# Under another name, or the next try would write over it.
		mv "$log" "${log%.log}.failed.log"
		tail -n40 "${log%.log}.failed.log" >&2
		die "$name failed; all of its output: ${log%.log}.failed.log"
	fi
	say "  $name: done in $((SECONDS - start)) s"
}
