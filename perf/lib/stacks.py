# SPDX-License-Identifier: MIT
"""From `perf script`'s text and V8's perf map to a tree of frames.

JavaScript is named here rather than by perf alone: perf passes over a map whose owner is another user, as workers
are when ssrd was started as root, and V8's built-ins lie in a library where perf looks for no map. V8's map
(--perf-basic-prof) has a line for each piece of code in the order in which it was made: START SIZE NAME,
hexadecimal. Code made later takes the place of older code at the same address, as in memory.
"""

import bisect
import os
import re

# How V8 marks JavaScript; everything else in its map is its own: built-ins, bytecode handlers, stubs.
_JAVASCRIPT = re.compile(r"^(?:JS|LazyCompile|Function|Script|Eval|InterpretedFunction):(.*)$")
_FRAME = re.compile(r"^\s+([0-9a-f]+) (.*) \(([/\[].*)\)$")


class PerfMap:
    """Which code lies where."""

    def __init__(self, lines=()):
        self._starts = []
        self._pieces = []  # (start, end, name), no two overlap
        for line in lines:
            self.add(line)

    def add(self, line):
        """A line of the map; half a line, at the end of a file that is still written to, is left out."""
        parts = line.rstrip("\n").split(" ", 2)
        try:
            start, size = int(parts[0], 16), int(parts[1], 16)
            name = parts[2]
        except (ValueError, IndexError):
            return
        end = start + size
        first = bisect.bisect_right(self._starts, start)
        if first > 0 and self._pieces[first - 1][1] > start:
            first -= 1
        last = bisect.bisect_left(self._starts, end, lo=first)
        self._starts[first:last] = [start]
        self._pieces[first:last] = [(start, end, name)]

    def name(self, address):
        """The name as V8 wrote it, or None."""
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0 or address >= self._pieces[at][1]:
            return None
        return self._pieces[at][2]


class Mappings:
    """/proc/PID/maps: perf prints a nameless address of a library as its place in the file."""

    def __init__(self, lines=()):
        self._found = {}  # {file: [(start, bytes, place in the file)]}
        for line in lines:
            parts = line.split(None, 5)
            if len(parts) == 6:
                start, end = (int(part, 16) for part in parts[0].split("-"))
                self._found.setdefault(parts[5].strip(), []).append((start, end - start, int(parts[2], 16)))

    def address(self, place, number):
        """Where it lies in memory; the number as it is if it is no place in that file."""
        for start, size, offset in self._found.get(place, ()):
            if offset <= number < offset + size:
                return number - offset + start
        return number


def javascript_frame(name):
    """(kind, text) of a name in V8's map: "JS:*render /srv/server.js:3:14" is ("js", "*render server.js:3:14")."""
    found = _JAVASCRIPT.match(name)
    if found is None:
        return "v8", name
    function, _, place = found[1].rpartition(" ")
    if not function:
        return "js", found[1]
    mark = function if function in ("*", "^", "~", "+") else ""
    return "js", f"{mark or function}{'(anonymous)' if mark else ''} {os.path.basename(place)}"


def frame(number, symbol, place, perf_map, mappings):
    """(kind, text) of one frame of perf script."""
    if place.startswith("[") and not place.startswith("[vdso"):
        return "kernel", symbol
    known = perf_map.name(mappings.address(place, number)) if symbol == "[unknown]" else None
    if known is not None:
        return javascript_frame(known)
    if symbol != "[unknown]":
        if os.path.basename(place).startswith("perf-"):  # perf has read the map itself
            return javascript_frame(symbol)
        return ("v8" if symbol.startswith("Builtins_") else "native"), symbol
    return "other", f"[{os.path.basename(place) or 'unknown'}]"


def samples(lines, perf_map, mappings):
    """The stacks of `perf script -F ip,sym,dso`, each a list of frames from the root to the leaf."""
    stack = []
    for line in lines:
        found = _FRAME.match(line)
        if found:
            stack.append(frame(int(found[1], 16), found[2], found[3], perf_map, mappings))
        elif stack:
            yield trimmed(stack)
            stack = []
    if stack:
        yield trimmed(stack)


def trimmed(leaf_first):
    """From the root on, without nameless frames at the root: there the chain of frame pointers was lost."""
    stack = leaf_first[::-1]
    while len(stack) > 1 and stack[0][0] == "other":
        del stack[0]
    return stack


def tree(stacks, name):
    """{"name", "kind", "value", "children"}: what d3-flame-graph draws. value: samples in it and below."""
    root = {"name": name, "kind": "other", "value": 0, "children": {}}
    for stack in stacks:
        node = root
        node["value"] += 1
        for kind, text in stack:
            node = node["children"].setdefault(
                (kind, text), {"name": text, "kind": kind, "value": 0, "children": {}})
            node["value"] += 1
    return _plain(root)


def _plain(node):
    return {**node, "children": [_plain(child) for child in node["children"].values()]}


def kinds(node, found=None):
    """Samples by the kind of their leaf: {"js": 120, …}."""
    found = {} if found is None else found
    own = node["value"] - sum(child["value"] for child in node["children"])
    found[node["kind"]] = found.get(node["kind"], 0) + own
    for child in node["children"]:
        kinds(child, found)
    return found
