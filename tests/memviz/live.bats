#!/usr/bin/env bats
# What the commands do, against a model kernel.

load helper
setup() { common_setup; }
teardown() { common_teardown; }

@test "reading commands give a table, and with --json the result object on one line" {
	kernel --workload churn
	for c in stat zones frames caches "slabs 32" spaces mappings check sites log; do
		run memviz $c
		[ "$status" -eq 0 ] || { echo "$c: $output"; false; }
		run memviz --json $c
		[ "$status" -eq 0 ]
		[ "${#lines[@]}" -eq 1 ]
		jq -e 'type == "object"' <<<"$output" >/dev/null
	done
	run memviz --json stat
	[ "$(jq '.used + .free == .total' <<<"$output")" = true ]
}

@test "an object lives from kmalloc to kfree, and no longer" {
	kernel
	before=$(field .cache_used stat)
	addr=$(field .addr kmalloc 80)
	[ "$(field .cache_used stat)" -eq $((before + 128)) ]
	[ "$(field .state object "$addr")" = used ]
	[ "$(field .size object "$addr")" -eq 128 ]
	memviz kfree "$addr"
	[ "$(field .cache_used stat)" -eq "$before" ]
	run memviz kfree "$addr"
	[ "$status" -eq 1 ]
	[[ $output == *"double free"* ]]
	run memviz kmalloc 2M
	[ "$status" -eq 1 ]
}

@test "frames are allocated, mapped into a space, translated, unmapped and freed" {
	kernel
	pa=$(field .pa alloc-pages ZONE_UNMAPPED_IN_PGT 3 PAGE_SHARED)
	[ "$(field .shared stat)" -eq 6291456 ]
	run memviz rmap "$pa"
	[[ $output == *"nobody maps it"* ]]
	space=$(memviz call space.create name=mine | jq .id)
	memviz map --dry-run 0x4000_0000 "$pa" 6M w --space "$space"
	[ "$(field .pa translate 0x40000000 --space "$space")" = null ]
	memviz map 0x4000_0000 "$pa" 6M w --space "$space"
	[ "$(field .pa translate 0x40200010 --space "$space")" = "$(printf '0x%x' $((pa + 0x200010)))" ]
	[ "$(field .flags translate 0x40200010 --space "$space")" = "w-----" ]
	[ "$(field '[.runs[].len] | add' rmap "$pa" 6M)" -eq 6291456 ]
	memviz unmap 0x4000_0000 6M --space "$space"
	[ "$(field .pa translate 0x40200010 --space "$space")" = null ]
	memviz free-pages "$pa" 3
	run memviz free-pages "$pa" 3
	[ "$status" -eq 1 ]
	[ "$(field .shared stat)" -eq 0 ]
	[ "$(field .ok check)" = true ]
}

@test "what the kernel refuses is exit 1 with its reason" {
	kernel
	while IFS='|' read -r args says; do
		run memviz $args
		[ "$status" -eq 1 ] || { echo "$args: $status $output"; false; }
		[[ $output == *"$says"* ]] || { echo "$args: $output"; false; }
	done <<-'END'
		alloc-pages ZONE_FOO 1|ZONE_NORMAL
		alloc-pages ZONE_DMA 64|63
		kfree 0x10|
		map 0x1 0x2000 4K w|
		call mm.nonsense|mm.zones
		call mm.kmalloc size=80 colour=red|colour
	END
	kernel --access read
	run memviz kmalloc 80
	[ "$status" -eq 1 ]
}

@test "watch sees an allocation" {
	kernel
	hub
	timeout 20 "$MEMVIZ" watch events --for 2 >"$DIR/watched" 3>&- &
	pid=$!
	sleep 0.6
	addr=$(field .addr kmalloc 80)
	wait "$pid"
	[ "$(jq -r '.data.events[]? | select(.[1] == "kmalloc") | .[2]' "$DIR/watched")" = "$addr" ]
	[ "$(head -n1 "$DIR/watched" | jq .full)" = true ]
}

@test "a kmem trace is driven, the accounts agree, and nothing is left" {
	kernel
	run memviz --json drive "$DATA/linux-kmem-excerpt.trace.xz" --free-rest
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(jq .lines <<<"$output")" -eq 3000 ]
	[ "$(jq '.answers_agree and .stat_agrees and .back' <<<"$output")" = true ]
	[ "$(jq '.allocated == .freed and .allocated > 1000' <<<"$output")" = true ]
	[ "$(jq '.skipped.never_seen + .skipped.null > 0' <<<"$output")" = true ]
	run memviz drive "$DATA/linux-kmem-excerpt.trace.xz" --limit 500
	[ "$status" -eq 0 ]
	[[ $output == *"they agree"* ]]
	[ "$(field .ok check)" = true ]
}

