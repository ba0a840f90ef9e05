# Completion of memviz for bash.
_memviz_files() {
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen "$1" -- "$2"))
}
_memviz() {
	# Words as memviz will see them: bash's own end at each ":" too, which targets are full of.
	local words cur="" prev cmd="" i
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
	[[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] || { cur=${words[-1]}; unset "words[-1]"; }
	prev=${words[-1]-}
	for ((i = 1; i < ${#words[@]}; i++)); do
		case ${words[i]} in
		-t | --target | --timeout | --config) ((i++)) ;;
		-*) ;;
		*)
			cmd=${words[i]}
			break
			;;
		esac
	done
	case $prev in
	-t | --target)
		case $cur in
		*:*) _memviz_files -f "${cur#*:}" ;;
		*)
			compopt -o nospace 2>/dev/null
			COMPREPLY=($(compgen -W "unix: tcp: serial: pty: file: gdb:" -- "$cur"))
			;;
		esac
		return
		;;
	--zone)
		COMPREPLY=($(compgen -W "ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT" -- "$cur"))
		return
		;;
	--sort)
		COMPREPLY=($(compgen -W "live_bytes live_objects allocs frees addr" -- "$cur"))
		return
		;;
	--at)
		COMPREPLY=($(compgen -W "start end" -- "$cur"))
		return
		;;
	-f | --format)
		COMPREPLY=($(compgen -W "svg html openmetrics" -- "$cur"))
		return
		;;
	--config | -o | --output | --listen)
		_memviz_files -f "$cur"
		return
		;;
	--dir)
		_memviz_files -d "$cur"
		return
		;;
	--timeout | --from | --to | -l | --limit | --older-than | --since | --hz | --for | --history | --rate | --window | --space)
		return # a number or an address
		;;
	esac
	local options="--target --json --no-color --ascii --timeout --config --help --version"
	case $cmd in
	"") [[ $cur == -* ]] || options="run stat zones frames caches slabs object spaces mappings translate rmap check sites leaks log kmalloc kfree alloc-pages free-pages map unmap call watch record replay diff export serve-metrics drive hub mux" ;;
	run) options+=" --hz --hub" ;;
	frames) options+=" --zone --from --limit" ;;
	slabs) options+=" --limit" ;;
	mappings) options+=" --from --to --ad --limit --space" ;;
	translate) options+=" --space" ;;
	sites) options+=" --sort --limit" ;;
	leaks) options+=" --limit --older-than" ;;
	log) options+=" --limit --since" ;;
	kmalloc) options+=" --zero" ;;
	alloc-pages) options+=" --dry-run" ;;
	map) options+=" --4k --user --space --dry-run" ;;
	unmap) options+=" --space --dry-run" ;;
	watch) options+=" --hz --for" ;;
	record) options+=" --hz --for" ;;
	replay) options+=" --at" ;;
	export) options+=" --at --format --output" ;;
	serve-metrics) options+=" --listen" ;;
	drive) options+=" --limit --for --rate --free-rest --window" ;;
	hub) options+=" --listen --history" ;;
	mux) options+=" --dir" ;;
	esac
	if [[ $cur != -* ]]; then
		case $cmd in
		alloc-pages) options="ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT PAGE_SHARED PAGE_DEVICE PAGE_KERNEL" ;;
		watch) options="stat zones caches frames mappings events log all" ;;
		call) options="hello rpc.discover mm.stat mm.zones mm.frames mm.caches mm.slabs mm.object mm.spaces mm.mappings mm.translate mm.rmap mm.kmalloc mm.kfree mm.alloc_pages mm.free_pages mm.map mm.unmap mm.check space.create space.destroy mem.read trace.start trace.stop trace.sites trace.leaks watch.start watch.stop workload.list workload.start workload.stop fault.inject sys.log sys.break sys.panic sys.poweroff" ;;
		replay | diff | export | drive | record | mux)
			_memviz_files -f "$cur"
			return
			;;
		"") ;;
		*) return ;; # numbers and addresses
		esac
	fi
	COMPREPLY=($(compgen -W "$options" -- "$cur"))
}
complete -F _memviz memviz
