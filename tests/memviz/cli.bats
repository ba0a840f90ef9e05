#!/usr/bin/env bats
# The command line: help, wrong use, exit statuses, the output's form.

load helper
setup() { common_setup; }
teardown() { common_teardown; }

@test "help names every command, and each command has its own" {
	run memviz --help
	[ "$status" -eq 0 ]
	commands=$(sed -n '/^Commands:/,/^$/p' <<<"$output" | awk '/^  / {print $1}')
	[ "$(wc -l <<<"$commands")" -eq 31 ]
	for c in $commands; do
		run memviz "$c" --help
		[ "$status" -eq 0 ]
		[[ $output == "memviz $c"* ]]
	done
}

@test "version names memviz's and the protocol's" {
	run memviz --version
	[ "$status" -eq 0 ]
	[[ $output =~ ^memviz\ [0-9.]+\ \(inspector\ protocol\ 1\)$ ]]
}

@test "wrong use is exit 2 and says what is wrong" {
	local row
	while IFS='|' read -r args says; do
		run memviz $args
		[ "$status" -eq 2 ] || { echo "$args: $status $output"; false; }
		[[ $output == *"$says"* ]] || { echo "$args: $output"; false; }
	done <<-'END'
		frobnicate|no command "frobnicate"
		--frobnicate|no option --frobnicate
		stat --zero|--zero has no meaning here
		stat extra|"extra" is too much
		kmalloc|something is missing
		kmalloc lots|"lots" is no number
		kfree 12z|"12z" is no address
		translate 0xgg|"0xgg" is no address
		watch weather|no topic "weather"
		watch stat --hz 99|--hz takes a number from 1 to 60
		--timeout never stat|--timeout takes seconds
		call mm.stat novalue|not key=value
		export --format gif|no format "gif"
		export|--format svg, html or openmetrics
		-t nonsense stat|"nonsense" is no target
		stat -t|needs a value
		hub --listen /x --history 0|--history takes from
	END
}

@test "no link is exit 3 and one line" {
	run memviz -t "unix:$DIR/nothing" stat
	[ "$status" -eq 3 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == *"nobody answers at unix:$DIR/nothing"* ]]
	run memviz -t tcp:127.0.0.1:1 --timeout 2 stat
	[ "$status" -eq 3 ]
	cd /
	run memviz stat
	[ "$status" -eq 3 ]
	[[ $output == *"none was started by scripts/run"* ]]
}

@test "somebody who listens but never answers is exit 3 after the timeout" {
	start socat "UNIX-LISTEN:$DIR/mute,fork" SYSTEM:'sleep 3'
	wait_for test -S "$DIR/mute"
	run memviz -t "unix:$DIR/mute" --timeout 0.5 stat
	[ "$status" -eq 3 ]
	[[ $output == *"does not answer"* || $output == *"no answer"* ]]
}

@test "a kernel of another protocol version is exit 3 and says which" {
	kernel --protocol 2
	run memviz stat
	[ "$status" -eq 3 ]
	[[ $output == *"speaks protocol version 2"* ]]
}

@test "a wrong configuration is exit 2 and names file and member" {
	mkdir -p "$XDG_CONFIG_HOME/memviz"
	echo '{"hz": 1000}' >"$XDG_CONFIG_HOME/memviz/config.json"
	run memviz stat
	[ "$status" -eq 2 ]
	[[ $output == *"memviz/config.json"*'"hz" is 1000'* ]]
	run memviz --config "$DIR/none.json" stat
	[ "$status" -eq 2 ]
}

@test "the target comes from -t, then the environment, then the configuration, then the last run" {
	kernel
	unset MEMVIZ_TARGET
	mkdir -p "$XDG_RUNTIME_DIR/vitrine" "$XDG_CONFIG_HOME/memviz"
	cd "$DIR"
	echo "$DIR/kernel.sock" >"$XDG_RUNTIME_DIR/vitrine/last"
	run memviz stat
	[ "$status" -eq 0 ]
	rm "$XDG_RUNTIME_DIR/vitrine/last"
	mkdir -p build/run/one sub
	ln -s one build/run/last
	ln -s "$DIR/kernel.sock" build/run/one/inspect.sock
	cd sub
	run memviz stat
	[ "$status" -eq 0 ]
	echo '{"target": "unix:/from/config"}' >"$XDG_CONFIG_HOME/memviz/config.json"
	run memviz stat
	[[ $output == *"unix:/from/config"* ]]
	MEMVIZ_TARGET=unix:/from/environment run memviz stat
	[[ $output == *"unix:/from/environment"* ]]
	MEMVIZ_TARGET=unix:/from/environment run memviz -t unix:/from/option stat
	[[ $output == *"unix:/from/option"* ]]
}

@test "a pipe gets no escape codes, and --ascii nothing but ASCII" {
	kernel --workload churn
	run memviz
	[ "$status" -eq 0 ]
	[[ $output != *$'\e'* ]]
	[[ $output == *ZONE_NORMAL* && $output == *"Memory map"* && $output == *"Slab caches"* ]]
	run memviz --ascii
	[ "$status" -eq 0 ]
	! LC_ALL=C grep -q '[^ -~]' <<<"$output"
}

@test "a reader that has seen enough is no error" {
	kernel --workload churn
	timeout 20 "$MEMVIZ" watch stat caches --for 5 2>"$DIR/err" | head -c 100 >/dev/null
	[ "${PIPESTATUS[0]}" -eq 0 ]
	[ ! -s "$DIR/err" ]
}

@test "completions and the man page know every command and option" {
	for c in $(memviz --help | sed -n '/^Commands:/,/^$/p' | awk '/^  / {print $1}'); do
		for f in memviz.bash memviz.zsh memviz.fish; do
			grep -qw -- "$c" "host-tools/memviz/completions/$f" || { echo "$c in $f"; false; }
		done
		grep -q -- "^\.B.* $c\b" <(sed 's/\\-/-/g' host-tools/memviz/man/memviz.1) || { echo "$c in the man page"; false; }
	done
	for c in run kmalloc frames export drive hub map; do
		for o in $(memviz "$c" --help | grep -o -- '--[a-z0-9-]*'); do
			grep -q -- "${o#--}" host-tools/memviz/completions/memviz.bash || { echo "$o"; false; }
			grep -q -- "${o#--}" <(sed 's/\\-/-/g' host-tools/memviz/man/memviz.1) || { echo "$o in the man page"; false; }
		done
	done
}
