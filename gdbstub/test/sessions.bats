#!/usr/bin/env bats
# GDB and LLDB on the mock machine, over a real socket.

BUILD=${VITRINE_BUILD:-build}

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
}

setup() {
	command -v gdb >/dev/null || skip "gdb is not installed (scripts/deps test)"
	[ -x "$BUILD/gdbstub-mock" ] || skip "$BUILD/gdbstub-mock is not built"
	dir=$(mktemp -d)
	"$BUILD/gdbstub-mock" "unix:$dir/s" --program "$BUILD/gdbstub-program.bin" \
		>"$dir/log" 2>&1 3>&- &
	mock=$!
	for _ in $(seq 100); do
		grep -q ready "$dir/log" && break
		sleep 0.05
	done
}

teardown() {
	[ -z "${mock:-}" ] || kill "$mock" 2>/dev/null || true
	[ -z "${dir:-}" ] || rm -rf "$dir"
}

# gdb_run COMMAND...: in one session; output in $output, round trips in $trips.
gdb_run() {
	local args=()
	for command in "$@"; do args+=(-ex "$command"); done
	run timeout 60 gdb -nx -batch -iex 'set confirm off' -iex 'set pagination off' \
		-ex "file $BUILD/gdbstub-program.elf" -ex "target remote $dir/s" "${args[@]}"
	echo "$output"
	[ "$status" -eq 0 ]
}

has() {
	grep -qE -- "$1" <<<"$output" || { echo "missing: $1"; return 1; }
}

@test "gdb: attach, registers, threads" {
	gdb_run 'info registers rip cr0 efer gs_base mxcsr' 'info threads' 'p $st0' 'p $xmm15.uint128'
	has '^cr0 +0x80050033 +\[ PE MP ET NE WP AM PG \]'
	has '^gs_base +0xffff800000001000'
	has '\* 1 +Thread 1 "main" \(running\)'
	has 'Thread 5 "a<b&"c"" \(waiting\)'
}

@test "gdb: breakpoint, backtrace, finish, step, stepi" {
	gdb_run 'break work' continue bt finish 'tbreak step_loop' continue stepi 'p $rcx'
	has 'hit Breakpoint 1, work'
	has '#1 .* in _start'
	has 'Run till exit|_start \(\) at'
	has '\$1 = 99'
}

@test "gdb: next over a loop of 100 in at most 12 round trips" {
	gdb_run 'tbreak step_loop' continue 'set debug remote 1' next 'set debug remote 0' 'p $rcx'
	has '\$1 = 0'
	trips=$(grep -c 'Sending packet' <<<"$output")
	echo "round trips: $trips"
	[ "$trips" -le 12 ]
}

@test "gdb: write and access watchpoints" {
	gdb_run 'watch *(long*)0x104000' continue delete 'awatch *(long*)0x104000' continue continue
	has 'Old value ='
	has 'New value ='
	has 'hit Hardware access \(read/write\) watchpoint 2'
}

@test "gdb: memory, bad addresses, find, compare-sections, writes" {
	run timeout 60 gdb -nx -batch -ex "file $BUILD/gdbstub-program.elf" -ex "target remote $dir/s" \
		-ex 'set {long}0x104100 = 0x1122334455667788' -ex 'x/gx 0x104100' \
		-ex 'find /b 0x100000, 0x101000, 0xfa, 0x90' -ex 'compare-sections .text' \
		-ex 'x/gx 0'
	echo "$output"
	has '0x104100:.*0x1122334455667788'
	has '^0x100015'
	has 'Section .text, .* matched'
	has 'Cannot access memory at address 0x0'
}

@test "gdb: Ctrl-C stops the running target" {
	cat >"$dir/c.py" <<-'END'
		import gdb, threading, time, os, signal
		def interrupt():
		    time.sleep(0.5)
		    os.kill(os.getpid(), signal.SIGINT)
		threading.Thread(target=interrupt).start()
		gdb.execute('continue')
		gdb.execute('info program')
	END
	gdb_run "source $dir/c.py" 'p/x $cs'
	has 'SIGINT'
	has '\$1 = 0x8'
}

@test "gdb: monitor" {
	gdb_run 'monitor help' 'monitor echo hello' 'monitor why'
	has 'why the target stopped'
	has '^hello'
}

@test "gdb: detach and reattach 100 times, nothing is left behind" {
	cat >"$dir/again.py" <<-'END'
		import gdb
		for i in range(100):
		    gdb.execute('target remote ' + PATH)
		    gdb.execute('tbreak work' if i % 2 else 'tbreak step_loop')
		    gdb.execute('continue')
		    gdb.execute('detach')
		print('rounds', i + 1)
	END
	run timeout 100 gdb -nx -batch -iex 'set confirm off' -ex "file $BUILD/gdbstub-program.elf" \
		-ex "python PATH = '$dir/s'" -ex "source $dir/again.py"
	echo "$output" | tail -5
	has 'rounds 100'
}

@test "gdb: killed in mid-session, the next one finds clean memory" {
	timeout 20 gdb -nx -batch -ex "file $BUILD/gdbstub-program.elf" -ex "target remote $dir/s" \
		-ex 'break work' -ex continue -ex 'shell kill -9 $PPID' >/dev/null 2>&1 || true
	gdb_run 'x/1bx &work' 'tbreak step_loop' continue
	has '<work>:.*0x55'
	has 'hit Temporary breakpoint'
}

@test "lldb: attach, registers, breakpoint, step, watch, detach" {
	command -v lldb >/dev/null || skip "lldb is not installed (scripts/deps test)"
	# This LLDB takes a TCP port only.
	port=$((20000 + $$ % 20000))
	"$BUILD/gdbstub-mock" "tcp:$port" --program "$BUILD/gdbstub-program.bin" >"$dir/tcp" 2>&1 3>&- &
	tcp=$!
	for _ in $(seq 100); do
		grep -q ready "$dir/tcp" && break
		sleep 0.05
	done
	cat >"$dir/s.lldb" <<-END
		gdb-remote 127.0.0.1:$port
		register read rip eflags cr0 efer
		thread list
		breakpoint set -n work
		continue
		bt
		thread step-inst
		thread step-over
		finish
		breakpoint delete -f
		memory write 0x104100 0x55 0x66
		memory read 0x104100
		watchpoint set expression -w write -- 0x104000
		continue
		continue
		watchpoint delete -f
		memory region 0x100000
		process plugin packet monitor why
		detach
		quit
	END
	run timeout 60 lldb -x --batch -s "$dir/s.lldb" "$BUILD/gdbstub-program.elf"
	kill "$tcp" 2>/dev/null || true
	echo "$output"
	has 'cr0 = 0x0000000080050033'
	has 'stop reason = breakpoint 1.1'
	has 'stop reason = instruction step into'
	has '0x00104100: 55 66'
	has 'Watchpoint 1 hit'
	has '\[0x0000000000100000-0x0000000000110000\) rwx'
	has 'Process 1 detached'
}
