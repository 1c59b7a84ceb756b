/* SPDX-License-Identifier: MIT */
/* js_header_alone.cc - the test is that this compiles: js.h needs nothing before it, as C++. */
#include "worker/js.h"

static_assert(sizeof(enum js_outcome) <= sizeof(int), "an enum of C");
