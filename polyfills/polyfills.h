/* SPDX-License-Identifier: MIT */
/* polyfills.h - the JavaScript files of this folder, in the order in which they load (meson.build).
 */
#ifndef SSRD_POLYFILLS_POLYFILLS_H
#define SSRD_POLYFILLS_POLYFILLS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct polyfill {
    const char *name;   /* "timers.js", NUL-terminated */
    const char *source; /* ASCII */
    size_t source_bytes;
};

extern const struct polyfill polyfill_table[];
extern const size_t polyfill_count;
extern const struct polyfill
    polyfill_lazy_table[]; /* loaded when first asked for: worker/js_lazy.cc */
extern const size_t polyfill_lazy_count;

#ifdef __cplusplus
}
#endif
#endif
