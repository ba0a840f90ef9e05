# A kernel that answers: forms, commands, drill-down, and a link that goes and comes back.

load terminal.bash

setup() { terminal_setup; }
teardown() { terminal_teardown; }

live() {
	kernel
	open "${1:-80x24}" -t unix:link
	shows LIVE
}

@test "allocate an object: dry run, act, and it is there" {
	live
	press 3 a Tab
	press BSpace BSpace 2 0 0
	shows "one object of class 256 B"
	matches form-alloc-object 2
	press Enter
	shows "kmalloc gave 0xffff8000[0-9a-f]*, an object of 256 B"
	press 3
	shows "256 B .* 1 "
}

@test "allocate frames: the kernel's dry run, refusals, and the map shows them" {
	live
	press 3 a
	shows "Allocate"
	press Right Tab Right Tab
	shows "contiguous frame"
	press BSpace 6 4
	shows "'64' is not a number of frames from 1 to 63"
	press Enter
	shows "Not done"
	press BSpace BSpace 4 Tab Right
	shows "Would take 4 contiguous frames, 8 MiB"
	matches form-alloc-frames 2
	press Enter
	shows "alloc_pages gave 4 frames at physical 0x"
	press 2
	shows "shared 4"
}

@test "map, translate, unmap" {
	live
	press 3 m
	type_text 0xffffb00000200000
	press Tab
	type_text 0x42000000
	press Tab Tab Tab Tab
	shows "Would write 512 entries"
	matches form-map 2
	press Enter
	shows "Mapped 0x42000000 at 0xffffb00000200000"
	press 4 t
	type_text 0xffffb00000201234
	press Enter
	shows "PML4\[352\]"
	shows "physical 0x42001234"
	matches translate 2
	press BSpace
	press /
	type_text 0xffffb00000200000
	press Enter
	shows "1 x 2 MiB"
	press u
	shows "Would clear [0-9]* entries"
	matches form-unmap 2
	press Enter
	shows "Unmapped 0xffffb00000200000: [0-9]* entries"
}

@test "free what the cursor is on, and refuse what cannot be freed" {
	live
	press :
	type_text "alloc-pages ZONE_NORMAL 2"
	press Enter
	shows "pa 0x"
	press 2 /
	type_text allocated
	press Enter
	shows "^ allocated: handed out whole"
	press d
	shows "Would free 1 frame (2 MiB) in ZONE_NORMAL"
	matches form-free 2
	press Enter
	shows "Freed 1 frames at 0x"
	press /
	type_text kernel
	press Enter d
	shows "Only allocated frames can be freed"
	press Enter
	shows "Not done"
}

@test "frame, slab, object, site and back" {
	kernel --workload churn
	open 120x40 -t unix:link
	shows LIVE
	press 5
	press t
	shows "Attribution switched on"
	press 2 /
	type_text slab
	press Enter Enter
	shows "Slabs in this frame: [1-9]"
	press Enter
	shows "Slab at 0xffff8000"
	press Enter
	shows "an object of kmalloc"
	shows "begins at"
	press BSpace
	shows "Slab at 0xffff8000"
	press BSpace BSpace
	shows "What the letters mean"
	press 5
	shows "churn_run"
	press Enter
	shows "holds [0-9]* objects"
	press Enter
	shows "held by *churn_run"
	press Enter
	shows "holds [0-9]* objects"
}

@test "command line: completion, history, usage, errors, any method" {
	live
	press 3
	press :
	type_text "mm.check"
	press Enter
	shows "checked"
	matches command-check 2
	press Escape
	lacks "checked"
	press : k m Tab
	shows "^ :kmalloc"
	shows "kmalloc SIZE \[--zero\]: allocate an object"
	type_text " 80"
	press Enter
	shows "addr 0xffff8000[0-9a-f]*  size 128"
	press : Up
	shows "^ :kmalloc 80"
	press Escape
	lacks "^ :kmalloc"
	press :
	type_text "kmalloc much"
	press Enter
	shows "'much' is not a size"
	press :
	type_text "kfree 0xffff800000000123"
	press Enter
	shows "not a kmalloc object"
}

@test "help is searchable, by clicks and keys" {
	live
	press 3 '?'
	shows "Help: keys"
	matches help 2
	type_text "hilbert"
	shows "Hilbert.s curve (neighbours in memory"
	lacks "Leave memviz"
	press Escape
	lacks "Help: keys"
	# The tab of screen 3, and then a hint of the footer.
	click 0 24
	shows "Objects in use"
	hint=$(screen | tail -n 1 | grep -bo '?' | cut -d: -f1)
	click 23 "$hint"
	shows "Help: keys"
}

