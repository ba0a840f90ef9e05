#compdef memviz
# Completion of memviz for zsh.
_memviz_target() {
	compset -P 'file:' && { _files; return; }
	compset -P '(unix|pty|gdb):' && { _files; return; }
	compset -P 'serial:' && { _files -W /dev; return; }
	local -a kinds=(unix: tcp: serial: pty: file: gdb:)
	compadd -S '' -a kinds
	_files
}
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
		'log:the kernel'\''s log'
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
		'diff:what changed between FILE[@TIME] and FILE[@TIME]'
		'export:a picture or metrics of a kernel or a recording'
		'serve-metrics:OpenMetrics over HTTP, for Prometheus'
		'drive:replay a Linux kmem trace as requests'
		'hub:share one link among many clients'
		'mux:split one serial line into console, inspector and GDB'
	)
	options=(
		'(-t --target)'{-t,--target}'[unix\:PATH tcp\:HOST\:PORT serial\:DEV\[,BAUD\] pty\:PATH file\:RECORDING gdb\:PLACE]:target:_memviz_target'
		'--json[print the result object as one line of JSON]'
		'--no-color[no colours (also NO_COLOR, TERM=dumb)]'
		'--ascii[nothing outside of ASCII]'
		'--timeout[how long to wait for an answer]:seconds:'
		'--config[read this instead of the usual config.json]:file:_files'
		'(-h --help)'{-h,--help}'[this help, or that of a command]'
		'(-V --version)'{-V,--version}'[memviz'\''s version and the protocol'\''s]'
	)
	local context state line
	local -A opt_args
	_arguments -C $options "1:command:->command" "*::argument:->argument"
	case $state in
	command) _describe command commands ;;
	argument)
		case $line[1] in
		run) options+=('--hz[updates a second, 1 to 60]:n:' '--hub[share a bare link\: start a hub on it and look through]') ;;
		frames) options+=('--zone[only this zone]:zone:(ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT)' '--from[start here]:address:' '(-l --limit)'{-l,--limit}'[at most so many]:n:') ;;
		slabs) options+=('(-l --limit)'{-l,--limit}'[at most so many]:n:') ;;
		mappings) options+=('--from[start here]:address:' '--to[end here]:address:' '--ad[also the accessed and dirty bits]' '(-l --limit)'{-l,--limit}'[at most so many]:n:' '--space[this space instead of the current one]:id:') ;;
		translate) options+=('--space[this space instead of the current one]:id:') ;;
		sites) options+=('--sort[live_bytes, live_objects, allocs, frees or addr]:key:(live_bytes live_objects allocs frees addr)' '(-l --limit)'{-l,--limit}'[at most so many]:n:') ;;
		leaks) options+=('(-l --limit)'{-l,--limit}'[at most so many]:n:' '--older-than[older than this (default 10s)]:duration:') ;;
		log) options+=('(-l --limit)'{-l,--limit}'[at most so many]:n:' '--since[from this line on]:seq:') ;;
		kmalloc) options+=('--zero[the object shall be zero]') ;;
		alloc-pages) options+=('(-n --dry-run)'{-n,--dry-run}'[only say what would happen]' '*:argument:(ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT PAGE_SHARED PAGE_DEVICE PAGE_KERNEL)') ;;
		map) options+=('--4k[4 KiB leaves only]' '--user[reachable from user mode, at every level]' '--space[this space instead of the current one]:id:' '(-n --dry-run)'{-n,--dry-run}'[only say what would happen]') ;;
		unmap) options+=('--space[this space instead of the current one]:id:' '(-n --dry-run)'{-n,--dry-run}'[only say what would happen]') ;;
		call) options+=('*:argument:(hello rpc.discover mm.stat mm.zones mm.frames mm.caches mm.slabs mm.object mm.spaces mm.mappings mm.translate mm.rmap mm.kmalloc mm.kfree mm.alloc_pages mm.free_pages mm.map mm.unmap mm.check space.create space.destroy mem.read trace.start trace.stop trace.sites trace.leaks watch.start watch.stop workload.list workload.start workload.stop fault.inject sys.log sys.break sys.panic sys.poweroff)') ;;
		watch) options+=('--hz[updates a second, 1 to 60]:n:' '--for[stop after so long]:seconds:' '*:argument:(stat zones caches frames mappings events log all)') ;;
		record) options+=('--hz[updates a second, 1 to 60]:n:' '--for[stop after so long]:seconds:' '*:file:_files') ;;
		replay) options+=('--at[+10s from the start, -10s from the end, or a time of day]:time:(start end)' '*:file:_files') ;;
		diff) options+=('*:file:_files') ;;
		export) options+=('--at[+10s from the start, -10s from the end, or a time of day]:time:(start end)' '(-f --format)'{-f,--format}'[svg, html or openmetrics]:format:(svg html openmetrics)' '(-o --output)'{-o,--output}'[write here instead of stdout]:file:_files' '*:file:_files') ;;
		serve-metrics) options+=('--listen[hub\: socket path; serve-metrics\: ADDRESS\:PORT]:where:_files') ;;
		drive) options+=('(-l --limit)'{-l,--limit}'[at most so many]:n:' '--for[stop after so long]:seconds:' '--rate[at most so many events a second]:n:' '--free-rest[free at the end what the trace left]' '--window[requests in flight at once (default 192)]:n:' '*:file:_files') ;;
		hub) options+=('--listen[hub\: socket path; serve-metrics\: ADDRESS\:PORT]:where:_files' '--history[how much of the past to keep (10m)]:duration:') ;;
		mux) options+=('--dir[where to make the three sockets]:folder:_directories' '*:file:_files') ;;
		esac
		_arguments $options
		;;
	esac
}
_memviz "$@"
