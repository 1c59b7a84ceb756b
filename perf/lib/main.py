# SPDX-License-Identifier: MIT
"""The frame of every script here: options, a session, and a way out that people can read."""

import argparse
import os
import sys

import servers
from programs import Failed, session


LIMIT_S = 3600  # whatever hangs ends by then


def main(doc, run, *, bundle=True, add_arguments=None):
    """run(session, options) -> exit code. 0: all limits kept, 1: one missed or it went wrong, 2: usage."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short run: does it work? Its figures mean nothing")
    servers.add_options(parser, bundle)
    if add_arguments:
        add_arguments(parser)
    options = parser.parse_args()
    try:
        servers.check_files(options)
        if os.uname().sysname != "Linux":
            raise Failed("this reads /proc as Linux has it")
        with session(LIMIT_S) as made:
            code = run(made, options)
    except Failed as failed:
        print(f"{os.path.basename(sys.argv[0])}: {failed}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(0 if options.quick and code == 0 else code)
