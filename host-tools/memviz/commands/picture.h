/* What the SVG and the HTML export share. */
#ifndef MEMVIZ_PICTURE_H
#define MEMVIZ_PICTURE_H

#include <memviz/base.h>

/* Adds text with & < > " as entities. */
void picture_escape(struct mv_buf *b, const char *text);

#endif
