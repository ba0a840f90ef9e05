# The UART driver on a line with an echo at its other end: COM4 of QEMU's machine.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../../.."
	export SOCKETS
	SOCKETS=$(mktemp -d)
	socat UNIX-LISTEN:"$SOCKETS/echo",fork PIPE &
	echo $! >"$SOCKETS/pid"
	for _ in $(seq 50); do [ -S "$SOCKETS/echo" ] && break || sleep 0.1; done
}

teardown_file() {
	kill "$(cat "$SOCKETS/pid")"
	rm -r "$SOCKETS"
}

@test "256 KiB come back whole by interrupts; hooks take theirs; a full ring counts what it drops" {
	run scripts/boot --mem 64M --timeout 90 --append 'selftest=uart.*' -- \
		-serial null -serial null -serial "unix:$SOCKETS/echo"
	echo "$output" | tail -n 20
	[ "$status" -eq 0 ]
	[[ $output != *SKIP* ]]
}

@test "with one port only, nothing is looked for on the others" {
	run scripts/boot --mem 64M --timeout 60 --append 'selftest=uart.*,boot.*'
	echo "$output" | tail -n 20
	[ "$status" -eq 0 ]
	[[ $output == *"uart.echo # SKIP nobody echoes on COM4"* ]]
}