@test "drive tells lines that it cannot read, and counts what it skips" {
	kernel
	run memviz drive /etc/passwd
	[ "$status" -eq 4 ]
	[[ $output == *"no kmem trace"* ]]
	cat >"$DIR/t" <<-'END'
		# tracer: nop
		a-1 [0] ..... 1.0: kmalloc: ptr=a1 bytes_req=100 x=y
		a-1 [0] ..... 1.0: kmalloc: ptr=a2 bytes_req=2000000
		a-1 [0] ..... 1.0: kmalloc: ptr=a3
		a-1 [0] ..... 1.0: kfree: ptr=ff
		a-1 [0] ..... 1.0: kfree: ptr=0
		a-1 [0] ..... 1.0: mm_page_alloc: page=1 pfn=0x5 order=10
		a-1 [0] ..... 1.0: mm_page_alloc: page=1 pfn=0x6 order=3
		a-1 [0] ..... 1.0: mm_page_free: page=1 pfn=0x5 order=10
		a-1 [0] ..... 1.0: sched_switch: x
	END
	run memviz --json drive "$DIR/t"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(jq -c '[.allocated, .freed, .live_objects, .trace_live_bytes]' <<<"$output")" = "[3,1,2,32896]" ]
	[ "$(jq -c .skipped <<<"$output")" = '{"over_1_mib":1,"never_seen":1,"null":1,"failed":0,"refused":0,"other":2,"unreadable":1}' ]
}

@test "recordings replay, differ, and open up to their damage" {
	kernel --workload churn,maps
	for f in a.rec a.rec.xz; do
		run memviz record "$DIR/$f" --for 2
		[ "$status" -eq 0 ]
		run memviz replay "$DIR/$f"
		[ "$status" -eq 0 ] || { echo "$output"; false; }
		[[ $output == *ZONE_DMA* ]]
		run memviz diff "$DIR/$f@start" "$DIR/$f@end"
		[ "$status" -eq 0 ]
		[[ $output == *cache_used* ]]
		run memviz diff "$DIR/$f@+1s" "$DIR/$f@+1s"
		[[ $output == "no difference"* ]]
		size=$(stat -c %s "$DIR/$f")
		head -c $((size / 2)) "$DIR/$f" >"$DIR/cut-$f"
		run memviz replay "$DIR/cut-$f"
		[ "$status" -eq 4 ]
		[[ $output == *"at byte $((size / 2))"* || $output == *"after byte"* ]]
		[[ $output == *ZONE_DMA* ]]
		run memviz -t "file:$DIR/cut-$f" zones
		[ "$status" -eq 4 ]
		[[ $output == *ZONE_DMA*"cut-$f: damaged a"* ]]
	done
	jq --seq . "$DIR/a.rec" >/dev/null
	run memviz -t "file:$DIR/a.rec.xz" stat
	[ "$status" -eq 0 ]
	run memviz -t "file:$DIR/a.rec.xz" kmalloc 80
	[ "$status" -eq 1 ]
	[[ $output == *"needs a running kernel"* ]]
	echo nonsense >"$DIR/no.rec"
	run memviz replay "$DIR/no.rec"
	[ "$status" -eq 4 ]
}

@test "a recording tells slabs, objects and sites, and its spaces as they were at its end" {
	kernel --workload leak
	hub
	memviz call trace.start
	start "$MEMVIZ" record "$DIR/a.rec.xz"
	recorder=$LAST
	wait_for test -s "$DIR/a.rec.xz"
	id=$(field .id call space.create name=late)
	pa=$(field .pa alloc-pages ZONE_UNMAPPED_IN_PGT 3)
	memviz map 0x40000000 "$pa" 2M w --space "$id"
	sleep 0.3 # so that this change is told and its figures are not asked for again by themselves
	memviz map 0x40200000 "$((pa + 0x200000))" 4M w --space "$id"
	live=$(memviz --json spaces | jq -c .spaces)
	kill -INT "$recorder"
	wait "$recorder" || :
	export MEMVIZ_TARGET="file:$DIR/a.rec.xz"
	memviz --json spaces | jq -c .spaces >"$DIR/told"
	diff "$DIR/told" - <<<"$live"
	addr=$(field '.objects[0].addr' leaks --older-than 0s)
	[ "$(field .state object "$addr")" = used ]
	[[ $(field .symbol object "$addr") == leak_run* ]]
	[ "$(field '.sites[0].live_objects' sites)" -gt 0 ]
	size=$(field .size object "$addr")
	[ "$(field '.slabs[0].used' slabs "$size")" -gt 0 ]
	run memviz object 0x10
	[ "$status" -eq 1 ]
	[[ $output == *"the recording does not hold what lies there"* ]]
}

