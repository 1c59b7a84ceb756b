/* SPDX-License-Identifier: MIT */
/*
 * hot_hit.c - one hot hit after another over one connection, for perf/hit_cost to count instructions in: the
 * HTTP side as the unit tests have it, without V8, listeners or a network. argv: hits, bytes of the
 * page, and the kind of hit ("get", "varied", "304").
 */
#include "tests/unit/http_fixture.h"

#include <stdlib.h>

static const char *fields_of(const char *kind)
{
    if (strcmp(kind, "304") == 0)
        return "Accept: */*\r\nAccept-Language: de\r\nIf-None-Match: *\r\n";
    return "Accept: */*\r\nAccept-Language: de\r\n";
}

static int drain(int fd)
{
    int chunks = 0;

    while (strcmp(hear(fd), "") != 0)
        chunks++;
    return chunks;
}

int main(int argc, char **argv)
{
    int hits = argc > 1 ? atoi(argv[1]) : 1000;
    size_t bytes = argc > 2 ? (size_t)atol(argv[2]) : 1000;
    const char *kind = argc > 3 ? argv[3] : "get";
    static struct js_header read_header = {"accept-language", 15, "", 0};
    char *page = malloc(bytes + 1);
    void *state = NULL;
    struct fixture *f;
    int fd;

    if (!page || setup(&state) != 0)
        return 1;
    f = state;
    memset(page, 'x', bytes);
    f->large = page;
    f->large_bytes = bytes;
    if (strcmp(kind, "varied") == 0)
        f->result.reads = (struct js_reads){.header = &read_header, .header_count = 1};
    fd = client(f);
    ask(f, fd, "/page", fields_of("get"));
    render_all(f);
    (void)drain(fd);
    for (int i = 0; i < hits; i++) {
        ask(f, fd, "/page", fields_of(kind));
        if (drain(fd) == 0)
            return 1;
    }
    (void)printf("%u renders for %d hits\n", f->renderer.renders, hits);
    (void)close(fd);
    (void)teardown(&state);
    free(page);
    return 0;
}