@test "the mouse can be switched off" {
	live
	press M
	shows "Mouse off"
	[ "$(pane mouse_any_flag)" = 0 ]
	press M
	shows "Mouse on"
	[ "$(pane mouse_any_flag)" = 1 ]
}

@test "freeze holds the picture, mark shows what changed" {
	live 120x40
	press x
	shows "marked"
	press :
	type_text "alloc-pages ZONE_NORMAL 3"
	press Enter
	shows "pa 0x"
	press x
	shows "ZONE_NORMAL used"
	shows "+3"
	press BSpace Space
	shows FROZEN
	press :
	type_text "alloc-pages ZONE_NORMAL 5"
	press Enter
	shows "num 5"
	press 2
	shows "allocated *3 "
	press Space
	shows "allocated *8 "
}

@test "record, stop, and open what was recorded" {
	live
	press r
	shows "Record to: memviz-"
	press C-u
	type_text "$dir/mine.rec"
	press Enter
	shows "Recording to"
	press :
	type_text "kmalloc 5000"
	press Enter
	shows "8192"
	sleep 1
	press r
	shows "Recorded [0-9]* records"
	press q
	stop
	close_terminal
	open 80x24 replay mine.rec
	shows REPLAY
}

@test "lost link: greyed picture with its age, keys still work, and it comes back" {
	live 120x40
	press 2
	shows "What the letters mean"
	kill "$kernel_pid"
	shows "LOST [1-9][0-9]* s ago, reconnecting"
	shows "nobody answers at"
	screen -e >"$dir/colors"
	! grep -q '48;5;74' "$dir/colors"
	press 3
	shows "Objects in use"
	rm -f "$dir/link"
	kernel
	shows LIVE
	lacks "nobody answers"
}

@test "a bare link: memviz offers a hub, starts it, and goes on through it" {
	kernel
	open 80x24 -t "unix:$dir/link"
	shows "serves one client, which is this memviz. H shares it"
	press H
	shows "Share this link"
	shows "Enter starts a hub"
	press Escape
	lacks "Share this link"
	# A second one waits beside the queue: the hub is to have the link next, not it.
	run timeout 20 "$memviz" -t "unix:$dir/link" stat
	[ "$status" -eq 3 ]
	[[ $output == *"serves one client, and another has it"* ]]
	press :
	type_text hub
	press Enter
	shows "Share this link"
	press Enter
	shows "Shared. Others look with"
	shows "unix:.*hub-"
	hub=unix:$(echo "$dir"/memviz/hub-*.sock)
	press Escape
	shows "LIVE"
	timeout 20 "$memviz" -t "$hub" stat --json
	# Keys act as before, and there is nothing more to share.
	press a
	shows "Allocate"
	press Escape
	lacks "Allocate"
	press H
	lacks "Share this link"
	# Without its hub it finds the link again.
	kill -KILL "$("$memviz" -t "$hub" call hub.status | jq .pid)"
	shows "The hub is gone: back to the link itself"
	shows "LIVE"
	press q
	stop
}

@test "a link that another has is said on the screen, and taken when it is free" {
	kernel
	timeout 60 socat -u "UNIX-CONNECT:$dir/link" "CREATE:$dir/other" 3>&- &
	holder=$!
	open 80x24 -t "unix:$dir/link"
	shows "serves one client, and another has it"
	kill "$holder"
	shows "LIVE"
}

@test "a stalled line does not stall the keys" {
	kernel
	open 80x24 -t unix:link
	shows LIVE
	kill -STOP "$kernel_pid"
	press 2
	for i in 1 2 3 4 5; do
		press Right
	done
	press 3
	# The screen answers at once, whatever the line does.
	sleep 0.2
	screen >"$dir/screen"
	grep -q "Objects in use" "$dir/screen"
	kill -CONT "$kernel_pid"
}

@test "another protocol version is said, not guessed at" {
	kernel --protocol 9
	open 120x40 -t unix:link
	shows "OTHER PROTOCOL"
	shows "9"
	press '?'
	shows "Help: keys"
}

@test "no kernel yet: waits, and shows the first picture when there is one" {
	open 80x24 -t unix:link
	shows "CONNECTING\|LOST"
	kernel
	shows LIVE
	shows "NORMAL"
}
