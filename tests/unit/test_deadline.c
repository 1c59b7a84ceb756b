/* SPDX-License-Identifier: MIT */
/* test_deadline.c - lists of timeouts. */
#include "worker/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_deadline_is_due_after_its_delay_and_not_before(void **state)
{
    struct deadline_list list;
    struct deadline d = {.list = NULL};

    (void)state;
    deadline_list_init(&list, 1000);
    deadline_set(&list, &d, 500);
    assert_null(deadline_take_due(&list, 1499));
    assert_ptr_equal(deadline_take_due(&list, 1500 + DEADLINE_STEP_MS), &d);
    assert_null(deadline_take_due(&list, 99999));
}

static void they_come_out_in_order_of_time(void **state)
{
    struct deadline_list list;
    struct deadline d[3] = {{.list = NULL}};

    (void)state;
    deadline_list_init(&list, 1000);
    for (int i = 0; i < 3; i++)
        deadline_set(&list, &d[i], (uint64_t)i * 1000);
    deadline_set(&list, &d[0], 3000); /* set anew: now the last */
    assert_ptr_equal(deadline_take_due(&list, 9000), &d[1]);
    assert_ptr_equal(deadline_take_due(&list, 9000), &d[2]);
    assert_ptr_equal(deadline_take_due(&list, 9000), &d[0]);
}

static void keep_does_not_move_but_set_does(void **state)
{
    struct deadline_list list;
    struct deadline d = {.list = NULL};

    (void)state;
    deadline_list_init(&list, 1000);
    deadline_keep(&list, &d, 0);
    deadline_keep(&list, &d, 900);
    assert_ptr_equal(deadline_take_due(&list, 1000 + DEADLINE_STEP_MS), &d);
    deadline_set(&list, &d, 0);
    deadline_set(&list, &d, 900);
    assert_null(deadline_take_due(&list, 1000 + DEADLINE_STEP_MS));
}

static void it_moves_between_lists_and_out(void **state)
{
    struct deadline_list a;
    struct deadline_list b;
    struct deadline d = {.list = NULL};

    (void)state;
    deadline_list_init(&a, 10);
    deadline_list_init(&b, 10);
    deadline_clear(&d);
    deadline_set(&a, &d, 0);
    deadline_set(&b, &d, 0);
    assert_null(deadline_take_due(&a, 9000));
    deadline_clear(&d);
    assert_null(deadline_take_due(&b, 9000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_due_after_its_delay_and_not_before),
        cmocka_unit_test(they_come_out_in_order_of_time),
        cmocka_unit_test(keep_does_not_move_but_set_does),
        cmocka_unit_test(it_moves_between_lists_and_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
