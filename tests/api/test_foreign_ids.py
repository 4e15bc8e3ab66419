"""Ids that mean nothing here, or lie where the caller may not look, are alike: the same status, the same body, nothing told.

`test_routes.py` does it for whole paths of a foreign tenant. Here each id of a path alone, each id of a body or a query,
and rows of an inbox that the caller is no member of. A new field that takes an id fails until `KINDS` says what it names.
"""

import json
import typing
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from api.auth import Access
from api.endpoint import Endpoint
from api.routes import ENDPOINTS
from tests.api.route_cases import CASES, case_of, named
from tests.api.route_rows import fill
from tests.api.world import World

# What a field's id names: a row of `World.ids`, or a person.
KINDS = {
    "assigned_to": "agent",
    "attachments": "upload",
    "business_hours_id": "hours",
    "by": "agent",
    "contact": "contact",
    "conversation_id": "conversation",
    "conversation_ids": "conversation",
    "folder": "folder",
    "folder_id": "folder",
    "inbox": "inbox",
    "inbox_id": "inbox",
    "inboxes": "inbox",
    "inbox_ids": "inbox",
    "into": "conversation",
    "ledger_id": "ledger",
    "mentions": "agent",
    "message": "message",
    "message_id": "message",
    "message_ids": "message",
    "rule_id": "rule",
    "tag": "tag",
    "tag_ids": "tag",
    "team": "team",
    "team_id": "team",
    "team_ids": "team",
    "template_id": "template",
    "user": "agent",
    "user_id": "agent",
    "user_ids": "agent",
    "view": "view",
}
# The same where a field's name alone does not say it.
OF_ROUTE = {
    ("PUT", "/v1/rules/order", "ids"): "rule",
    ("POST", "/v1/bulk", "ids"): "conversation",
    ("POST", "/v1/contacts/{contact_id}/merge", "into"): "contact",
}
# Texts that are ids as well.
TEXTS = {("GET", "/v1/conversations"): ("assigned_to",)}
# Rows that belong to a person or to the organisation and to no inbox: whoever may call the route sees them.
OF_NO_INBOX = frozenset(
    {"upload", "team", "colleague", "token", "view", "template", "shared template", "tag", "rule", "dry run", "domain", "contact", "hours", "policy", "bulk"}
)


def takes_ids(annotation: Any) -> bool:
    return annotation is uuid.UUID or any(takes_ids(a) for a in typing.get_args(annotation))


