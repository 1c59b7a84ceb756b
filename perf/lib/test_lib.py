# SPDX-License-Identifier: MIT
"""Tests of what the scripts of perf/ compute; what they measure is not tested here."""

import asyncio
import os
import random
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import figures
import openloop
import programs
import stacks
import wrk


def test_paired_ratio_is_the_median_of_the_ratios_not_the_ratio_of_the_medians():
    assert figures.paired_ratio([1, 10, 30], [2, 10, 10]) == 1
    assert figures.paired_ratio([5], [4]) == 1.25


def test_paired_ratio_refuses_runs_without_a_partner():
    with pytest.raises(ValueError):
        figures.paired_ratio([1, 2], [1])


def test_verdicts_count_what_was_missed(capsys):
    verdicts = figures.Verdicts()
    verdicts.at_most("memory", 100, 100, " MB")
    assert verdicts.exit_code() == 0
    verdicts.at_least("ratio", 1.19, 1.2)
    assert verdicts.exit_code() == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "MISS"]


def test_requests_are_sent_when_they_are_due_not_when_others_are_answered():
    begun = []

    async def request(number, due):
        begun.append((number, due))
        await go.wait()  # none of them is answered before all were sent

    async def both():
        count = asyncio.create_task(openloop.send(random.Random(1), 1000, 0.05, request))
        while not count.done():
            await asyncio.sleep(0.001)
            if len(begun) >= 20:
                go.set()
        return await count

    async def run():
        nonlocal go
        go = asyncio.Event()
        return await asyncio.wait_for(both(), 60)

    go = None
    assert asyncio.run(run()) == len(begun) >= 20
    dues = [due for _, due in begun]
    assert dues == sorted(dues) and [number for number, _ in begun] == list(range(len(begun)))


def test_quantiles_are_values_that_were_there():
    assert [openloop.quantile([3, 1, 2, 4], q) for q in (0, 0.5, 0.99, 1)] == [1, 3, 4, 4]
    assert openloop.quantile([], 0.5) != openloop.quantile([], 0.5)


def test_table_aligns_its_columns():
    rows = [["a", "n"], ["long", 1234567.8], ["b", 0.5]]
    assert figures.table(rows) == "a             n\nlong  1,234,568\nb          0.50"


