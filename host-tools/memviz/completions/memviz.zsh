#compdef memviz
# Completion of memviz for zsh.
_memviz() {
	local -a commands options
	commands=(
		'run:the live interface; without a terminal a text summary'
		'stat:the seven figures of mm_stat'
		'zones:the zones and their fragmentation'
		'frames:runs of physical frames and what they are'
		'caches:the slab caches'
		'slabs:the slabs of one cache'
		'object:what lies at an address'
		'spaces:the address spaces'
		'mappings:what is mapped where, with which rights'
		'translate:a virtual address, level by level'
		'rmap:who maps a physical address'
		'check:walk all invariants of the memory manager'
		'sites:who holds memory'
		'leaks:old objects, by age'
		'log:the kernel''s log'
		'kmalloc:allocate an object'
		'kfree:free an object'
		'alloc-pages:allocate frames'
		'free-pages:free frames'
		'map:map physical memory'
		'unmap:take a mapping out'
		'call:any method of the protocol'
		'watch:a line of JSON per update'
		'record:record what happens'
		'replay:look at a recording'
		'diff:what changed between FILE\[@TIME\] and FILE\[@TIME\]'
		'export:a picture or metrics of a kernel or a recording'
		'serve-metrics:OpenMetrics over HTTP, for Prometheus'
		'drive:replay a Linux kmem trace as requests'
		'hub:share one link among many clients'
		'mux:split one serial line into console, inspector and GDB'
	)
	options=(
		'--target[unix\:PATH tcp\:HOST\:PORT serial\:DEV\[,BAUD\] pty\:PATH file\:RECORDING gdb\:PLACE]:target:'
		'--json[print the result object as one line of JSON]'
		'--no-color[no colours (also NO_COLOR, TERM=dumb)]'
		'--ascii[nothing outside of ASCII]'
		'--timeout[how long to wait for an answer]:seconds:'
		'--config[read this instead of the usual config.json]:file:'
		'--help[this help, or that of a command]'
		'--version[memviz''s version and the protocol''s]'
	)
	local context state line
	_arguments -C $options "-t[target]:target:" "1:command:->command" "*::argument:->argument"
	case $state in
	command) _describe command commands ;;
	argument)
		case $line[1] in
		run) _arguments $options '--hz[updates a second, 1 to 60]:n:' '--hub[share a bare link\: start a hub on it and look through]' ;;
		stat) _arguments $options ;;
		zones) _arguments $options ;;
		frames) _arguments $options '--zone[only this zone]:zone:' '--from[start here]:address:' '--limit[at most so many]:n:' ;;
		caches) _arguments $options ;;
		slabs) _arguments $options '--limit[at most so many]:n:' ;;
		object) _arguments $options ;;
		spaces) _arguments $options ;;
		mappings) _arguments $options '--space[this space instead of the current one]:id:' '--from[start here]:address:' '--to[end here]:address:' '--ad[also the accessed and dirty bits]' '--limit[at most so many]:n:' ;;
		translate) _arguments $options '--space[this space instead of the current one]:id:' ;;
		rmap) _arguments $options ;;
		check) _arguments $options ;;
		sites) _arguments $options '--sort[live_bytes, live_objects, allocs, frees or addr]:key:' '--limit[at most so many]:n:' ;;
		leaks) _arguments $options '--limit[at most so many]:n:' '--older-than[older than this (default 10s)]:duration:' ;;
		log) _arguments $options '--limit[at most so many]:n:' '--since[from this line on]:seq:' ;;
		kmalloc) _arguments $options '--zero[the object shall be zero]' ;;
		kfree) _arguments $options ;;
		alloc-pages) _arguments $options '--dry-run[only say what would happen]' '*:zone, count or flag:(ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT PAGE_SHARED)' ;;
		free-pages) _arguments $options ;;
		map) _arguments $options '--4k[4 KiB leaves only]' '--user[reachable from user mode, at every level]' '--space[this space instead of the current one]:id:' '--dry-run[only say what would happen]' ;;
		unmap) _arguments $options '--space[this space instead of the current one]:id:' '--dry-run[only say what would happen]' ;;
		call) _arguments $options ;;
		watch) _arguments $options '--hz[updates a second, 1 to 60]:n:' '--for[stop after so long]:seconds:' '*:topic:(stat zones caches frames mappings events log all)' ;;
		record) _arguments $options '--hz[updates a second, 1 to 60]:n:' '--for[stop after so long]:seconds:' '*:file:_files' ;;
		replay) _arguments $options '--at[+10s from the start, -10s from the end, or a time of day]:time:' '*:file:_files' ;;
		diff) _arguments $options '*:file:_files' ;;
		export) _arguments $options '--at[+10s from the start, -10s from the end, or a time of day]:time:' '--format[svg, html or openmetrics]:format:' '--output[write here instead of stdout]:file:' '*:file:_files' ;;
		serve-metrics) _arguments $options '--listen[hub\: socket path; serve-metrics\: ADDRESS\:PORT]:where:' ;;
		drive) _arguments $options '--limit[at most so many]:n:' '--for[stop after so long]:seconds:' '--rate[at most so many events a second]:n:' '--free-rest[free at the end what the trace left]' '--window[requests in flight at once (default 192)]:n:' '*:file:_files' ;;
		hub) _arguments $options '--listen[hub\: socket path; serve-metrics\: ADDRESS\:PORT]:where:' '--history[how much of the past to keep (10m)]:duration:' ;;
		mux) _arguments $options '--dir[where to make the three sockets]:folder:' '*:file:_files' ;;
		esac
		;;
	esac
}
_memviz "$@"
