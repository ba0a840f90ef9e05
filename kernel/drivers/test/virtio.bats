# virtio-serial against a real device: QEMU's, with somebody at the other end who sends back what he
# gets, with nobody there, and without a device.

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

boot_tests() {
	pattern=$1
	shift
	run scripts/boot --mem 64M --timeout 60 --append "selftest=$pattern" -- "$@"
	echo "$output" | tail -n 20
}

echo_port() {
	echo "-chardev socket,id=echo,path=$SOCKETS/echo"
	echo "-device virtserialport,bus=vitrine.0,chardev=echo,name=org.vitrine.echo"
}

@test "4 MiB go to an echo and come back whole, in pieces of every size" {
	# shellcheck disable=SC2046
	boot_tests 'virtio.*' -device virtio-serial-pci,id=vitrine $(echo_port)
	[ "$status" -eq 0 ]
	[[ $output == *"ok"*"virtio.echo"* ]]
	[[ $output != *"virtio.echo # SKIP"* ]]
}

@test "the same by a pin interrupt, without MSI-X" {
	# shellcheck disable=SC2046
	boot_tests 'virtio.*' -device virtio-serial-pci,id=vitrine,vectors=0 $(echo_port)
	[ "$status" -eq 0 ]
	[[ $output == *"pin interrupt"* ]]
	[[ $output != *"virtio.echo # SKIP"* ]]
}

@test "the same with a device that speaks virtio 1.x only" {
	# shellcheck disable=SC2046
	boot_tests 'virtio.*' -device virtio-serial-pci,id=vitrine,disable-legacy=on $(echo_port)
	[ "$status" -eq 0 ]
	[[ $output != *"virtio.echo # SKIP"* ]]
}

@test "a device that only speaks the old virtio is refused in words" {
	boot_tests 'virtio.*' -device virtio-serial-pci,id=vitrine,disable-modern=on
	[ "$status" -eq 0 ]
	[[ $output == *"has no usable virtio 1.x registers"* ]]
}

@test "a port that nobody is connected to takes nothing" {
	boot_tests 'virtio.nobody' -device virtio-serial-pci,id=vitrine \
		-chardev "socket,id=alone,path=$SOCKETS/alone,server=on,wait=off" \
		-device virtserialport,bus=vitrine.0,chardev=alone,name=org.vitrine.alone
	[ "$status" -eq 0 ]
	[[ $output != *SKIP* ]]
}

@test "without a device nothing is found and nothing breaks" {
	boot_tests 'virtio.*'
	[ "$status" -eq 0 ]
	[[ $output == *"virtio-serial: none"* ]]
}
