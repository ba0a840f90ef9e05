// mm/errno.h: the error numbers of the user's API. They are the original's,
// not the host's: do not include this file together with the host's <errno.h>.
#pragma once

#define EEXIST 20
#define EFAULT 21
#define EINVAL 28
#define ENOMEM 49
#define EPERM  67
