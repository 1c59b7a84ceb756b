/* SPDX-License-Identifier: MIT */
/*
 * title.h - what ps(1) shows of a process: "ssrd: worker 0, generation 3" instead of the master's
 * command line, so that an operator knows which process does what.
 */
#ifndef SSRD_SHM_TITLE_H
#define SSRD_SHM_TITLE_H

/* Once, in main(), before anything keeps a pointer into argv or environ. */
void title_init(int argc, char **argv);

/* In a child. Cut to the room that the command line left; nothing where title_init() was not
 * called. */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
