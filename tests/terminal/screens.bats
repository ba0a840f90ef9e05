# Every screen on a recording, in every size and kind of terminal: what is drawn is what is expected.

load terminal.bash

setup() { terminal_setup; }
teardown() { terminal_teardown; }

# Opens the sample in the middle, where everything in it has happened.
sample() {
	size=$1
	shift
	open "$size" "$@" replay sample.rec.xz
	shows REPLAY
	press 9 9 %
	press Enter
	shows " +[5-9]"
	# From here on digits are screens.
	press T
	shows "the screen's again"
}

all_screens() {
	for screen in 1 2 3 4 5 6; do
		press "$screen"
		matches "$1-$screen"
	done
}

@test "every screen at 80x24" {
	sample 80x24
	all_screens 80x24
}

@test "every screen at 120x40" {
	sample 120x40
	all_screens 120x40
}

@test "every screen at 200x60" {
	sample 200x60
	all_screens 200x60
}

@test "every screen at 80x24 in ASCII" {
	sample 80x24 --ascii
	all_screens ascii
	! LC_ALL=C grep -n '[^ -~]' "$here"/expected/ascii-*.txt
}

@test "small windows degrade and never refuse" {
	sample 80x24
	for size in 60x16 40x10 20x5 10x3; do
		tmux -S "$sock" resize-window -x "${size%x*}" -y "${size#*x}"
		for screen in 1 2 3 4 5 6; do
			press "$screen"
			settled
		done
		press 2
		[ "$size" = 10x3 ] || matches "small-$size"
	done
	tmux -S "$sock" resize-window -x 80 -y 24
	shows "free.*kernel.*slab"
}

@test "256 colours" {
	sample 80x24 tmux-256color
	press 2
	settled
	screen -e >"$dir/colors"
	grep -q '48;5;214' "$dir/colors" # allocated: orange
	grep -q '48;5;74' "$dir/colors"  # slab: sky blue
}

@test "8 colours" {
	sample 80x24 screen
	press 2
	settled
	screen -e >"$dir/colors"
	! grep -q '[34]8;5;' "$dir/colors"
	grep -q '\[[0-9;]*4[36]m' "$dir/colors"
}

@test "no colours with NO_COLOR, --no-color and on a terminal that has none" {
	for how in "env NO_COLOR=1 TERM=tmux-256color $memviz" "env TERM=tmux-256color $memviz --no-color" \
		"env TERM=vt220 $memviz"; do
		shell 80x24 "exec $how replay sample.rec.xz"
		shows REPLAY
		press T
		press 2
		shows "free.*kernel"
		settled
		screen -e >"$dir/colors"
		! grep -q '\[[0-9;]*[34][0-9][;m]' "$dir/colors"
		grep -q '\[[0-9;]*7[;m]' "$dir/colors" # reverse
		close_terminal
	done
}

@test "a dumb terminal gets the text summary" {
	shell 80x24 "env TERM=dumb $memviz replay sample.rec.xz >$dir/out 2>&1; echo status \$?; sleep 60"
	shows "status 0"
	grep -q ZONE_NORMAL "$dir/out"
	! grep -q "$(printf '\033')" "$dir/out"
}
