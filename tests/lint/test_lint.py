# SPDX-License-Identifier: MIT
"""The rules hold for the tree, one test a rule; and each rule finds the fault that it is for."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402  (found through the line above)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIT = "/* SPDX-License-Identifier: MIT */\n"


@pytest.fixture(scope="session")
def tree():
    return lint.Tree(ROOT)


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_tree_keeps_the_rule(tree, rule):
    assert list(rule(tree)) == []


def findings(tmp_path, rule, files):
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(MIT + text)
    return list(rule(lint.Tree(str(tmp_path))))


@pytest.mark.parametrize("path, line", [
    ("master/a.c", '#include "worker/b.h"'),
    ("worker/a.c", '#include "master/b.h"'),
    ("worker/a.cc", '#include "master/b.h"'),
    ("shm/a.h", '#include "master/b.h"'),
    ("shm/a.c", ' # include "worker/b.h"'),
    ("worker/a.c", "#include <v8.h>"),
    ("master/a.cc", "#include <v8-isolate.h>"),
    ("worker/a.c", '#include "../shm/b.h"'),
])
def test_forbidden_include_is_found(tmp_path, path, line):
    assert len(findings(tmp_path, lint.who_includes_whom, {path: line + "\n"})) == 1


def test_v8_behind_a_header_that_c_sees_is_found(tmp_path):
    assert len(findings(tmp_path, lint.who_includes_whom, {
        "worker/a.c": '#include "worker/js_v8.h"\n', "worker/js_v8.h": "#include <v8.h>\n"})) == 1


def test_allowed_includes_pass(tmp_path):
    assert findings(tmp_path, lint.who_includes_whom, {
        "master/a.c": '#include "shm/b.h"\n', "worker/a.cc": '#include "worker/js_v8.h"\n',
        "worker/js_v8.h": "#include <v8.h>\n"}) == []


def test_atomics_behind_two_headers_are_found(tmp_path):
    assert len(findings(tmp_path, lint.v8_sees_no_atomics, {
        "worker/a.cc": '#include "worker/b.h"\n', "worker/b.h": '#include "shm/c.h"\n',
        "shm/c.h": "_Atomic int x;\n"})) == 1


def test_atomics_in_a_comment_pass(tmp_path):
    assert findings(tmp_path, lint.v8_sees_no_atomics, {
        "worker/a.cc": '#include "worker/b.h"\n', "worker/b.h": "/* holds no _Atomic */\n"}) == []


@pytest.mark.parametrize("line", [
    "atomic_load(&x->n);", "atomic_store (&x->n, 1);", "atomic_fetch_add(&x->n, 1);",
    "atomic_compare_exchange_weak(&x->n, &old, 1);", "__sync_synchronize();",
    "struct s { _Atomic uint32_t n; }; void f(struct s *x) { x->n = 1; }",
    "struct s { _Atomic uint32_t n; }; void f(struct s *x) { x->n++; }",
])
def test_order_left_out_is_found(tmp_path, line):
    assert len(findings(tmp_path, lint.orders_are_named, {"shm/a.c": line + "\n"})) == 1


@pytest.mark.parametrize("line", [
    "atomic_load_explicit(&x->n, memory_order_relaxed);",
    "/* unlike atomic_load(&x), it names its order */",
    "atomic_thread_fence(memory_order_acquire);",
    "struct s { _Atomic uint32_t n; }; int f(struct s *x) { return x->m == 1; }",
])
def test_named_orders_pass(tmp_path, line):
    assert findings(tmp_path, lint.orders_are_named, {"shm/a.c": line + "\n"}) == []


def test_licence_missing_twice_or_late_is_found(tmp_path):
    for name, text in {"a.c": "int x;\n", "b.c": MIT + MIT, "c.c": "\n\n" + MIT, "d.c": MIT}.items():
        (tmp_path / "shm").mkdir(exist_ok=True)
        (tmp_path / "shm" / name).write_text(text)
    found = list(lint.one_licence_line(lint.Tree(str(tmp_path))))
    assert [f.split(":")[0] for f in found] == ["shm/a.c", "shm/b.c", "shm/c.c"]


def test_long_file_is_found(tmp_path):
    assert len(findings(tmp_path, lint.files_are_short, {"shm/a.c": "\n" * lint.MAX_LINES})) == 1
    assert findings(tmp_path, lint.files_are_short, {"shm/a.c": "\n" * (lint.MAX_LINES - 1)}) == []


def test_test_that_is_not_listed_is_found(tmp_path):
    files = {"tests/e2e/meson.build": "foreach name : ['one']", "tests/e2e/test_one.py": "", "tests/e2e/test_two.py": ""}
    assert [f.split(":")[0] for f in findings(tmp_path, lint.tests_are_listed, files)] == ["tests/e2e/test_two.py"]


def test_header_that_leans_on_others_is_found(tmp_path):
    assert len(findings(tmp_path, lint.headers_compile_alone, {
        "shm/a.h": "uint32_t f(void);\n", "shm/b.h": "#include <stdint.h>\nuint32_t f(void);\n"})) == 1


def test_header_that_only_cpp_sees_need_not_be_c(tmp_path):
    assert findings(tmp_path, lint.headers_compile_alone, {
        "worker/a.cc": '#include "worker/a.h"\n', "worker/a.h": "#include <string>\nstd::string f();\n"}) == []


def test_header_that_is_no_cpp_is_found(tmp_path):
    found = findings(tmp_path, lint.headers_compile_alone, {
        "worker/js.h": "#ifdef __cplusplus\n#endif\nint f(int class);\n"})
    assert len(found) == 1
