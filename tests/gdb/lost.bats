#!/usr/bin/env bats
# A debugger that is gone without a word: the kernel does without it, and the next one finds it whole.

load kernel.bash

setup() {
	go_home
	needs gdb qemu-system-x86_64
	kernel=gdb-lost-$BATS_TEST_NUMBER
}

teardown() {
	go_home
	[ -z "${slow:-}" ] || kill -9 "$slow" 2>/dev/null || true
	stop_kernel "$kernel"
}

# ask REQUEST...: the kernel's answer over its own line; waits as long as a kernel may be stopped.
ask() {
	"$BUILD/memviz" -t "unix:$kernel_dir/inspect-uart.sock" --timeout 60 --json "$@"
}

# GDB lets the kernel run with a breakpoint that only a request for memory hits, and dies.
debugger_dies() {
	timeout -s KILL 60 gdb -nx -batch -iex 'set auto-load no' -iex 'set remotetimeout 30' \
		-ex "file $BUILD/vitrine.elf" -ex "target remote $kernel_dir/gdb.sock" \
		-ex 'break insp_do_kmalloc' -ex 'watch mm_zones[1].given' -ex 'continue&' \
		-ex 'shell kill -9 $PPID' >/dev/null 2>&1 || true
}

@test "a breakpoint that nobody is there for: the kernel goes on, memory is its own" {
	start_kernel "$kernel" 'workload=none inspect=full'
	byte=$(gdb_on gdb.sock -ex 'x/1bx insp_do_kmalloc' -ex detach | grep -oE 'insp_do_kmalloc>:.*')
	debugger_dies
	run ask kmalloc 80
	echo "$output"
	[ "$status" -eq 0 ]
	has '"addr"'
	grep -q 'the debugger is gone' "$kernel_dir/console.log"
	# Nothing of it holds up the second one.
	[ "$(ask kmalloc 80 | grep -c addr)" -eq 1 ]
	[ "$(grep -c 'the debugger is gone' "$kernel_dir/console.log")" -eq 1 ]
	# The next debugger finds the program's own code and works.
	gdb_on gdb.sock -ex 'x/1bx insp_do_kmalloc' -ex 'mm check' -ex stepi -ex detach
	has "$byte"
	has 'all is well'
	ask stat >/dev/null
}

@test "what no debugger begins with stops nothing" {
	start_kernel "$kernel" 'workload=none'
	# Each whole and with the right checksum. Then what is heard: the answer is the first and only one.
	heard=$({
		printf '%s' '$g#67' '$m1000,4#8e' '$k#6b' $'\x03' '$c#63'
		ask stat >&2
		printf '%s' '+$?#3f'
		wait_for "[ -e $BATS_TEST_TMPDIR/heard ]"
	} | socat - "UNIX-CONNECT:$kernel_dir/gdb.sock" | { head -c 4; touch "$BATS_TEST_TMPDIR/heard"; })
	echo "$heard"
	[ "$heard" = '+$T0' ]
}

@test "a panic with nobody there follows panic=" {
	start_kernel "$kernel" 'workload=none inspect=full panic=exit'
	debugger_dies
	ask call sys.panic || true
	wait_for "[ ! -e $kernel_dir/pid ]"
	grep -q 'the debugger is gone' "$kernel_dir/console.log"
}

@test "a debugger that was only slow goes on in its session" {
	start_kernel "$kernel" 'workload=none inspect=full gdblost=1'
	mkfifo "$BATS_TEST_TMPDIR/commands"
	gdb -nx -q -iex 'set auto-load no' -iex 'set confirm off' -iex 'set remotetimeout 30' \
		-ex "file $BUILD/vitrine.elf" -ex "target remote $kernel_dir/gdb.sock" \
		-ex 'break insp_do_kmalloc' -ex 'shell touch '"$BATS_TEST_TMPDIR/set" -ex continue \
		<"$BATS_TEST_TMPDIR/commands" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	slow=$!
	exec 4>"$BATS_TEST_TMPDIR/commands"
	wait_for "[ -e $BATS_TEST_TMPDIR/set ]"
	# The kernel answers only while it runs: GDB has let it go.
	ask stat >/dev/null
	kill -STOP "$slow"
	run ask kmalloc 80
	[ "$status" -eq 0 ]
	grep -q 'the debugger is gone' "$kernel_dir/console.log"
	kill -CONT "$slow"
	wait_for "grep -q 'hit Breakpoint 1' $BATS_TEST_TMPDIR/out"
	echo continue >&4
	# Its breakpoint is back.
	ask kmalloc 80 >"$BATS_TEST_TMPDIR/answer" 3>&- 4>&- &
	asker=$!
	wait_for "[ \$(grep -c 'hit Breakpoint 1' $BATS_TEST_TMPDIR/out) -eq 2 ]"
	printf '%s\n' delete continue >&4
	wait "$asker"
	grep -q addr "$BATS_TEST_TMPDIR/answer"
	exec 4>&-
}

# GDB stops the kernel with breakpoints set, and dies at its prompt.
debugger_dies_at_prompt() {
	timeout -s KILL 60 gdb -nx -batch -iex 'set auto-load no' -iex 'set remotetimeout 30' \
		-ex 'set breakpoint always-inserted on' \
		-ex "file $BUILD/vitrine.elf" -ex "target remote $kernel_dir/gdb.sock" \
		-ex 'break churn_take' -ex 'watch mm_zones[1].given' -ex 'break kfree' -ex continue \
		-ex 'shell kill -9 $PPID' >/dev/null 2>&1 || true
}

# The program's own code, no debug register, and a kernel that goes on when it is let.
attaches_cleanly() {
	gdb_on gdb.sock -ex 'x/1bx &churn_take' -ex 'x/1bx &kfree' -ex 'mm check' -ex 'break kmalloc' -ex 'ignore 1 30' \
		-ex continue -ex 'x/1bx &churn_take' -ex detach
	has "churn_take>:.$take"
	has "kfree>:.$free"
	has 'all is well'
	has 'hit Breakpoint 1, .*kmalloc'
	has_not 'SIGTRAP'
}

byte_of() {
	gdb -nx -batch -ex "file $BUILD/vitrine.elf" -ex "x/1bx &$1" | cut -f 2
}

@test "a debugger that died at its prompt, 20 times: the next one attaches to a whole kernel" {
	start_kernel "$kernel" 'workload=churn inspect=full'
	take=$(byte_of churn_take) free=$(byte_of kfree)
	for _ in $(seq 20); do
		debugger_dies_at_prompt
		attaches_cleanly
	done
	ask stat >/dev/null
}
