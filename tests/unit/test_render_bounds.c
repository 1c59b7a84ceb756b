/* SPDX-License-Identifier: MIT */
/* test_render_bounds.c - worker/render.c: who waits too long, or for too many. */
#include "tests/unit/render_fixture.h"

#include "shm/offer.h"

static bool was_late;

static bool note_late(struct render_job *job)
{
    was_late = job->late;
    return true;
}

static void what_can_not_end_in_time_is_said_to_be_late(void **state)
{
    struct fixture *f = *state;
    uint64_t limit_ns = (2 * TIMEOUT_MS + GRACE_MS) * UINT64_C(1000000);

    f->job[0].begin = note_late;
    assert_int_equal(submit(f, 0), 0);
    f->job[0].queued_ns -= limit_ns - UINT64_C(10000000000); /* has waited, but not so long */
    run(f);
    assert_false(was_late);
    assert_int_equal(submit(f, 0), 0);
    f->job[0].queued_ns -= limit_ns;
    run(f);
    assert_true(was_late);
}

/* Else one slow page of a route with a long timeout would shed all others, for ever. */
static void who_has_not_waited_is_not_late_however_long_others_took(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[0].timeout_ms = 3600000;
    assert_int_equal(submit(f, 0), 0);
    renderer_turn(f->worker.renderer);
    f->job[0].start_ns -= UINT64_C(3000000000000); /* 50 minutes */
    assert_false(renderer_cancel(f->worker.renderer, &f->job[0]));
    run(f);
    assert_string_equal(f->ended, "a");
    f->js.stays_open = false;
    f->job[1].begin = note_late;
    assert_int_equal(submit(f, 1), 0);
    run(f);
    assert_false(was_late);
}

static void what_comes_back_goes_first_and_past_the_bound(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < QUEUE; i++)
        assert_int_equal(submit(f, i), 0);
    assert_int_equal(renderer_requeue(f->worker.renderer, &f->job[QUEUE]), 0);
    run(f);
    assert_string_equal(f->ended, "dabc");
}

static void a_route_has_a_bound_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct config_route route = {.policy.queue = 1};

    renderer_free(f->worker.renderer);
    f->config.routes.item = &route;
    f->config.routes.count = 1;
    assert_int_equal(renderer_new(&f->worker, &f->worker.renderer), 0);
    f->job[0].route = f->job[1].route = 1;
    assert_int_equal(submit(f, 0), 0);
    assert_int_equal(submit(f, 1), -EBUSY);
    assert_int_equal(submit(f, 2), 0); /* of no route */
    run(f);
    assert_int_equal(submit(f, 1), 0);
    run(f);
    assert_string_equal(f->ended, "acb");
}

static void the_bound_is_that_of_all_workers(void **state)
{
    struct fixture *f = *state;
    struct heritage heritage = {.bells = {NULL, 2, 1}};

    assert_int_equal(offers_new(&f->worker.offers), 0);
    f->worker.heritage = &heritage;
    offers_set_waiting(f->worker.offers, 1, 0, QUEUE - 1); /* another's */
    assert_int_equal(submit(f, 0), 0);
    assert_int_equal(offers_waiting(f->worker.offers, 2, 0), QUEUE);
    assert_int_equal(submit(f, 1), -EBUSY);
    offers_set_waiting(f->worker.offers, 1, 0, 0);
    assert_int_equal(submit(f, 1), 0);
    run(f);
    assert_int_equal(offers_waiting(f->worker.offers, 2, 0), 0);
    offers_free(f->worker.offers);
    f->worker.offers = NULL;
}

int main(void)
{
#define WITH_RENDERER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RENDERER(what_can_not_end_in_time_is_said_to_be_late),
        WITH_RENDERER(who_has_not_waited_is_not_late_however_long_others_took),
        WITH_RENDERER(what_comes_back_goes_first_and_past_the_bound),
        WITH_RENDERER(a_route_has_a_bound_of_its_own),
        WITH_RENDERER(the_bound_is_that_of_all_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
