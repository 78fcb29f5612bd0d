"""Whether containers can be had on this machine."""

from __future__ import annotations

import contextlib
import functools
import gc
import warnings


@functools.cache
def docker_answers() -> bool:
    """Return whether a Docker daemon answers."""
    import docker
    from docker.errors import DockerException

    with warnings.catch_warnings():
        # its client leaves a socket open where no daemon listens
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            with contextlib.closing(docker.from_env(timeout=5)) as client:
                return bool(client.ping())
        except DockerException:
            return False
        finally:
            gc.collect()
