#!/usr/bin/env bats
# GDB and LLDB on the kernel's own stub over COM3, while churn runs.

load kernel.bash

setup_file() {
	go_home
	needs gdb qemu-system-x86_64
	start_kernel gdb-stub 'directmap=1G workload=mixed,churn trace=on inspect=full'
}

teardown_file() {
	go_home
	stop_kernel gdb-stub
}

setup() {
	go_home
	kernel_dir=$BUILD/run/gdb-stub
}

@test "attach, registers, threads, bad addresses" {
	cat >"$BATS_TEST_TMPDIR/bad.py" <<-'END'
		import gdb
		for address in (0, 0x1000, 0x7fffffffffff, 0x800000000000,
		                0xffffc20000000000, 0xffffffffffffffff):
		    try:
		        gdb.selected_inferior().read_memory(address, 1)
		        print('readable', hex(address))
		    except gdb.MemoryError:
		        print('refused', hex(address))
	END
	gdb_on gdb.sock -ex 'info registers rip cr0 cr3 cr4 efer gs_base' -ex 'info threads' \
		-ex 'p/x $cs' -ex "source $BATS_TEST_TMPDIR/bad.py"
	has 'cr0 .*\[ .*PE.* WP .*PG \]'
	has 'efer .*LMA'
	has '\* [0-9]+ +Thread [0-9]+ "[a-z]+" \(running\)'
	has '"reaper" \(waiting: reaper\)'
	has '\$1 = 0x8$'
	[ "$(grep -c '^refused' <<<"$output")" -eq 6 ]
}

@test "breakpoint, backtrace, finish, step, next, watch, access watch" {
	gdb_on gdb.sock -ex 'tbreak churn_take' -ex continue -ex bt -ex finish -ex next -ex stepi \
		-ex delete -ex 'watch mm_zones[1].given' -ex continue -ex delete \
		-ex 'awatch mm_zones[1].given' -ex continue -ex continue
	has 'hit Temporary breakpoint 1, .*churn_take'
	has '#1 .* in '
	has 'Value returned is'
	has 'Old value = '
	has 'hit Hardware access \(read/write\) watchpoint 3'
}

@test "hardware breakpoint, and refusals on the stub's own path" {
	gdb_on gdb.sock -ex 'hbreak churn_take' -ex continue -ex 'x/1i $pc'
	has 'hit Breakpoint 1, .*churn_take'
	run timeout 60 gdb -nx -batch -ex "file $BUILD/vitrine.elf" \
		-ex "target remote $kernel_dir/gdb.sock" -ex 'break gdbstub_stopped' -ex continue
	[[ $output == *"Cannot insert breakpoint 1"* ]]
}

@test "Ctrl-C stops the running kernel in the interrupted code" {
	cat >"$BATS_TEST_TMPDIR/c.py" <<-'END'
		import gdb, os, signal, threading, time
		def interrupt():
		    time.sleep(1)
		    os.kill(os.getpid(), signal.SIGINT)
		threading.Thread(target=interrupt).start()
		gdb.execute('continue')
		gdb.execute('bt')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/c.py"
	has 'SIGINT'
	has_not 'on_byte|line_interrupt|uart_'
}

@test "single steps through interrupts on and off stay in the code" {
	# A hundred instructions of a thread: none of a handler.
	gdb_on gdb.sock -ex 'break churn_take' -ex continue -ex delete \
		-ex 'python names = set()' \
		-ex 'python for _ in range(100): gdb.execute("stepi", to_string=True); names.add(gdb.selected_frame().older() and gdb.selected_frame().name())' \
		-ex 'python print(sorted(str(n) for n in names))'
	has_not 'dispatch_interrupt|trap_common|on_line|time_interrupt'
	has "'churn_take'"
}

