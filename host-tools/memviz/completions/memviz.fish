# Completion of memviz for fish.

# The command on the line so far: the first word that is neither an option nor an option's value.
function __memviz_command
	set -l words (commandline -opc)
	set -e words[1]
	while set -q words[1]
		switch $words[1]
			case -t --target --timeout --config
				set -e words[1]
			case '-*'
			case '*'
				echo $words[1]
				return
		end
		set -e words[1]
	end
	return 1
end
function __memviz_in
	set -l command (__memviz_command)
	and contains -- $command $argv
end

complete -c memviz -f
complete -c memviz -n 'not __memviz_command' -a run -d 'the live interface; without a terminal a text summary'
complete -c memviz -n 'not __memviz_command' -a stat -d 'the seven figures of mm_stat'
complete -c memviz -n 'not __memviz_command' -a zones -d 'the zones and their fragmentation'
complete -c memviz -n 'not __memviz_command' -a frames -d 'runs of physical frames and what they are'
complete -c memviz -n 'not __memviz_command' -a caches -d 'the slab caches'
complete -c memviz -n 'not __memviz_command' -a slabs -d 'the slabs of one cache'
complete -c memviz -n 'not __memviz_command' -a object -d 'what lies at an address'
complete -c memviz -n 'not __memviz_command' -a spaces -d 'the address spaces'
complete -c memviz -n 'not __memviz_command' -a mappings -d 'what is mapped where, with which rights'
complete -c memviz -n 'not __memviz_command' -a translate -d 'a virtual address, level by level'
complete -c memviz -n 'not __memviz_command' -a rmap -d 'who maps a physical address'
complete -c memviz -n 'not __memviz_command' -a check -d 'walk all invariants of the memory manager'
complete -c memviz -n 'not __memviz_command' -a sites -d 'who holds memory'
complete -c memviz -n 'not __memviz_command' -a leaks -d 'old objects, by age'
complete -c memviz -n 'not __memviz_command' -a log -d 'the kernel\'s log'
complete -c memviz -n 'not __memviz_command' -a kmalloc -d 'allocate an object'
complete -c memviz -n 'not __memviz_command' -a kfree -d 'free an object'
complete -c memviz -n 'not __memviz_command' -a alloc-pages -d 'allocate frames'
complete -c memviz -n 'not __memviz_command' -a free-pages -d 'free frames'
complete -c memviz -n 'not __memviz_command' -a map -d 'map physical memory'
complete -c memviz -n 'not __memviz_command' -a unmap -d 'take a mapping out'
complete -c memviz -n 'not __memviz_command' -a call -d 'any method of the protocol'
complete -c memviz -n 'not __memviz_command' -a watch -d 'a line of JSON per update'
complete -c memviz -n 'not __memviz_command' -a record -d 'record what happens'
complete -c memviz -n 'not __memviz_command' -a replay -d 'look at a recording'
complete -c memviz -n 'not __memviz_command' -a diff -d 'what changed between FILE[@TIME] and FILE[@TIME]'
complete -c memviz -n 'not __memviz_command' -a export -d 'a picture or metrics of a kernel or a recording'
complete -c memviz -n 'not __memviz_command' -a serve-metrics -d 'OpenMetrics over HTTP, for Prometheus'
complete -c memviz -n 'not __memviz_command' -a drive -d 'replay a Linux kmem trace as requests'
complete -c memviz -n 'not __memviz_command' -a hub -d 'share one link among many clients'
complete -c memviz -n 'not __memviz_command' -a mux -d 'split one serial line into console, inspector and GDB'
complete -c memviz -s t -l target -r -F -a 'unix: tcp: serial: pty: file: gdb:' -d 'unix:PATH tcp:HOST:PORT serial:DEV[,BAUD] pty:PATH file:RECORDING gdb:PLACE'
complete -c memviz -l json -d 'print the result object as one line of JSON'
complete -c memviz -l no-color -d 'no colours (also NO_COLOR, TERM=dumb)'
complete -c memviz -l ascii -d 'nothing outside of ASCII'
complete -c memviz -l timeout -x -d 'how long to wait for an answer'
complete -c memviz -l config -r -F -d 'read this instead of the usual config.json'
complete -c memviz -s h -l help -d 'this help, or that of a command'
complete -c memviz -s V -l version -d 'memviz\'s version and the protocol\'s'
complete -c memviz -n '__memviz_in kmalloc' -l zero -d 'the object shall be zero'
complete -c memviz -n '__memviz_in map' -l 4k -d '4 KiB leaves only'
complete -c memviz -n '__memviz_in map' -l user -d 'reachable from user mode, at every level'
complete -c memviz -n '__memviz_in frames' -l zone -x -a 'ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT' -d 'only this zone'
complete -c memviz -n '__memviz_in frames mappings' -l from -x -d 'start here'
complete -c memviz -n '__memviz_in mappings' -l to -x -d 'end here'
complete -c memviz -n '__memviz_in mappings' -l ad -d 'also the accessed and dirty bits'
complete -c memviz -n '__memviz_in sites' -l sort -x -a 'live_bytes live_objects allocs frees addr' -d 'live_bytes, live_objects, allocs, frees or addr'
complete -c memviz -n '__memviz_in frames slabs mappings sites leaks log drive' -s l -l limit -x -d 'at most so many'
complete -c memviz -n '__memviz_in leaks' -l older-than -x -d 'older than this (default 10s)'
complete -c memviz -n '__memviz_in log' -l since -x -d 'from this line on'
complete -c memviz -n '__memviz_in run watch record' -l hz -x -d 'updates a second, 1 to 60'
complete -c memviz -n '__memviz_in watch record drive' -l for -x -d 'stop after so long'
complete -c memviz -n '__memviz_in replay export' -l at -x -a 'start end' -d '+10s from the start, -10s from the end, or a time of day'
complete -c memviz -n '__memviz_in export' -s f -l format -x -a 'svg html openmetrics' -d 'svg, html or openmetrics'
complete -c memviz -n '__memviz_in export' -s o -l output -r -F -d 'write here instead of stdout'
complete -c memviz -n '__memviz_in serve-metrics hub' -l listen -r -F -d 'hub: socket path; serve-metrics: ADDRESS:PORT'
complete -c memviz -n '__memviz_in hub' -l history -x -d 'how much of the past to keep (10m)'
complete -c memviz -n '__memviz_in drive' -l rate -x -d 'at most so many events a second'
complete -c memviz -n '__memviz_in drive' -l free-rest -d 'free at the end what the trace left'
complete -c memviz -n '__memviz_in drive' -l window -x -d 'requests in flight at once (default 192)'
complete -c memviz -n '__memviz_in mux' -l dir -x -a '(__fish_complete_directories)' -d 'where to make the three sockets'
complete -c memviz -n '__memviz_in run' -l hub -d 'share a bare link: start a hub on it and look through'
complete -c memviz -n '__memviz_in mappings translate map unmap' -l space -x -d 'this space instead of the current one'
complete -c memviz -n '__memviz_in alloc-pages map unmap' -s n -l dry-run -d 'only say what would happen'
complete -c memviz -n '__memviz_in alloc-pages' -a 'ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT PAGE_SHARED PAGE_DEVICE PAGE_KERNEL'
complete -c memviz -n '__memviz_in watch' -a 'stat zones caches frames mappings events log all'
complete -c memviz -n '__memviz_in call' -a 'hello rpc.discover mm.stat mm.zones mm.frames mm.caches mm.slabs mm.object mm.spaces mm.mappings mm.translate mm.rmap mm.kmalloc mm.kfree mm.alloc_pages mm.free_pages mm.map mm.unmap mm.check space.create space.destroy mem.read trace.start trace.stop trace.sites trace.leaks watch.start watch.stop workload.list workload.start workload.stop fault.inject sys.log sys.break sys.panic sys.poweroff'
complete -c memviz -n '__memviz_in replay diff export drive record mux' -F
