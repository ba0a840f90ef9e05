#!/usr/bin/env bats
# The mm commands of GDB: against the inspector's answers, through QEMU's stub, on a core.

load kernel.bash

setup_file() {
	go_home
	needs gdb qemu-system-x86_64 socat
	start_kernel gdb-commands 'directmap=1G workload=mixed,churn trace=on inspect=full'
}

teardown_file() {
	go_home
	stop_kernel gdb-commands
	rm -f "$BUILD/run/gdb-commands/core"
}

setup() {
	go_home
	kernel_dir=$BUILD/run/gdb-commands
}

@test "byte for byte what the inspector answers" {
	cat >"$BATS_TEST_TMPDIR/compare.py" <<-'END'
		import gdb, json
		def ask(command):
		    return gdb.execute(command, to_string=True).strip()
		percpu = int(gdb.parse_and_eval('(unsigned long)&boot_percpu'))
		slab = json.loads(ask('mm slab 256 -json'))['slabs'][0]['addr']
		pairs = [('mm stat', 'mm.stat'), ('mm zones', 'mm.zones'), ('mm frames', 'mm.frames'),
		         ('mm frames ZONE_NORMAL', 'mm.frames ZONE_NORMAL'),
		         ('mm frames ZONE_UNMAPPED_IN_PGT', 'mm.frames ZONE_UNMAPPED_IN_PGT'),
		         ('mm caches', 'mm.caches'), ('mm slab 256', 'mm.slabs 256'),
		         ('mm slab 4096', 'mm.slabs 4096'), ('mm spaces', 'mm.spaces'),
		         ('mm mappings 0', 'mm.mappings 0'), ('mm mappings', 'mm.mappings'),
		         ('mm translate %d' % percpu, 'mm.translate %#x' % percpu),
		         ('mm translate 0x1000', 'mm.translate 0x1000'),
		         ('mm rmap 0x1000000 8192', 'mm.rmap 0x1000000 8192'),
		         ('mm object %d' % percpu, 'mm.object %#x' % percpu),
		         ('mm object 0x1000', 'mm.object 0x1000'),
		         ('mm object &kfree', 'mm.object %#x' % int(gdb.parse_and_eval('(unsigned long)&kfree'))),
		         ('mm check', 'mm.check'), ('mm sites', 'trace.sites'), ('mm log', 'sys.log')]
		for mine, theirs in pairs:
		    a, b = ask(mine + ' -json'), ask('monitor ' + theirs)
		    print('same' if a == b else 'DIFFERENT', mine)
		    if a != b:
		        print(a[:400], b[:400], sep='\n')
		# An age differs by the time between the two questions.
		a, b = json.loads(ask('mm object %s -json' % slab)), json.loads(ask('monitor mm.object ' + slab))
		a.pop('age_us', None), b.pop('age_us', None)
		print('same' if a == b else 'DIFFERENT', 'object with its site')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/compare.py"
	[ "$(grep -c '^same' <<<"$output")" -eq 21 ]
}

@test "for people: every command shows something, wrong use is one clear line" {
	gdb_on gdb.sock -ex 'mm stat' -ex 'mm zones' -ex 'mm frames' -ex 'mm caches' -ex 'mm slab 64' \
		-ex 'mm spaces' -ex 'mm mappings' -ex 'mm translate $pc' -ex 'mm rmap 0x1000000' \
		-ex 'mm check' -ex 'mm sites' -ex 'mm log' -ex 'mm threads' -ex 'mm object $sp'
	has '^available +[0-9]+'
	has 'ZONE_UNMAPPED_IN_PGT'
	has 'all is well'
	has '"?inspector"? +waiting'
	has 'page of 4096 B, -x-g--'
	run timeout 60 gdb -nx -batch -ex "file $BUILD/vitrine.elf" \
		-ex 'source gdbstub/gdb/vitrine-gdb.py' -ex "target remote $kernel_dir/gdb.sock" \
		-ex 'mm frames ZONE_NONE'
	[[ $output == *"no zone 'ZONE_NONE'; there are ZONE_DMA"* ]]
}

@test "functions and pretty-printers" {
	gdb_on gdb.sock -ex 'p $phys(&mm_machine)' -ex 'p $virt(0x1000000)' -ex 'p *$frame(0x1000000)' \
		-ex 'p mm_zones[1]' -ex 'p mm_kernel_space' \
		-ex 'python import json; a = json.loads(gdb.execute("mm slab 256 -json", to_string=True))["slabs"][0]["addr"]' \
		-ex 'python gdb.execute("p $object(%s + 5)" % a)' -ex 'python print(a)' \
		-ex 'python gdb.execute("p *$page(%s)" % a)'
	has '\$2 = \(void \*\) 0xffff800001000000'
	has 'frame at 0x1000000 in ZONE_NORMAL'
	has 'frames, [0-9]+ free, 0x1000000 to'
	has "space 0 'kernel', root 0x"
	address=$(grep -oE '^0xffff8000[0-9a-f]{8}$' <<<"$output")
	has "\\(void \\*\\) $address"
}

