# Whatever ends it, the terminal is as it was.

load terminal.bash

setup() { terminal_setup; }
teardown() { terminal_teardown; }

# Runs memviz in a shell that notes the terminal's settings before and after.
session() {
	kernel
	cat >"$dir/run" <<-EOF
		stty -a >$dir/before
		TERM=tmux-256color $memviz -t unix:link
		echo "status \$?"
		stty -a >$dir/after
		echo over
		exec sh
	EOF
	shell 80x24 "sh -m $dir/run"
	shows LIVE
	[ "$(pane alternate_on)" = 1 ]
}

restored() {
	shows "^over"
	diff "$dir/before" "$dir/after"
	[ "$(pane alternate_on)" = 0 ]
	[ "$(pane cursor_flag)" = 1 ]
	[ "$(pane mouse_any_flag)" = 0 ]
	[ "$(pane keypad_cursor_flag)" = 0 ]
	kill -0 "$kernel_pid" # the kernel runs on
}

@test "q" {
	session
	press q
	shows "status 0"
	restored
}

@test "^C" {
	session
	press C-c
	restored
}

@test "SIGTERM, SIGHUP, SIGQUIT and a crash" {
	for sig in TERM HUP QUIT SEGV ABRT BUS; do
		session
		kill -"$sig" "$(memviz_pid)"
		restored
		shows "status $((128 + $(kill -l $sig)))"
		close_terminal
		kill "$kernel_pid"
		rm -f "$dir/link"
	done
}

@test "^Z suspends, fg goes on" {
	kernel
	shell 80x24 "exec bash --norc --noprofile -i"
	type_text "stty -a >before; TERM=tmux-256color $memviz -t unix:link"
	press Enter
	shows LIVE
	press 2
	shows "frame [0-9]* of"
	press C-z
	shows "Stopped"
	[ "$(pane alternate_on)" = 0 ]
	[ "$(pane mouse_any_flag)" = 0 ]
	[ "$(pane cursor_flag)" = 1 ]
	type_text "stty -a | diff - before && echo as it was; fg"
	press Enter
	shows "frame [0-9]* of"
	[ "$(pane alternate_on)" = 1 ]
	press 3
	shows "Objects in use"
	press q
	shows "as it was"
	[ "$(pane alternate_on)" = 0 ]
}

@test "resizing is followed" {
	kernel
	open 80x24 -t unix:link
	shows LIVE
	tmux -S "$sock" resize-window -x 120 -y 40
	shows "1 Overview  2 Memory map"
	press 2
	shows "What the letters mean"
	tmux -S "$sock" resize-window -x 80 -y 24
	lacks "What the letters mean"
	shows "free.*kernel"
}

@test "the terminal goes away: memviz ends, the kernel runs on" {
	kernel
	open 80x24 -t unix:link
	shows LIVE
	pid=$(pane pane_pid)
	tmux -S "$sock" kill-server
	for _ in $(seq 50); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	! kill -0 "$pid" 2>/dev/null
	kill -0 "$kernel_pid"
}
