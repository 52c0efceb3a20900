"""A mail server and an SMS gateway that keep what they are given, on ports of their own."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Post:
    """What arrived: mails as (recipients, subject, text), messages to a phone as (number, text)."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.gateway_status = 201
        self.mail_url = ""
        self.gateway_url = ""


@contextmanager
def post_office() -> Iterator[Post]:
    """Both servers, running until the end."""
    post = Post()
    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _mail_handler(post))) as port:
        post.mail_url = f"mailto://rentpay@127.0.0.1:{port}?from=rentpay@example.com&mode=insecure&to="
        with _serving(ThreadingHTTPServer(("127.0.0.1", 0), _gateway_handler(post))) as gateway_port:
            post.gateway_url = f"http://127.0.0.1:{gateway_port}/version1/messaging"
            yield post


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _mail_handler(post: Post) -> type[socketserver.StreamRequestHandler]:
    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 sink\r\n")
            recipients: list[str] = []
            while line := self.rfile.readline().strip():
                verb = line.upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    self._keep(recipients)
                elif verb.startswith(b"RCPT TO:"):
                    recipients.append(line[8:].decode().strip("<>"))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

        def _keep(self, recipients: list[str]) -> None:
            content = b""
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                content += line
            mail = message_from_bytes(content, policy=policy.default)
            body = mail.get_body(("plain", "html"))
            assert body is not None
            post.mails.append((recipients, str(mail["Subject"]), body.get_content()))

    return Mail


def _gateway_handler(post: Post) -> type[BaseHTTPRequestHandler]:
    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if post.gateway_status == 201:
                post.texts.append((form["to"][0], form["message"][0]))
            self.send_response(post.gateway_status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Gateway
