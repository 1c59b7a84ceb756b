/* SPDX-License-Identifier: MIT */
/* bundle.c - see bundle.h. */
#include "master/bundle.h"

#include "master/imports.h"
#include "shm/relpath.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static int complain(char *problem, size_t cap, const char *path, int error, const char *what)
{
    (void)snprintf(problem, cap, "%s: %s", path, what);
    return error;
}

static int read_all(int fd, char *buf, size_t bytes)
{
    size_t used = 0;

    while (used < bytes) {
        ssize_t got = read(fd, buf + used, bytes - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO; /* it shrank while it was read */
        used += (size_t)got;
    }
    return 0;
}

static const char *what_to_do(int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
        return "no such file: build the bundle, or set bundle.path";
    case -EACCES:
        return "not readable by this user: change its permissions, or start ssrd as its owner";
    case -EIO:
        return "it changed while it was read: write it elsewhere and rename it into place";
    default:
        return strerror(-error);
    }
}

int bundle_read_file(const char *path, char **ret_source, size_t *ret_bytes, const char **ret_what)
{
    autofd int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for a writer */
    struct stat st;
    autofree char *source = NULL;
    int error;

    if (fd < 0 || fstat(fd, &st) != 0) {
        error = -errno;
        *ret_what = what_to_do(error);
        return error;
    }
    *ret_what = S_ISDIR(st.st_mode) ? "a directory: name the bundle's file, as in dist/server.js"
                                    : "not a regular file";
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    *ret_what = "larger than 64 MiB";
    if ((uint64_t)st.st_size > BUNDLE_BYTES_MAX)
        return -EFBIG;
    *ret_what = "out of memory";
    source = malloc((size_t)st.st_size + 1);
    if (!source)
        return -ENOMEM;
    error = read_all(fd, source, (size_t)st.st_size);
    if (error) {
        *ret_what = what_to_do(error);
        return error;
    }
    source[st.st_size] = '\0';
    *ret_bytes = (size_t)st.st_size;
    *ret_source = take(source);
    return 0;
}

/* Does the package.json beside the bundle say that .js files are modules? */
static bool package_says_module(const char *path)
{
    const char *slash = strrchr(path, '/');
    int folder_bytes = slash ? (int)(slash - path) + 1 : 0;
    const char *dot = strrchr(path, '.');
    char name[PATH_MAX];
    const char *what;
    size_t bytes = 0;
    autofree char *text = NULL;
    json_t *package;
    bool is_module;

    if (!dot || strcmp(dot, ".js") != 0)
        return false;
    if (snprintf(name, sizeof name, "%.*spackage.json", folder_bytes, path) >= (int)sizeof name)
        return false;
    if (bundle_read_file(name, &text, &bytes, &what) != 0)
        return false;
    package = json_loadb(text, bytes, 0, NULL);
    const char *type = json_string_value(json_object_get(package, "type"));

    is_module = type && strcmp(type, "module") == 0;
    json_decref(package);
    return is_module;
}

/* ---- what it imports ---- */

struct graph {
    struct bundle *bundle;
    const char *importer;
    char **found; /* names of the bundle's files, in the order they were found */
    size_t found_count;
    size_t bytes;
    int error;
};

/* Where the name is, or would be. True: it is there. */
static bool find_file(const struct bundle *bundle, const char *name, size_t *ret_at)
{
    size_t low = 0;
    size_t high = bundle->file_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, bundle->file[middle].name);

        if (order == 0) {
            *ret_at = middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_at = low;
    return false;
}

static bool is_code(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && strstr(dot, "js") && strcmp(dot, ".json") != 0;
}

