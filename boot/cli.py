"""The command line. Each command has an example in its help, and one clear line for each failure."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from core.errors import PortariaError

# Each command's room is loaded when it is called: a process holds in memory only what it uses. What stands
# beside a name is the first line of its help, so that the list of commands loads none of them.
_ROOMS = {
    "processes": {
        "up": "Run everything: broker, migrations, web, worker, scheduler, mailboxes.",
        "web": "Run the web process alone.",
        "worker": "Run a worker alone; any number may run.",
        "scheduler": "Run a scheduler alone; of several, one leads.",
    },
    "mailboxes": {"mailboxes": "Watch the mailboxes; of several hosts, each mailbox is watched by one."},
    "configuration": {
        "db": "The database's schema.",
        "apply": "Apply a workspace file, or a folder of them.",
        "export": "Print the configuration in force as a workspace file.",
    },
    "ruling": {"rules": "The rules: check, try, explain, and go back."},
    "forms": {"forms": "Forms on websites."},
    "templates": {"templates": "Texts to send."},
    "lines": {"lines": "Telephone lines."},
    "importing": {
        "import": "Bring in a file of leads, or of what --what says: CSV of any kind, a workbook (.xlsx), or "
        "vCards."
    },
    "merging": {
        "merges": "What was made one, and may be made two again.",
        "duplicates": "What may be there twice.",
    },
    "taking": {
        "extract": "Write everything of one kind into a file.",
        "segments": "Saved choices among leads, contacts and deals.",
    },
    "privacy": {"privacy": "A person's data as a whole, and who saw and changed what."},
    "webhooks": {"webhooks": "Endpoints outside that are told what happens."},
    "reporting": {
        "first-answers": "Show how soon people answered: counts, median, 90th percentile, and the share in "
        "time.",
        "report": "Count what the workspace has done: as a table, as JSON or as a file.",
    },
    "people": {
        "token": "Tokens for programs that use the API.",
        "user": "Users who sign in to the console.",
    },
    "operating": {
        "failures": "Show the events that could not be processed, and why.",
        "replay": "Process events again that failed, were ignored or were quarantined.",
        "doctor": "Look at everything that can be wrong, and say what to do about it.",
    },
    "demo": {"demo": "Send one enquiry through each form, line and mailbox, and show what becomes of it."},
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        told = [(name, words) for names in _ROOMS.values() for name, words in names.items()]
        with formatter.section("Commands"):
            formatter.write_dl(told)

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
