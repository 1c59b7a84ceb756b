/* SPDX-License-Identifier: MIT */
/* js_header_alone.c - the test is that this compiles: js.h needs nothing before it, as C. */
#include "worker/js.h"

_Static_assert(sizeof(enum js_outcome) <= sizeof(int), "an enum of C");
