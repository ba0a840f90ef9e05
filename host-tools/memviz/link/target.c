/* Targets as text: reading them, and finding the one nobody named. */
#include <errno.h>
#include <limits.h>
#include <memviz/base.h>
#include <memviz/link.h>
#include <memviz/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMS                                                                        \
	"unix:PATH, tcp:HOST:PORT, serial:DEVICE[,BAUD], pty:PATH, file:RECORDING, " \
	"gdb:HOST:PORT or gdb:PATH"

static enum mv_status take_path(struct mv_target *t, const char *path, struct mv_error *e)
{
	if (!path[0])
		return mv_fail(e, MV_USAGE, "target \"%s\" names no path", t->text);
	if (!mv_copy(t->path, sizeof t->path, path))
		return mv_fail(e, MV_USAGE, "target path is over %zu bytes", sizeof t->path - 1);
	return MV_OK;
}

/* HOST:PORT, [V6]:PORT. */
static enum mv_status take_host(struct mv_target *t, const char *rest, struct mv_error *e)
{
	const char *colon = strrchr(rest, ':');
	const char *from = rest, *to = colon;
	if (colon && rest[0] == '[' && colon > rest && colon[-1] == ']')
		from++, to--;
	if (!colon || to == from || !colon[1])
		return mv_fail(e, MV_USAGE, "target \"%s\" needs HOST:PORT", t->text);
	char *end;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || !port || port > 65535)
		return mv_fail(e, MV_USAGE, "target \"%s\": a port is a number from 1 to 65535",
			       t->text);
	if ((size_t)(to - from) >= sizeof t->host)
		return mv_fail(e, MV_USAGE, "target \"%s\": the host name is too long", t->text);
	memcpy(t->host, from, (size_t)(to - from));
	mv_copy(t->port, sizeof t->port, colon + 1);
	return MV_OK;
}

static enum mv_status take_serial(struct mv_target *t, const char *rest, struct mv_error *e)
{
	enum mv_status st = take_path(t, rest, e);
	if (st != MV_OK)
		return st;
	t->baud = 115200;
	char *comma = strrchr(t->path, ',');
	if (!comma)
		return MV_OK;
	*comma = 0;
	char *end;
	unsigned long baud = strtoul(comma + 1, &end, 10);
	if (*end || !comma[1] || baud < 50 || baud > 4000000)
		return mv_fail(e, MV_USAGE, "target \"%s\": baud is a number such as 115200",
			       t->text);
	t->baud = (unsigned)baud;
	return MV_OK;
}

static enum mv_status take_gdb(struct mv_target *t, const char *rest, struct mv_error *e)
{
	/* A slash makes it a path: host names have none. */
	return strchr(rest, '/') || !strchr(rest, ':') ? take_path(t, rest, e)
						       : take_host(t, rest, e);
}

static const struct {
	const char *prefix;
	enum mv_target_kind kind;
	enum mv_status (*take)(struct mv_target *, const char *, struct mv_error *);
} forms[] = {
	{"unix:",	  MV_TARGET_UNIX,	  take_path  },
	    {"tcp:",    MV_TARGET_TCP,    take_host  },
	{"serial:", MV_TARGET_SERIAL, take_serial},
	    {"pty:",    MV_TARGET_PTY,    take_path  },
	{"file:",	  MV_TARGET_FILE,	  take_path  },
	    {"gdb:",    MV_TARGET_GDB,    take_gdb   },
};

static enum mv_status by_what_it_is(struct mv_target *t, const char *text, struct mv_error *e)
{
	struct stat s;
	if (stat(text, &s) != 0) {
		if (strchr(text, '/'))
			return mv_fail(e, MV_LINK, "%s: %s", text, strerror(errno));
		return mv_fail(e, MV_USAGE, "\"%s\" is no target; a target is " FORMS, text);
	}
	t->kind = S_ISSOCK(s.st_mode)  ? MV_TARGET_UNIX
		  : S_ISCHR(s.st_mode) ? MV_TARGET_SERIAL
				       : MV_TARGET_FILE;
	t->baud = 115200;
	return take_path(t, text, e);
}

enum mv_status mv_target_parse(const char *text, struct mv_target *out, struct mv_error *e)
{
	memset(out, 0, sizeof *out);
	if (!mv_copy(out->text, sizeof out->text, text))
		return mv_fail(e, MV_USAGE, "a target has at most %zu bytes", sizeof out->text - 1);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t n = strlen(forms[i].prefix);
		if (strncmp(text, forms[i].prefix, n) == 0) {
			out->kind = forms[i].kind;
			return forms[i].take(out, text + n, e);
		}
	}
	return by_what_it_is(out, text, e);
}

/* ---- the target nobody named ---- */

static bool is_socket(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && S_ISSOCK(s.st_mode);
}

/* The path that scripts/run wrote down for everybody of this user. */
static bool from_note(char *out, size_t size)
{
	char note[PATH_MAX], line[PATH_MAX];
	const char *dir = getenv("XDG_RUNTIME_DIR");
	if (dir && dir[0] == '/')
		snprintf(note, sizeof note, "%s/vitrine/last", dir);
	else
		snprintf(note, sizeof note, "/tmp/vitrine-%u/last", (unsigned)getuid());
	FILE *f = fopen(note, "re");
	if (!f)
		return false;
	struct stat s;
	/* In /tmp anybody may leave a note; only one's own counts. */
	bool mine = fstat(fileno(f), &s) == 0 && s.st_uid == getuid();
	bool got = mine && fgets(line, sizeof line, f) != NULL;
	fclose(f);
	if (!got)
		return false;
	line[strcspn(line, "\r\n")] = 0;
	struct stat what;
	if (line[0] == '/' && stat(line, &what) == 0 && S_ISDIR(what.st_mode)) {
		size_t n = strlen(line);
		snprintf(line + n, sizeof line - n, "/inspect.sock");
	}
	if (!is_socket(line))
		return false;
	return snprintf(out, size, "unix:%s", line) < (int)size;
}

/* build/run/last here or in a folder above: a checkout. */
static bool from_checkout(char *out, size_t size)
{
	char dir[PATH_MAX], path[PATH_MAX + 40];
	if (!getcwd(dir, sizeof dir))
		return false;
	for (;;) {
		snprintf(path, sizeof path, "%s/build/run/last/inspect.sock", dir);
		if (is_socket(path))
			return snprintf(out, size, "unix:%s", path) < (int)size;
		char *slash = strrchr(dir, '/');
		if (!slash || !dir[1])
			return false;
		slash[slash == dir ? 1 : 0] = 0;
	}
}

bool mv_target_default(char *out, size_t size, struct mv_error *e)
{
	const char *env = getenv("MEMVIZ_TARGET");
	if (env && env[0]) {
		if (mv_copy(out, size, env))
			return true;
		mv_fail(e, MV_USAGE, "MEMVIZ_TARGET is too long");
		return false;
	}
	if (from_checkout(out, size) || from_note(out, size))
		return true;
	mv_fail(e, MV_LINK,
		"no kernel to look at: none was started by scripts/run, and neither -t nor "
		"MEMVIZ_TARGET names one");
	return false;
}
