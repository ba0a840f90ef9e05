#!/usr/bin/env bats
# The sessions of docs/debugging.md, as told there, and ways into the stub that need a kernel each.

load kernel.bash

setup() {
	go_home
	needs gdb qemu-system-x86_64
	kernel=gdb-session-$BATS_TEST_NUMBER
}

teardown() {
	go_home
	stop_kernel "$kernel"
}

@test "a leak is found: sites, objects, and who allocates" {
	start_kernel "$kernel" 'workload=leak trace=on'
	cat >"$BATS_TEST_TMPDIR/leak.py" <<-'END'
		import gdb, json
		def ask(command):
		    return json.loads(gdb.execute(command + ' -json', to_string=True))
		# Until something has been forgotten: it begins with the second request of this function.
		for _ in range(2):
		    gdb.execute('tbreak leak_forget')
		    gdb.execute('continue')
		gdb.execute('mm sites')
		before = [s for s in ask('mm sites')['sites'] if s['symbol'].startswith('leak_forget')][0]
		gdb.execute('mm break-when alloc ' + before['addr'])
		for _ in range(3):
		    gdb.execute('continue')
		after = [s for s in ask('mm sites')['sites'] if s['addr'] == before['addr']][0]
		print('grew', after['live_objects'] > before['live_objects'], 'freed', after['frees'])
		gdb.execute('bt 4')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/leak.py"
	has 'live_bytes +live_objects'
	has '^grew True freed 0'
	has 'leak\.c'
}

@test "a double free is caught at the culprit" {
	start_kernel "$kernel" 'workload=churn trace=on panic=wait'
	cat >"$BATS_TEST_TMPDIR/double.py" <<-'END'
		import gdb
		# The bug: some caller frees again what was freed just before.
		gdb.execute('tbreak kfree')
		gdb.execute('continue')
		victim = int(gdb.parse_and_eval('(unsigned long)$rdi'))
		gdb.execute('mm object %d' % victim)
		gdb.execute('finish')
		gdb.execute('tbreak kfree')
		gdb.execute('continue')
		gdb.execute('set $rdi = %d' % victim)
		gdb.execute('continue')
		print('victim', hex(victim))
		gdb.execute('monitor why')
		gdb.execute('bt')
		gdb.execute('mm object %d' % victim)
		gdb.execute('mm check')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/double.py"
	has 'SIGABRT'
	victim=$(sed -n 's/^victim //p' <<<"$output")
	has "kfree\\($victim\\): .*(double free|already free)"
	has 'in release .*churn.c:'
	has "^$victim: slab .* free"
	has 'all is well'
}

@test "a wrong mapping is explained, and caught when it changes" {
	start_kernel "$kernel" 'workload=none inspect=full'
	unmap="shell $BUILD/memviz -t unix:$kernel_dir/inspect-uart.sock --timeout 60 call mm.unmap len=4096"
	gdb_on gdb.sock -ex 'monitor mm.alloc_pages ZONE_NORMAL 1' \
		-ex 'monitor mm.map va=0xffffc00000000000 pa=0x3a000000 len=8192 flags=wx use4k=true' \
		-ex 'mm translate 0xffffc00000001000' -ex 'mm rmap 0x3a001000' \
		-ex 'mm break-when mapping 0xffffc00000001000' \
		-ex "$unmap va=0xffffc00000001000 >/dev/null 2>&1 3>&- &" \
		-ex continue -ex bt -ex 'mm translate 0xffffc00000001000' -ex delete \
		-ex 'mm break-when mapping 0xffffc00000000000' \
		-ex "$unmap va=0xffffc00000000000 >/dev/null 2>&1 3>&- &" -ex continue
	has 'the entry that maps 0xffffc00000001000 went from 0x3a001003 to 0x0'
	has '(in|at) .*mm_unmap'
	# The last page goes with its whole table, whose entries nobody writes.
	has 'the entry of level 2 above 0xffffc00000000000 went from 0x[0-9a-f]+ to 0x0'
	has '-> 0x3a001000, page of 4096 B, wx----'
	has '0 +0xffffc00000001000 +0x3a001000'
	has 'not mapped'
}

