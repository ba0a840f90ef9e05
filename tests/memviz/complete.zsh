# complete.zsh FOLDER LINE: what zsh offers after LINE, one match a line. FOLDER holds _memviz.
# Completion runs only in the line editor, so a shell gets a pseudo terminal; a compadd around the
# real one writes down what it is given.
emulate -R zsh
zmodload zsh/zpty || exit 1
export FOLDER=$1 OUT=$(mktemp)
print -r -- 'PS1= fpath=($FOLDER $fpath)
autoload -Uz compinit && compinit -D -u
compadd() {
	local -a found
	# With -O, -A or -D it only answers a question of the completion functions.
	if [[ ${argv[(I)-[OAD]*]} -eq 0 ]]; then
		builtin compadd -O found "$@"
		(( $#found )) && print -rl -- $found >>$OUT
	fi
	builtin compadd "$@"
}
zle -C offer complete-word _main_complete
told() { zle offer; print >$OUT.end }
zle -N told
bindkey "^X" told
print >$OUT.ready' >$OUT.setup

wait_for() {
	for ((i = 0; i < 400; i++)); do
		[[ -s $1 ]] && return
		zpty -r -t shell unread # what it draws must not fill the line
		sleep 0.05
	done
	print -u2 "zsh never came to ${1##*.}"
	exit 1
}

zpty shell env TERM=dumb zsh -f -i
zpty -w shell ". $OUT.setup"
wait_for $OUT.ready
zpty -w -n shell "$2"$'\x18'
wait_for $OUT.end
sort -u $OUT
zpty -d shell
rm -f $OUT $OUT.setup $OUT.ready $OUT.end
