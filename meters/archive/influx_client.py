"""Writing through influxdb-client, the client library of InfluxDB 2: synchronously, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from meters.archive.influx_server import CONNECT_TIMEOUT_S, ServerAwayError

if TYPE_CHECKING:
    from meters.archive.influx_address import InfluxAddress


class ClientWriter:
    """`/api/v2/write` of 1.8, 2.x and 3.x."""

    def __init__(self, address: InfluxAddress, token: str | None) -> None:
        self._bucket = address.bucket
        self._org = address.org
        self._client = InfluxDBClient(
            address.base_url,
            token=token,
            org=address.org,
            timeout=(1000 * CONNECT_TIMEOUT_S, 1000 * address.timeout_s),
            enable_gzip=address.gzip,
            retries=False,  # the spool sends again, and knows what it sends
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, content: bytes) -> tuple[int, str]:
        """Send lines; return the status and the server's words. Raises `ServerAwayError`."""
        try:
            self._api.write(self._bucket, self._org, content, write_precision=WritePrecision.S)
        except ApiException as error:
            if not error.status:
                raise ServerAwayError(str(error.reason)) from error
            return error.status, str(error.body or error.reason)
        except HTTPError as error:
            raise ServerAwayError(str(error)) from error
        return 204, ""

    def close(self) -> None:
        """Release connections."""
        self._api.close()
        self._client.close()
