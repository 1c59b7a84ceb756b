/* SPDX-License-Identifier: MIT */
/* test_render.c - worker/render.c: the queue, and renders one at a time. */
#include "tests/unit/render_fixture.h"

/* ---- the queue ---- */

static void renders_run_in_the_order_they_came_one_a_turn(void **state)
{
    struct fixture *f = *state;

    assert_false(renderer_ready(f->worker.renderer));
    renderer_turn(f->worker.renderer); /* nothing to do */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(submit(f, i), 0);
    assert_string_equal(f->js.order, ""); /* submit only queues */
    assert_int_equal(value(&f->stats.render_queue), 3);
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "a");
    assert_int_equal(renderer_waiting(f->worker.renderer), 2);
    run(f);
    assert_string_equal(f->js.order, "abc");
    assert_string_equal(f->ended, "abc");
    assert_int_equal(value(&f->stats.render_queue), 0);
}

static void a_full_queue_refuses_until_there_is_room(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < QUEUE; i++)
        assert_int_equal(submit(f, i), 0);
    assert_int_equal(submit(f, QUEUE), -EBUSY);
    assert_int_equal(renderer_waiting(f->worker.renderer), QUEUE);
    turn(f);
    assert_int_equal(submit(f, QUEUE), 0);
    run(f);
    assert_string_equal(f->ended, "abcd");
}

static void what_begin_declines_is_forgotten(void **state)
{
    struct fixture *f = *state;

    wishes[1] = NOT_WANTED;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(submit(f, i), 0);
    run(f);
    assert_string_equal(f->js.order, "ac");
    assert_string_equal(f->ended, "ac");
    assert_int_equal(the_watchdog.arms, 2);
}

static void what_is_withdrawn_never_starts(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < QUEUE; i++)
        assert_int_equal(submit(f, i), 0);
    assert_true(renderer_withdraw(f->worker.renderer, &f->job[1]));
    assert_false(renderer_withdraw(f->worker.renderer, &f->job[1]));
    assert_int_equal(value(&f->stats.render_queue), QUEUE - 1);
    assert_int_equal(submit(f, 3), 0); /* its room is free */
    run(f);
    assert_string_equal(f->ended, "acd");
    assert_false(renderer_withdraw(f->worker.renderer, &f->job[0]));
}

static void what_has_started_can_not_be_withdrawn(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    assert_int_equal(submit(f, 0), 0);
    renderer_turn(f->worker.renderer);
    assert_false(renderer_withdraw(f->worker.renderer, &f->job[0]));
    assert_string_equal(f->ended, "");
}

static void done_may_submit_the_next(void **state)
{
    struct fixture *f = *state;

    wishes[0] = SUBMIT_ANOTHER;
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_string_equal(f->ended, "ah");
}

static void done_may_free_its_job(void **state)
{
    struct fixture *f = *state;
    struct render_job *job = malloc(sizeof *job);

    assert_non_null(job);
    init_job(job, 2);
    wishes[2] = FREE_ITSELF;
    assert_int_equal(renderer_submit(f->worker.renderer, job), 0);
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_string_equal(f->ended, "ca");
}

/* ---- one render ---- */

static void watchdog_and_stamp_cover_the_javascript(void **state)
{
    struct fixture *f = *state;
    uint64_t before_ns = mono_ns();

    f->js.stays_open = true; /* leaves what js_render() saw in the watchdog and the peer's limit */
    f->js.timer_ms = mono_ms() + 3600000;
    assert_int_equal(submit(f, 0), 0);
    renderer_turn(f->worker.renderer);
    assert_true(f->job[0].start_ns >= before_ns && f->job[0].start_ns <= mono_ns());
    assert_true(f->job[0].queued_ns >= before_ns && f->job[0].queued_ns <= f->job[0].start_ns);
    assert_int_equal(the_watchdog.deadline_ns, f->job[0].start_ns + TIMEOUT_MS * UINT64_C(1000000));
    assert_int_equal(value(&f->peer.render_limit_ns), (TIMEOUT_MS + GRACE_MS) * UINT64_C(1000000));
    assert_int_equal(f->js.stamp_ns, f->job[0].start_ns);
    assert_false(the_watchdog.armed); /* the promise waits: no JavaScript runs */
    assert_int_equal(value(&f->peer.render_start_ns), 0);
}