/* Only what may be a module or a map: the master may be root, and who wrote the bundle is not. */
static bool is_wanted(const char *name)
{
    static const char *const ends[] = {".js", ".mjs", ".cjs", ".json", ".map"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < array_len(ends); i++)
        if (strcmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static int insert_file(struct graph *g, size_t at, const char *name, char *text, size_t bytes)
{
    struct bundle *b = g->bundle;
    struct heritage_file *files = realloc(b->file, (b->file_count + 1) * sizeof *files);
    char *own_name = strdup(name);
    char **found = realloc(g->found, (g->found_count + 1) * sizeof *found);

    if (files)
        b->file = files;
    if (found)
        g->found = found;
    if (!files || !own_name || !found) {
        free(own_name);
        return -ENOMEM;
    }
    memmove(files + at + 1, files + at, (b->file_count - at) * sizeof *files);
    files[at] = (struct heritage_file){own_name, text, bytes};
    b->file_count++;
    found[g->found_count++] = own_name;
    g->bytes += bytes;
    return 0;
}

static bool on_import(void *arg, const char *specifier, size_t bytes)
{
    struct graph *g = arg;
    char name[PATH_MAX];
    const char *what;
    char *text = NULL;
    size_t text_bytes = 0;
    size_t at;

    if (g->bundle->file_count >= BUNDLE_FILES_MAX || g->bytes > BUNDLE_FILES_BYTES_MAX)
        return false;
    if (relpath_resolve(g->importer, specifier, bytes, name, sizeof name) != 0 ||
        !is_wanted(name) || find_file(g->bundle, name, &at) ||
        bundle_read_file(name, &text, &text_bytes, &what) != 0)
        return true;
    g->error = insert_file(g, at, name, text, text_bytes);
    if (g->error)
        free(text);
    return g->error == 0;
}

/* Its source map, where it is a file: the target of the last sourceMappingURL, or beside it. */
static void read_map(struct graph *g, const char *text, size_t bytes)
{
    static const char word[] = "//# sourceMappingURL=";
    const char *end = text + bytes;
    const char *slash = strrchr(g->importer, '/');
    const char *last = NULL;
    char name[PATH_MAX];
    size_t length = 0;

    for (const char *at = text; (at = memmem(at, (size_t)(end - at), word, sizeof word - 1)); at++)
        last = at + sizeof word - 1;
    if (!last) {
        int n = snprintf(name, sizeof name, "%s.map", slash ? slash + 1 : g->importer);

        if (n > 0 && n < (int)sizeof name)
            (void)on_import(g, name, (size_t)n);
        return;
    }
    while (last + length < end && (unsigned char)last[length] > ' ')
        length++;
    if (length > 4 && length < PATH_MAX && memcmp(last, "data:", 5) != 0)
        (void)on_import(g, last, length);
}

/* 0 / -ENOMEM. */
static int read_graph(struct bundle *bundle, const char *path)
{
    struct graph g = {.bundle = bundle, .importer = path};
    size_t at;

    imports_scan(bundle->source, bundle->bytes, on_import, &g);
    read_map(&g, bundle->source, bundle->bytes);
    for (size_t next = 0; next < g.found_count && g.error == 0; next++) {
        g.importer = g.found[next];
        if (!is_code(g.importer) || !find_file(bundle, g.importer, &at))
            continue;
        imports_scan(bundle->file[at].text, bundle->file[at].bytes, on_import, &g);
        if (find_file(bundle, g.importer, &at)) /* where it is now */
            read_map(&g, bundle->file[at].text, bundle->file[at].bytes);
    }
    free(g.found);
    return g.error;
}

static uint64_t hash_all(const struct bundle *bundle)
{
    uint64_t hash = XXH3_64bits(bundle->source, bundle->bytes);

    for (size_t i = 0; i < bundle->file_count; i++) {
        const struct heritage_file *file = &bundle->file[i];

        hash = XXH3_64bits_withSeed(file->name, strlen(file->name), hash);
        hash = XXH3_64bits_withSeed(file->text, file->bytes, hash);
    }
    return hash;
}

/* By its byte order mark: V8 would call the first character of it an invalid token. */
static bool is_utf16(const struct bundle *bundle)
{
    const char *text = bundle->source;

    return bundle->bytes >= 2 &&
           (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

int bundle_read(const char *path, struct bundle *ret_bundle, char *problem, size_t cap)
{
    struct bundle bundle = {0};
    const char *what = "";
    int error = bundle_read_file(path, &bundle.source, &bundle.bytes, &what);

    if (error)
        return complain(problem, cap, path, error, what);
    if (bundle.bytes == 0) {
        bundle_done(&bundle);
        return complain(problem, cap, path, -EINVAL, "empty: did the build fail?");
    }
    if (is_utf16(&bundle)) {
        bundle_done(&bundle);
        return complain(problem, cap, path, -EINVAL, "UTF-16: save it as UTF-8");
    }
    error = read_graph(&bundle, path);
    if (error) {
        bundle_done(&bundle);
        return complain(problem, cap, path, error, "out of memory");
    }
    bundle.package_is_module = package_says_module(path);
    bundle.hash = hash_all(&bundle);
    *ret_bundle = bundle;
    return 0;
}

void bundle_done(struct bundle *bundle)
{
    free(bundle->source);
    free(bundle->template_text);
    free(bundle->manifest);
    for (size_t i = 0; i < bundle->file_count; i++) {
        free(bundle->file[i].name);
        free(bundle->file[i].text);
    }
    free(bundle->file);
    memset(bundle, 0, sizeof *bundle);
}
