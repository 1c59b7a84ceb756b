/* SPDX-License-Identifier: MIT */
/* test_render_open.c - worker/render.c with several renders open at once (render.concurrency). */
#include "tests/unit/render_fixture.h"

static int set_up_three(void **state)
{
    struct fixture *f;

    if (set_up(state) != 0)
        return -1;
    f = *state;
    renderer_free(f->worker.renderer);
    f->config.render.concurrency = 3;
    f->config.policy.queue = array_len(f->job);
    return renderer_new(&f->worker, &f->worker.renderer);
}

static void submit_many(struct fixture *f, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(submit(f, i), 0);
}

static void as_many_are_open_as_the_option_says(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    submit_many(f, 5);
    for (int i = 0; i < 10; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abc");
    assert_int_equal(renderer_waiting(f->worker.renderer), 5);
    assert_int_equal(value(&f->stats.render_queue), 2);
    assert_false(renderer_ready(f->worker.renderer));
}

static void whoever_ends_makes_room_for_one_that_waits(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timers_left = 1;
    f->js.timer_ms = mono_ms() + 3600000;
    submit_many(f, 4);
    renderer_turn(f->worker.renderer);
    f->js.timer_ms = 1; /* b: due at once */
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "ab");
    f->js.timer_ms = mono_ms() + 3600000;
    for (int i = 0; i < 10; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "b");
    assert_string_equal(f->js.order, "abcd");
}

/* fetch() of this server itself: who asked holds a place until it is done. */
static void what_an_open_render_waits_for_needs_no_place_and_goes_before_all_others(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[5].request.depth = f->job[6].request.depth = f->job[7].request.depth = 1;
    submit_many(f, 5);
    for (int i = 0; i < 5; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abc");
    assert_int_equal(submit(f, 5), 0);
    assert_int_equal(submit(f, 6), 0);
    assert_true(renderer_withdraw(f->worker.renderer, &f->job[6]));
    assert_true(renderer_withdraw(f->worker.renderer, &f->job[3]));
    assert_int_equal(renderer_requeue(f->worker.renderer, &f->job[3]), 0); /* first of the others */
    for (int i = 0; i < 5; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abcf");
    assert_int_equal(renderer_waiting(f->worker.renderer), 6);
}

/* render.isolation: context */
static void realms_are_made_when_there_is_nothing_to_render(void **state)
{
    struct fixture *f = *state;

    f->js.wants_realms = 2;
    assert_true(renderer_ready(f->worker.renderer));
    assert_int_equal(submit(f, 0), 0);
    for (int i = 0; i < 5; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "a++");
    assert_false(renderer_ready(f->worker.renderer));
}

/* setTimeout(again, 0) for ever must not keep others from starting, nor they it from going on. */
static void the_open_and_the_waiting_take_turns(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timers_left = UINT32_MAX;
    f->js.timer_ms = 0;
    submit_many(f, 3);
    renderer_turn(f->worker.renderer);
    for (int i = 0; i < 2; i++) {
        unsigned before = f->js.timers_run;

        renderer_turn(f->worker.renderer);
        assert_true(f->js.timers_run > before);
        renderer_turn(f->worker.renderer);
    }
    assert_string_equal(f->js.order, "abc");
}

static void each_has_its_own_deadline(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[1].timeout_ms = 2;
    f->job[2].timeout_ms = 6;
    submit_many(f, 3);
    while (strlen(f->ended) < 2)
        turn(f);
    assert_string_equal(f->ended, "bc");
    assert_int_equal(last_outcome, JS_TIMEOUT);
    assert_int_equal(renderer_waiting(f->worker.renderer), 1);
}

static void watchdog_and_stamp_are_those_of_the_one_that_runs(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timers_left = UINT32_MAX;
    f->js.timer_pause_ms = 3600000;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[1].timeout_ms = TIMEOUT_MS / 2;
    submit_many(f, 1);
    renderer_turn(f->worker.renderer);
    f->js.timer_ms = 0;
    assert_int_equal(submit(f, 1), 0);
    renderer_turn(f->worker.renderer);
    f->js.timer_ms = NEVER;
    assert_int_equal(submit(f, 2), 0);
    renderer_turn(f->worker.renderer); /* the timer of b, or the start of c */
    renderer_turn(f->worker.renderer);
    while (f->js.timers_run < 1)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abc");
    f->js.open[1].timer_ms = 0;
    renderer_turn(f->worker.renderer);
    assert_int_equal(f->js.timers_run, 2);
    assert_int_equal(f->js.stamp_ns, f->job[1].start_ns);
    assert_int_equal(the_watchdog.deadline_ns,
                     f->job[1].start_ns + TIMEOUT_MS / 2 * UINT64_C(1000000));
    assert_int_equal(value(&f->peer.render_limit_ns),
                     (TIMEOUT_MS / 2 + GRACE_MS) * UINT64_C(1000000));
}

static void what_waits_outside_is_not_stuck_and_goes_on_when_it_comes(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.asks = true;
    f->js.timers_left = 1;
    submit_many(f, 2);
    renderer_turn(f->worker.renderer);
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "");
    assert_false(renderer_ready(f->worker.renderer));
    f->js.open[1].timer_ms = 0; /* settled, by a callback of the loop */
    assert_true(renderer_ready(f->worker.renderer));
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "b");
}

static void all_that_are_stuck_end_at_once(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.asks = true;
    submit_many(f, 2);
    renderer_turn(f->worker.renderer);
    f->js.asks = false;
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "ab");
    assert_int_equal(last_outcome, JS_TIMEOUT);
    assert_int_equal(renderer_waiting(f->worker.renderer), 0);
}

