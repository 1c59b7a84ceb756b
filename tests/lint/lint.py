# SPDX-License-Identifier: MIT
"""The rules of CONTRIBUTING.md that a machine can check without building.

usage: lint.py ROOT [--deps DIR]     exit 1 and one line a finding: FILE:LINE: message

Each rule is a function (tree) -> findings; test_lint.py shows that each one finds what it is for.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

FOLDERS = ("master", "worker", "shm", "tests", "perf", "polyfills", "etc", "examples", ".ci")
C_SUFFIXES = (".c", ".cc", ".h", ".def")
SOURCE_SUFFIXES = C_SUFFIXES + (".py", ".js", ".mjs", ".jsx", ".sh")
SKIPPED_FOLDERS = {"build", "node_modules", "__pycache__", "dist", ".cache", "corpus"}
MAX_LINES = 600
# Files above MAX_LINES that are one concept all the same, each with its reason.
LONG_FILES = {}


class Tree:
    """The sources, read once: {path relative to the root: text}."""

    def __init__(self, root, deps=None):
        self.root = root
        self.deps = deps or os.path.join(root, "build", "deps")
        self.text = {}
        for folder in FOLDERS:
            for where, folders, files in os.walk(os.path.join(root, folder)):
                folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS)
                for name in sorted(files):
                    path = os.path.join(where, name)
                    if name.endswith(SOURCE_SUFFIXES):
                        with open(path, encoding="utf-8") as file:
                            self.text[os.path.relpath(path, root)] = file.read()

    def c_files(self, *suffixes):
        return {p: t for p, t in self.text.items() if p.endswith(suffixes or C_SUFFIXES)}


def without_comments(text):
    """The code alone, lines kept: comments and the insides of strings become blanks."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)

    def blank(match):
        return '""' if match[0].startswith('"') else re.sub(r"[^\n]", " ", match[0])

    return pattern.sub(blank, text)


def includes(text):
    """(line number, name, is_quoted) of each #include."""
    pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
    return [(text.count("\n", 0, m.start()) + 1, m[2], m[1] == '"') for m in pattern.finditer(text)]


def who_includes_whom(tree):
    """master and worker never meet, shm knows neither; v8.h stays in worker/*.cc and headers that only they see."""
    forbidden = {"master": ("worker",), "worker": ("master",), "shm": ("master", "worker")}
    seen_by_c = set().union(*(closure(tree, path) for path in tree.c_files(".c")))
    for path, text in tree.c_files().items():
        folder = path.split(os.sep)[0]
        for line, name, _ in includes(text):
            for other in forbidden.get(folder, ()):
                if name.startswith(other + "/"):
                    yield f"{path}:{line}: {folder}/ must not include {name}"
            is_v8 = re.match(r"(v8|libplatform/|cppgc/|node)", name) is not None
            if is_v8 and (folder != "worker" or path in seen_by_c):
                yield f"{path}:{line}: {name} belongs into worker/*.cc alone"
            if name.startswith("../"):
                yield f"{path}:{line}: include from the root of the tree, not {name}"


def closure(tree, path, seen=None):
    """Every file of the tree that path includes, directly or not, itself too."""
    seen = set() if seen is None else seen
    if path in seen or path not in tree.text:
        return seen
    seen.add(path)
    for _, name, quoted in includes(tree.text[path]):
        if quoted:
            closure(tree, name, seen)
            closure(tree, os.path.join(os.path.dirname(path), name), seen)
    return seen


def v8_sees_no_atomics(tree):
    """C's _Atomic and C++'s std::atomic are not the same type: no .cc sees a header that holds one."""
    for path in tree.c_files(".cc"):
        for other in sorted(closure(tree, path) - {path}):
            code = without_comments(tree.text[other])
            if re.search(r"\b_Atomic\b|\bstdatomic\.h\b", code):
                yield f"{path}:1: sees {other}, which holds _Atomic"


def orders_are_named(tree):
    """Every atomic operation says its order; nothing relies on the implicit seq_cst."""
    call = re.compile(
        r"\batomic_(?:load|store|exchange|compare_exchange_(?:strong|weak)|fetch_(?:add|sub|or|xor|and)"
        r"|flag_test_and_set|flag_clear)\s*\("
    )
    for path, text in tree.c_files().items():
        code = without_comments(text)
        declared = set(re.findall(r"\b_Atomic\b(?:\s*\([^)]*\)|\s+\w+)*?\s+(\w+)\s*(?:\[[^\]]*\])?\s*[;,=]", code))
        for number, line in enumerate(code.split("\n"), 1):
            if call.search(line):
                yield f"{path}:{number}: atomic operation without an explicit order"
            if re.search(r"\b__sync_\w+\s*\(", line):
                yield f"{path}:{number}: __sync_ builtins have no order of their own; use stdatomic.h"
            for name in re.findall(r"(?:->|\.)(\w+)(?:\[[^\]]*\])?\s*(?:\+\+|--|[-+|&^]=|(?<![=!<>])=(?!=))", line):
                if name in declared:
                    yield f"{path}:{number}: {name} is _Atomic; write it with atomic_store_explicit or the like"