@test "break-when: frames, an object's free, a mapping, a site" {
	cat >"$BATS_TEST_TMPDIR/when.py" <<-'END'
		import gdb, json
		def ask(command):
		    return gdb.execute(command, to_string=True)
		site = json.loads(ask('mm sites -json'))['sites'][0]['addr']
		gdb.execute('mm break-when alloc ' + site)
		gdb.execute('continue')
		gdb.execute('delete')
		gdb.execute('mm break-when free ZONE_NORMAL < 100000')
		gdb.execute('continue')
		gdb.execute('delete')
		# The next object that churn allocates and frees.
		gdb.execute('tbreak kfree')
		gdb.execute('continue')
		gdb.execute('mm break-when freed $rdi')
		gdb.execute('continue')
		gdb.execute('bt 6')
	END
	gdb_on gdb.sock -ex "source $BATS_TEST_TMPDIR/when.py"
	has 'allocation from .* returned 0x'
	has 'ZONE_NORMAL has [0-9]+ free frames'
	has 'object 0x[0-9a-f]+ was freed'
	has '(in|at) .*(kfree|free)'
}

@test "through QEMU's stub" {
	gdb_on qemu-gdb.sock -ex 'mm stat' -ex 'mm check' -ex 'mm threads' -ex 'mm translate $pc' \
		-ex 'mm sites'
	has '^available +[0-9]+'
	has 'all is well'
	has 'reaper'
	has 'page of 4096 B, -x-g--'
}

@test "a dead kernel: commands on a core, and a snapshot of it" {
	printf '%s\n' '{"execute":"qmp_capabilities"}' \
		"{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":true,\"protocol\":\"file:$PWD/$kernel_dir/core\"}}" |
		timeout 60 socat -t 30 - "UNIX-CONNECT:$kernel_dir/qmp.sock" >"$BATS_TEST_TMPDIR/answer"
	grep -q DUMP_COMPLETED "$BATS_TEST_TMPDIR/answer" || cat "$BATS_TEST_TMPDIR/answer"
	run timeout 100 gdb -nx -batch -iex 'set auto-load no' -ex "file $BUILD/vitrine.elf" \
		-ex "core-file $kernel_dir/core" -ex 'source gdbstub/gdb/vitrine-gdb.py' \
		-ex 'mm check' -ex 'mm stat -json' -ex 'mm threads' -ex "mm snapshot $BATS_TEST_TMPDIR/snap"
	echo "$output"
	has 'all is well'
	has 'inspector'
	has 'snap: [0-9]+ records'
	stat=$(grep -oE '^\{"total".*' <<<"$output")
	if [ -x "$BUILD/memviz" ]; then
		run "$BUILD/memviz" -t "file:$BATS_TEST_TMPDIR/snap" --json stat
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$(jq .used <<<"$output")" = "$(jq .used <<<"$stat")" ]
	fi
}

@test "a quiet kernel: QEMU's stub and a core answer byte for byte what the inspector does" {
	quiet=gdb-commands-quiet
	(
		start_kernel "$quiet" 'directmap=1G workload=none trace=on inspect=full'
	)
	kernel_dir=$BUILD/run/$quiet
	ask() {
		"$BUILD/memviz" -t "unix:$kernel_dir/inspect-uart.sock" --timeout 60 --json call "$@" | jq -cS .
	}
	# Something to see: objects, frames, a mapping.
	for size in 100 100 5000 70000; do ask mm.kmalloc "size=$size" >/dev/null; done
	ask mm.alloc_pages zone=ZONE_UNMAPPED_IN_PGT num=3 >/dev/null
	methods=(mm.stat mm.zones mm.frames mm.caches 'mm.slabs size=128' mm.spaces 'mm.mappings space=0'
		'mm.translate va=0xffffffff80200000' 'mm.rmap pa=0x1000000 len=8192' mm.check trace.sites)
	commands=('mm stat' 'mm zones' 'mm frames' 'mm caches' 'mm slab 128' 'mm spaces' 'mm mappings 0'
		'mm translate 0xffffffff80200000' 'mm rmap 0x1000000 8192' 'mm check' 'mm sites')
	arguments=()
	for i in "${!methods[@]}"; do
		# shellcheck disable=SC2086
		ask ${methods[i]} >"$BATS_TEST_TMPDIR/inspector.$i"
		arguments+=(-ex "echo COMMAND $i\\n" -ex "${commands[i]} -json")
	done
	gdb_on qemu-gdb.sock "${arguments[@]}" >/dev/null
	echo "$output" >"$BATS_TEST_TMPDIR/qemu"
	printf '%s\n' '{"execute":"qmp_capabilities"}' \
		"{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":true,\"protocol\":\"file:$PWD/$kernel_dir/core\"}}" |
		timeout 60 socat -t 30 - "UNIX-CONNECT:$kernel_dir/qmp.sock" >/dev/null
	timeout 100 gdb -nx -batch -iex 'set auto-load no' -iex 'set width 0' -ex "file $BUILD/vitrine.elf" \
		-ex "core-file $kernel_dir/core" -ex 'source gdbstub/gdb/vitrine-gdb.py' "${arguments[@]}" \
		>"$BATS_TEST_TMPDIR/core"
	stop_kernel "$quiet"
	rm -f "$kernel_dir/core"
	different=0
	for from in qemu core; do
		for i in "${!methods[@]}"; do
			sed -n "/^COMMAND $i$/{n;p}" "$BATS_TEST_TMPDIR/$from" | jq -cS . >"$BATS_TEST_TMPDIR/answer"
			if ! cmp -s "$BATS_TEST_TMPDIR/answer" "$BATS_TEST_TMPDIR/inspector.$i"; then
				echo "$from differs: ${commands[i]}"
				diff "$BATS_TEST_TMPDIR/answer" "$BATS_TEST_TMPDIR/inspector.$i" | cut -c 1-600
				different=1
			fi
		done
	done
	[ "$different" -eq 0 ]
}
