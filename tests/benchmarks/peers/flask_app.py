"""The listener that one would write first: Flask, and SQLite as its documentation shows it, one commit a request.

That is a connection a request, kept in `g` and closed when the request ends. The log of requests is off.
"""

import json
import logging
import os
import sqlite3
import sys
from contextlib import closing

from flask import Flask, g, request

app = Flask(__name__)


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(os.environ["DATABASE"], timeout=30)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


with closing(connect()) as first:
    first.execute("PRAGMA journal_mode = WAL")
    first.execute(
        "CREATE TABLE IF NOT EXISTS callback"
        " (id INTEGER PRIMARY KEY, checkout_id TEXT UNIQUE, path TEXT, source TEXT, body BLOB)"
    )


@app.teardown_appcontext
def close(_: BaseException | None) -> None:
    if "database" in g:
        g.database.close()


@app.post("/api/payments/callback/<token>")
def callback(token: str) -> dict[str, object]:
    body = request.get_data()
    checkout_id = json.loads(body)["Body"]["stkCallback"]["CheckoutRequestID"]
    g.database = connect()
    g.database.execute(
        "INSERT OR IGNORE INTO callback (checkout_id, path, source, body) VALUES (?, ?, ?, ?)",
        (checkout_id, token, request.remote_addr, body),
    )
    g.database.commit()
    return {"ResultCode": 0, "ResultDesc": "Accepted"}


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run(port=int(sys.argv[1]), threaded=True)
