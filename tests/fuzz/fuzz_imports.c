/* SPDX-License-Identifier: MIT */
/* fuzz_imports.c - a bundle's text, read by the master (master/imports.h), and the paths it leads
 * to. */
#include "master/imports.h"
#include "shm/relpath.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool on_found(void *arg, const char *specifier, size_t bytes)
{
    const char *const *text = arg;
    char out[64];
    size_t cap = bytes % sizeof out;

    assert(specifier >= text[0] && specifier + bytes <= text[1]);
    assert(bytes > 2 && specifier[0] == '.');
    if (relpath_resolve("dist/server.js", specifier, bytes, out, cap) == 0) {
        assert(strlen(out) < cap);
        assert(out[0] != '/'); /* what is relative never becomes absolute */
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text[] = {(const char *)data, (const char *)data + bytes};

    imports_scan(text[0], bytes, on_found, text);
    return 0;
}
