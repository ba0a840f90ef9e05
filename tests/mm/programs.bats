# mm as the malloc of real programs: what they print equals what they print on the system's malloc.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export BUILD="$PWD/${VITRINE_BUILD:-build}" TOP="$PWD"
	export SHIM="$BUILD/libvitrine-malloc.so" STRESS="$BUILD/malloc-stress"
	export VITRINE_MALLOC_STATS=1
}

setup() {
	cd "$BATS_TEST_TMPDIR"
}

need() {
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

# on_mm COMMAND...: runs it on the shim; what the shim says goes to ./said.
on_mm() {
	LD_PRELOAD="$SHIM" timeout 120 "$@" 2>said
}

# The shim was there, gave at least $1 objects, and mm_check found nothing.
saw_objects() {
	! grep -q 'ld.so' said
	awk -v least="$1" '/^vitrine-malloc: .* objects/ { if ($2 > most) most = $2; bad += $6 }
		END { exit !(most >= least && !bad) }' said
}

# The same command on both; equal output, at least $1 objects from mm.
same() {
	least=$1
	shift
	timeout 120 "$@" >theirs
	on_mm "$@" >ours
	cmp theirs ours
	saw_objects "$least"
}

@test "gcc compiles to the same object file" {
	need gcc
	cat >compile.sh <<-END
		gcc -O2 -g -std=gnu11 -I $TOP/mm/include -I $TOP/mm/test/port -c $TOP/mm/slab_slow.c -o \$1 &&
		gcc -O1 -std=gnu11 -S $TOP/tests/mm/stress.c -o \$1.s
	END
	sh compile.sh theirs.o
	mkdir again
	on_mm sh compile.sh ours.o
	cmp theirs.o ours.o
	cmp theirs.o.s ours.o.s
	saw_objects 10000
}

@test "sqlite3 answers the same" {
	need sqlite3
	cat >script.sql <<-'END'
		create table t(id integer primary key, name text, score real);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
			insert into t select i, printf('name-%d', i * 7919 % 10007), i * 0.5 from n;
		create index by_name on t(name);
		select count(*), sum(score), min(name), max(name) from t;
		select substr(name, 1, 6) k, count(*) c, group_concat(id) from t group by k order by c, k limit 40;
		delete from t where id % 3 = 0;
		select a.name, count(*) from t a join t b on a.name = b.name group by 1 order by 2 desc, 1 limit 50;
		vacuum;
		pragma integrity_check;
	END
	same 1000 sqlite3 -batch :memory: '.read script.sql'
	grep -q '^ok$' ours
}

@test "python3 computes the same, with every object from malloc" {
	need python3
	cat >script.py <<-'END'
		import hashlib, json, re, threading, zlib
		words = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(20000)]
		tree = {w[:3]: sorted(x for x in words[i % 100 :: 100]) for i, w in enumerate(words[:3000])}
		text = json.dumps(tree, sort_keys=True)
		print(len(text), zlib.crc32(text.encode()), len(re.findall('a[0-9]+f', text)))
		assert json.loads(text) == tree
		sums = [0] * 80
		def work(i):
		    sums[i] = sum(int(w[:8], 16) for w in words[i::80])
		threads = [threading.Thread(target=work, args=(i,)) for i in range(80)]
		for t in threads: t.start()
		for t in threads: t.join()
		print(sums, 3 ** 5000 % 10 ** 50)
	END
	export PYTHONMALLOC=malloc PYTHONHASHSEED=1
	same 100000 "$(command -v /usr/bin/python3 || command -v python3)" script.py
}

@test "xz compresses to the same bytes and back, in two threads" {
	need xz
	cat "$SHIM" "$STRESS" "$TOP"/mm/*.c "$TOP"/mm/test/*.c "$TOP"/docs/* 2>/dev/null >data || :
	same 20 xz -6 -T2 --block-size=300000 --keep --stdout data
	on_mm xz -dc ours >back
	cmp data back
	saw_objects 5
}

@test "git makes the same history, packs and reads it" {
	need git
	cat >history.sh <<-'END'
		set -e
		export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
		export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
		export GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent
		rm -rf repo && git init -q -b main repo && cd repo
		for i in 1 2 3 4 5 6; do
			mkdir -p d$i && cp "$TOP"/mm/*.c d$i/ && sed -i "s/slab/slab$i/" d*/*.c
			git add -A && git commit -q -m "change $i"
		done
		git checkout -q -b side HEAD~3 && echo side >side && git add side && git commit -q -m side
		git merge -q -m merge main
		git gc -q --aggressive && git fsck --strict 2>/dev/null
		git log --stat --format='%H %T %s' && git blame d1/slab.c | tail -n 50 && git grep -c slab6
	END
	sh history.sh >theirs
	on_mm sh history.sh >ours
	cmp theirs ours
	saw_objects 1000
}

@test "100 threads at once, three times over, with forks in between" {
	on_mm "$STRESS" 100 1500 >ours
	[ "$(cat ours)" = '100 threads, 1500 rounds, 0 faults' ]
	saw_objects 100000
}

@test "a child of a busy process finds every lock open" {
	same 10 "$STRESS" forks 150
	[ "$(cat ours)" = '150 forks, 0 faults' ]
}

@test "a few threads, many rounds" {
	same 100000 "$STRESS" 4 15000
}

@test "the edges of malloc are those of the C library" {
	same 4 "$STRESS" edges
	[ "$(cat ours)" = 'edges hold' ]
}

@test "under a limit on address space" {
	on_mm sh -c 'ulimit -v 400000; exec "$STRESS" edges' >ours
	[ "$(cat ours)" = 'edges hold' ]
}

@test "a wrong free ends the program and says why" {
	while read -r wrong reason; do
		rc=0
		on_mm "$STRESS" "$wrong" || rc=$?
		[ "$rc" -eq 134 ]
		grep -q "^vitrine-malloc: .*$reason" said
	done <<-'END'
		double double free: the object is free already
		interior offset 0x20
		foreign free 0x.*: nothing that was allocated starts there
		realloc realloc or malloc_usable_size of 0x.*: nothing that was allocated starts there
		large free 0x.*: nothing that was allocated starts there
	END
}
