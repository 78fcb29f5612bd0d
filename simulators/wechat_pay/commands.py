"""`tallygate simulate wechat-pay`: WeChat Pay for one merchant, on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from meters.definition import DefinitionError, read_document, validate
from simulators import foreground
from simulators.foreground import option
from simulators.ports import ListenError
from simulators.wechat_pay.faults import Faults
from simulators.wechat_pay.key_mode import KeyMode

LOOPBACK = "127.0.0.1"


def _now() -> datetime:
    return datetime.now(UTC)


@click.command("wechat-pay")
@option("--host", default=LOOPBACK, help="Address to listen on.")
@option("--port", type=foreground.PORT, default=8090, help="Port; 0 for a free one.")
@option("--seed", type=int, default=1, help="Draws the merchant's names, and chance.")
@option(
    "--keys",
    "mode",
    type=click.Choice([mode.value for mode in KeyMode]),
    default=KeyMode.CERTIFICATE.value,
    help="What is signed with.",
)
@option("--pace", type=click.FloatRange(0), default=1.0, help="Times from try to try, times this.")
@click.option(
    "--papers",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write what a merchant gets into this folder: keys, certificate, APIv3 key.",
)
@foreground.faults_option
@foreground.json_option
@foreground.follow_option
def wechat_pay(
    *,
    host: str,
    port: int,
    seed: int,
    mode: str,
    pace: float,
    papers: Path | None,
    faults: Path | None,
    as_json: bool,
    follow_stdin: bool,
) -> None:
    """Run WeChat Pay's merchant API v3, with a page where orders are paid.

    Its merchant is made up by the seed; the keys are new ones each time.
    """
    from simulators.wechat_pay.papers import (  # noqa: PLC0415 - large: meters do without a web server
        described,
        write_papers,
    )
    from simulators.wechat_pay.server import WechatPayServer  # noqa: PLC0415 - the same

    try:
        troubles = Faults() if faults is None else _faults(faults)
        server = WechatPayServer(
            clock=_now,
            host=host,
            port=port,
            seed=seed,
            mode=KeyMode(mode),
            pace=pace,
            refund_after_s=5 * pace,
        )
        server.set_faults(troubles)
        with foreground.stop_event(follow_stdin=follow_stdin) as stop, server:
            where = {"base_url": server.base_url, **described(server.platform)}
            if papers is not None:
                written = write_papers(server.platform, papers).items()
                where["papers"] = {name: str(path) for name, path in written}
            text = f"WeChat Pay at {server.base_url}, merchant {server.merchant.mchid}"
            click.echo(foreground.announcement(where, text, as_json=as_json))
            stop.wait()
    except (DefinitionError, ListenError) as error:
        raise click.ClickException(str(error)) from error


def _faults(path: Path) -> Faults:
    document = read_document(path)
    if document.pop("kind", None) != "wechat-pay-faults":
        raise click.ClickException(f'{path}: kind: should be "wechat-pay-faults"')
    return validate(Faults, document, str(path))
