"""The fake API's routes for domains: a claim, records that are not right yet, and a check that may find them right."""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.web.fake_data import Row
from tests.web.fake_inboxes import invalid
from tests.web.fake_state import Fake, now

TOKEN = "gbkzq2oyv7h3xkn5w4nuzq7r6q3mh2lp"


def record(kind: str, name: str, type_: str, value: str, status: str, problem: str | None = None, *found: str) -> Row:
    return {"record": kind, "name": name, "type": type_, "value": value, "status": status, "found": list(found), "problem": problem}


def domain(name: str, **changes: object) -> Row:
    challenge = record("ownership", f"_mailroom.{name}", "TXT", "mailroom-domain=c0ffee", "waiting", "It was not looked for yet.")
    flags = {f"{kind}_verified": False for kind in ("mx", "spf", "dkim", "dmarc")}
    defaults = dict.fromkeys(("from_name", "reply_to_address", "bounce_address"))
    return {
        "id": secrets.token_hex(8), "name": name, "verified": False, "verified_at": None, "missing_since": None, "checked_at": None,
        "records": [challenge], "inboxes": [], "created_at": now(), "ses_verified": False, "unclaimed_mails": 0, "unclaimed_at": None, **flags, **defaults, **changes,
    }  # fmt: skip


def half_right(name: str) -> Row:
    """A domain as it stands after the first check of somebody who has set most of it."""
    return domain(
        name, verified=True, verified_at=now(), checked_at=now(), mx_verified=True, dmarc_verified=True, from_name="Example Desk",
        inboxes=[{"id": "i1", "name": "Support", "email_address": f"support@{name}", "local_part": "support", "is_catchall": True}],
        records=[
            record("ownership", f"_mailroom.{name}", "TXT", "mailroom-domain=c0ffee", "ok", None, "mailroom-domain=c0ffee"),
            record("mx", name, "MX", "10 inbound-smtp.eu-west-1.amazonaws.com", "ok", None, "10 inbound-smtp.eu-west-1.amazonaws.com."),
            record("spf", name, "TXT", "v=spf1 mx include:amazonses.com -all", "wrong", "There are 2 SPF records, which makes all of them void (RFC 7208 §4.5); leave one.", "v=spf1 mx -all", "v=spf1 include:_spf.old.example.net ~all"),
            record("dkim", f"{TOKEN}._domainkey.{name}", "CNAME", f"{TOKEN}.dkim.amazonses.com", "missing", "The record of this signing key is not there yet."),
            record("dmarc", f"_dmarc.{name}", "TXT", "v=DMARC1; p=quarantine", "ok", None, "v=DMARC1; p=quarantine"),
        ],
    )  # fmt: skip


def domain_routes(fake: Fake) -> list[Route]:
    def problem(status: int, kind: str, detail: str) -> Response:
        return JSONResponse({"type": f"/problems/{kind}", "title": kind, "status": status, "detail": detail, "errors": []}, status)

    async def every(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"items": list(fake.domains.values()), "next": None})
        name = request.state.body["name"]
        if "." not in name:
            return invalid("Correct name and send it again.", name="is a domain such as example.com, without @, path, port or underscore")
        row = domain(name)
        fake.domains[row["id"]] = row
        return JSONResponse(row, 201)

    async def one(request: Request) -> Response:
        row = fake.domains.get(request.path_params["id"])
        if row is None:
            return problem(404, "not-found", "There is no such thing.")
        if request.method == "DELETE":
            if row["inboxes"]:
                return problem(409, "domain-in-use", "Inboxes still have their addresses in this domain; take them out first.")
            del fake.domains[row["id"]]
            return Response(status_code=204)
        if request.method == "PATCH":
            row |= request.state.body
        return JSONResponse(row)

    async def verify(request: Request) -> Response:
        row = fake.domains[request.path_params["id"]]
        row |= {f"{kind}_verified": True for kind in ("mx", "spf", "dkim", "dmarc")} | {"verified": True, "checked_at": now()}
        row["records"] = [r | {"status": "ok", "problem": None, "found": [r["value"]]} for r in row["records"]]
        return JSONResponse(row)

    async def inbox(request: Request) -> Response:
        row, inbox_id = fake.domains[request.path_params["id"]], request.path_params["inbox_id"]
        others = [one for one in row["inboxes"] if one["id"] != inbox_id]
        if request.method == "DELETE":
            row["inboxes"] = others
            return Response(status_code=204)
        if request.state.body["is_catchall"] and any(one["is_catchall"] for one in others):
            return problem(409, "catchall-taken", "The domain has a catch-all already; make that inbox an ordinary one first.")
        kept = next((one for one in row["inboxes"] if one["id"] == inbox_id), None) or {key: fake.inboxes[inbox_id][key] for key in ("id", "name", "email_address")}
        local = kept["email_address"].partition("@")[0]
        row["inboxes"] = [*others, kept | {"local_part": local, "is_catchall": request.state.body["is_catchall"]}]
        return JSONResponse(row)

    async def make(request: Request) -> Response:
        row, body = fake.domains[request.path_params["id"]], request.state.body
        if not body["local_part"]:
            return invalid("Correct local_part and send it again.", local_part="is what stands before the @")
        address = f"{body['local_part']}@{row['name']}"
        kept = {"id": secrets.token_hex(8), "name": body["name"], "email_address": address}
        row["inboxes"] = [*row["inboxes"], kept | {"local_part": body["local_part"], "is_catchall": False}]
        return JSONResponse(kept | {"provider": "ses"}, 201)

    return [
        Route("/v1/domains/{id}/inboxes", make, methods=["POST"]),
        Route("/v1/domains/{id}/inboxes/{inbox_id}", inbox, methods=["PUT", "DELETE"]),
        Route("/v1/domains", every, methods=["GET", "POST"]),
        Route("/v1/domains/{id}", one, methods=["GET", "PATCH", "DELETE"]),
        Route("/v1/domains/{id}/verify", verify, methods=["POST"]),
    ]
