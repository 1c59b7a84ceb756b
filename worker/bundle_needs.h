/* SPDX-License-Identifier: MIT */
/* bundle_needs.h - what a bundle's text or its failure to load says of the globals that it needs. Pure. */
#ifndef SSRD_WORKER_BUNDLE_NEEDS_H
#define SSRD_WORKER_BUNDLE_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

/* Is `message` ("ReferenceError: window is not defined") of a name that polyfills/browser_stubs.js would give? NULL or the
 * name, valid until `message` goes, *ret_bytes long. */
const char *bundle_needs_browser(const char *message, size_t *ret_bytes);

/* Could it come of a browser's object that is not there, or has not all that a browser's has ("TypeError: Cannot read
 * properties of undefined": navigator.platform)? Only loading it with stand-ins tells. */
bool bundle_may_need_browser(const char *message);

/* Does the text say window, document or something of navigator? */
bool bundle_mentions_browser(const char *text, size_t bytes);

/* Does the text have a name of the methods that polyfills/later.js adds to Map and Set only where asked? */
bool bundle_needs_collections(const char *text, size_t bytes);

/* Does the text set the location of a global object by name ("globalThis.location = ")? */
bool bundle_sets_location(const char *text, size_t bytes);

#endif
