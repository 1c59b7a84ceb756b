/* SPDX-License-Identifier: MIT */
/* fake_resolver.c - preloaded: every name below rebind.example is 127.0.0.1, as a name server that turned
 * against its clients would say. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result)
{
    static const char end[] = ".rebind.example";
    resolver *next = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t bytes = node ? strlen(node) : 0;

    if (bytes >= sizeof end && strcmp(node + bytes - (sizeof end - 1), end) == 0)
        node = "127.0.0.1";
    return next(node, service, hints, result);
}