/* The job is freed in its done; what comes after it still counts, and has its place and its deadline. */
static void what_lasts_keeps_its_place_when_its_job_is_done(void **state)
{
    struct fixture *f = *state;

    f->js.lasts = true;
    f->js.timers_left = 1;
    f->js.timer_ms = mono_ms() + 3600000;
    submit_many(f, 4);
    for (int i = 0; i < 10; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abc");
    assert_string_equal(f->ended, "abc");
    assert_int_equal(renderer_waiting(f->worker.renderer), 4);
    assert_int_equal(value(&f->stats.renders_ok), 3);
    f->js.open[1].timer_ms = 0;
    renderer_turn(f->worker.renderer);
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abcd");
    assert_int_equal(renderer_waiting(f->worker.renderer), 3);
    assert_int_equal(value(&f->stats.renders_ok), 4);
}

static void what_lasts_ends_at_the_deadline_of_its_render(void **state)
{
    struct fixture *f = *state;

    f->js.lasts = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[0].timeout_ms = 2;
    submit_many(f, 1);
    while (renderer_waiting(f->worker.renderer) > 0)
        turn(f);
    assert_string_equal(f->ended, "a");
    assert_int_equal(f->js.cancels, 1);
    assert_int_equal(value(&f->stats.renders_timeout), 0); /* the render was well */
}

static void what_lasts_is_stuck_or_ends_with_the_worker(void **state)
{
    struct fixture *f = *state;

    f->js.lasts = true;
    f->js.timer_ms = NEVER;
    submit_many(f, 1);
    renderer_turn(f->worker.renderer);
    assert_int_equal(f->js.cancels, 1);
    f->js.timer_ms = mono_ms() + 3600000;
    assert_int_equal(submit(f, 1), 0);
    renderer_turn(f->worker.renderer);
    assert_int_equal(renderer_waiting(f->worker.renderer), 1);
    renderer_free(f->worker.renderer);
    f->worker.renderer = NULL;
    assert_int_equal(f->js.cancels, 2);
}

static void a_fragment_is_as_old_as_what_lasts(void **state)
{
    struct fixture *f = *state;

    f->js.lasts = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[0].epoch = 7;
    submit_many(f, 1);
    renderer_turn(f->worker.renderer);
    assert_int_equal(renderer_oldest_epoch(f->worker.renderer, 9), 7);
    assert_int_equal(renderer_oldest_epoch(f->worker.renderer, 5), 5);
}

static void who_has_left_is_cancelled_between_turns(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    submit_many(f, 5);
    for (int i = 0; i < 3; i++)
        renderer_turn(f->worker.renderer);
    assert_true(renderer_cancel(f->worker.renderer, &f->job[3])); /* still in the queue */
    assert_false(renderer_cancel(f->worker.renderer, &f->job[1]));
    assert_false(renderer_cancel(f->worker.renderer, &f->job[1]));
    assert_string_equal(f->ended, "");
    assert_true(renderer_ready(f->worker.renderer));
    while (f->ended[0] == 0)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "b");
    assert_int_equal(last_outcome, JS_GONE);
    for (int i = 0; i < 3; i++)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->js.order, "abce");
    assert_int_equal(f->js.cancels, 1);
}

static void freeing_ends_all_that_are_open(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[0].timeout_ms = TIMEOUT_MS * 2; /* by deadline: last */
    submit_many(f, 4);
    for (int i = 0; i < 3; i++)
        renderer_turn(f->worker.renderer);
    renderer_free(f->worker.renderer);
    f->worker.renderer = NULL;
    assert_string_equal(f->ended, "bcad!");
}

static void auto_is_one_and_for_fetch_handlers_more(void **state)
{
    struct fixture *f = *state;

    for (int is_fetch = 0; is_fetch < 2; is_fetch++) {
        f->js.order[0] = 0;
        f->js.contract.is_fetch = is_fetch;
        f->config.render.concurrency = 0;
        renderer_free(f->worker.renderer);
        assert_int_equal(renderer_new(&f->worker, &f->worker.renderer), 0);
        f->js.stays_open = true;
        f->js.timer_ms = mono_ms() + 3600000;
        submit_many(f, 5);
        for (int i = 0; i < 10; i++)
            renderer_turn(f->worker.renderer);
        assert_string_equal(f->js.order, is_fetch ? "abcde" : "a");
    }
}

int main(void)
{
#define WITH_THREE(test) cmocka_unit_test_setup_teardown(test, set_up_three, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_THREE(as_many_are_open_as_the_option_says),
        WITH_THREE(whoever_ends_makes_room_for_one_that_waits),
        WITH_THREE(realms_are_made_when_there_is_nothing_to_render),
        WITH_THREE(what_an_open_render_waits_for_needs_no_place_and_goes_before_all_others),
        WITH_THREE(the_open_and_the_waiting_take_turns),
        WITH_THREE(each_has_its_own_deadline),
        WITH_THREE(watchdog_and_stamp_are_those_of_the_one_that_runs),
        WITH_THREE(what_waits_outside_is_not_stuck_and_goes_on_when_it_comes),
        WITH_THREE(all_that_are_stuck_end_at_once),
        WITH_THREE(what_lasts_keeps_its_place_when_its_job_is_done),
        WITH_THREE(what_lasts_ends_at_the_deadline_of_its_render),
        WITH_THREE(what_lasts_is_stuck_or_ends_with_the_worker),
        WITH_THREE(a_fragment_is_as_old_as_what_lasts),
        WITH_THREE(who_has_left_is_cancelled_between_turns),
        WITH_THREE(auto_is_one_and_for_fetch_handlers_more),
        WITH_THREE(freeing_ends_all_that_are_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
