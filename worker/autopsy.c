/* SPDX-License-Identifier: MIT */
/*
 * autopsy.c - see autopsy.h. A copy writes what it has found into a pipe and ends. It is tried again where the copy
 * ended by the attempt: V8 had been in the midst of something, or has mapped memory since it was made inheritable.
 */
#include "worker/autopsy.h"

#include "shm/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 8u
#define FIRST_NS UINT64_C(40000000) /* for the first; one more of it for each that follows */
#define TEXTS 6u
#define TEXT_BYTES 16384u

/* What the copy writes: numbers, then the texts, each with its zero. */
struct finding {
    uint32_t line, column;
    char text[TEXT_BYTES];
};

struct look {
    struct js *js;
    const char *message;
    void (*meanwhile)(void *arg);
    void *arg;
};

static size_t put(struct finding *found, size_t at, const char *text)
{
    size_t room = (TEXT_BYTES - at) / 2; /* some is left for each that follows */
    size_t bytes = strnlen(text, room - 1);

    memcpy(found->text + at, text, bytes);
    found->text[at + bytes] = '\0';
    return at + bytes + 1;
}

static void write_down(struct finding *found, const struct js_error *error, int fd)
{
    size_t at = 0;

    found->line = error->line;
    found->column = error->column;
    at = put(found, at, error->message);
    at = put(found, at, error->file);
    at = put(found, at, error->hint);
    at = put(found, at, error->stack);
    at = put(found, at, error->source);
    at = put(found, at, error->frame);
    (void)!write(fd, found, offsetof(struct finding, text) + at); /* less than a pipe holds */
}

/* The copy. It has copies of all descriptors, by which connections that the worker closes would stay open for their
 * clients: so these go first. Whatever becomes of it, it leaves neither core nor message, and goes with its parent. */
static void tell(const struct look *look, struct finding *found, int fd, pid_t parent)
{
    if (dup2(fd, STDIN_FILENO) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    (void)close_range(STDIN_FILENO + 1, UINT_MAX, 0);
    (void)prctl(PR_SET_DUMPABLE, 0);
    for (int number = 1; number < NSIG; number++) /* handlers are the worker's, and sanitizers' */
        (void)signal(number, SIG_DFL);
    write_down(found, js_stands(look->js, look->message), STDIN_FILENO);
    _exit(0);
}

/* Up to its end, or until_ns: it may wait for ever, for what the other thread held. Returns the bytes read. */
static size_t hear(const struct look *look, int fd, void *data, size_t cap, uint64_t until_ns)
{
    struct pollfd pipe = {.fd = fd, .events = POLLIN};
    size_t used = 0;

    while (used < cap && mono_ns() < until_ns) {
        ssize_t got;

        if (poll(&pipe, 1, 1) == 0) {
            look->meanwhile(look->arg);
            continue;
        }
        got = read(fd, (char *)data + used, cap - used);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        used += got > 0 ? (size_t)got : 0;
    }
    return used;
}

static size_t ask_a_copy(const struct look *look, struct finding *found, uint64_t until_ns)
{
    pid_t parent = getpid(), pid;
    size_t bytes = 0;
    int pair[2];

    if (js_inherit(look->js) != 0 || pipe2(pair, O_CLOEXEC) != 0)
        return 0;
    pid = fork();
    if (pid == 0)
        tell(look, found, pair[1], parent);
    (void)close(pair[1]);
    if (pid > 0) {
        bytes = hear(look, pair[0], found, sizeof *found, until_ns);
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    (void)close(pair[0]);
    return bytes;
}

static struct js_error *read_out(const struct finding *found, size_t bytes)
{
    struct js_error *error = calloc(1, sizeof *error);
    char **const field[TEXTS] = {&error->message, &error->file,   &error->hint,
                                 &error->stack,   &error->source, &error->frame};
    size_t end = bytes - offsetof(struct finding, text), at = 0;
    bool whole = true;

    if (!error)
        return NULL;
    error->line = found->line;
    error->column = found->column;
    for (size_t i = 0; i < TEXTS; i++) {
        size_t length = strnlen(found->text + at, end - at);

        *field[i] = at + length < end ? strdup(found->text + at) : NULL;
        whole = whole && *field[i];
        at += at + length < end ? length + 1 : 0;
    }
    if (whole)
        return error;
    js_error_free(error);
    return NULL;
}

struct js_error *autopsy(struct js *js, const char *message, unsigned timeout_ms,
                         void (*meanwhile)(void *arg), void *arg)
{
    const struct look look = {js, message, meanwhile, arg};
    uint64_t until_ns = mono_ns() + timeout_ms * UINT64_C(1000000);
    autofree struct finding *found =
        malloc(sizeof *found); /* here: the copy allocates as little as it can */
    struct js_error *error = NULL;

    for (unsigned i = 0; found && i < TRIES && mono_ns() < until_ns; i++) {
        uint64_t this_ns = mono_ns() + (i + 1) * FIRST_NS;
        size_t bytes = ask_a_copy(&look, found, this_ns < until_ns ? this_ns : until_ns);

        if (bytes <= offsetof(struct finding, text))
            continue;
        js_error_free(error);
        error = read_out(found, bytes);
        if (error && *error->stack)
            break;
    }
    return error;
}
