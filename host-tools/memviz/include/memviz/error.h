/*
 * What can go wrong in memviz, as a value.
 *
 * Every function that can fail fills a struct mv_error; the message is one
 * line for a person, already safe to print (no control characters), and says
 * what was wrong and, where it helps, what would be right.
 */
#ifndef MEMVIZ_ERROR_H
#define MEMVIZ_ERROR_H

/* The numbers are the exit statuses of the program. */
enum mv_status {
	MV_OK = 0,	/* done */
	MV_REFUSED = 1, /* the kernel refused; code and reason are its own */
	MV_USAGE = 2,	/* the caller asked for something that has no meaning */
	MV_LINK = 3,	/* no link, link lost, no answer in time, other protocol */
	MV_DAMAGED = 4, /* a file is damaged; the message says where */
};

struct mv_error {
	enum mv_status status;
	int code;	   /* JSON-RPC code of a refusal, else 0 */
	char errname[16];  /* data.errno of a refusal, e.g. "ENOMEM", or "" */
	char reason[160];  /* data.reason of a refusal, or "" */
	char message[320]; /* one line */
};

/* Fills `e` (which may be NULL) and returns `status`, so that a caller can
 * write: return mv_fail(e, MV_LINK, "no socket at %s", path); */
enum mv_status mv_fail(struct mv_error *e, enum mv_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
