"""An M-Pesa that accepts every request after a delay, so that what is measured is rentpay and not a simulator.

`python mpesa_stub.py PORT DELAY_SECONDS`. `GET /seen` tells how many payouts came, and for how many payments.
"""

import asyncio
import itertools
import json
import sys

COUNTER = itertools.count(1)
PAID: dict[str, int] = {}


def answer(path: str, body: bytes) -> dict[str, object]:
    if path.startswith("/oauth"):
        return {"access_token": "token", "expires_in": "3599"}
    if path == "/seen":
        return {"payouts": sum(PAID.values()), "payments": len(PAID)}
    number = next(COUNTER)
    if "stkpush" in path:
        return {"ResponseCode": "0", "CheckoutRequestID": f"ws_CO_stub_{number}", "MerchantRequestID": f"m-{number}"}
    payment = json.loads(body)["Remarks"].split()[2]  # "Rent payment 12 attempt 1"
    PAID[payment] = PAID.get(payment, 0) + 1
    return {"ResponseCode": "0", "ConversationID": f"AG_stub_{number}", "OriginatorConversationID": f"o-stub-{number}"}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float) -> None:
    while head := await _head(reader):
        length = next((int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
        path = head[0].split()[1].decode()
        if path.startswith("/mpesa/"):
            await asyncio.sleep(delay_seconds)
        text = json.dumps(answer(path, body)).encode()
        fields = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
        writer.write(fields + text)
    writer.close()


async def _head(reader: asyncio.StreamReader) -> list[bytes]:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return []


async def main(port: int, delay_seconds: float) -> None:
    listening = await asyncio.start_server(lambda r, w: serve(r, w, delay_seconds), "127.0.0.1", port)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
