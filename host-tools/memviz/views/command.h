/* SPDX-License-Identifier: MIT */
/*
 * What a line after `:` means. A subcommand that is one request becomes a method and parameters,
 * which the interface sends on its own link; the others run as a memviz of their own. Pure.
 */
#ifndef VIEWS_COMMAND_H
#define VIEWS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

enum mv_command_kind {
	COMMAND_BAD,	 /* error says what is wrong */
	COMMAND_REQUEST, /* method and params */
	COMMAND_RECORD,	 /* argument: file; "" stops */
	COMMAND_SHARE,	 /* put a hub on the link */
	COMMAND_QUIT,
	COMMAND_HELP,
	COMMAND_SPAWN, /* a subcommand with a process of its own */
};

struct mv_command {
	enum mv_command_kind kind;
	const char *method;
	char method_text[64];
	struct json_object *params; /* the caller's */
	bool all_pages;
	char argument[256];
	char error[200];
};

/* Reads @line. Never NULL-derefs or guesses: an unknown option or a missing argument is BAD. */
struct mv_command mv_command_parse(const char *line);
/* How the command that @line begins is used ("kmalloc SIZE [--zero]  allocate an object"), ""
 * when nothing known begins so. */
void mv_command_usage(const char *line, char *out, size_t size);
/* The @n-th word (from 0) that may stand for the last one of @line, NULL when there are no more. */
const char *mv_command_complete(const char *line, size_t n);
/* A result object as lines for a person; the caller frees. NULL on no memory. */
char *mv_command_show(struct json_object *result);

#endif