@test "monitor changes nothing where the kernel stands inside a change of page tables" {
	start_kernel "$kernel" 'workload=maps inspect=full'
	gdb_on gdb.sock -ex 'tbreak map_claimed' -ex continue \
		-ex 'monitor mm.map 0xffffc00000000000 0x10000000 4096 w' -ex 'monitor mm.stat' -ex detach
	has 'hit Temporary breakpoint 1, .*map_claimed'
	has 'may be inside the memory manager'
	has '^\{"total"'
}

@test "a dead kernel is read: fault, panic, reattach" {
	start_kernel "$kernel" 'workload=churn panic=wait'
	gdb_on gdb.sock -ex 'tbreak churn_take' -ex continue -ex 'set $rip = 0x10' -ex continue \
		-ex 'monitor why' -ex continue -ex 'monitor why' -ex 'mm check' -ex 'mm log' -ex detach
	has 'SIGSEGV'
	has 'page fault: the kernel tried to execute 0x10'
	has 'SIGABRT'
	has 'all is well'
	has 'panic: '
	gdb_on gdb.sock -ex bt -ex 'monitor mm.stat' -ex 'mm threads'
	has '^\{"total"'
	has 'churn'
}

@test "gdbwait: the kernel waits for the debugger before its workloads start" {
	start_kernel "$kernel" 'gdbwait workload=churn'
	grep -q 'waiting for a debugger' "$kernel_dir/console.log"
	gdb_on gdb.sock -ex 'bt' -ex 'break workload_start' -ex continue -ex 'info threads'
	has 'port_gdbstub_init'
	has 'hit Breakpoint 1, .*workload_start'
}

@test "serial=mux: GDB over the console's line" {
	start_kernel "$kernel" 'serial=mux workload=churn'
	gdb_on console.sock -ex 'info registers cr0' -ex 'break churn_take' -ex continue -ex bt \
		-ex 'monitor mm.stat'
	has 'hit Breakpoint 1, .*churn_take'
	has '^\{"total"'
}

@test "kill powers the machine off" {
	start_kernel "$kernel" 'workload=none'
	run timeout 60 gdb -nx -batch -iex 'set confirm off' -ex "target remote $kernel_dir/gdb.sock" -ex kill
	for _ in $(seq 100); do
		[ -e "$kernel_dir/pid" ] || break
		sleep 0.05
	done
	[ ! -e "$kernel_dir/pid" ]
}

@test "run starts the machine again, and whoever attaches then has a new kernel" {
	needs socat
	start_kernel "$kernel" 'gdbwait panic=reboot workload=churn'
	qemu=$(cat "$kernel_dir/pid")
	# GDB changes something that the next boot does not find.
	run timeout 100 gdb -nx -batch -iex 'set confirm off' -iex 'set auto-load no' \
		-iex 'set remotetimeout 30' -ex "file $BUILD/vitrine.elf" \
		-ex "target extended-remote $kernel_dir/gdb.sock" -ex 'break workload_start' \
		-ex 'set var kernel_params.gdblost = 77' -ex run
	echo "$output"
	[[ $output != *"timed out"* && $output != *"closed"* && $output != *"Broken pipe"* ]]
	wait_for "[ \$(grep -c 'waiting for a debugger' $kernel_dir/console.log) -eq 2 ]"
	[ "$(cat "$kernel_dir/pid")" = "$qemu" ]
	gdb_on gdb.sock -ex 'p kernel_params.gdblost' -ex 'tbreak workload_start' -ex continue
	has '= 5$'
	has 'hit Temporary breakpoint 1, .*workload_start'
	# The older packet does the same; GDB has no command for it.
	again="[ \$(grep -c 'waiting for a debugger' $kernel_dir/console.log) -eq 3 ]"
	{
		printf '%s' '$?#3f' '+$R00#b2'
		wait_for "$again" >&2
	} | socat - "UNIX-CONNECT:$kernel_dir/gdb.sock" >/dev/null
	wait_for "$again"
	gdb_on gdb.sock -ex bt -ex detach
	has 'port_gdbstub_init'
}
