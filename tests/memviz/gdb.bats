#!/usr/bin/env bats
# Through a GDB stub, QEMU's and the kernel's own: page tables, and all that the root descriptor
# leads to, against what the inspector says; on a kernel that runs, stands, hangs and is dead.

load helper
load ../gdb/kernel

# QEMU and GDB take their time on a busy machine.
wait_for() {
	for _ in $(seq 1000); do
		! "$@" || return 0
		sleep 0.03
	done
	return 1
}

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export BUILD="${VITRINE_BUILD:-build}"
	scripts/run --name memviz-gdb --headless --append "workload=none inspect=full" >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pid"
	for _ in $(seq 300); do
		! grep -q qmp.sock "$BATS_FILE_TMPDIR/log" || break
		sleep 0.1
	done
	grep -q qmp.sock "$BATS_FILE_TMPDIR/log"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/pid")" 2>/dev/null || :
	for _ in $(seq 50); do
		[ -e "$BUILD/run/memviz-gdb/pid" ] || break
		sleep 0.1
	done
}

setup() {
	common_setup
	RUN="$BUILD/run/memviz-gdb"
	INSPECTOR="unix:$RUN/inspect.sock"
}
teardown() {
	common_teardown
	[ -z "${kernel_name:-}" ] || BUILD="${VITRINE_BUILD:-build}" stop_kernel "$kernel_name"
}

# answer TARGET COMMAND...: the result object, in one order; no clock lies in memory.
answer() {
	local target=$1
	shift
	memviz -t "$target" --timeout 5 --json "$@" | jq -S 'del(.age_us)'
}

# same STUB COMMAND...: the stub answers as the inspector does.
same() {
	local stub=$1
	shift
	answer "$INSPECTOR" "$@" >"$DIR/inspector"
	answer "gdb:$RUN/$stub" "$@" >"$DIR/stub"
	[ -s "$DIR/inspector" ]
	diff "$DIR/inspector" "$DIR/stub" || { echo "$stub: $*"; false; }
}

# all_figures STUB
all_figures() {
	local command
	for command in stat zones frames caches spaces sites check 'rmap 0x1000000 1M'; do
		# shellcheck disable=SC2086  # a command and its arguments
		same "$1" $command
	done
}

# is_status running|debug|paused: what QEMU says of its guest.
is_status() {
	local status
	status=$({ echo '{"execute":"qmp_capabilities"}' && echo '{"execute":"query-status"}' && sleep 0.3; } |
		socat -t 5 - "UNIX-CONNECT:$RUN/qmp.sock" | jq -r 'select(.return.status).return.status')
	[ "$status" = "$1" ] || { echo "the guest is $status, not $1"; return 1; }
}

# Mappings without the gen, which a stub does not know.
runs() {
	memviz -t "$1" --timeout 5 --json mappings | jq -c '.runs[] | del(.space)'
}

@test "the mappings behind QEMU's stub and the kernel's own are those of the inspector" {
	runs "$INSPECTOR" >"$DIR/inspector"
	[ "$(wc -l <"$DIR/inspector")" -gt 10 ]
	for stub in qemu-gdb.sock gdb.sock; do
		runs "gdb:$RUN/$stub" >"$DIR/stub"
		diff "$DIR/inspector" "$DIR/stub" || { echo "$stub"; false; }
	done
}

@test "translate names every entry, alike from all sides" {
	for stub in qemu-gdb.sock gdb.sock; do
		same "$stub" translate 0xffff800000200000
	done
}

@test "figures, frames, caches and sites are those of the inspector" {
	memviz -t "$INSPECTOR" kmalloc 80
	memviz -t "$INSPECTOR" alloc-pages ZONE_UNMAPPED_IN_PGT 3 PAGE_SHARED
	memviz -t "$INSPECTOR" alloc-pages ZONE_NORMAL 1
	for stub in qemu-gdb.sock gdb.sock; do
		all_figures "$stub"
	done
	[ "$(field .used -t "gdb:$RUN/gdb.sock" stat)" -gt 0 ]
	[ "$(field .build_id -t "gdb:$RUN/gdb.sock" call hello)" = "$(field .build_id -t "$INSPECTOR" call hello)" ]
}

@test "slabs and objects are those of the inspector, kind by kind" {
	local size=32 object
	object=$(field .addr -t "$INSPECTOR" kmalloc 100)
	while [ "$size" -le 1048576 ]; do
		same qemu-gdb.sock slabs "$size"
		size=$((2 * size))
	done
	same gdb.sock object "$object"
	for object in "$object" $(printf '0x%x' $((object + 5))) $(printf '0x%x' $((object + 200))) \
		0xffffffff80001000 0xffff800000000000 0xffff800001000000 0xffff800002000000 0x123; do
		same qemu-gdb.sock object "$object"
	done
	same gdb.sock slabs 128
	run memviz -t "gdb:$RUN/qemu-gdb.sock" slabs 100
	[ "$status" -eq 1 ]
}

