# SPDX-License-Identifier: MIT
"""Plays apt, dpkg and their kin for test_setup.py, called by their names; light, as it starts often."""

import json
import os
import sys

LIB = f"usr/lib/{os.uname().machine}-linux-gnu"
TABLE = ["build-essential", "pkg-config", "meson", "ninja-build", "python3", "python3-pytest", "python3-yaml",
         "libevent-dev", "libmimalloc-dev", "libyaml-dev", "libcmocka-dev", "libjansson-dev", "libxxhash-dev", "libbrotli-dev", "zlib1g-dev", "libzstd-dev",
         "libssl-dev", "libicu-dev", "libcurl4-openssl-dev", "libnode-dev", "libllhttp-dev", "systemd", "nodejs", "npm"]

# What the archive of the tests has: {package: {"version", "depends", "files", "plan"}}; plan: what apt says it
# would do besides adding it; None: it can't be installed at all.
ARCHIVE = {name: {"version": "1.0", "depends": "", "files": [], "plan": ""} for name in TABLE}
ARCHIVE["ninja-build"]["plan"] = "Remv something [1]\n"
ARCHIVE["libevent-dev"] = {"version": "2.1-9", "depends": "libevent-core-2.1-7 (= 2.1-9), libc6 (>= 2.0)", "plan":
                           "Inst libevent-core-2.1-7 [2.1-8] (2.1-9 Debian [amd64])\n",
                           "files": ["usr/include/event2/event.h", f"{LIB}/libevent_core.so"]}
ARCHIVE["libevent-core-2.1-7"] = {"version": "2.1-9", "depends": "libc6", "plan": "", "files": [f"{LIB}/libevent_core.so.7"]}
ARCHIVE["libnode-dev"] = {"version": "18.0", "depends": "libssl-dev, libuv1-dev (>= 1.33), libnode108 (= 18.0)",
                          "plan": None, "files": ["usr/include/node/v8.h", f"{LIB}/libnode.so"]}
ARCHIVE["libnode108"] = {"version": "18.0", "plan": None, "files": [f"{LIB}/libnode.so.108"], "depends":
                         "libuv1 (>= 1.44), libicu72, libbrotli1 (>= 2.0) | libx, node-acorn (>= 6), libc6 (>= 2.3)"}
ARCHIVE["libicu72"] = {"version": "72", "depends": "", "plan": "", "files": []}
ARCHIVE["libbrotli1"] = {"version": "2.5", "depends": "", "plan": "Inst libbrotli1 [1.0] (2.5 x [amd64])\n",
                         "files": [f"{LIB}/libbrotli.so.1"]}


def play(tool, arguments):
    """One call of dpkg-query, apt-get, …: by the machine in $MACHINE; every call is noted in it."""
    path = os.environ["MACHINE"]
    with open(path, encoding="utf-8") as file:
        machine = json.load(file)
    machine["calls"].append([tool, *arguments])
    installed, code, text = machine["installed"], 0, ""
    names = [a for a in arguments if not a.startswith("-") and a not in ("install", "download", "show", "policy")]
    if tool == "id":
        text = str(machine["uid"])
    elif tool == "dpkg-query":
        for name in arguments[3:]:
            if name in installed:
                text += (arguments[2].replace("${db:Status-Status}", "installed").replace("${Package}", name)
                         .replace("${Version}", installed[name]).replace("\\n", "\n"))
            else:
                code = 1
    elif tool == "apt-cache":
        entry = ARCHIVE.get(names[0].split("=")[0]) if machine["lists"] else None
        if entry is None:
            code = 100 if arguments[0] == "show" else 0
        elif arguments[0] == "policy":
            text = f"{names[0]}:\n  Installed: (none)\n  Candidate: {entry['version']}\n"
        else:
            text = f"Package: {names[0]}\nVersion: {entry['version']}\nDepends: {entry['depends']}\n"
    elif tool == "apt-get" and "update" in arguments:
        machine["lists"] = True
    elif tool == "apt-get" and "-s" in arguments:
        for name in names:
            if not machine["lists"] or name not in ARCHIVE or ARCHIVE[name]["plan"] is None:
                code = 100
            else:
                text += ARCHIVE[name]["plan"] + f"Inst {name} ({ARCHIVE[name]['version']} Debian [amd64])\n"
    elif tool == "apt-get" and "install" in arguments:
        installed.update({name: ARCHIVE[name]["version"] for name in names})
    elif tool == "apt-get" and "download" in arguments:
        name, version = arguments[-1].split("=")
        with open(f"{name}_{version}_all.deb", "w", encoding="utf-8") as file:
            file.write(name)
    elif tool == "dpkg" and arguments[0] == "-x":
        with open(arguments[1], encoding="utf-8") as file:
            name = file.read()
        for item in ARCHIVE[name]["files"]:
            target = os.path.join(arguments[2], item)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as file:
                file.write(name)
    elif tool == "dpkg" and arguments[0] == "--compare-versions":
        a, b = (tuple(map(int, arguments[i].split("."))) for i in (1, 3))
        code = 0 if {">=": a >= b, "=": a == b}[arguments[2]] else 1
    elif tool == "dpkg-deb":
        code = 0 if len(arguments) == 2 and os.path.exists(arguments[1]) else 2
    with open(path, "w", encoding="utf-8") as file:
        json.dump(machine, file)
    sys.stdout.write(text)
    sys.exit(code)


if __name__ == "__main__":
    play(sys.argv[1], sys.argv[2:])
