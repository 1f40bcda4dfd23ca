"""`python -m utils COMMAND`: the course's tools outside a notebook. Each command is a module of cli/."""

import argparse
import sys

from .cli import evaluate, export, predict, train, validate
from .core.files import advice

COMMANDS = {
    "data": validate,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
}


def main(words=None):
    """Run one command; words: the command line without the program's name. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m utils", description="Semantic segmentation: a hands-on course")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=module.HELP))
    args = parser.parse_args(words)
    try:
        return COMMANDS[args.command].run(args)
    except (KeyboardInterrupt, BrokenPipeError) as error:  # Ctrl-C, or `| head` that has seen enough
        if isinstance(error, KeyboardInterrupt):
            print("Stopped by Ctrl-C", file=sys.stderr)
        return 130
    except (OSError, ValueError, MemoryError) as error:  # what is wrong with a file or a value: said, not traced
        print(advice(error), file=sys.stderr)
        return 2


if __name__ == "__main__":
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors="backslashreplace")  # a file's name or × must not end it on a terminal without UTF-8
    sys.exit(main())
