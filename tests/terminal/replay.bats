# Time travel: the timeline of a recording.

load terminal.bash

setup() { terminal_setup; }
teardown() { terminal_teardown; }

@test "arrows step, a number jumps, space plays, < and > set the speed" {
	open 80x24 replay sample.rec.xz
	shows "1x .*+0 "
	press Right Right
	lacks "+0 us"
	press Left Left
	shows "+0 us"
	press 5 0 % Enter
	shows "+[23]\."
	press 2 Enter
	shows "+\(2\.0\|1\.9\)"
	press '>' '>'
	shows " 4x "
	press '<' '<' '<'
	shows " 1/2x "
	press '>' '>' '>' '>' Space
	shows " end$"
	press 9 z Enter
	shows "'9z' is no time"
}

@test "T gives arrows and digits back to the screen" {
	open 80x24 replay sample.rec.xz
	press T
	press 2
	shows "frame [0-9]* of"
	press T
	press 1
	shows "Jump to: 1"
	press Escape
	lacks "Jump to"
}

@test "a click on the timeline jumps" {
	open 80x24 replay sample.rec.xz
	shows "+0 us"
	click 22 60
	shows "+[3-6]\."
}

@test "sites come from the events of the recording" {
	open 120x40 replay sample.rec.xz
	press 9 9 % Enter Tab Tab Tab Tab
	shows "by the events of this recording"
	press Enter
	shows "holds [0-9]* objects"
}

@test "a recording is opened from frame to slab to object to call site" {
	kernel --workload leak
	"$memviz" -t "unix:$dir/link" call trace.start
	"$memviz" -t "unix:$dir/link" record "$dir/deep.rec.xz" --for 1
	open 100x30 replay deep.rec.xz --at end
	press T 2 /
	type_text 0x1600000
	press Enter + +
	shows "frame 0x1600000"
	shows "Slabs in this frame: [1-9]"
	shows "recorded .* before"
	press Enter
	shows "object 0: in use"
	press Enter
	shows "an object of kmalloc, in use"
	press BSpace BSpace
	shows "Slabs in this frame"
	press 5
	shows "1 call sites hold .* recorded .* before"
	press Enter
	shows "leak_run.* holds [1-9][0-9]* objects"
	press Enter
	shows "held by  *leak_run"
}

@test "nothing can be changed in a recording" {
	open 80x24 replay sample.rec.xz
	press a
	shows "A recording cannot be changed"
}

@test "a damaged recording opens up to the damage and says so" {
	xz -dc sample.rec.xz | head -c 400000 >"$dir/cut.rec"
	open 120x40 replay cut.rec
	shows DAMAGED
	press 2 Enter
	shows "Memory"
}