@test "every space is found, with what it maps" {
	local id pa
	id=$(field .id -t "$INSPECTOR" call space.create name=attic)
	pa=$(field .pa -t "$INSPECTOR" alloc-pages ZONE_NORMAL 1)
	memviz -t "$INSPECTOR" map 0x400000 "$pa" 0x5000 w --4k --space "$id"
	for stub in qemu-gdb.sock gdb.sock; do
		same "$stub" spaces
		same "$stub" rmap "$pa" 0x200000
		same "$stub" translate 0x401000 --space "$id"
		answer "$INSPECTOR" mappings --space "$id" | jq .runs >"$DIR/a"
		answer "gdb:$RUN/$stub" mappings --space "$id" | jq '[.runs[] | del(.space)]' >"$DIR/b"
		jq '[.[] | del(.space)]' "$DIR/a" | diff - "$DIR/b"
	done
}

@test "the guest goes on after each look, and what a stub cannot tell is refused" {
	for _ in 1 2 3 4 5; do
		memviz -t "gdb:$RUN/qemu-gdb.sock" stat
		memviz -t "$INSPECTOR" stat
	done
	is_status running
	run memviz -t "gdb:$RUN/qemu-gdb.sock" kmalloc 80
	[ "$status" -eq 1 ]
	[[ $output == *"behind a GDB stub"* ]]
	run memviz -t "gdb:$RUN/qemu-gdb.sock" watch stat
	[ "$status" -eq 2 ]
	run memviz -t "gdb:$RUN/nothing.sock" mappings
	[ "$status" -eq 3 ]
	run memviz -t "gdb:$RUN/qemu-gdb.sock"
	[ "$status" -eq 0 ]
	[[ $output == *"Address spaces"* ]]
	[[ $output == *"Slab caches"* ]]
}

@test "a busy kernel is read at one moment" {
	memviz -t "$INSPECTOR" call workload.start name=churn
	for _ in 1 2 3 4 5 6 7 8; do
		memviz -t "gdb:$RUN/qemu-gdb.sock" --json stat |
			jq -e '.used + .free == .total and .available == .free + .cache_free'
		memviz -t "gdb:$RUN/qemu-gdb.sock" --json zones | jq -e 'all(.zones[]; .used + .free == .frames)'
		memviz -t "gdb:$RUN/qemu-gdb.sock" --json slabs 128 | jq -e 'all(.slabs[]; .used <= .objects)'
	done
	memviz -t "$INSPECTOR" call workload.stop name=churn
	all_figures qemu-gdb.sock
}

@test "the screens show it: figures, frames, caches down to a slab, tables" {
	needs tmux
	terminal() { tmux -S "$DIR/tmux" -f /dev/null "$@" 3>&-; }
	shows() { terminal capture-pane -p | grep -q -- "$1"; }
	terminal new-session -d -x 120 -y 40 "exec env TERM=tmux-256color $MEMVIZ -t gdb:$RUN/qemu-gdb.sock"
	wait_for shows 'NORMAL .* used .* free'
	terminal send-keys 2
	wait_for shows ' S  slab '
	terminal send-keys 3
	wait_for shows '128 B '
	terminal send-keys Down Down Enter
	wait_for shows 'Objects of 128 B: .* in use'
	terminal send-keys Enter
	wait_for shows 'Slab at 0xffff8000'
	terminal send-keys 4
	wait_for shows 'PML4\[256\]'
	terminal send-keys q
	wait_for eval '! terminal has-session 2>/dev/null'
	memviz -t "$INSPECTOR" --timeout 10 stat
}

# left_at_breakpoint STUB: GDB's breakpoint stops the kernel in an answer to somebody, GDB dies; memviz
# reads it, and that answer does not come until another GDB lets the kernel go.
left_at_breakpoint() {
	local pid somebody
	mkfifo "$DIR/keys.$1"
	exec 9<>"$DIR/keys.$1"
	gdb -nx -q -iex 'set auto-load no' -ex "file $BUILD/vitrine.elf" -ex "target remote $RUN/$1" \
		-ex 'hbreak mm_stat' -ex continue <&9 >"$DIR/gdb.$1" 2>&1 3>&- &
	pid=$!
	PIDS="$PIDS $pid"
	exec 9>&-
	wait_for grep -q Continuing "$DIR/gdb.$1"
	start memviz -t "$INSPECTOR" --timeout 60 stat
	somebody=$OUT
	wait_for grep -q 'Breakpoint 1, ' "$DIR/gdb.$1"
	kill -9 "$pid"
	wait "$pid" || :
	for _ in 1 2 3; do
		memviz -t "gdb:$RUN/$1" --json stat | jq -e '.total > 0'
		[ ! -s "$somebody" ]
	done
	[ "$1" != qemu-gdb.sock ] || is_status debug
	gdb -nx -batch -iex 'set auto-load no' -ex "target remote $RUN/$1" -ex 'delete' -ex detach
	wait_for test -s "$somebody"
	memviz -t "$INSPECTOR" --timeout 10 stat
}