@test "exports are well-formed and stand alone" {
	kernel --workload churn,maps
	memviz export --format svg -o "$DIR/a.svg"
	memviz export --format html -o "$DIR/a.html"
	run memviz record "$DIR/a.rec.xz" --for 1
	memviz export "$DIR/a.rec.xz" --format svg >"$DIR/b.svg"
	for f in a b; do
		rsvg-convert "$DIR/$f.svg" -o "$DIR/$f.png"
		[ "$(stat -c %s "$DIR/$f.png")" -gt 20000 ]
	done
	! grep -Eq '(src|href)="?http' "$DIR/a.html"
	grep -q 'ZONE_UNMAPPED_IN_PGT' "$DIR/a.html"
	run memviz export --format svg -o /nowhere/x.svg
	[ "$status" -eq 2 ]
}

@test "promtool accepts the metrics, exported and served" {
	command -v promtool >/dev/null || skip "promtool is not installed"
	kernel --workload churn
	memviz export --format openmetrics >"$DIR/m"
	promtool check metrics <"$DIR/m"
	tail -n1 "$DIR/m" | grep -qx '# EOF'
	"$MEMVIZ" serve-metrics --listen 127.0.0.1:0 >"$DIR/url" 3>&- &
	PIDS="$PIDS $!"
	wait_for test -s "$DIR/url"
	sleep 0.3
	curl -sf "$(cat "$DIR/url")" >"$DIR/text"
	promtool check metrics <"$DIR/text"
	curl -sf -H 'Accept: application/openmetrics-text' "$(cat "$DIR/url")" | grep -qx '# TYPE vitrine_cache_allocs counter'
	kill "$KERNEL"
	sleep 0.5
	curl -sf "$(cat "$DIR/url")" | grep -q '^memviz_up.* 0$'
}

@test "on a line that flips, drops and repeats bytes nothing wrong is taken and nothing runs twice" {
	for p in 1e-5 1e-4 5e-4; do
		kernel --flip $p --drop $p --repeat $p
		run memviz --json --timeout 1 drive "$DATA/linux-kmem-excerpt.trace.xz" --limit 1000 --free-rest --window 32
		[ "$status" -eq 0 ] || { echo "$p: $output"; false; }
		[ "$(jq '.answers_agree and .stat_agrees and .back' <<<"$output")" = true ] || { echo "$p: $output"; false; }
		kill "$KERNEL"
		wait "$KERNEL" 2>/dev/null || :
	done
}

# end NAME TEXT: a client of one end of a mux, which says TEXT and listens; said NAME TEXT: it got that.
end() {
	# shellcheck disable=SC2059  # a format is meant
	start sh -c '(printf "$2"; sleep 20) | timeout 20 socat - "UNIX-CONNECT:$1"' - "$DIR/ends/$1.sock" "$2"
	ln -s "$OUT" "$DIR/got.$1"
}

said() {
	[ "$(tr -d '\036' <"$DIR/got.$1")" = "$2" ]
}

@test "mux splits one line into console, inspector and GDB, and joins them again" {
	mkdir "$DIR/ends"
	# A machine that keeps what it is told, and says a bit of everything once all ends are heard.
	cat >"$DIR/machine" <<-'END'
		exec 3<&0
		cat <&3 >"$1/told" &
		until [ -e "$1/go" ]; do sleep 0.05; done
		printf 'boot\n\036{"seq":1}\n$T05#b9hello\n'
		wait
	END
	start timeout 60 socat "UNIX-LISTEN:$DIR/wire" "EXEC:sh $DIR/machine $DIR"
	wait_for test -S "$DIR/wire"
	start "$MEMVIZ" mux "$DIR/wire" --dir "$DIR/ends"
	wait_for test -S "$DIR/ends/gdb.sock"
	end console 'ls\n' && end inspect '\036{"id":1}\nx\n' && end gdb '$g#67x\n'
	wait_for grep -aq ls "$DIR/told"
	wait_for grep -aq '{"id":1}' "$DIR/told"
	wait_for grep -aq 'g#67' "$DIR/told"
	touch "$DIR/go"
	wait_for said console 'boot
hello'
	wait_for said inspect '{"seq":1}'
	wait_for said gdb '$T05#b9'
	[ "$(stat -c %a "$DIR/ends/gdb.sock")" = 600 ]
}

@test "the summary names the code behind each event" {
	kernel --workload churn
	memviz call trace.stop >/dev/null # the names come without attribution, too
	run memviz run
	[ "$status" -eq 0 ]
	[[ $output == *"Latest events"*"  by churn_run+0x4c"* ]]
	[[ $output != *"  by 0x"* ]]
}