static void outcomes_are_handed_on_and_counted(void **state)
{
    static const enum js_outcome outcomes[] = {JS_OK, JS_ERROR, JS_TIMEOUT, JS_OOM, JS_OK};
    struct fixture *f = *state;
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < array_len(outcomes); i++) {
        f->js.outcome = outcomes[i];
        assert_int_equal(submit(f, i), 0);
        run(f);
        assert_int_equal(last_outcome, outcomes[i]);
        sum_ns += last_render_ns;
    }
    assert_int_equal(value(&f->stats.renders_ok), 2);
    assert_int_equal(value(&f->stats.renders_error), 1);
    assert_int_equal(value(&f->stats.renders_timeout), 1);
    assert_int_equal(value(&f->stats.renders_oom), 1);
    assert_int_equal(value(&f->stats.render_duration.sum_ns), sum_ns);
}

/* ---- an open promise ---- */

static void an_open_promise_waits_for_its_timers(void **state)
{
    struct fixture *f = *state;
    uint64_t due_ms = mono_ms() + 3;

    f->js.stays_open = true;
    f->js.timer_ms = due_ms;
    f->js.timers_left = 3; /* one to come, two due at once */
    assert_int_equal(submit(f, 0), 0);
    renderer_turn(f->worker.renderer);
    assert_false(renderer_ready(f->worker.renderer));
    assert_int_equal(renderer_waiting(f->worker.renderer), 1);
    run(f);
    assert_string_equal(f->ended, "a");
    assert_int_equal(last_outcome, JS_OK);
    assert_int_equal(f->js.timers_run, 3);
    assert_true(mono_ms() >= due_ms);
    assert_int_equal(event_base_get_num_events(f->worker.base, EVENT_BASE_COUNT_ADDED), 0);
}

static void between_two_timers_the_loop_sleeps(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = 0;
    f->js.timer_pause_ms = 3600000;
    f->js.timers_left = 2;
    assert_int_equal(submit(f, 0), 0);
    while (f->js.timers_run == 0)
        turn(f);
    assert_false(renderer_ready(f->worker.renderer));
    assert_int_equal(renderer_waiting(f->worker.renderer), 1);
}

static void the_next_waits_while_a_promise_is_open(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 2;
    f->js.timers_left = 1;
    assert_int_equal(submit(f, 0), 0);
    assert_int_equal(submit(f, 1), 0);
    renderer_turn(f->worker.renderer);
    f->js.stays_open = false;
    assert_int_equal(renderer_waiting(f->worker.renderer), 2);
    assert_false(renderer_ready(f->worker.renderer)); /* the loop sleeps */
    for (int i = 0; i < 5; i++)
        renderer_turn(f->worker.renderer); /* nothing is due: nothing starts */
    assert_string_equal(f->js.order, "a");
    run(f);
    assert_string_equal(f->ended, "ab");
}

static void a_promise_that_waits_for_a_far_timer_ends_at_its_deadline(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = mono_ms() + 3600000;
    f->job[0].timeout_ms = 4;
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_int_equal(last_outcome, JS_TIMEOUT);
    assert_true(last_render_ns >= 4 * UINT64_C(1000000));
    assert_int_equal(f->js.cancels, 1);
    assert_int_equal(value(&f->stats.renders_timeout), 1);
    assert_int_equal(f->js.timers_run, 0);
}

static void a_promise_that_waits_for_nothing_ends_at_once(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = NEVER;
    assert_int_equal(submit(f, 0), 0);
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "a");
    assert_int_equal(last_outcome, JS_TIMEOUT);
    assert_int_equal(f->js.cancels, 1);
    assert_false(the_watchdog.armed);
}

