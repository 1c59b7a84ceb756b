/* SPDX-License-Identifier: MIT */
/* bundle_code.c - see bundle_code.h. */
#include "worker/bundle_code.h"

#include "shm/base.h"
#include "shm/log.h"
#include "worker/js.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const void *code;
static size_t code_bytes;

int bundle_code_open(void)
{
    return memfd_create("ssrd-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/* All of it, or -errno. */
static int write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, data, bytes);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        data += written;
        bytes -= (size_t)written;
    }
    return 0;
}

void bundle_code_write(struct js *js, int fd)
{
    void *data = NULL;
    size_t bytes = 0;

    if (fd < 0 || js_code(js, &data, &bytes) != 0)
        return;
    if (write_all(fd, data, bytes) != 0)
        (void)!ftruncate(fd, 0);
    free(data);
}

void bundle_code_seal(int fd_taken)
{
    autofd int fd = fd_taken;
    struct stat st;
    void *at;

    if (fd < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        fstat(fd, &st) != 0 || st.st_size <= 0)
        return;
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return;
    code = at;
    code_bytes = (size_t)st.st_size;
}

const void *bundle_code(size_t *ret_bytes)
{
    *ret_bytes = code_bytes;
    return code;
}

void bundle_code_tell(const struct js *js)
{
    struct js_code_use use = js_code_used(js);

    if (code_bytes == 0)
        return;
    if (use.refused > 0)
        log_warn("compiled code of the bundle is not used", log_uint("files", use.refused),
                 log_str("so", "the worker has compiled them itself"));
    else
        log_debug("compiled code of the bundle", log_uint("files", use.taken),
                  log_uint("bytes", code_bytes));
}
