#!/usr/bin/env bats
# The completions of memviz, run by the shells that they are for. One table for all of them:
# after the line before |, the shell offers these words (and no "!word").
load helper

CASES='
memviz zz|
memviz km|kmalloc
memviz k|kmalloc kfree !run
memviz --|--target --json --help !--hz
memviz map --|--4k --user --space --dry-run --json !--zone
memviz watch s|stat !caches
memviz alloc-pages |ZONE_NORMAL PAGE_SHARED
memviz call mm.s|mm.stat mm.slabs mm.spaces !mm.zones
memviz export --format |svg html openmetrics
memviz export -f h|html !svg
memviz sites --sort |live_bytes addr
memviz frames --zone ZONE_N|ZONE_NORMAL !ZONE_DMA
memviz -t |unix: serial: file:
memviz -t unix:/x k|kmalloc !unix:
memviz --json --timeout 3 k|kfree
memviz -t unix:/x --ascii map --|--4k
memviz replay sam|sample.rec
memviz mux --dir fol|folder
'

setup() {
	common_setup
	COMPLETIONS=$PWD/host-tools/memviz/completions
	mkdir "$DIR/at" "$DIR/at/folder" "$DIR/_"
	touch "$DIR/at/sample.rec"
	cp "$COMPLETIONS/memviz.zsh" "$DIR/_/_memviz"
	cd "$DIR/at"
}

teardown() {
	common_teardown
}

in_bash() {
	bash --norc -c '. "$1"
		# A line editor would set these; its own words end at ":" and "=" too.
		COMP_LINE=$2 COMP_POINT=${#2} COMPREPLY=()
		_memviz
		[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' - "$COMPLETIONS/memviz.bash" "$1"
}

in_fish() {
	fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$COMPLETIONS/memviz.fish" "$1"
}

in_zsh() {
	zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$DIR/_" "$1"
}

# each_case SHELL: all rows of the table; a folder may end in "/", a word be followed by its help.
each_case() {
	local line words word offered rows=0
	while IFS='|' read -r line words; do
		[ -n "$line" ] || continue
		rows=$((rows + 1))
		offered=$("in_$1" "$line" | sed 's/\t.*//; s:/$::')
		[ -n "$words" ] || [ -z "$offered" ] || { echo "$1: \"$line\" offers $offered"; return 1; }
		for word in $words; do
			if [ "${word#!}" = "$word" ]; then
				grep -qxF -- "$word" <<<"$offered" && continue
			else
				grep -qxF -- "${word#!}" <<<"$offered" || continue
			fi
			echo "$1: \"$line\" and $word; it offers:"
			echo "$offered"
			return 1
		done
	done <<<"$CASES"
	[ "$rows" -eq 18 ]
}

@test "bash completes memviz" {
	each_case bash
}

@test "fish completes memviz" {
	command -v fish >/dev/null || skip "fish is not installed"
	each_case fish
}

@test "zsh completes memviz" {
	command -v zsh >/dev/null || skip "zsh is not installed"
	each_case zsh
}
