"""HTTP with the API processes."""

import http.client
import json
from typing import Any

# Longer than anything that an API process waits for: its statements end after 15 s.
TIMEOUT_SECONDS = 30.0


class NoAnswer(Exception):
    """The process died, is not there, or did not answer in time: whether it did what it was asked is not known."""


class NobodyThere(NoAnswer):
    """Nobody took the connection: what was to be asked never was."""


class Failed(Exception):
    """The process answered with an error."""


class Connection:
    """A connection to one port, of the loopback where nothing else is said; kept open, for one thread."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._port, self._host = port, host
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any, str]:
        """Status, JSON of the answer, and how the cache answered. Raises NoAnswer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            return response.status, json.loads(response.read()), response.headers.get("X-Cache", "")
        except ConnectionRefusedError as error:
            self.close()
            raise NobodyThere(repr(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise NoAnswer(repr(error)) from error

    def call(self, name: str, **body: Any) -> Any:
        """One of the app's calls under /check/. Raises NoAnswer or Failed."""
        status, answer, _ = self.ask("POST", f"/check/{name}", body)
        if status != 200:
            raise Failed(f"{name}: {answer}")
        return answer

    def close(self) -> None:
        """Closes it; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