def many(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (tuple, list, set, frozenset) or any(many(a) for a in typing.get_args(annotation))


def fields() -> Iterator[tuple[Endpoint, str, str, bool]]:
    """Endpoint, `body` or `query`, the field's name, and whether it takes several."""
    for endpoint in ENDPOINTS:
        for place, model in (("body", endpoint.body), ("query", endpoint.query)):
            if model is None or not issubclass(model, BaseModel):
                continue
            for name, info in model.model_fields.items():
                if takes_ids(info.annotation) or (place == "query" and name in TEXTS.get((endpoint.method, endpoint.path), ())):
                    yield endpoint, place, name, many(info.annotation)


FIELDS = [pytest.param(*f, id=f"{named(f[0])} {f[1]}.{f[2]}") for f in fields() if not case_of(f[0]).skip_call]
WITH_IDS = [pytest.param(e, id=named(e)) for e in ENDPOINTS if "{" in e.path and e.access is not Access.PUBLIC]
SEVERAL = [p for p in WITH_IDS if p.values[0].path.count("{") > 1]  # type: ignore[attr-defined]
UNSEEN = [
    p
    for p in WITH_IDS
    if p.values[0].access < Access.ADMIN  # type: ignore[union-attr]
    and not {row for _, row in case_of(p.values[0]).ids} & OF_NO_INBOX  # type: ignore[arg-type]
]


def row_of(world: World, kind: str) -> uuid.UUID:
    return world.people[kind] if kind in world.people else world.ids[kind]


async def answer_to(
    world: World, endpoint: Endpoint, who: str, ids: dict[str, uuid.UUID], *, body: dict[str, Any] | None = None, query: Any = None
) -> tuple[int, str]:
    """Status and body; ids and instants that the caller gave or the row has are the same word in both."""
    path = endpoint.path
    for name, value in ids.items():
        path = path.replace("{" + name + "}", str(value))
    case = case_of(endpoint)
    async with world.client(who, **case.headers) as client:
        sent = {**(case.body(world) if case.body else {}), **(body or {})} or None
        answer = await client.request(
            endpoint.method, path, json=sent if case.content is None else None, content=case.content, params=query
        )
    return answer.status_code, answer.text


@pytest.mark.parametrize(("endpoint", "place", "name", "several"), FIELDS)
async def test_a_foreign_id_in_a_body_or_a_query_is_as_unknown_as_none(world, other, endpoint, place, name, several) -> None:
    kind = OF_ROUTE.get((endpoint.method, endpoint.path, name)) or KINDS.get(name)
    assert kind, f"say in KINDS what {name} names"
    await fill(world)
    await fill(other)
    who = "admin" if endpoint.access is Access.ADMIN else "agent"
    ids = {n: row_of(other, row) for n, row in case_of(endpoint).ids}
    told = []
    for one in (row_of(world, kind), uuid.uuid4()):
        given = {name: [str(one)] if several else str(one)}
        status, text = await answer_to(other, endpoint, who, ids, **{place: given})
        assert status < 500, text
        told.append((status, _faceless(text, one)))
    assert told[0] == told[1]


@pytest.mark.parametrize("endpoint", SEVERAL)
async def test_each_id_of_a_path_alone(pair, endpoint) -> None:
    world, other = pair
    who = "admin" if endpoint.access is Access.ADMIN else "agent"
    own = {name: row_of(other, row) for name, row in case_of(endpoint).ids}
    for name, row in case_of(endpoint).ids:
        foreign = await answer_to(other, endpoint, who, own | {name: row_of(world, row)})
        unknown = await answer_to(other, endpoint, who, own | {name: uuid.uuid4()})
        assert foreign == unknown
        assert 400 <= foreign[0] < 500, name


@pytest.mark.parametrize("endpoint", UNSEEN)
async def test_rows_of_an_inbox_that_one_is_no_member_of(pair, endpoint) -> None:
    """Where a person is on the list or a team: whoever is not is told what anybody is told of nothing."""
    world, _ = pair
    await world.rows("insert into team_members (tenant_id, team_id, user_id) values (:tenant, :t, :u) on conflict do nothing", t=world.ids["team"], u=world.people["viewer"])
    ids = {name: row_of(world, row) for name, row in case_of(endpoint).ids}
    nothing = await answer_to(world, endpoint, "agent", dict.fromkeys(ids, uuid.uuid4()))
    for table, column, member in (("inbox_members", "user_id", world.people["viewer"]), ("inbox_teams", "team_id", world.ids["team"])):
        await world.rows(f"insert into {table} (tenant_id, inbox_id, {column}) values (:tenant, :i, :m)", i=world.ids["inbox"], m=member)
        assert await answer_to(world, endpoint, "agent", ids) == nothing
        assert nothing[0] == 404
        await world.rows(f"delete from {table}")


def _faceless(text: str, one: uuid.UUID) -> str:
    """The answer without the id asked for and without what differs between any two calls."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(_plain(value)).replace(str(one), "ID")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "…" if k in VARIES else _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


VARIES = frozenset({"id", "name", "version", "updated_at", "created_at", "at", "eta_seconds"})


def test_every_route_of_the_table_is_looked_at() -> None:
    assert {(e.method, e.path) for e in ENDPOINTS if "{" in e.path and e.access is not Access.PUBLIC} <= set(CASES)
    assert [p.id for p in FIELDS], "the fields are found by their types"
