# SPDX-License-Identifier: MIT
"""perf/flamegraph records a worker under load and writes one page that needs nothing beside itself."""

import json
import os
import re
import subprocess

import pytest

import harness

# A recursive function, which V8 does not put into its caller: so it keeps its name in the graph.
BUNDLE = """
function treeOfItems(depth) { return depth === 0 ? '<li>item</li>' : '<ul>' + treeOfItems(depth - 1) + treeOfItems(depth - 1) + '</ul>'; }
globalThis.renderPage = (url) => treeOfItems(10) + url;
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """(run, path of the page) of one short recording."""
    place = tmp_path_factory.mktemp("flamegraph")
    probe = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock:u", "-o", place / "probe", "--", "true"],
                           capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"the kernel lets nobody sample here: {probe.stderr.strip()}")
    bundle = place / "server.js"
    bundle.write_text(BUNDLE)
    page = place / "graph.html"
    run = subprocess.run([os.path.join(harness.ROOT, "perf", "flamegraph"), "--quick", "--ssrd", harness.SSRD,
                          "--bundle", bundle, "-o", page],
                         capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    return run, page


def frames_of(tree):
    yield tree["name"]
    for child in tree.get("children", []):
        yield from frames_of(child)


def tree_of(graph):
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', graph[1].read_text(), re.S)
    return json.loads(data[1])


def test_the_graph_names_javascript_c_and_v8(graph):
    tree = tree_of(graph)
    names = set(frames_of(tree))
    assert any("treeOfItems" in name for name in names), "the bundle's own functions bear their names"
    assert any(name.startswith("Builtin:") for name in names), "so do V8's built-ins"
    assert any(name.startswith(("renderer_", "conn_", "js_", "flight_", "http_")) for name in names), "and our own C"
    assert f"{tree['value']} samples" in graph[0].stdout


def test_the_page_loads_nothing_from_elsewhere(graph):
    text = graph[1].read_text()
    assert not re.search(r'<(script|link|img)[^>]*\s(src|href)=', text)
    assert "@SCRIPT@" not in text and "@DATA@" not in text


def test_what_was_written_for_the_recording_is_removed(graph):
    pid = tree_of(graph)["name"].split()[-1]  # "worker 1234"
    assert pid.isdigit() and not os.path.exists(f"/tmp/perf-{pid}.map")
