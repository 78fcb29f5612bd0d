"""The front door: the `tallygate` command, assembled from each folder's commands."""

from __future__ import annotations

import click

from api.commands import api, key, user
from billing.commands import billing
from deploy.check import check
from deploy.demo.command import demo
from deploy.docs import docs
from gateway.commands import gateway
from simulators.commands import simulate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tallygate", message="tallygate %(version)s")
def main() -> None:
    """From smart water and electricity meters to bills that people can check."""


for command in (demo, check, gateway, billing, api, user, key, simulate, docs):
    main.add_command(command)

if __name__ == "__main__":
    main()
