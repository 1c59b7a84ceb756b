/* SPDX-License-Identifier: MIT */
/* page_copy.h - a page's bytes out of shared memory; for cold.c and perf/. */
#ifndef SSRD_SHM_PAGE_COPY_H
#define SSRD_SHM_PAGE_COPY_H

#include "shm/base.h"

/* As memcpy(). Others may be writing to `from`: then what arrives is any mixture, which the caller must find out. */
void page_copy(void *to, const void *from, size_t bytes);

#endif
