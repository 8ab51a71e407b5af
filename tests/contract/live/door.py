"""A door before a venue: it passes requests on, and answers those itself that it was told to answer otherwise."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from agents.ports import Endpoints

PAGE = (403, "text/html; charset=UTF-8", "<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>")


class Door:
    """Requests that begin with a path in `lies` get (status, content type, text) in place of the venue's answer."""

    def __init__(self, url: str) -> None:
        self.lies: dict[str, tuple[int, str, str]] = {}
        self.asked: list[str] = []
        door = self
        http = self._http = httpx.Client(trust_env=False)

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                door.asked.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                lie = next((lie for path, lie in door.lies.items() if self.path.startswith(path)), None)
                if lie is None:
                    headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")}
                    answer = http.request(self.command, url + self.path, content=body, headers=headers)
                    status, kind, content = answer.status_code, answer.headers.get("content-type", ""), answer.content
                else:
                    status, kind, content = lie[0], lie[1], lie[2].encode()
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def before(self, endpoints: Endpoints) -> Endpoints:
        """Return a venue's addresses as they are behind this door."""
        root = endpoints.clob_url.removesuffix("/clob")
        http = ("gamma_url", "clob_url", "data_url", "relayer_url", "rpc_url")
        return replace(endpoints, **{name: getattr(endpoints, name).replace(root, self.url) for name in http})

    def lie(self, path: str, json: str) -> None:
        """Answer requests for a path with this JSON."""
        self.lies[path] = (200, "application/json", json)

    def close(self) -> None:
        """Close it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        self._http.close()