@test "stepi through the switch of threads, next and finish out of a function that sleeps" {
	cat >"$BATS_TEST_TMPDIR/switch.py" <<-'END'
		import gdb
		def here():
		    return gdb.selected_thread().num, gdb.selected_frame().name()
		def quiet(command):
		    return gdb.execute(command, to_string=True)
		# Each step has its stop; the thread changes with the one instruction that loads the stack.
		crossings = 0
		for _ in range(3):
		    quiet('tbreak context_switch')
		    quiet('continue')
		    thread, names = here()[0], set()
		    for _ in range(20):
		        code = quiet('x/i $pc')
		        quiet('stepi')
		        if here()[0] != thread:
		            crossings += '%rsi,%rsp' in code and here()[1] == 'context_switch'
		            thread = here()[0]
		print('crossings', crossings)
		# Line by line the switch is one line, which ends when the thread is back.
		quiet('tbreak switch_once')
		quiet('continue')
		thread, lines = here()[0], ''
		while here()[1] == 'switch_once' and 'finish_switch' not in lines:
		    lines += quiet('next') + quiet('frame')
		print('one thread', here()[0] == thread, 'context_switch(' in lines)
		# Out of a sleep, in the thread that slept.
		quiet('tbreak sched_sleep')
		quiet('continue')
		thread = here()[0]
		quiet('up')
		caller = gdb.selected_frame().name()
		quiet('down')
		quiet('finish')
		print('finished', here() == (thread, caller))
		quiet('tbreak thread_sleep_until_us')
		quiet('continue')
		thread = here()[0]
		while here()[1] == 'thread_sleep_until_us':
		    quiet('next')
		print('slept', here()[0] == thread)
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/switch.py" -ex 'mm check' -ex detach
	has '^crossings 3'
	has '^one thread True True'
	has '^finished True'
	has '^slept True'
	has 'all is well'
}

@test "backtraces of all threads lead through interrupts to where the threads began" {
	cat >"$BATS_TEST_TMPDIR/all.py" <<-'END'
		import gdb
		# Until a thread is met that an interrupt took the CPU from.
		for _ in range(200):
		    gdb.execute('tbreak churn_take', to_string=True)
		    gdb.execute('continue', to_string=True)
		    text = gdb.execute('thread apply all bt', to_string=True)
		    if ' in trap_common ' in text:
		        break
		print(text)
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/all.py" -ex detach
	has ' in trap_common '
	has_not '\?\? \(\)|Backtrace stopped'
	[ "$(grep -c ' in context_start ' <<<"$output")" -ge 5 ]
}

@test "registers are written and read back; what the stub stands on is refused" {
	cat >"$BATS_TEST_TMPDIR/registers.py" <<-'END'
		import gdb
		def value(name):
		    raw = gdb.selected_frame().read_register(name)
		    return int(raw.cast(gdb.lookup_type('unsigned int' if name == 'eflags' else 'unsigned long')))
		def change(name, new):
		    old = value(name)
		    try:
		        gdb.execute('set $%s = %d' % (name, new(old)))
		        gdb.execute('maintenance flush register-cache')
		        print(name, 'kept' if value(name) == old else 'written' if value(name) == new(old) else 'wrong')
		        gdb.execute('set $%s = %d' % (name, old))
		    except gdb.error:
		        gdb.execute('maintenance flush register-cache')
		        print(name, 'refused' if value(name) == old else 'wrong')
		for name in 'rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15 fs_base cr2'.split():
		    change(name, lambda old: old ^ 0x123456789ab0)
		change('eflags', lambda old: old ^ 0x8d5)
		change('cr8', lambda old: old ^ 1)
		change('cr0', lambda old: old ^ 0x10000)
		change('cr0', lambda old: old ^ 0x80000000)
		change('fs_base', lambda old: 1 << 63)
		for name in 'cr3 cr4 efer gs_base rip'.split():
		    change(name, lambda old: old ^ (1 << 51))
		gdb.execute('set $xmm3.v2_int64[1] = 0x1122334455667788')
		gdb.execute('maintenance flush register-cache')
		gdb.execute('p/x $xmm3.v2_int64[1]')
		sp = value('rsp')
		try:
		    gdb.selected_inferior().write_memory(sp - 64, b'x' * 8)
		    print('stack written')
		except gdb.error:
		    print('stack refused')
	END
	gdb_on gdb.sock -ex 'tbreak churn_take' -ex continue -ex "source $BATS_TEST_TMPDIR/registers.py" \
		-ex 'tbreak churn_take' -ex continue -ex 'mm check' -ex detach
	[ "$(grep -cE '^[a-z0-9_]+ written$' <<<"$output")" -eq 20 ]
	[ "$(grep -cE '^(cr0|fs_base|cr3|cr4|efer|gs_base|rip|stack) refused$' <<<"$output")" -eq 8 ]
	has_not ' (wrong|kept)$'
	has '= 0x1122334455667788'
	has 'all is well'
}

