#!/usr/bin/env bats
# scripts/debug as a person at a terminal uses it.

load kernel.bash

setup() {
	go_home
	needs gdb qemu-system-x86_64 tmux
	name=debug-$BATS_TEST_NUMBER
	server=vitrine-$name-$$
	export HISTFILE=
}

teardown() {
	tmux -L "$server" kill-server 2>/dev/null || true
	stop_kernel "$name"
}

# at_terminal ARGUMENT...: scripts/debug in a terminal of its own.
at_terminal() {
	tmux -L "$server" -f /dev/null new-session -d -x 120 -y 40 \
		"BUILD=$BUILD scripts/debug --name $name $*; echo the script has ended: \$?; sleep 1000" 3>&-
}

# says PATTERN: waits until the screen says it.
says() {
	for _ in $(seq 600); do
		tmux -L "$server" capture-pane -p -S - | tr -d '\n' | grep -qE "$1" && return
		sleep 0.1
	done
	tmux -L "$server" capture-pane -p -S -
	echo "never said: $1"
	return 1
}

types() {
	tmux -L "$server" send-keys "$@"
}

@test "the kernel's stub: a hint, Ctrl-C stops, the mm commands are there, quit ends the kernel" {
	at_terminal --stub kernel
	says "The kernel '$name' will be stopped"
	says '\(gdb\) *$'
	types continue Enter
	says 'Continuing\.'
	types C-c
	says 'received signal SIGINT'
	types 'mm stat' Enter
	says 'available +[0-9]+'
	[ -e "$BUILD/run/$name/pid" ]
	types quit Enter
	says 'the script has ended: 0'
	[ ! -e "$BUILD/run/$name/pid" ]
}

@test "--wait stops at kernel_main; a terminal that goes away ends the kernel" {
	at_terminal --wait
	says 'Breakpoint 1, kernel_main'
	tmux -L "$server" kill-server
	for _ in $(seq 300); do
		[ -e "$BUILD/run/$name/pid" ] || break
		sleep 0.1
	done
	[ ! -e "$BUILD/run/$name/pid" ]
}

@test "--attach leaves the kernel as it was, running" {
	start_kernel "$name" 'workload=churn'
	at_terminal --stub kernel --attach "$name"
	says '\(gdb\) *$'
	types quit Enter
	says 'the script has ended: 0'
	"$BUILD/memviz" -t "unix:$kernel_dir/inspect-uart.sock" --timeout 60 stat
}
