# SPDX-License-Identifier: MIT
"""Names of ours and of the libraries that the programs load: two functions of one name, and the order in which the linker saw
them decides which is called, with the other's arguments."""

import glob
import os
import re
import subprocess

import pytest

import harness


def names_of(path, *options):
    """The global C names that a library defines. C++'s are told apart by their types."""
    done = subprocess.run(["nm", "--defined-only", *options, path], capture_output=True, text=True, check=True, timeout=harness.PATIENCE_S)
    fields = (line.split() for line in done.stdout.splitlines())
    return {words[2].split("@")[0] for words in fields if len(words) == 3 and words[1] in "TDBR" and not words[2].startswith("_")}


@pytest.mark.parametrize("program", ["ssrd", "ssrctl"])
def test_no_function_of_ours_has_the_name_of_a_library_s(program):
    archives = [path for folder in ("shm", "worker", "master") for path in glob.glob(os.path.join(harness.BUILD, folder, "*.a"))]
    ours = set().union(*(names_of(path, "--extern-only") for path in archives))
    assert len(ours) > 500, "the archives were looked at"
    loaded = subprocess.run(["ldd", os.path.join(harness.BUILD, program)], capture_output=True, text=True, check=True,
                            timeout=harness.PATIENCE_S).stdout
    libraries = re.findall(r"=> (/\S+)", loaded)
    assert libraries
    twice = {os.path.basename(path): names for path in libraries if (names := ours & names_of(path, "--dynamic"))}
    assert twice == {}