@test "watches of every size, reads too; until and finish" {
	cat >"$BATS_TEST_TMPDIR/watch.py" <<-'END'
		import gdb
		for kind in ('watch', 'rwatch', 'awatch'):
		    for type in ('char', 'short', 'int', 'long'):
		        gdb.execute('%s *(unsigned %s *)&mm_zones[1].given' % (kind, type))
		        gdb.execute('continue')
		        gdb.execute('delete')
		gdb.execute('tbreak churn_take')
		gdb.execute('continue')
		gdb.execute('advance kmalloc')
		gdb.execute('bt 2')
		gdb.execute('until')
		gdb.execute('finish')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/watch.py" -ex detach
	[ "$(grep -cE 'hit Hardware (watchpoint|read watchpoint|access)' <<<"$output")" -eq 12 ]
	has '#1 .* in workload_alloc'
	has 'Value returned is'
}

@test "a stepped pushf pushes the code's own flags, wherever the stack pointer is" {
	cat >"$BATS_TEST_TMPDIR/pushf.py" <<-'END'
		import gdb
		number = lambda text: int(gdb.parse_and_eval('(unsigned long)(%s)' % text))
		gdb.execute('tbreak churn_take')
		gdb.execute('continue')
		inferior = gdb.selected_inferior()
		saved = number('$rip'), number('$rsp')
		# The trap's frame starts right below an aligned stack pointer.
		for offset in (64, 72):
		    at = saved[1] - saved[1] % 16 - offset
		    gdb.execute('set $rip = %d' % inferior.search_memory(number('&kmalloc'), 64, b'\x9c'))
		    gdb.execute('set $rsp = %d' % at)
		    gdb.execute('stepi', to_string=True)
		    flags = int.from_bytes(bytes(inferior.read_memory(at - 8, 8)), 'little')
		    print('pushed', number('$rsp') == at - 8, hex(flags & 0x30300))
		gdb.execute('set $rip = %d' % saved[0])
		gdb.execute('set $rsp = %d' % saved[1])
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/pushf.py" -ex detach
	[ "$(grep -c '^pushed True 0x200$' <<<"$output")" -eq 2 ]
}

@test "memory: write and read back 64 KiB, search, compare sections by CRC" {
	cat >"$BATS_TEST_TMPDIR/memory.py" <<-'END'
		import gdb, json, os
		got = json.loads(gdb.execute('monitor mm.kmalloc 65536', to_string=True))
		at, data = int(got['addr'], 16), os.urandom(65536)
		inferior = gdb.selected_inferior()
		inferior.write_memory(at, data)
		print('same', bytes(inferior.read_memory(at, 65536)) == data)
		print('found', hex(inferior.search_memory(at, 65536, data[40000:40020]) - at))
		gdb.execute('monitor mm.kfree ' + got['addr'])
	END
	# GDB compares at load addresses, which are physical.
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/memory.py" \
		-ex 'maintenance packet Qqemu.PhyMemMode:1' -ex 'compare-sections .rodata' \
		-ex 'maintenance packet Qqemu.PhyMemMode:0'
	has '^same True'
	has '^found 0x9c40'
	has 'Section .rodata, .* matched'
}

