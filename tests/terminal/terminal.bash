# Helpers of the terminal tests: memviz in a tmux of its own, keys in, screens out.
#
#	open 80x24 [TERM] memviz-arguments...   start memviz and wait for its first picture
#	shell 80x24 COMMAND                     the same, with a shell around it
#	press KEY...                            tmux's names of keys, or text
#	shows TEXT, lacks TEXT                  wait (at most 10 s) until the screen does
#	matches NAME [N]                        compare with expected/NAME.txt, but for the first N lines
#	                                        (the header of a live kernel); UPDATE=1 writes it

export LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR COLORFGBG MEMVIZ_TARGET TMUX
here=$BATS_TEST_DIRNAME
build=${VITRINE_BUILD:-$here/../../build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
memviz=$build/memviz

terminal_setup() {
	for tool in tmux; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	dir=$BATS_TEST_TMPDIR
	sock=$dir/tmux
	export XDG_CONFIG_HOME=$dir/config XDG_RUNTIME_DIR=$dir XDG_STATE_HOME=$dir/state
	kernel_pid=
	cp "$here/sample.rec.xz" "$dir/sample.rec.xz"
	cd "$dir" || return 1
}

terminal_teardown() {
	close_terminal
	if [ -n "$kernel_pid" ]; then
		kill "$kernel_pid" 2>/dev/null || :
	fi
}

# A simulated kernel on $dir/link: kernel [vitrine-model options]
kernel() {
	"$build/vitrine-model" --listen "$dir/link" --workload none "$@" >"$dir/kernel.log" 2>&1 3>&- &
	kernel_pid=$!
	for _ in $(seq 100); do
		[ -S "$dir/link" ] && return
		sleep 0.02
	done
	return 1
}

shell() {
	size=$1 command=$2
	tmux -S "$sock" -f /dev/null new-session -d -x "${size%x*}" -y "${size#*x}" "$command" 3>&-
	tmux -S "$sock" set-option -g remain-on-exit on
	tmux -S "$sock" set-option -g status off
	tmux -S "$sock" resize-window -x "${size%x*}" -y "${size#*x}"
}

close_terminal() {
	tmux -S "$sock" kill-server 2>/dev/null || :
	for _ in $(seq 50); do
		tmux -S "$sock" has-session 2>/dev/null || break
		sleep 0.05
	done
	rm -f "$sock"
}

open() {
	size=$1
	shift
	term=tmux-256color
	case ${1-} in tmux* | screen* | xterm* | vt* | dumb) term=$1 && shift ;; esac
	shell "$size" "exec env TERM=$term $memviz $*"
	shows "[1-6] " || return 1
}

press() {
	for key; do
		tmux -S "$sock" send-keys -- "$key"
		sleep 0.05
	done
}

type_text() {
	tmux -S "$sock" send-keys -l -- "$1"
	sleep 0.05
}

screen() {
	tmux -S "$sock" capture-pane -p "$@"
}

shows() {
	for _ in $(seq 100); do
		screen >"$dir/screen"
		if grep -q -e "$1" "$dir/screen"; then return 0; fi
		sleep 0.1
	done
	echo "the screen never showed '$1':"
	cat "$dir/screen"
	return 1
}

lacks() {
	for _ in $(seq 100); do
		screen >"$dir/screen"
		if ! grep -q -e "$1" "$dir/screen"; then return 0; fi
		sleep 0.1
	done
	echo "the screen kept showing '$1':"
	cat "$dir/screen"
	return 1
}

# Waits until two captures are equal: the picture stands still.
settled() {
	last=
	for _ in $(seq 60); do
		now=$(screen)
		[ "$now" = "$last" ] && return
		last=$now
		sleep 0.12
	done
}

matches() {
	settled
	screen | sed 's/ *$//' | tail -n "+$((${2-0} + 1))" >"$dir/have"
	if [ -n "${UPDATE-}" ]; then
		cp "$dir/have" "$here/expected/$1.txt"
		return
	fi
	diff -u "$here/expected/$1.txt" "$dir/have"
}

pane() {
	tmux -S "$sock" display-message -p "#{$1}"
}

memviz_pid() {
	for _ in $(seq 50); do
		found=$(pgrep -P "$(pane pane_pid)" -x memviz || :)
		[ -n "$found" ] && echo "$found" && return
		sleep 0.1
	done
	pane pane_pid
}

# The left button at ROW COLUMN, down and up, as xterm's original mouse reports.
click() {
	at="$(printf '%x %x' $((33 + $2)) $((33 + $1)))"
	# shellcheck disable=SC2086  # two words are meant
	tmux -S "$sock" send-keys -H 1b 5b 4d 20 $at 1b 5b 4d 23 $at
	sleep 0.1
}

stop() {
	# The tmux of a test that ends by itself.
	for _ in $(seq 50); do
		[ "$(pane pane_dead)" = 1 ] && return
		sleep 0.1
	done
	return 1
}