def test_wrk_output_without_figures_says_what_wrk_said():
    with pytest.raises(programs.Failed, match="unable to connect"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_wrk_figures_are_found_behind_its_own_text():
    assert wrk.parse('Running 1s test\n  1 threads\n#json {"requests": 7}\n') == {"requests": 7}


def test_cpu_time_of_this_process_grows_and_of_no_process_is_zero():
    before = programs.cpu_ns(os.getpid())
    while programs.cpu_ns(os.getpid()) == before:
        pass
    assert programs.cpu_ns(2**22 + 1) == 0  # above the largest pid that Linux gives


def test_memory_of_this_process_is_seen_and_of_no_process_is_zero():
    assert programs.pss_kib(os.getpid())["Pss"] > 0
    assert programs.pss_kib(2**22 + 1)["Pss"] == 0


def test_a_session_leaves_nothing_behind_when_it_fails():
    with pytest.raises(programs.Failed):
        with programs.session(60) as session:
            path = session.write("a/b", "text")
            program = session.start("cat", ["cat", "/dev/zero"])
            raise programs.Failed("no")
    assert not os.path.exists(path)
    assert program.process.poll() is not None


def test_a_program_that_ends_is_reported_with_its_last_words():
    with programs.session(60) as session:
        program = session.start("sh", ["sh", "-c", "echo port taken; exit 3"])
        program.process.wait()
        with pytest.raises(programs.Failed, match="sh ended with 3: port taken"):
            program.check()


def test_tree_has_children_of_children():
    with programs.session(60) as session:
        program = session.start("sh", ["sh", "-c", "cat /dev/zero > /dev/null & wait"])
        while len(program.pids()) < 2:
            program.check()


MAP = ["1000 10 JS:~render /srv/server.js:3:14\n", "1010 10 Builtin:ArrayMap\n", "2000 20 JS:* /srv/server.js:9:1\n"]


def test_map_names_what_lies_at_an_address():
    perf_map = stacks.PerfMap(MAP)
    assert perf_map.name(0x1000) == perf_map.name(0x100f) == "JS:~render /srv/server.js:3:14"
    assert perf_map.name(0x1010) == "Builtin:ArrayMap"
    assert perf_map.name(0xfff) is None
    assert perf_map.name(0x2020) is None


def test_map_younger_code_takes_the_place_of_older():
    perf_map = stacks.PerfMap(MAP + ["1008 10 JS:*new /srv/server.js:1:1\n"])
    assert perf_map.name(0x1008) == perf_map.name(0x1017) == "JS:*new /srv/server.js:1:1"
    assert perf_map.name(0x1000) is None  # that code is gone


def test_map_leaves_out_half_a_line():
    assert stacks.PerfMap(MAP + ["30"]).name(0x30) is None


@pytest.mark.parametrize("name, wanted", [
    ("JS:*render /srv/server.js:3:14", ("js", "*render server.js:3:14")),
    ("LazyCompile:~a.b /srv/server.js:3:14", ("js", "~a.b server.js:3:14")),
    ("JS:* /srv/server.js:3:14", ("js", "*(anonymous) server.js:3:14")),
    ("Builtin:ArrayMap", ("v8", "Builtin:ArrayMap")),
    ("BytecodeHandler:Ldar", ("v8", "BytecodeHandler:Ldar")),
])
def test_names_of_v8_become_frames(name, wanted):
    assert stacks.javascript_frame(name) == wanted


MAPPINGS = ["1000-3000 r-xp 00008000 fe:00 12    /usr/lib/libnode.so\n", "9000-a000 rw-p 00000000 00:00 0\n"]
SCRIPT = """
            8010 [unknown] (/usr/lib/libnode.so)
            1004 [unknown] (/memfd:x (deleted))
            5000 renderer_turn (/usr/sbin/ssrd)
            5100 [unknown] (/usr/lib/libevent.so)

        ffff0000 do_writev ([kernel.kallsyms])
            6000 writev (/usr/lib/libc.so.6)
            5000 renderer_turn (/usr/sbin/ssrd)
"""


def test_samples_of_perf_become_stacks_from_the_root():
    found = list(stacks.samples(SCRIPT.split("\n"), stacks.PerfMap(MAP), stacks.Mappings(MAPPINGS)))
    assert found == [
        [("native", "renderer_turn"), ("js", "~render server.js:3:14"), ("v8", "Builtin:ArrayMap")],
        [("native", "renderer_turn"), ("native", "writev"), ("kernel", "do_writev")],
    ]


def test_tree_counts_a_frame_with_all_below_it():
    root = stacks.tree(stacks.samples(SCRIPT.split("\n"), stacks.PerfMap(MAP), stacks.Mappings(MAPPINGS)), "worker 1")
    assert root["value"] == 2
    [turn] = root["children"]
    assert (turn["name"], turn["value"], len(turn["children"])) == ("renderer_turn", 2, 2)
    assert {k: v for k, v in stacks.kinds(root).items() if v} == {"v8": 1, "kernel": 1}


def test_every_script_explains_itself():
    folder = os.path.dirname(programs.LIB)
    scripts = [name for name in os.listdir(folder) if os.access(os.path.join(folder, name), os.X_OK)
               and os.path.isfile(os.path.join(folder, name))]
    assert {"load", "renders", "memory", "start", "flamegraph"} <= set(scripts)
    for name in scripts:
        done = programs.subprocess.run([os.path.join(folder, name), "--help"], capture_output=True, text=True,
                                       check=False)
        assert done.returncode == 0 and re.search(r"^usage: ", done.stdout), done.stderr
