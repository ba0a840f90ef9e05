# docs/mm-api.md and its Chinese sister against the headers: every public function and constant is
# named, every example compiles, and both have the same examples.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# Functions that the public headers declare, port.h excepted: that is for those who port mm.
functions() {
	for header in mm/include/mm/*.h; do
		case $header in */port.h) continue ;; esac
		gcc -std=gnu11 -fsyntax-only -aux-info /dev/stdout -Imm/include -x c "$header" 2>/dev/null
	done | sed -n 's|^/\* mm/include/mm/[^ ]* \*/ [^(]*[ *]\([a-z_0-9]*\) (.*|\1|p' | sort -u
}

# Macros and enumerators with a value that users write.
constants() {
	cat mm/include/mm/{mm,gfp,slab,errno}.h |
		sed -n 's/^#define \([A-Z_][A-Z0-9_]*\)[ \t(].*/\1/p' |
		grep -v '_SIZE$\|_MASK$\|_ALIGN$\|_KNOWN$\|ZONE_COUNT'
	sed -n 's/^\t\(MM_\(EVENT\|SWITCH\|FAIL\)_[A-Z_]*\).*/\1/p' mm/include/mm/hooks.h |
		grep -v '_TYPES\|_ALL$\|_OPS'
	echo KMALLOC_MIN_SIZE KMALLOC_MAX_SIZE | tr ' ' '\n'
}

# example DOCUMENT N: its n-th block of C.
example() {
	awk -v want="$2" '/^```c$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside && n == want' "$1"
}

@test "both documents name every function" {
	[ "$(functions | wc -l)" -gt 50 ]
	for document in docs/mm-api.md docs/zh/mm-api.md; do
		for name in $(functions); do
			grep -q "\b$name(" "$document" || { echo "$document: no $name()"; false; }
		done
	done
}

@test "both documents name every constant" {
	[ "$(constants | wc -l)" -gt 50 ]
	for document in docs/mm-api.md docs/zh/mm-api.md; do
		for name in $(constants); do
			grep -q "\b$name\b" "$document" || { echo "$document: no $name"; false; }
		done
	done
}

@test "neither document names a function that is none" {
	functions >"$BATS_TEST_TMPDIR/functions"
	for document in docs/mm-api.md docs/zh/mm-api.md; do
		for name in $(grep -o '`[^`]*`' "$document" | grep -o '\b\(mm_[a-z_0-9]*\|k[a-z]*alloc\|kfree\|[a-z]*_pages\)(' | tr -d '(' | sort -u); do
			grep -qx "$name" "$BATS_TEST_TMPDIR/functions" || { echo "$document: $name() is none"; false; }
		done
	done
}

@test "every example compiles, and they are the same in both" {
	for n in 1 2 3 4 5; do
		example docs/mm-api.md $n >"$BATS_TEST_TMPDIR/en.c"
		example docs/zh/mm-api.md $n >"$BATS_TEST_TMPDIR/zh.c"
		[ -s "$BATS_TEST_TMPDIR/en.c" ]
		for language in en zh; do
			gcc -std=gnu11 -Wall -Wextra -Wconversion -Werror -Imm/include -c -o /dev/null \
				"$BATS_TEST_TMPDIR/$language.c"
			sed 's|[ \t]*//.*||' "$BATS_TEST_TMPDIR/$language.c" >"$BATS_TEST_TMPDIR/$language"
		done
		cmp "$BATS_TEST_TMPDIR/en" "$BATS_TEST_TMPDIR/zh"
	done
	[ "$(grep -c '^```c$' docs/mm-api.md)" -eq 5 ]
}

@test "the texts of verdicts are those of the code" {
	grep '^|.*`MM_ERR_' docs/mm-api.md | grep -q 'double free'
	for text in 'double free: the object is free already' 'points into an object, not at its start' \
		'not an object of kmalloc, or its slab has gone back' 'a page table in use' \
		'redzone broken' 'poison broken' 'not a frame of any zone'; do
		grep -q "\"$text" mm/status.c
		grep -q "^| $text" docs/mm-api.md
		grep -q "^| $text" docs/zh/mm-api.md
	done
}