def one_licence_line(tree):
    for path, text in tree.text.items():
        lines = re.findall(r"^(?:/\*|//|#|--|;)?\s*SPDX-License-Identifier: (\S+)", text, re.M)
        if lines != ["MIT"]:
            yield f"{path}:1: wants one line `SPDX-License-Identifier: MIT`, has {len(lines)}"
        elif "SPDX-License-Identifier" not in "\n".join(text.split("\n")[:2]):
            yield f"{path}:1: the licence line belongs to the top"


def files_are_short(tree):
    for path, text in tree.text.items():
        lines = text.count("\n")
        if lines > MAX_LINES and path not in LONG_FILES:
            yield f"{path}:{lines}: {lines} lines; split it, or say in lint.py why it is one concept"


def run_all(commands):
    """[(path, command)] -> the path and the output of each that failed, in order."""
    def run(item):
        done = subprocess.run(item[1], capture_output=True, text=True, check=False)
        return item[0], done.returncode, (done.stderr + done.stdout).strip()

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [(path, text) for path, code, text in pool.map(run, commands) if code != 0]


def headers_compile_alone(tree):
    """Each header brings what it needs; headers of the C edge are C++ too."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Wno-unused-parameter", "-D_GNU_SOURCE", "-I" + tree.root,
             "-isystem" + os.path.join(tree.deps, "usr", "include"),
             "-isystem" + os.path.join(tree.deps, "usr", "include", "node"), "-isystem/usr/include/node",
             "-isystem" + os.path.join(tree.deps, "usr", "share", "include", "llhttp"),
             "-isystem/usr/share/include/llhttp"]
    commands = []
    seen_by_c = set().union(*(closure(tree, path) for path in tree.c_files(".c")))
    seen_by_cpp = set().union(*(closure(tree, path) for path in tree.c_files(".cc")))
    for path, text in tree.c_files(".h").items():
        only_cpp = path in seen_by_cpp - seen_by_c
        if not only_cpp:
            commands.append((path, [compiler, "-std=gnu11", "-x", "c", *flags, "-include", path, "/dev/null"]))
        if only_cpp or "__cplusplus" in text:
            commands.append((path, [compiler, "-std=gnu++17", "-x", "c++", *flags, "-include", path, "/dev/null"]))
    for path, output in run_all([(p, ["env", "-C", tree.root, *c]) for p, c in commands]):
        yield f"{path}:1: does not compile alone: {output.splitlines()[0] if output else '?'}"


def format_is_clean(tree):
    """As .clang-format says, where clang-format 14 or later is installed."""
    tool = shutil.which("clang-format")
    if tool is None:
        return
    version = re.search(r"version (\d+)", subprocess.run([tool, "--version"], capture_output=True, text=True,
                                                        check=False).stdout)
    if version is None or int(version[1]) != 14:  # others format some things otherwise
        return
    commands = [(path, [tool, "--dry-run", "--Werror", os.path.join(tree.root, path)])
                for path in tree.c_files(".c", ".cc", ".h")]
    for path, output in run_all(commands):
        line = re.search(r":(\d+):\d+: ", output)
        yield f"{path}:{line[1] if line else 1}: not as clang-format writes it (clang-format -i {path})"


def tests_are_listed(tree):
    """Each program of tests is named in its folder's meson.build: one that is not is never run."""
    lists = {}
    for path in tree.text:
        match = re.fullmatch(r"(tests/(?:unit|e2e|fuzz))/(?:test|fuzz)_(\w+)\.(?:c|py)", path)
        if match is None:
            continue
        folder, name = match.groups()
        if folder not in lists:
            with open(os.path.join(tree.root, folder, "meson.build"), encoding="utf-8") as file:
                lists[folder] = file.read()
        if f"'{name}'" not in lists[folder]:
            yield f"{path}:1: {folder}/meson.build does not list '{name}', so it never runs"


RULES = (who_includes_whom, v8_sees_no_atomics, orders_are_named, one_licence_line, files_are_short,
         headers_compile_alone, format_is_clean, tests_are_listed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--deps", help="where etc/setup unpacked packages (default: ROOT/build/deps)")
    options = parser.parse_args()
    tree = Tree(os.path.abspath(options.root), options.deps)
    findings = [finding for rule in RULES for finding in rule(tree)]
    print("\n".join(findings) if findings else f"{len(tree.text)} files, {len(RULES)} rules: clean")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
