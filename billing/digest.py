"""The digest of a run: equal bills on equal evidence give equal digests (I6)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from billing.canonical import canonical_json
from billing.evidence import usage_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from billing.run import Computed


def community_digest(computed: Computed) -> str:
    """Return the SHA-256 over all that a run made of a community, as hex.

    Ids of the database and the times of people's actions do not count; readings with their raw
    words, statements with every share, and bills with every line do.
    """
    digest = hashlib.sha256()
    for document in _documents(computed):
        digest.update(canonical_json(document).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def run_digest(communities: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a run from its communities' codes and digests, in any order."""
    lines = "".join(f"{code} {digest}\n" for code, digest in sorted(communities))
    return hashlib.sha256(lines.encode()).hexdigest()


def _documents(computed: Computed) -> Iterator[dict[str, Any]]:
    tariffs = {each.id: each.tariff.digest for each in computed.registry.tariffs.values()}
    for key in sorted(computed.usages):
        usage = computed.usages[key]
        yield {"usage": [usage.point, usage.register, str(usage.quantity)], **usage_evidence(usage)}
    for result in computed.statements:
        statement = result.statement
        yield {
            "statement": [statement.pool, statement.digest],
            "tariff": tariffs[result.tariff_version_id],
            "shares": [
                [share.unit, share.payer.value, share.key, share.quantity, share.amount]
                for share in statement.shares
            ],
            **result.evidence,
        }
    for bill in computed.bills:
        yield {
            "bill": [bill.number, bill.account.code, bill.unit.code, bill.total],
            "lines": [
                {
                    "line": [line.charge, line.quantity, line.unit, line.amount, line.share],
                    "tariff": tariffs.get(line.tariff_version_id or 0),
                    **line.evidence,
                }
                for line in bill.lines
            ],
        }
