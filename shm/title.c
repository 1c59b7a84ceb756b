/* SPDX-License-Identifier: MIT */
/*
 * title.c - see title.h. The kernel shows the bytes where argv and, when argv's last byte is
 * overwritten, environ stood at exec; so both are moved elsewhere and their place is written over.
 */
#include "shm/title.h"

#include "shm/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

static char **moved; /* setenv() puts another array in its place */
static char *room;
static size_t room_bytes;

/* Copies of the environment's strings, since their place is about to be used. */
static bool move_environment(void)
{
    size_t count = 0;
    char **copy;

    while (environ[count])
        count++;
    copy = calloc(count + 1, sizeof copy[0]);
    if (!copy)
        return false;
    for (size_t i = 0; i < count; i++) {
        copy[i] = strdup(environ[i]);
        if (!copy[i])
            return false; /* leaks a little in a process that has no memory */
    }
    environ = moved = copy;
    return true;
}

void title_init(int argc, char **argv)
{
    char *end = argv[0];
    char **old = environ;

    for (int i = 0; i < argc; i++)
        if (argv[i] == end)
            end = argv[i] + strlen(argv[i]) + 1; /* contiguous so far */
    for (size_t i = 0; old[i]; i++)
        if (old[i] == end)
            end = old[i] + strlen(old[i]) + 1;
    if (!move_environment())
        return;
    for (int i = 1; i < argc; i++) {
        char *copy = strdup(argv[i]);

        if (!copy)
            return;
        argv[i] = copy;
    }
    room = argv[0];
    room_bytes = (size_t)(end - argv[0]);
}

void title_set(const char *format, ...)
{
    char text[128];
    va_list args;
    size_t bytes;

    if (room_bytes < 2)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bytes = strlen(text);
    if (bytes > room_bytes - 1)
        bytes = room_bytes - 1;
    memcpy(room, text, bytes);
    memset(room + bytes, '\0', room_bytes - bytes);
}