@test "a guest that a debugger left at a breakpoint is read and stays there" {
	needs gdb socat
	left_at_breakpoint qemu-gdb.sock
	left_at_breakpoint gdb.sock
}

@test "memviz is killed while the guest stands still: it goes on" {
	local pid i
	for i in $(seq 1 30); do
		"$MEMVIZ" -t "gdb:$RUN/qemu-gdb.sock" stat >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.0$(printf '%02d' $((i * 7 % 30)))"
		kill -9 "$pid" || :
		wait "$pid" || :
		# Answered by the kernel itself: it runs.
		memviz -t "$INSPECTOR" --timeout 10 stat >/dev/null
	done
	"$MEMVIZ" -t "gdb:$RUN/gdb.sock" stat >/dev/null 2>&1 3>&- &
	pid=$!
	sleep 0.1
	kill -9 "$pid" || :
	wait "$pid" || :
	memviz -t "$INSPECTOR" --timeout 10 stat
	same qemu-gdb.sock stat
	same gdb.sock stat
	is_status running
}

@test "the link breaks while the guest stands still: it goes on" {
	needs python3
	local bytes
	for bytes in 1 100 5000 50000; do
		start python3 tests/memviz/cut_link.py "$DIR/cut.$bytes" "$RUN/qemu-gdb.sock" "$bytes"
		wait_for test -S "$DIR/cut.$bytes"
		run memviz -t "gdb:$DIR/cut.$bytes" stat
		[ "$status" -eq 3 ]
		# By a second connection, which memviz does not wait for.
		memviz -t "$INSPECTOR" --timeout 10 stat
		kill "$LAST"
		wait "$LAST" || :
	done
	same qemu-gdb.sock stat
	is_status running
}

@test "a line that loses bytes is asked again" {
	needs python3
	start python3 tests/memviz/cut_link.py "$DIR/lossy" "$RUN/qemu-gdb.sock" 40000 lose
	wait_for test -S "$DIR/lossy"
	answer "$INSPECTOR" frames >"$DIR/a"
	answer "gdb:$DIR/lossy" frames >"$DIR/b"
	diff "$DIR/a" "$DIR/b"
	memviz -t "$INSPECTOR" --timeout 10 stat
}

@test "a descriptor that cannot be used is named, and page tables are shown all the same" {
	needs gdb
	# change EXPRESSION: written past the page's rights, as a dead kernel's memory may be.
	change() {
		gdb -nx -batch -iex 'set auto-load no' -ex "file $BUILD/vitrine.elf" \
			-ex "target remote $RUN/qemu-gdb.sock" -ex "set var $1" -ex detach >/dev/null
	}
	change 'mm_root.version = 3'
	run memviz -t "gdb:$RUN/qemu-gdb.sock" stat
	[ "$status" -eq 1 ]
	[[ $output == *"root descriptor version 3; this memviz reads 1"* ]]
	run memviz -t "gdb:$RUN/qemu-gdb.sock"
	[ "$status" -eq 0 ]
	[[ $output == *"root descriptor version 3; this memviz reads 1"* ]]
	runs "gdb:$RUN/qemu-gdb.sock" >"$DIR/stub"
	runs "$INSPECTOR" | diff - "$DIR/stub"
	change 'mm_root.version = 1'
	change 'mm_zones[1].words = 77777'
	run memviz -t "gdb:$RUN/qemu-gdb.sock" zones
	[ "$status" -eq 1 ]
	[[ $output == *"damaged: zone 1"* ]]
	change "mm_zones[1].words = (mm_zones[1].bits + 63) / 64"
	all_figures qemu-gdb.sock
}

@test "a panicked kernel: what it still answers is what is read" {
	memviz -t "$INSPECTOR" call sys.panic || :
	wait_for grep -q 'panic' "$RUN/console.log"
	all_figures qemu-gdb.sock
	for command in stat frames 'slabs 128'; do
		# shellcheck disable=SC2086
		same gdb.sock $command
	done
	memviz -t "$INSPECTOR" stat
}

@test "a kernel that hangs with interrupts off, and one that stands, are read" {
	needs gdb
	BUILD="${VITRINE_BUILD:-build}" start_kernel memviz-hang 'workload=none'
	local before target="gdb:$kernel_dir/qemu-gdb.sock"
	before=$(answer "$target" stat)
	gdb -nx -batch -iex 'set auto-load no' -ex "file $BUILD/vitrine.elf" -ex "target remote $kernel_dir/qemu-gdb.sock" \
		-ex 'set $eflags = 2' -ex 'set *(unsigned short *)$rip = 0xfeeb' -ex detach
	[ "$(answer "$target" stat)" = "$before" ]
	run memviz -t "unix:$kernel_dir/inspect-uart.sock" --timeout 0.5 stat
	[ "$status" -eq 3 ]
	[ "$(answer "$target" stat)" = "$before" ]
	[ "$(answer "$target" slabs 4096 | jq '.slabs | length')" -gt 0 ]
}