static void timers_without_end_stop_at_the_deadline(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = 0;
    f->js.timers_left = UINT32_MAX; /* setTimeout(again, 0) */
    f->job[0].timeout_ms = 3;
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_int_equal(last_outcome, JS_TIMEOUT);
    assert_true(f->js.timers_run > 0);
    assert_true(last_render_ns >= 3 * UINT64_C(1000000));
}

static void the_deadline_counts_from_the_start_of_the_render(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    f->js.timer_ms = 0;
    f->js.timers_left = 2;
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_int_equal(the_watchdog.arms, 3); /* js_render(), then each of its timers */
    assert_int_equal(the_watchdog.deadline_ns, f->job[0].start_ns + TIMEOUT_MS * UINT64_C(1000000));
    assert_int_equal(f->js.stamp_ns, f->job[0].start_ns);
}

/* ---- the end ---- */

static void freeing_answers_the_waiting_in_order(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(submit(f, i), 0);
    renderer_free(take(f->worker.renderer));
    assert_string_equal(f->ended, "a!b!c!");
    assert_string_equal(f->js.order, "");
    assert_int_equal(value(&f->stats.render_queue), 0);
}

static void freeing_cancels_the_open_render_first(void **state)
{
    struct fixture *f = *state;

    f->js.stays_open = true;
    assert_int_equal(submit(f, 0), 0);
    assert_int_equal(submit(f, 1), 0);
    renderer_turn(f->worker.renderer);
    renderer_free(take(f->worker.renderer));
    assert_string_equal(f->ended, "ab!");
    assert_int_equal(last_outcome, JS_TIMEOUT);
}

static void freeing_takes_no_new_renders(void **state)
{
    struct fixture *f = *state;
    struct renderer *r = f->worker.renderer;

    wishes[0] = SUBMIT_ANOTHER; /* and expects -EBUSY */
    wishes[1] = SUBMIT_ANOTHER;
    assert_int_equal(submit(f, 0), 0);
    assert_int_equal(submit(f, 1), 0);
    renderer_free(r);
    f->worker.renderer = NULL;
    assert_string_equal(f->ended, "a!b!");
}

static void without_a_watchdog_there_is_no_renderer(void **state)
{
    struct fixture *f = *state;
    struct renderer *r = NULL;

    watchdog_error = -EAGAIN;
    assert_int_equal(renderer_new(&f->worker, &r), -EAGAIN);
    assert_null(r);
    renderer_free(NULL);
}

int main(void)
{
#define WITH_RENDERER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RENDERER(renders_run_in_the_order_they_came_one_a_turn),
        WITH_RENDERER(a_full_queue_refuses_until_there_is_room),
        WITH_RENDERER(what_begin_declines_is_forgotten),
        WITH_RENDERER(what_is_withdrawn_never_starts),
        WITH_RENDERER(what_has_started_can_not_be_withdrawn),
        WITH_RENDERER(done_may_submit_the_next),
        WITH_RENDERER(done_may_free_its_job),
        WITH_RENDERER(watchdog_and_stamp_cover_the_javascript),
        WITH_RENDERER(outcomes_are_handed_on_and_counted),
        WITH_RENDERER(an_open_promise_waits_for_its_timers),
        WITH_RENDERER(between_two_timers_the_loop_sleeps),
        WITH_RENDERER(the_next_waits_while_a_promise_is_open),
        WITH_RENDERER(a_promise_that_waits_for_a_far_timer_ends_at_its_deadline),
        WITH_RENDERER(a_promise_that_waits_for_nothing_ends_at_once),
        WITH_RENDERER(timers_without_end_stop_at_the_deadline),
        WITH_RENDERER(the_deadline_counts_from_the_start_of_the_render),
        WITH_RENDERER(freeing_answers_the_waiting_in_order),
        WITH_RENDERER(freeing_cancels_the_open_render_first),
        WITH_RENDERER(freeing_takes_no_new_renders),
        WITH_RENDERER(without_a_watchdog_there_is_no_renderer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
