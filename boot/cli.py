"""The command line. Each command has an example in its help, and one clear line for each failure."""

from __future__ import annotations

import sys

import click

from boot.commands import configuration, operating, people, processes
from core.errors import PortariaError


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PortariaError as error:
            for line in str(error).splitlines():
                click.echo(f"portaria: {line}", err=True)
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="portaria")
def main() -> None:
    """Portaria: every enquiry becomes exactly one lead, with the right person."""


for room in (processes, configuration, people, operating):
    for command in room.COMMANDS:
        main.add_command(command)

if __name__ == "__main__":
    main()
