/* memviz's own version; the protocol has its own, in <inspect/protocol.h>. */
#ifndef MEMVIZ_VERSION_H
#define MEMVIZ_VERSION_H

#define MV_VERSION "0.1.0"

#endif