@test "physical memory through Qqemu.PhyMemMode" {
	gdb_on gdb.sock -ex 'x/2gx $virt(0x1000000)' -ex 'maintenance packet Qqemu.PhyMemMode:1' \
		-ex 'x/2gx 0x1000000' -ex 'maintenance packet Qqemu.PhyMemMode:0'
	[ "$(grep -oE ':.*0x[0-9a-f]{16}.*0x[0-9a-f]{16}' <<<"$output" | sort -u | wc -l)" -eq 1 ]
}

@test "next over a loop of 100 rounds: at most 12 round trips; stepi: at most 3" {
	cat >"$BATS_TEST_TMPDIR/trips.py" <<-'END'
		import gdb, json
		at = json.loads(gdb.execute('monitor mm.kmalloc 128', to_string=True))['addr']
		gdb.execute('stepi')
		print('STEPI')
		gdb.execute('set debug remote 1')
		gdb.execute('stepi')
		gdb.execute('set debug remote 0')
		print('STEPPED')
		registers = 'rip rsp rbp rdi rsi rax rcx rdx r8 r9 r10 r11'.split()
		saved = {r: int(gdb.parse_and_eval('(unsigned long)$' + r)) for r in registers}
		gdb.selected_inferior().write_memory(int(at, 16), b'x' * 100 + b'\0')
		# A copy of 100 bytes by REP MOVSB: a loop of one line, up to the loop itself.
		for register, value in {'rdi': int(at, 16), 'rsi': int(at, 16), 'rdx': 100}.items():
		    gdb.execute('set $%s = %d' % (register, value))
		gdb.execute('set $rip = copy_with_recovery')
		while bytes(gdb.selected_inferior().read_memory(gdb.selected_frame().pc(), 2)) != b'\xf3\xa4':
		    gdb.execute('stepi', to_string=True)
		print('rounds to go', gdb.parse_and_eval('$rcx'))
		print('NEXT')
		gdb.execute('set debug remote 1')
		gdb.execute('next')
		gdb.execute('set debug remote 0')
		print('rounds left', gdb.parse_and_eval('$rcx'))
		for register, value in saved.items():
		    gdb.execute('set $%s = %d' % (register, value))
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/trips.py"
	nexts=$(sed '1,/^NEXT/d;/^rounds left/,$d' <<<"$output" | grep -c 'Sending packet')
	steps=$(sed '1,/^STEPI/d;/^STEPPED/,$d' <<<"$output" | grep -c 'Sending packet')
	echo "next: $nexts round trips, stepi: $steps"
	has 'rounds to go 100'
	has 'rounds left 0'
	[ "$nexts" -ge 1 ]
	[ "$nexts" -le 12 ]
	[ "$steps" -le 3 ]
}

@test "monitor answers as the inspector, and refuses nonsense" {
	gdb_on gdb.sock -ex 'monitor help' -ex 'monitor mm.stat' -ex 'monitor mm.frames {"limit":2}'
	has '^\{"total":[0-9]+,"used"'
	has '"runs":\['
	has 'rpc \{JSON\}'
	run timeout 60 gdb -nx -batch -ex "target remote $kernel_dir/gdb.sock" -ex 'monitor mm.stta'
	[[ $output == *mm.stat* ]]
}

@test "detach and reattach 100 times; killed in mid-session; nothing is left behind" {
	cat >"$BATS_TEST_TMPDIR/again.py" <<-END
		import gdb
		for i in range(100):
		    if i:
		        gdb.execute('target remote $kernel_dir/gdb.sock')
		    if i % 10 == 0:
		        gdb.execute('tbreak churn_take')
		        gdb.execute('continue')
		    gdb.execute('detach')
		print('rounds', i + 1)
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/again.py"
	has 'rounds 100'
	timeout 30 gdb -nx -batch -ex "file $BUILD/vitrine.elf" -ex "target remote $kernel_dir/gdb.sock" \
		-ex 'break churn_take' -ex continue -ex 'shell kill -9 $PPID' >/dev/null 2>&1 || true
	byte=$(gdb -nx -batch -ex "file $BUILD/vitrine.elf" -ex 'x/1bx &churn_take' | cut -f 2)
	gdb_on gdb.sock -ex 'x/1bx &churn_take' -ex 'mm check'
	has "<churn_take>:.$byte"
	has 'all is well'
}

