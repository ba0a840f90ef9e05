#!/usr/bin/env bats
# The hub: many clients on one link, none in the way of another.

load helper
setup() { common_setup; }
teardown() { common_teardown; }

@test "the hub speaks the plain protocol on a socket for its owner only" {
	kernel
	hub
	[ "$(stat -c %a "$DIR/hub.sock")" = 600 ]
	run socat -t 1 - "UNIX-CONNECT:$DIR/hub.sock" <<<'{"jsonrpc":"2.0","id":"a","method":"mm.stat"}'
	[ "$(tr -d '\036' <<<"$output" | jq -r '.id, .result.total')" = "a
$(field .total stat)" ]
	# Garbage is answered, not obeyed, and does not end the client.
	run socat -t 1 - "UNIX-CONNECT:$DIR/hub.sock" <<<'nonsense
{"jsonrpc":"2.0","id":1}
[{"jsonrpc":"2.0","id":2,"method":"mm.stat"},{"jsonrpc":"2.0","id":3,"method":"mm.zones"}]
{"jsonrpc":"2.0","id":4,"method":"mm.stat","crc":"00000000"}'
	[ "$(tr -d '\036' <<<"$output" | jq -r '.error.code' | sort | tr '\n' ' ')" = '-32600 -32700 -32700 null null ' ]
}

@test "hello through the hub is the kernel's own, with a session for each client" {
	kernel
	direct=$(memviz call hello | jq -Sc 'del(.session, .token, .features, .gen, .t_us)')
	hub
	a=$(memviz call hello)
	b=$(memviz call hello)
	[ "$(jq -Sc 'del(.session, .token, .features, .gen, .t_us)' <<<"$a")" = "$direct" ]
	[ "$(jq -r .session <<<"$a")" != "$(jq -r .session <<<"$b")" ]
	jq -e '.features | index("hub")' <<<"$a"
}

@test "twenty clients see a change" {
	kernel
	hub
	clients=
	for i in $(seq 20); do
		"$MEMVIZ" watch events >"$DIR/client.$i" 3>&- &
		clients="$clients $!"
	done
	PIDS="$PIDS $clients"
	for i in $(seq 20); do
		wait_for test -s "$DIR/client.$i"
	done
	addr=$(field .addr kmalloc 4000)
	for i in $(seq 20); do
		wait_for grep -q "\"kmalloc\",\"$addr\"" "$DIR/client.$i" ||
			{ echo "client $i saw nothing"; false; }
	done
	# shellcheck disable=SC2086  # a list of numbers
	kill $clients
	wait_for no_watches
}

no_watches() {
	[ "$(memviz call hub.status | jq '[.clients[].watches] | add')" -eq 0 ]
}

@test "slower watches get the same state at the end" {
	kernel --workload churn,maps
	hub
	for hz in 1 3 10 20; do
		timeout 20 "$MEMVIZ" record "$DIR/$hz.rec" --hz $hz --for 3 3>&- >/dev/null &
		PIDS="$PIDS $!"
	done
	sleep 1.5
	memviz call workload.stop name=churn
	memviz call workload.stop name=maps
	sleep 3
	for hz in 1 3 20; do
		run memviz diff "$DIR/$hz.rec" "$DIR/10.rec"
		# The figures of spaces are asked for, not watched: a recording may end before the answer.
		rest=$(echo "$output" | grep -vE '^(no difference|part  |spaces  )' || :)
		[ -z "$rest" ] || { echo "$hz: $output"; false; }
	done
}

@test "one client's flood, silence or death does not touch another" {
	kernel --workload churn
	hub
	# A flood of requests whose answers nobody reads; half a record; one that is killed.
	{
		yes '{"jsonrpc":"2.0","id":1,"method":"mm.mappings"}' | timeout 15 socat -u - "UNIX-CONNECT:$DIR/hub.sock"
	} >/dev/null 2>&1 3>&- &
	{
		(printf '\036{"jsonrpc":'; sleep 8) | timeout 10 socat - "UNIX-CONNECT:$DIR/hub.sock"
	} >/dev/null 2>&1 3>&- &
	timeout 20 "$MEMVIZ" watch stat mappings events >/dev/null 3>&- &
	kill -9 $!
	for _ in $(seq 10); do
		run memviz --timeout 5 stat
		[ "$status" -eq 0 ] || { echo "$output"; false; }
	done
}

@test "a client that does not read is dropped with a notice" {
	kernel --leaves 60000
	hub
	mkfifo "$DIR/stuck"
	# socat stops reading the socket when nobody empties the fifo.
	{
		yes '{"jsonrpc":"2.0","id":1,"method":"mm.mappings","params":{"space":1}}' | head -n 100
		sleep 10
	} 2>/dev/null 3>&- | timeout 12 socat -b 65536 - "UNIX-CONNECT:$DIR/hub.sock" >"$DIR/stuck" 2>/dev/null 3>&- &
	sleep 12 <"$DIR/stuck" >/dev/null 3>&- &
	PIDS="$PIDS $!"
	for _ in $(seq 100); do
		! grep -q "dropped: it reads too slowly" "$HUB_ERR" || break
		sleep 0.1
	done
	grep -q "dropped: it reads too slowly" "$HUB_ERR"
	run memviz stat
	[ "$status" -eq 0 ]
	[ "$(memviz call hub.status | jq .dropped_clients)" -eq 1 ]
}

@test "a screen opened now shows what happened before" {
	kernel --workload churn
	hub
	sleep 2
	run memviz call hub.history limit=5
	[ "$(jq '.samples | length' <<<"$output")" -eq 5 ]
	[ "$(jq -r '.next | type' <<<"$output")" = string ]
	[ "$(jq '.events | length > 10' <<<"$output")" = true ]
	memviz export --format svg -o "$DIR/a.svg"
	# One second of its own and two of the hub's; more on a machine that is busy.
	grep -Eq 'History: (2\.[5-9]|[3-9]\.|[0-9]+:)' "$DIR/a.svg"
}

@test "a second hub on the same socket is refused, a dead one's socket is taken over" {
	kernel
	hub
	run memviz -t "unix:$DIR/kernel.sock" hub --listen "$DIR/hub.sock"
	[ "$status" -eq 2 ]
	[[ $output == *"somebody listens there already"* ]]
	# The hub, not the timeout around it, which then ends by itself.
	pkill -9 -P "$HUB"
	wait "$HUB" || :
	[ -S "$DIR/hub.sock" ]
	hub
	wait_for memviz stat >/dev/null 2>&1
	touch "$DIR/file"
	run memviz hub --listen "$DIR/file"
	[ "$status" -eq 2 ]
	[[ $output == *"is no socket"* ]]
}

@test "the kernel may go and come back: clients wait and go on" {
	kernel
	hub
	memviz stat
	timeout 30 "$MEMVIZ" watch stat --for 6 >"$DIR/watched" 2>&1 3>&- &
	watcher=$!
	sleep 0.7
	kill "$KERNEL"
	wait "$KERNEL" 2>/dev/null || :
	sleep 0.5
	kernel --memory 1024
	export MEMVIZ_TARGET="unix:$DIR/hub.sock"
	for _ in $(seq 50); do
		[ "$(field .total stat 2>/dev/null)" != "" ] && break
		sleep 0.1
	done
	[ "$(field .total stat)" -lt 1100000000 ]
	wait "$watcher"
	[ "$(jq -s 'map(.data.total) | map(select(. != null)) | unique | length' "$DIR/watched")" -eq 2 ]
	[ "$(memviz call hub.status | jq .reconnects)" -ge 1 ]
}

@test "a repeated request in a session runs once" {
	kernel
	hub
	before=$(field .cache_used stat)
	mkfifo "$DIR/in"
	socat - "UNIX-CONNECT:$DIR/hub.sock" <"$DIR/in" >"$DIR/answers" 3>&- &
	PIDS="$PIDS $!"
	exec 7>"$DIR/in"
	echo '{"jsonrpc":"2.0","id":"h","method":"hello","params":{"token":"t"}}' >&7
	wait_for test -s "$DIR/answers"
	session=$(head -n1 "$DIR/answers" | tr -d '\036' | jq -r .result.session)
	for _ in 1 2 3; do
		echo "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"mm.kmalloc\",\"params\":{\"size\":80},\"session\":\"$session\"}" >&7
		sleep 0.2
	done
	sleep 0.3
	exec 7>&-
	[ "$(tr -d '\036' <"$DIR/answers" | jq -r 'select(.id == 7) | .result.addr' | sort -u | wc -l)" -eq 1 ]
	[ "$(tr -d '\036' <"$DIR/answers" | jq -r 'select(.id == 7) | .result.addr' | wc -l)" -eq 3 ]
	[ "$(field .cache_used stat)" -eq $((before + 128)) ]
}

@test "run --hub shares a bare link" {
	kernel
	run memviz run --hub
	[ "$status" -eq 0 ]
	[[ $output == *"(hub)"* ]]
}

@test "a hub on a link that another has says so, and takes it when it is free" {
	kernel
	start timeout 60 socat -u "UNIX-CONNECT:$DIR/kernel.sock" "CREATE:$DIR/other"
	other=$LAST
	hub
	wait_for grep -q "serves one client, and another has it" "$HUB_ERR"
	kill "$other"
	run memviz --timeout 20 stat
	[ "$status" -eq 0 ]
	[[ $output == *available* ]]
}
