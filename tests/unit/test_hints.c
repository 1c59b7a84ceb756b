/* SPDX-License-Identifier: MIT */
/* test_hints.c - which links of a page are told early, and to whom. */
#include "worker/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char out[HINTS_BYTES_MAX + 1];

static const char *pick(const char *link, const struct config_static_list *only)
{
    struct reply_text text = {out, 0, HINTS_BYTES_MAX, false};

    hints_pick((struct span){link, strlen(link)}, only, &text);
    out[text.bytes] = 0;
    return out;
}

static void what_is_loaded_before_the_page_is_picked(void **state)
{
    (void)state;
    assert_string_equal(pick("</a.css>; rel=preload; as=style", NULL),
                        "</a.css>; rel=preload; as=style");
    assert_string_equal(
        pick("</a>; rel=canonical, </b.js>;rel=\"modulepreload\" , </c>; rel=next", NULL),
        "</b.js>;rel=\"modulepreload\"");
    assert_string_equal(pick("<https://cdn.example>; rel=\"dns-prefetch PreConnect\"", NULL),
                        "<https://cdn.example>; rel=\"dns-prefetch PreConnect\"");
    assert_string_equal(
        pick("</a,b>; title=\"x, y; rel=preload\"; rel=preload, </c>; rel=preload", NULL),
        "</a,b>; title=\"x, y; rel=preload\"; rel=preload, </c>; rel=preload");
}

static void what_is_no_such_link_is_not(void **state)
{
    static const char *const none[] = {
        "",
        ",, ,",
        "/a.css; rel=preload",
        "</a.css; rel=preload",
        "</a.css>",
        "</a.css>; rel",
        "</a.css>; rel=",
        "</a.css>; rel=preloaded",
        "</a.css>; xrel=preload",
        "</a.css>; title=\"rel=preload\"",
        "</a.css>; title=\"; rel=preload",
        "</a.css>; rel=next; rel=preload", /* the first counts */
    };

    (void)state;
    for (size_t i = 0; i < array_len(none); i++)
        if (*pick(none[i], NULL))
            fail_msg("%s gave %s", none[i], out);
}

static struct config_static folder[] = {{.prefix = (char[]){"/assets/"}},
                                        {.prefix = (char[]){"/"}}};
static const struct config_static_list folders = {folder, 2};

static void of_what_is_not_for_all_only_files_are(void **state)
{
    (void)state;
    assert_string_equal(pick("</users/7.png>; rel=preload, </assets/a.js>; rel=modulepreload, "
                             "</assets/../users/7.png>; rel=preload, "
                             "<https://x/assets/b.js>; rel=preload, </assets/>; rel=preload",
                             &folders),
                        "</assets/a.js>; rel=modulepreload");
}

static struct js_result page(struct js_header *header, const char *link)
{
    *header = (struct js_header){"link", 4, link, strlen(link)};
    return (struct js_result){.status = 200, .headers = header, .header_count = 1};
}

static void a_page_is_remembered_until_it_says_otherwise(void **state)
{
    struct hints *h = hints_new();
    struct js_header header;
    struct js_result r = page(&header, "</a>; rel=preload");

    (void)state;
    assert_int_equal(hints_get(h, 7).bytes, 0);
    hints_note(h, 7, &r, NULL);
    assert_int_equal(hints_get(h, 7).bytes, 17);
    assert_int_equal(hints_get(h, 7 + 1024).bytes, 0); /* another page, in the same place */
    r = page(&header, "</b>; rel=next");
    hints_note(h, 7 + 1024, &r, NULL); /* which has nothing to tell */
    assert_int_equal(hints_get(h, 7).bytes, 17);
    r = page(&header, "</longer>; rel=preload");
    hints_note(h, 7, &r, NULL);
    assert_int_equal(hints_get(h, 7).bytes, 22);
    hints_note(h, 7, &r, &folders); /* it is one visitor's now */
    assert_int_equal(hints_get(h, 7).bytes, 0);
    hints_free(h);
    hints_free(NULL);
}

static void there_is_a_bound(void **state)
{
    char long_link[3000];
    char two[4000];

    (void)state;
    memset(long_link, 'x', sizeof long_link);
    memcpy(long_link, "</", 2);
    strcpy(long_link + sizeof long_link - 16, ">; rel=preload");
    assert_string_equal(pick(long_link, NULL), "");
    (void)snprintf(two, sizeof two, "%s, </b>; rel=preload", long_link);
    assert_string_equal(pick(two, NULL), "</b>; rel=preload");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_loaded_before_the_page_is_picked),
        cmocka_unit_test(what_is_no_such_link_is_not),
        cmocka_unit_test(of_what_is_not_for_all_only_files_are),
        cmocka_unit_test(a_page_is_remembered_until_it_says_otherwise),
        cmocka_unit_test(there_is_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
