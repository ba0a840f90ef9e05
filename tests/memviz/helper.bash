# Shared by the tests of memviz: a model kernel on a socket, and ways to look.

common_setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	BUILD="${VITRINE_BUILD:-build}"
	case $BUILD in /*) ;; *) BUILD="$PWD/$BUILD" ;; esac
	MEMVIZ="$BUILD/memviz"
	MODEL="$BUILD/vitrine-model"
	DATA="$BATS_TEST_DIRNAME/data"
	DIR=$(mktemp -d)
	export XDG_CONFIG_HOME="$DIR/config" XDG_RUNTIME_DIR="$DIR/runtime" LC_ALL=C.UTF-8
	unset MEMVIZ_TARGET NO_COLOR
	PIDS=
}

common_teardown() {
	for pid in $PIDS; do
		kill "$pid" 2>/dev/null || :
	done
	for pid in $PIDS; do
		wait "$pid" 2>/dev/null || :
	done
	rm -rf "$DIR"
}

# Starts a program in the background; its pid in LAST, what it says in $OUT and $ERR. It must not
# hold bats' descriptors.
start() {
	STARTED=$((${STARTED:-0} + 1))
	OUT="$DIR/out.$STARTED" ERR="$DIR/err.$STARTED"
	"$@" >"$OUT" 2>"$ERR" 3>&- &
	LAST=$!
	PIDS="$PIDS $LAST"
}

wait_for() {
	for _ in $(seq 1500); do
		! "$@" || return 0
		sleep 0.02
	done
	return 1
}

# kernel [OPTION...]: a model kernel at $DIR/kernel.sock, quiet unless told otherwise.
kernel() {
	rm -f "$DIR/kernel.sock"
	start timeout 300 "$MODEL" --listen "$DIR/kernel.sock" --workload none "$@"
	KERNEL=$LAST
	wait_for test -S "$DIR/kernel.sock"
	export MEMVIZ_TARGET="unix:$DIR/kernel.sock"
}

# hub [OPTION...]: a hub on that kernel.
hub() {
	start timeout 300 "$MEMVIZ" -t "unix:$DIR/kernel.sock" hub --listen "$DIR/hub.sock" "$@"
	HUB=$LAST HUB_ERR=$ERR
	wait_for test -S "$DIR/hub.sock"
	export MEMVIZ_TARGET="unix:$DIR/hub.sock"
}

memviz() {
	timeout 60 "$MEMVIZ" "$@"
}

# field PATH COMMAND...: a member of the result object.
field() {
	local path=$1
	shift
	memviz --json "$@" | jq -r "$path"
}
