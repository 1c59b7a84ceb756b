/* SPDX-License-Identifier: MIT */
/* deadline.c - see deadline.h. */
#include "worker/deadline.h"

void deadline_list_init(struct deadline_list *list, uint64_t delay_ms)
{
    TAILQ_INIT(&list->head);
    list->delay_ms = delay_ms;
}

void deadline_clear(struct deadline *deadline)
{
    if (!deadline->list)
        return;
    TAILQ_REMOVE(&deadline->list->head, deadline, link);
    deadline->list = NULL;
}

void deadline_set(struct deadline_list *list, struct deadline *deadline, uint64_t now_ms)
{
    uint64_t due_ms = now_ms + list->delay_ms + DEADLINE_STEP_MS - 1;

    due_ms -= due_ms % DEADLINE_STEP_MS;
    if (deadline->list == list && deadline->due_ms == due_ms)
        return;
    deadline_clear(deadline);
    deadline->due_ms = due_ms;
    deadline->list = list;
    TAILQ_INSERT_TAIL(&list->head, deadline, link);
}

void deadline_keep(struct deadline_list *list, struct deadline *deadline, uint64_t now_ms)
{
    if (deadline->list != list)
        deadline_set(list, deadline, now_ms);
}

struct deadline *deadline_first(const struct deadline_list *list)
{
    return TAILQ_FIRST(&list->head);
}

struct deadline *deadline_take_due(struct deadline_list *list, uint64_t now_ms)
{
    struct deadline *first = TAILQ_FIRST(&list->head);

    if (!first || first->due_ms > now_ms)
        return NULL;
    deadline_clear(first);
    return first;
}
