/* SPDX-License-Identifier: MIT */
/* test_imports.c - which names master/imports.c finds in a text, and where they lead. */
#include "master/imports.h"
#include "shm/relpath.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char found[1024];

static bool on_found(void *arg, const char *specifier, size_t bytes)
{
    size_t used = strlen(found);

    (void)arg;
    (void)snprintf(found + used, sizeof found - used, "%.*s ", (int)bytes, specifier);
    return true;
}

static const char *scan(const char *text)
{
    found[0] = '\0';
    imports_scan(text, strlen(text), on_found, NULL);
    return found;
}

static void every_form_of_an_import_is_found(void **state)
{
    (void)state;
    assert_string_equal(
        scan("import './a.js'; import b from \"./b.js\"\n"
             "import {c} from'../c.js';export*from './d.js';export {x} from './e.js'\n"
             "const f = await import('./f.js'), g = import( `./g.js` )\n"
             "import /* why */ './h.js'; import(// here\n './i.js')"),
        "./a.js ./b.js ../c.js ./d.js ./e.js ./f.js ./g.js ./h.js ./i.js ");
}

static void names_that_are_no_relative_files_are_not(void **state)
{
    (void)state;
    assert_string_equal(scan("import 'react'; import fs from 'node:fs'; import('/abs.js');"
                             "import(`./${name}.js`); import('./a\\'.js'); import.meta.url;"
                             "transform './x.js'; reimport('./y.js'); $from './z.js';"
                             "import './line\n.js'; import './"),
                        "");
}

static void text_may_end_anywhere(void **state)
{
    (void)state;
    assert_string_equal(scan(""), "");
    assert_string_equal(scan("from"), "");
    assert_string_equal(scan("import"), "");
    assert_string_equal(scan("import /*"), "");
    assert_string_equal(scan("import //"), "");
    assert_string_equal(scan("import ("), "");
}

static const char *resolve(const char *importer, const char *specifier)
{
    static char out[PATH_MAX];

    assert_int_equal(relpath_resolve(importer, specifier, strlen(specifier), out, sizeof out), 0);
    return out;
}

static void names_are_relative_to_the_file_that_imports(void **state)
{
    char out[12];

    (void)state;
    assert_string_equal(resolve("dist/server.js", "./a.js"), "dist/a.js");
    assert_string_equal(resolve("dist/pages/b.js", "../a.js?v=1#x"), "dist/a.js");
    assert_string_equal(resolve("server.js", "./a/../b/./c.js"), "b/c.js");
    assert_string_equal(resolve("./server.js", "../../x.js"), "../../x.js");
    assert_string_equal(resolve("../d/server.js", "../x.js"), "../x.js");
    assert_string_equal(resolve("/srv/app/server.js", "../../../x.js"), "/x.js");
    assert_string_equal(resolve("/server.js", "./x.js"), "/x.js");
    assert_int_equal(relpath_resolve("dist/server.js", "./abcdefgh.js", 13, out, sizeof out),
                     -ENAMETOOLONG);
    assert_int_equal(relpath_resolve("d/s.js", "./abcd.js", 9, out, sizeof out), 0);
    assert_string_equal(out, "d/abcd.js");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_an_import_is_found),
        cmocka_unit_test(names_that_are_no_relative_files_are_not),
        cmocka_unit_test(text_may_end_anywhere),
        cmocka_unit_test(names_are_relative_to_the_file_that_imports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
