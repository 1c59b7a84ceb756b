/* SPDX-License-Identifier: MIT */
/* no_tick.h - for tests of worker/render.c that are not about ticks: none comes. */
#ifndef SSRD_TESTS_UNIT_NO_TICK_H
#define SSRD_TESTS_UNIT_NO_TICK_H

#include "worker/js.h"
#include "worker/watchdog.h"

void watchdog_tick_at(struct watchdog *watchdog, uint64_t at_ns)
{
}

void watchdog_relieve_at(struct watchdog *watchdog, uint64_t at_ns)
{
}

void watchdog_watch(struct watchdog *watchdog, int loop_fd, uint64_t tick_ns)
{
}

void js_collect(struct js *js)
{
}

void js_set_tick(struct js *js, void (*tick)(void *arg), void *arg)
{
}

void watchdog_set_relief(struct watchdog *watchdog, uint64_t (*relief)(void *arg), void *arg)
{
}

void js_set_fatal(struct js *js, void (*fatal)(void *arg), void *arg)
{
}

#endif