@test "LLDB: attach, registers, break, step, finish, watch, memory, bad addresses, detach" {
	needs lldb socat
	port=$((21000 + $$ % 20000))
	socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr" "UNIX-CONNECT:$kernel_dir/gdb.sock" 3>&- &
	for _ in $(seq 100); do
		! grep -q ":$(printf %04X "$port") .* 0A " /proc/net/tcp || break
		sleep 0.05
	done
	cat >"$BATS_TEST_TMPDIR/s.lldb" <<-END
		settings set plugin.process.gdb-remote.packet-timeout 60
		gdb-remote 127.0.0.1:$port
		register read rip cr3 efer
		thread list
		breakpoint set -n churn_take
		continue
		bt
		thread step-inst
		thread step-over
		finish
		breakpoint delete -f
		breakpoint set -H -n churn_take
		continue
		breakpoint delete -f
		register write r11 0x1122334455667788
		register read r11
		watchpoint set expression -w write -- &mm_zones[1].given
		continue
		watchpoint delete -f
		process plugin packet send m10,4
		memory read -f x -s 8 -c 2 &mm_machine
		memory region &mm_machine
		process plugin packet monitor why
		detach
		quit
	END
	run timeout 100 lldb -x --batch -s "$BATS_TEST_TMPDIR/s.lldb" "$BUILD/vitrine.elf"
	echo "$output"
	has 'stop reason = breakpoint 1.1'
	has 'churn_take'
	has 'stop reason = instruction step into'
	has 'stop reason = step out'
	has 'stop reason = breakpoint 2.1'
	has 'r11 = 0x1122334455667788'
	has 'stop reason = watchpoint 1'
	has 'response: E0e'
	has '\) rw-'
	has 'Process 1 detached'
}

@test "sys.break from the inspector enters the stub" {
	cat >"$BATS_TEST_TMPDIR/break.py" <<-END
		import gdb, socket, threading, time
		def ask():
		    time.sleep(1)
		    line = socket.socket(socket.AF_UNIX)
		    line.connect('$kernel_dir/inspect-uart.sock')
		    line.sendall(b'{"jsonrpc":"2.0","id":1,"method":"sys.break"}\n')
		    time.sleep(3)
		threading.Thread(target=ask, daemon=True).start()
		gdb.execute('continue')
		gdb.execute('bt')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/break.py" -ex 'monitor why'
	has 'SIGTRAP'
	has 'port_gdbstub_break'
	has '^sys.break'
}

@test "memviz goes on watching after a session beside it" {
	[ -x "$BUILD/memviz" ] || skip "$BUILD/memviz is not built"
	timeout 90 "$BUILD/memviz" -t "unix:$kernel_dir/inspect-uart.sock" watch stat --hz 10 \
		>"$BATS_TEST_TMPDIR/watch" 2>"$BATS_TEST_TMPDIR/errors" 3>&- &
	memviz=$!
	for _ in $(seq 200); do
		[ ! -s "$BATS_TEST_TMPDIR/watch" ] || break
		sleep 0.1
	done
	gdb_on gdb.sock -ex 'tbreak churn_take' -ex continue -ex 'mm check' -ex detach
	has 'all is well'
	before=$(wc -l <"$BATS_TEST_TMPDIR/watch")
	for _ in $(seq 200); do
		[ "$(wc -l <"$BATS_TEST_TMPDIR/watch")" -le $((before + 3)) ] || break
		sleep 0.1
	done
	kill "$memviz"
	cat "$BATS_TEST_TMPDIR/errors"
	echo "lines before $before, after $(wc -l <"$BATS_TEST_TMPDIR/watch")"
	[ "$before" -gt 0 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/watch")" -gt $((before + 3)) ]
}
