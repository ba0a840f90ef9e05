# serial=mux: console, inspector and GDB on COM1 alone, split by `memviz mux`.

load ../gdb/kernel

setup_file() {
	go_home
	start_kernel glass-mux 'directmap=128M serial=mux inspect=full trace=on workload=churn,price$9'
	export kernel_name kernel_dir
	export ends=$kernel_dir/mux
	mkdir "$ends"
	"$BUILD/memviz" mux "unix:$kernel_dir/console.sock" --dir "$ends" >/dev/null 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/mux.pid"
	for _ in $(seq 100); do
		[ ! -S "$ends/gdb.sock" ] || break
		sleep 0.05
	done
	# An end has one client at a time; the hub shares it.
	"$BUILD/memviz" -t "unix:$ends/inspect.sock" hub --listen "$ends/hub.sock" >/dev/null 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/hub.pid"
	for _ in $(seq 100); do
		[ ! -S "$ends/hub.sock" ] || break
		sleep 0.05
	done
	export MEMVIZ_TARGET="unix:$PWD/$ends/hub.sock"
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/hub.pid")" "$(cat "$BATS_FILE_TMPDIR/mux.pid")" 2>/dev/null || :
	stop_kernel glass-mux
}

setup() {
	go_home
}

memviz() {
	timeout 60 "$BUILD/memviz" --json "$@"
}

@test "a person types mm.stat and gets the seven figures" {
	needs socat jq
	# Otherwise the hub would want its end back. Its session asks for a crc: hello begins another.
	kill -STOP "$(cat "$BATS_FILE_TMPDIR/hub.pid")"
	reply=$( (printf '%s\n' '{"jsonrpc":"2.0","id":0,"method":"hello"}' \
		'{"jsonrpc":"2.0","id":"me","method":"mm.stat"}' && sleep 1) |
		timeout 5 socat - "UNIX-CONNECT:$ends/inspect.sock" | tr -d '\036' | grep '"id":"me"' | jq -c '.result | keys - ["gen"]')
	kill -CONT "$(cat "$BATS_FILE_TMPDIR/hub.pid")"
	echo "$reply"
	[ "$reply" = '["available","cache_free","cache_used","free","shared","total","used"]' ]
}

@test "what a person types into the console is nobody's request" {
	needs socat jq
	(printf 'ls - +\n{"id":1}\n'; sleep 0.3) | timeout 5 socat - "UNIX-CONNECT:$ends/console.sock"
	[ "$(memviz stat | jq '.total > 0')" = true ]
}

@test "no text of the console passes for a packet" {
	grep -a 'price' "$kernel_dir/console.log" | grep -v 'boot parameters\|command line' | grep -q 'price＄9'
}

@test "console text and records come whole, however many" {
	needs socat jq
	timeout 100 socat -u "UNIX-CONNECT:$ends/console.sock" "CREATE:$BATS_TEST_TMPDIR/console" 3>&- &
	reader=$!
	sleep 0.3
	timeout 100 "$BUILD/memviz" watch stat frames mappings events log --hz 60 >"$BATS_TEST_TMPDIR/watch" 3>&- &
	watcher=$!
	for i in 1 2 3 4 5 6 7 8; do
		memviz call workload.start name=ramp >/dev/null
		memviz call workload.stop name=ramp >/dev/null
	done
	sleep 1
	kill "$watcher" "$reader"
	wait "$watcher" "$reader" || :
	# The last line may have been cut by the kill.
	sed '$d' <"$BATS_TEST_TMPDIR/watch" >"$BATS_TEST_TMPDIR/whole"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/whole")" -gt 50 ]
	jq -e . <"$BATS_TEST_TMPDIR/whole" >/dev/null
	# Each start and each stop is one whole line, and nothing else stands between.
	tr -d '\r' <"$BATS_TEST_TMPDIR/console" >"$BATS_TEST_TMPDIR/lines"
	[ "$(grep -cE '^\[ *[0-9]+\.[0-9]{6}\] workload ramp (started|stopped) by request$' "$BATS_TEST_TMPDIR/lines")" = 16 ]
	run grep -avE '^\[ *[0-9]+\.[0-9]{6}\] ' "$BATS_TEST_TMPDIR/lines"
	echo "$output"
	[ "$status" -eq 1 ]
}

@test "GDB stops the kernel on the same line, the inspector answers again afterwards" {
	timeout 60 "$BUILD/memviz" watch stat --hz 20 >"$BATS_TEST_TMPDIR/watch" 3>&- &
	watcher=$!
	run timeout 100 gdb -nx -batch -iex 'set confirm off' -iex 'set pagination off' \
		-iex 'set auto-load no' -ex "file $BUILD/vitrine.elf" -ex "target remote $ends/gdb.sock" \
		-ex 'info registers cr0' -ex 'break churn_take' -ex continue -ex bt -ex 'monitor mm.stat' \
		-ex 'delete' -ex detach
	echo "$output"
	[ "$status" -eq 0 ]
	has 'cr0 .*PG'
	has 'hit Breakpoint 1, .*churn_take'
	has '^\{"total"'
	has_not 'Ignoring packet error|Packet too long|invalid'
	[ "$(memviz stat | jq '.total > 0')" = true ]
	before=$(wc -l <"$BATS_TEST_TMPDIR/watch")
	sleep 2
	[ "$(wc -l <"$BATS_TEST_TMPDIR/watch")" -gt "$before" ]
	kill "$watcher"
	wait "$watcher" || :
	[ "$(memviz check | jq .ok)" = true ]
}

@test "10,000 bytes of garbage, half records and half packets, and all three still work" {
	# Without #: a packet that happened to be right would stop the kernel, as it should.
	(
		head -c 5000 /dev/urandom | tr -d '#'
		printf '\036{"jsonrpc":"2.0","id":1,"meth'
		printf '$qSupp'
		head -c 5000 /dev/urandom | tr -d '#'
		printf '\n#00\036\n'
	) | timeout 5 socat -u - "UNIX-CONNECT:$ends/console.sock"
	[ "$(memviz stat | jq '.total > 0')" = true ]
	run timeout 60 gdb -nx -batch -iex 'set confirm off' -ex "file $BUILD/vitrine.elf" \
		-ex "target remote $ends/gdb.sock" -ex 'info registers rip' -ex detach
	echo "$output"
	has 'rip '
	[ "$(memviz check | jq .ok)" = true ]
}

@test "after a panic the text is whole and what reads is answered" {
	timeout 100 socat -u "UNIX-CONNECT:$ends/console.sock" "CREATE:$BATS_TEST_TMPDIR/console" 3>&- &
	reader=$!
	sleep 0.3
	memviz call sys.panic
	[ "$(memviz stat | jq '.total > 0')" = true ]
	run memviz kmalloc 64
	[ "$status" -eq 1 ]
	sleep 0.5
	kill "$reader"
	grep -q 'panic: asked for by sys.panic' "$BATS_TEST_TMPDIR/console"
	grep -q 'halted; the serial lines stay alive' "$BATS_TEST_TMPDIR/console"
}
