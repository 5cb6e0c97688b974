"""The courier, in a language the runtime knows nothing of: its parcels are in the state surface, which it reaches over HTTP."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

PARCELS = os.environ["HARAKA_URL"] + "/api/v1/state/parcels/"
TOKEN = os.environ["HARAKA_TOKEN"]


def plane(method, order, headers={}, body=None):
    data = None if body is None else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
    with urlopen(Request(PARCELS + quote(order, safe=""), data, sent, method=method), timeout=5) as answer:
        return json.load(answer)["value"]


def book(order):
    """201 or the parcel that is there already; one that was recalled before it was booked stays recalled."""
    try:
        return plane("PUT", order, {"If-None-Match": "*"}, {"value": "booked"})
    except HTTPError as error:
        if error.code != 412:
            raise
        return plane("GET", order)


def recall(order):
    return plane("PUT", order, body={"value": "recalled"})


class Courier(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        order = self.headers["Haraka-Execution"]
        try:
            parcel = {"/book": book, "/recall": recall}[self.path](order)
        except OSError as error:  # The plane is not there: nobody knows what has happened, so the runtime asks again.
            return self.answer(503, {"error": str(error)})
        self.answer(409 if (self.path, parcel) == ("/book", "recalled") else 200, {"parcel": parcel})

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


ThreadingHTTPServer(("127.0.0.1", int(os.environ["COURIER_PORT"])), Courier).serve_forever()
