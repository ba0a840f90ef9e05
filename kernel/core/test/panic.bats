# What follows a panic is what boot parameter panic= says. The panic comes from outside, by an NMI
# that nobody expects.

setup() {
	cd "$BATS_TEST_DIRNAME/../../.."
	work=$(mktemp -d)
}

teardown() {
	if [ -n "${machine:-}" ] && kill -0 "$machine" 2>/dev/null; then
		echo quit | socat - "UNIX-CONNECT:$work/monitor" >/dev/null || :
		wait "$machine" || :
	fi
	rm -r "$work"
}

# starts PARAMETERS: a machine in the background, its console in $work/console.
starts() {
	scripts/boot --mem 64M --timeout 40 --append "$1" -- \
		-serial "unix:$work/inspect,server=on,wait=off" \
		-monitor "unix:$work/monitor,server=on,wait=off" >"$work/console" 2>&1 &
	machine=$!
	console_says ready
	echo nmi | socat - "UNIX-CONNECT:$work/monitor" >/dev/null
}

console_says() {
	for _ in $(seq 150); do
		! grep -q "$1" "$work/console" || return 0
		sleep 0.1
	done
	echo "the console never said '$1':"
	cat "$work/console"
	return 1
}

@test "panic=wait stays and goes on answering" {
	starts panic=wait
	console_says 'panic: '
	console_says 'halted; the serial lines stay alive (panic=wait)'
	answer=$( (echo '{"jsonrpc":"2.0","id":7,"method":"mm.stat"}' && sleep 2) |
		socat -t 2 - "UNIX-CONNECT:$work/inspect")
	[[ $answer == *'"id":7'*'"total":'* ]]
	kill -0 "$machine"
}

@test "panic=exit leaves QEMU at once with a status of its own" {
	starts panic=exit
	status=0
	wait "$machine" || status=$?
	[ "$status" -eq 3 ]
	console_says 'panic: '
}

@test "panic=reboot starts again" {
	starts panic=reboot
	console_says 'rebooting (panic=reboot)'
	for _ in $(seq 100); do
		[ "$(grep -c ready "$work/console")" -lt 2 ] || break
		sleep 0.1
	done
	[ "$(grep -c ready "$work/console")" -ge 2 ]
}
