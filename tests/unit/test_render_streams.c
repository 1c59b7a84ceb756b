/* SPDX-License-Identifier: MIT */
/* test_render_streams.c - worker/render_streams.c in worker/render.c: streams that are silent, and
 * streams whose readers are slow. */
#include "tests/unit/render_fixture.h"

#define HOUR_MS 3600000u

static char heard[16]; /* urls of those who gave a part */
static bool reader_is_slow;

static bool part(struct render_job *job, const struct js_part *js_part)
{
    assert_int_equal(js_part->bytes, 4);
    (void)strncat(heard, job->request.url, 1);
    return !reader_is_slow;
}

static int set_up_streams(void **state)
{
    struct fixture *f;

    if (set_up(state) != 0)
        return -1;
    f = *state;
    heard[0] = 0;
    reader_is_slow = false;
    f->config.policy.queue = array_len(f->job);
    f->js.stays_open = f->js.streams = true;
    f->js.timers_left = UINT32_MAX;
    f->js.timer_pause_ms = HOUR_MS;
    f->js.timer_ms = 0;
    for (size_t i = 0; i < array_len(f->job); i++) {
        f->job[i].part = part;
        f->job[i].request.takes_parts = true;
        f->job[i].timeout_ms = 2 * HOUR_MS;
    }
    return 0;
}

static void renew(struct fixture *f, uint64_t stall_ms, uint32_t concurrency)
{
    renderer_free(f->worker.renderer);
    f->config.render.stall_ms = stall_ms;
    f->config.render.concurrency = concurrency;
    assert_int_equal(renderer_new(&f->worker, &f->worker.renderer), 0);
}

static void silent_for(struct render_job *job, uint64_t ms)
{
    job->heard_ns -= ms * UINT64_C(1000000);
}

static void turns(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        renderer_turn(f->worker.renderer);
}

