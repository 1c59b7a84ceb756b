/* SPDX-License-Identifier: MIT */
/*
 * replay.c - runs a fuzz target over the files of the directories given, in a build without
 * libFuzzer: what once crashed stays tested.
 */
#include "shm/base.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* 0 / -1 when the file can't be read. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    autofree uint8_t *data = NULL;
    struct stat st;
    size_t bytes;

    if (file == NULL)
        return -1;
    if (fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode))
        data =
            malloc((size_t)st.st_size + (st.st_size == 0)); /* exact, so that ASan sees one over */
    if (data == NULL) {
        (void)fclose(file);
        return -1;
    }
    bytes = fread(data, 1, (size_t)st.st_size, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, bytes);
    return 0;
}

static unsigned replay_directory(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;
    char file[PATH_MAX];

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' ||
            snprintf(file, sizeof file, "%s/%s", path, entry->d_name) >= (int)sizeof file)
            continue;
        count += replay_file(file) == 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += replay_directory(argv[i]);
    (void)printf("%u inputs\n", count);
    return count == 0; /* a corpus that is not there is a failure, not a success */
}
