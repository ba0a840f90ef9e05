/* The table of methods of docs/protocol.md, as the table in methods.c gives it. */
#ifndef INSPECT_TEST_DOC_TABLE_H
#define INSPECT_TEST_DOC_TABLE_H

#include <stdio.h>

void doc_table(FILE *to);

#endif
