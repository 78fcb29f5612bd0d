"""What a merchant gets from the platform: names, keys, and the files that hold them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from simulators.wechat_pay.keys import private_pem, public_pem

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from simulators.wechat_pay.platform import Platform

OWNER_ONLY = 0o600


def described(platform: Platform) -> dict[str, Any]:
    """Return what a program that started the simulator needs, but for secrets."""
    return {
        "merchant": platform.merchant.mchid,
        "app": platform.merchant.appid,
        "key_serial": platform.merchant.serial,
        "public_key_id": platform.keys.public.serial,
        "certificate_serial": platform.keys.certificates[-1].serial,
    }


def write_papers(platform: Platform, folder: Path) -> dict[str, Path]:
    """Write what the merchant platform hands out, readable by its owner only."""
    keys = platform.keys
    contents = {
        "key_file": ("apiclient_key.pem", private_pem(platform.merchant.key)),
        "public_key_file": ("pub_key.pem", public_pem(keys.public.key)),
        "certificate_file": ("wechatpay_cert.pem", keys.certificates[-1].certificate),
        "api_v3_key_file": ("api_v3_key.txt", platform.merchant.api_v3_key.encode()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for kind, (name, content) in contents.items():
        written[kind] = folder / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(written[kind], flags, OWNER_ONLY), "wb") as file:
            file.write(content)
    return written
