"""`tallygate simulate wechat-pay`, in a process of its own, as an adapter would use it."""

from __future__ import annotations

import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from simulator_process import ended, running

from billing.payments.provider import Ordered, Unpaid
from billing.payments.wechat.client import WechatPay
from billing.payments.wechat.settings import WechatSettings, load_account
from meters.definition import validate
from simulators.commands import simulate


def test_an_adapter_works_with_what_the_command_hands_out(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    with running("wechat-pay", "--port", "0", "--papers", str(papers)) as process:
        said = process.said
        settings = validate(
            WechatSettings,
            {
                "merchant": said["merchant"],
                "app": said["app"],
                "key_file": said["papers"]["key_file"],
                "key_serial": said["key_serial"],
                "notify_url": "http://127.0.0.1:9/n",
                "base_url": said["base_url"],
                "certificate_files": [said["papers"]["certificate_file"]],
                "public_key_file": said["papers"]["public_key_file"],
                "public_key_id": said["public_key_id"],
            },
            "pay.toml",
        )
        api_v3_key = Path(said["papers"]["api_v3_key_file"]).read_text("ascii")
        environment = {"TALLYGATE_WECHAT_API_V3_KEY": api_v3_key}
        wechat = WechatPay(load_account(settings, environment, source="pay.toml"))
        now = datetime.now(UTC)
        order = Ordered(
            number="ORDER-1",
            amount_fen=1,
            currency="CNY",
            description="水费",
            expires_at=now + timedelta(minutes=30),
        )
        assert wechat.create(order, now=now).code_url is not None
        assert wechat.query("ORDER-1", now=now) is Unpaid.WAITING
        assert "ORDER-1" in httpx.get(said["base_url"]).text
        wechat.close_connections()
        modes = {path.stat().st_mode & 0o777 for path in papers.iterdir()}
        assert modes == {0o600}
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "")


def test_faults_come_from_a_file_a_taken_port_is_told_and_it_ends_with_its_input(
    tmp_path: Path,
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('kind = "wechat-pay-faults"\nsystem_error = 100\n', "utf-8")
    options = ("--faults", str(path), "--follow-stdin")
    with running("wechat-pay", "--port", "0", *options, stdin=subprocess.PIPE) as process:
        base_url = process.said["base_url"]
        answer = httpx.get(f"{base_url}/v3/certificates")
        assert (answer.status_code, answer.json()["code"]) == (500, "SYSTEM_ERROR")

        port = base_url.rpartition(":")[2]
        result = CliRunner().invoke(simulate, ["wechat-pay", "--port", port])
        assert result.exit_code == 1
        taken = f"simulated WeChat Pay cannot listen on 127.0.0.1:{port}: the port is taken"
        assert taken in result.output

        process.stdin.close()
        process.stdin = None
        assert ended(process) == (0, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lose = 5\n", 'kind: should be "wechat-pay-faults"'),
        ('kind = "wechat-pay-faults"\nlose = 101\n', "lose: "),
        ('kind = "wechat-pay-faults"\nloose = 1\n', "did you mean 'lose'?"),
    ],
)
def test_a_wrong_faults_file_is_told_before_anything_listens(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text, "utf-8")
    result = CliRunner().invoke(simulate, ["wechat-pay", "--port", "0", "--faults", str(path)])
    assert result.exit_code == 1
    assert message in result.output
