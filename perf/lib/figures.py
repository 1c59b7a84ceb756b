# SPDX-License-Identifier: MIT
"""Medians, paired ratios, tables and verdicts: how all scripts of perf/ print what they found."""

from statistics import median


def paired_ratio(ours, theirs):
    """The median of the ratios of runs that were made side by side: what both suffered cancels out."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def table(rows):
    """Rows of cells as text: the first row is the head, the first column is aligned to the left."""
    texts = [[cell if isinstance(cell, str) else f"{cell:,.{0 if abs(cell) >= 1000 else 2}f}" for cell in row]
             for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
        for row in texts)


class Verdicts:
    """Figures with the limits that they must keep."""

    def __init__(self):
        self.missed = 0

    def at_most(self, name, value, limit, unit=""):
        self._say(name, value, value <= limit, f"at most {limit:g}{unit}", unit)

    def at_least(self, name, value, limit, unit=""):
        self._say(name, value, value >= limit, f"at least {limit:g}{unit}", unit)

    def _say(self, name, value, kept, wanted, unit):
        self.missed += not kept
        print(f"{'ok  ' if kept else 'MISS'} {name}: {value:.{0 if value >= 100 else 2}f}{unit} (wanted: {wanted})",
              flush=True)

    def exit_code(self):
        return 1 if self.missed else 0
