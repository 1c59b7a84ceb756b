/* SPDX-License-Identifier: MIT */
/* sources.c - see sources.h. */
#include "master/sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static int check_folders(const struct config *config, char *problem, size_t cap)
{
    for (size_t i = 0; i < config->statics.count; i++) {
        const char *root = config->statics.item[i].root;
        struct stat st;
        int error = stat(root, &st) == 0 ? 0 : -errno;

        if (!error && !S_ISDIR(st.st_mode))
            error = -ENOTDIR;
        if (!error)
            continue;
        (void)snprintf(problem, cap, "static[%zu].root: %s: %s", i, root,
                       error == -ENOENT ? "no such folder: build the client, or correct the path"
                                        : strerror(-error));
        return error;
    }
    return 0;
}

/* ---- the template ---- */

/* The one place of `<!--NAME-->`; blanks around the name are allowed. False: none, or several
 * (*ret_several). */
static bool find_outlet(struct span text, const char *name, struct span *ret_place,
                        bool *ret_several)
{
    const char *end = text.data + text.bytes;
    const char *at = text.data;
    size_t found = 0;

    while ((at = memmem(at, (size_t)(end - at), "<!--", 4))) {
        const char *begin = at;
        const char *close;

        at += 4;
        close = memmem(at, (size_t)(end - at), "-->", 3);
        if (!close)
            break;
        while (at < close && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
            at++;
        if ((size_t)(close - at) >= strlen(name) && memcmp(at, name, strlen(name)) == 0 &&
            strspn(at + strlen(name), " \n\t\r") >= (size_t)(close - at) - strlen(name)) {
            found++;
            *ret_place = (struct span){begin, (size_t)(close + 3 - begin)};
        }
    }
    *ret_several = found > 1;
    return found == 1;
}

int sources_split_template(struct span text, const char *head, const char *outlet,
                           struct span ret_part[static HERITAGE_TEMPLATE_PARTS],
                           const char **ret_wrong)
{
    struct span at_head = {text.data, 0};
    struct span at_outlet;
    bool several;
    const char *head_end;
    const char *outlet_end;

    *ret_wrong = "the outlet of the page stands there more than once";
    if (!find_outlet(text, outlet, &at_outlet, &several)) {
        if (!several)
            *ret_wrong = "the outlet of the page is missing";
        return -EINVAL;
    }
    *ret_wrong = "the outlet of the head stands there more than once";
    if (!find_outlet(text, head, &at_head, &several)) {
        if (several)
            return -EINVAL;
        /* none: what the page has for the head goes before </head>, if there is one */
        at_head.data = memmem(text.data, text.bytes, "</head>", 7);
        at_head.bytes = 0;
        if (!at_head.data || at_head.data > at_outlet.data)
            at_head.data = at_outlet.data;
    }
    *ret_wrong = "the outlet of the head stands behind that of the page";
    if (at_head.data > at_outlet.data)
        return -EINVAL;
    head_end = at_head.data + at_head.bytes;
    outlet_end = at_outlet.data + at_outlet.bytes;
    ret_part[0] = (struct span){text.data, (size_t)(at_head.data - text.data)};
    ret_part[1] = (struct span){head_end, (size_t)(at_outlet.data - head_end)};
    ret_part[2] = (struct span){outlet_end, (size_t)(text.data + text.bytes - outlet_end)};
    return 0;
}

/* Cached pages are of this template: it is part of the bundle's hash. */
static int read_template(const struct config *config, struct bundle *bundle, char *problem,
                         size_t cap)
{
    const char *path = config->bundle.template_path;
    const char *wrong;
    int error;

    if (path[0] == '\0')
        return 0;
    error = bundle_read_file(path, &bundle->template_text, &bundle->template_bytes, &wrong);
    if (error == -ENOENT)
        wrong = "no such file";
    if (!error)
        error = sources_split_template((struct span){bundle->template_text, bundle->template_bytes},
                                       config->bundle.head_outlet, config->bundle.outlet,
                                       bundle->template_part, &wrong);
    if (error) {
        (void)snprintf(problem, cap,
                       "bundle.template: %s: %s (wanted: <!--%s--> once, and before it <!--%s-->)",
                       path, wrong, config->bundle.outlet, config->bundle.head_outlet);
        return error;
    }
    bundle->hash ^= XXH3_64bits(bundle->template_text, bundle->template_bytes);
    return 0;
}

/* Its links stand in cached pages: it is part of the bundle's hash. What it says is read by who loads the bundle. */
static int read_manifest(const struct config *config, struct bundle *bundle, char *problem,
                         size_t cap)
{
    const char *path = config->bundle.manifest;
    const char *wrong;
    int error;

    if (path[0] == '\0')
        return 0;
    error = bundle_read_file(path, &bundle->manifest, &bundle->manifest_bytes, &wrong);
    if (error) {
        (void)snprintf(problem, cap, "bundle.manifest: %s: %s", path,
                       error == -ENOENT ? "no such file: Vite writes it with build.manifest: true"
                                        : wrong);
        return error;
    }
    bundle->hash ^= XXH3_64bits_withSeed(bundle->manifest, bundle->manifest_bytes, 1);
    return 0;
}

int sources_read(const struct config *config, struct bundle *ret_bundle, char *problem, size_t cap)
{
    int error = check_folders(config, problem, cap);

    if (error)
        return error;
    error = bundle_read(config->bundle.path, ret_bundle, problem, cap);
    if (error)
        return error;
    error = read_template(config, ret_bundle, problem, cap);
    if (!error)
        error = read_manifest(config, ret_bundle, problem, cap);
    if (error)
        bundle_done(ret_bundle);
    return error;
}
