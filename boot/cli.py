"""The command line. Each command has an example in its help, and one clear line for each failure."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from core.errors import PortariaError

# Each command's room is loaded when it is called: a process holds in memory only what it uses.
_ROOMS = {
    "processes": ("up", "web", "worker", "scheduler"),
    "mailboxes": ("mailboxes",),
    "configuration": ("db", "apply", "export"),
    "ruling": ("rules",),
    "forms": ("forms",),
    "templates": ("templates",),
    "lines": ("lines",),
    "importing": ("import",),
    "merging": ("merges", "duplicates"),
    "taking": ("extract", "segments"),
    "privacy": ("privacy",),
    "webhooks": ("webhooks",),
    "reporting": ("first-answers", "report"),
    "people": ("token", "user"),
    "operating": ("failures", "replay", "doctor"),
    "demo": ("demo",),
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in _ROOMS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for room, names in _ROOMS.items():
            if cmd_name in names:
                commands: tuple[click.Command, ...] = importlib.import_module(
                    f"boot.commands.{room}"
                ).COMMANDS
                return next(c for c in commands if c.name == cmd_name)
        return None

    def invoke(self, ctx: click.Context) -> object:
        # What a command loads stays: to look through it for garbage meanwhile takes a fifth of a start.
        # `process.loaded` has it looked for again.
        gc.disable()
        try:
            return super().invoke(ctx)
        except PortariaError as error:
            for line in str(error).splitlines():
                click.echo(f"portaria: {line}", err=True)
            sys.exit(1)
        finally:
            gc.enable()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portaria")
def main() -> None:
    """Portaria: every enquiry becomes exactly one lead, with the right person."""


if __name__ == "__main__":
    main()
