"""Log lines for programs: one JSON object a line, as collectors of logs read it.

Names of gateways, buses and meters stand in the messages; names of people, rooms and what was used
never do.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

PLAIN = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonLines(logging.Formatter):
    """Writes `time` (UTC, ISO 8601), `level`, `logger`, `message` and any `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(*, level: int, as_json: bool) -> None:
    """Send every log line of `level` and above to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else logging.Formatter(PLAIN))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