static void who_has_been_silent_for_too_long_is_ended(void **state)
{
    struct fixture *f = *state;

    renew(f, HOUR_MS / 2, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(submit(f, i), 0);
    turns(f, 10);
    assert_string_equal(heard, "abc");
    silent_for(&f->job[0], HOUR_MS / 4); /* not yet */
    turns(f, 2);
    assert_string_equal(f->ended, "");
    silent_for(&f->job[0], HOUR_MS / 4);
    f->js.open[1].timer_ms = 0; /* something wakes the worker; b goes on */
    turns(f, 2);
    assert_string_equal(f->ended, "a");
    assert_int_equal(last_outcome, JS_STALL);
    assert_int_equal(value(&f->stats.renders_timeout), 1);
    assert_int_equal(renderer_waiting(f->worker.renderer), 2);
}

static void the_worker_wakes_for_it(void **state)
{
    struct fixture *f = *state;

    renew(f, 2, 1);
    assert_int_equal(submit(f, 0), 0);
    run(f); /* no timer but the stall: else this would take an hour */
    assert_string_equal(f->ended, "a");
    assert_int_equal(last_outcome, JS_STALL);
}

static void what_nobody_takes_in_parts_stalls_too(void **state)
{
    struct fixture *f = *state;

    renew(f, 2, 1);
    f->job[0].request.takes_parts = false;
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_string_equal(heard, "");
    assert_int_equal(last_outcome, JS_STALL);
}

static void a_render_without_a_stream_has_its_timeout_alone(void **state)
{
    struct fixture *f = *state;

    renew(f, 1, 1);
    f->js.streams = false;
    f->job[0].timeout_ms = 4;
    assert_int_equal(submit(f, 0), 0);
    run(f);
    assert_int_equal(last_outcome, JS_TIMEOUT);
}

/* The step of another brings it: modules' state that two renders share. */
static void a_chunk_that_came_in_anothers_step_counts(void **state)
{
    struct fixture *f = *state;

    renew(f, HOUR_MS / 2, 1);
    f->job[0].request.takes_parts = false;
    assert_int_equal(submit(f, 0), 0);
    turns(f, 3);
    f->js.open[0].chunks++;
    silent_for(&f->job[0], HOUR_MS);
    f->js.open[0].timer_ms = 0;
    turns(f, 2);
    assert_string_equal(f->ended, "");
    silent_for(&f->job[0], HOUR_MS);
    assert_false(renderer_cancel(f->worker.renderer, &f->job[0])); /* wakes it */
    turns(f, 2);
    assert_string_equal(f->ended, "a");
}

static void who_waits_for_his_reader_does_not_stall_and_keeps_nobody_waiting(void **state)
{
    struct fixture *f = *state;

    renew(f, HOUR_MS / 2, 1);
    reader_is_slow = true;
    assert_int_equal(submit(f, 0), 0);
    turns(f, 3);
    assert_string_equal(heard, "a");
    silent_for(&f->job[0], HOUR_MS);
    f->js.streams = false;
    f->js.timer_ms = mono_ms() + HOUR_MS; /* b is no stream: it has its place for itself */
    assert_int_equal(submit(f, 1), 0);
    assert_int_equal(submit(f, 2), 0);
    turns(f, 8);
    assert_string_equal(f->js.order, "ab");
    assert_string_equal(f->ended, "");
    assert_false(renderer_has_room(f->worker.renderer));
}

static void a_reader_who_takes_more_lets_it_go_on(void **state)
{
    struct fixture *f = *state;

    renew(f, HOUR_MS / 2, 1);
    reader_is_slow = true;
    assert_int_equal(submit(f, 0), 0);
    turns(f, 3);
    assert_true(f->js.open[0].held);
    assert_false(renderer_ready(f->worker.renderer));
    renderer_resume(f->worker.renderer, &f->job[0]);
    renderer_resume(f->worker.renderer, &f->job[0]);
    assert_true(renderer_ready(f->worker.renderer));
    turns(f, 1);
    assert_false(f->js.open[0].held);
    assert_false(renderer_has_room(f->worker.renderer)); /* it has its place again */
    renderer_resume(f->worker.renderer, &f->job[0]);     /* does nothing: no part was refused */
    silent_for(&f->job[0], HOUR_MS);
    f->js.open[0].timer_ms = 0;
    turns(f, 2);
    assert_string_equal(f->ended, "a"); /* it may stall again */
    assert_int_equal(last_outcome, JS_STALL);
}

static void a_paused_one_may_end_in_any_way(void **state)
{
    struct fixture *f = *state;

    renew(f, 0, 1);
    reader_is_slow = true;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(submit(f, i), 0);
        turns(f, 3);
    }
    assert_string_equal(heard, "abc");
    assert_true(renderer_has_room(f->worker.renderer));
    f->job[1].start_ns -= f->job[1].timeout_ms * UINT64_C(1000000); /* its deadline */
    renderer_resume(f->worker.renderer, &f->job[2]);
    assert_false(renderer_cancel(f->worker.renderer, &f->job[2]));
    turns(f, 3);
    assert_string_equal(f->ended, "c");
    renderer_free(f->worker.renderer);
    f->worker.renderer = NULL;
    assert_int_equal(strlen(f->ended), 3);
}

int main(void)
{
#define WITH_STREAMS(test) cmocka_unit_test_setup_teardown(test, set_up_streams, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_STREAMS(who_has_been_silent_for_too_long_is_ended),
        WITH_STREAMS(the_worker_wakes_for_it),
        WITH_STREAMS(what_nobody_takes_in_parts_stalls_too),
        WITH_STREAMS(a_render_without_a_stream_has_its_timeout_alone),
        WITH_STREAMS(a_chunk_that_came_in_anothers_step_counts),
        WITH_STREAMS(who_waits_for_his_reader_does_not_stall_and_keeps_nobody_waiting),
        WITH_STREAMS(a_reader_who_takes_more_lets_it_go_on),
        WITH_STREAMS(a_paused_one_may_end_in_any_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
