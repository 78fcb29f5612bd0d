"""The front door: the `tallygate` command, assembled from each folder's commands."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "api": "api.commands",
    "apportion": "billing.what_if.commands",
    "archive": "meters.archive.commands",
    "audit": "billing.commands.audit",
    "bill": "api.bill_commands",
    "billing": "billing.commands.main",
    "check": "deploy.check",
    "delivery": "billing.commands.delivery",
    "demo": "deploy.demo.command",
    "docs": "deploy.docs",
    "gateway": "gateway.commands",
    "key": "api.commands",
    "ledger": "billing.commands.ledger",
    "meters": "gateway.bench.commands",
    "payment": "billing.commands.payments",
    "project": "billing.commands.projects",
    "rate": "billing.what_if.commands",
    "simulate": "simulators.commands",
    "usage": "meters.commands",
    "user": "api.commands",
    "webhook": "api.commands",
}
"""Each command and the module that holds it under the same name."""


class FrontDoor(click.Group):
    """Imports a command's module only when it is asked for: a gateway loads no web server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        if module.startswith("billing."):
            import_module("api.tables")  # who migrates the database knows all of its tables
        command: click.Command = getattr(import_module(module), cmd_name)
        return command


@click.command(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tallygate", message="tallygate %(version)s")
def main() -> None:
    """From smart water and electricity meters to bills that people can check."""


if __name__ == "__main__":
    main()
