# Completion of memviz for bash.
_memviz() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-t | --target | --timeout | --config) ((i++)) ;;
		-*) ;;
		*)
			cmd=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $prev in
	-t | --target)
		COMPREPLY=($(compgen -W "unix: tcp: serial: pty: file: gdb:" -- "$cur"))
		return
		;;
	-f | --format)
		COMPREPLY=($(compgen -W "svg html openmetrics" -- "$cur"))
		return
		;;
	--sort)
		COMPREPLY=($(compgen -W "live_bytes live_objects allocs frees addr" -- "$cur"))
		return
		;;
	--zone)
		COMPREPLY=($(compgen -W "ZONE_DMA ZONE_NORMAL ZONE_UNMAPPED_IN_PGT" -- "$cur"))
		return
		;;
	-o | --output | --config | --listen | --dir)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	esac
	local options="--target --json --no-color --ascii --timeout --config --help --version"
	case $cmd in
	"") [[ $cur == -* ]] || options="run stat zones frames caches slabs object spaces mappings translate rmap check sites leaks log kmalloc kfree alloc-pages free-pages map unmap call watch record replay diff export serve-metrics drive hub mux" ;;
	run) options+=" --hz --hub" ;;
	frames) options+=" --zone --from --limit" ;;
	slabs) options+=" --limit" ;;
	mappings) options+=" --space --from --to --ad --limit" ;;
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
		replay | diff | export | drive | record | mux)
			COMPREPLY=($(compgen -f -- "$cur"))
			return
			;;
		esac
	fi
	COMPREPLY=($(compgen -W "$options" -- "$cur"))
}
complete -F _memviz memviz
