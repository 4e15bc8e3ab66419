"""The methods of Graph's mail API: which path does what, for whom. HTTP is left to `graph_server.py`."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

from tests.servers import graph_items as items
from tests.servers.graph_delta import DeltaQueries, folder_shown
from tests.servers.graph_faults import GraphError, not_found
from tests.servers.graph_mailbox import GraphMailbox
from tests.servers.graph_oauth import Grant
from tests.servers.graph_sending import Sending
from tests.servers.graph_subscriptions import Subscriptions


@dataclass(slots=True)
class Call:
    """One request: `ids` are the variable parts of its path, `immutable` whether the header asked for such ids."""

    operation: str
    ids: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    grant: Grant
    immutable: bool
    page_size: int | None
    mailbox: GraphMailbox | None = None

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise GraphError(400, "BadRequest", "Unable to read JSON request payload.") from None
        return value if isinstance(value, dict) else {}

    @property
    def select(self) -> tuple[str, ...] | None:
        text = self.query.get("$select")
        return tuple(one.strip() for one in text.split(",")) if text else None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: Any = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", r"", "user.get"),
    ("GET", r"/mailFolders", "folders.list"),
    ("GET", r"/mailFolders/delta(?:\(\))?", "folders.delta"),
    ("GET", r"/mailFolders/([^/]+)", "folders.get"),
    ("GET", r"/mailFolders/([^/]+)/childFolders", "folders.children"),
    ("GET", r"/mailFolders/([^/]+)/messages/delta(?:\(\))?", "messages.delta"),
    ("GET", r"/mailFolders/([^/]+)/messages", "folders.messages"),
    ("POST", r"/mailFolders/([^/]+)/messages", "folders.create"),
    ("GET", r"/messages", "messages.list"),
    ("POST", r"/messages", "messages.create"),
    ("GET", r"/messages/([^/]+)", "messages.get"),
    ("PATCH", r"/messages/([^/]+)", "messages.update"),
    ("DELETE", r"/messages/([^/]+)", "messages.delete"),
    ("GET", r"/messages/([^/]+)/\$value", "messages.value"),
    ("POST", r"/messages/([^/]+)/send", "messages.send"),
    ("POST", r"/messages/([^/]+)/move", "messages.move"),
    ("GET", r"/messages/([^/]+)/attachments", "attachments.list"),
    ("POST", r"/messages/([^/]+)/attachments", "attachments.create"),
    ("POST", r"/messages/([^/]+)/attachments/createUploadSession", "attachments.session"),
    ("POST", r"/translateExchangeIds", "translate"),
)
_COMPILED = tuple((method, re.compile(pattern), operation) for method, pattern, operation in _ROUTES)
_SUBSCRIPTIONS = tuple(
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("GET", r"/subscriptions", "subscriptions.list"),
        ("POST", r"/subscriptions", "subscriptions.create"),
        ("GET", r"/subscriptions/([^/]+)", "subscriptions.get"),
        ("PATCH", r"/subscriptions/([^/]+)", "subscriptions.renew"),
        ("DELETE", r"/subscriptions/([^/]+)", "subscriptions.delete"),
        ("POST", r"/subscriptions/([^/]+)/reauthorize", "subscriptions.reauthorize"),
    )
)
_USER = re.compile(r"/(?:me|users/([^/]+))(/.*)?")
_WRITABLE = {"isRead": "is_read", "categories": "categories"}


def find_operation(method: str, path: str) -> tuple[str, tuple[str, ...], str | None]:
    """Operation, ids, and whose mailbox: None for the caller's own or none. Raises GraphError 400."""
    for verb, pattern, operation in _SUBSCRIPTIONS:
        if verb == method and (found := pattern.fullmatch(path)):
            return operation, tuple(unquote(one) for one in found.groups()), None
    user = _USER.fullmatch(path)
    if user:
        for verb, pattern, operation in _COMPILED:
            if verb == method and (found := pattern.fullmatch(user[2] or "")):
                return operation, tuple(unquote(one) for one in found.groups()), unquote(user[1]) if user[1] else "me"
    raise GraphError(400, "BadRequest", f"Resource not found for the segment '{path.rsplit('/', 1)[-1]}'.")


class GraphApi:
    """What each operation does."""

    def __init__(self, mailboxes: dict[str, GraphMailbox], base: Callable[[], str], subscriptions: Subscriptions) -> None:
        self.mailboxes, self._base, self.subscriptions = mailboxes, base, subscriptions
        self.sending = Sending(mailboxes, base)
        self._deltas: dict[str, DeltaQueries] = {}

    def mailbox_for(self, grant: Grant, name: str) -> GraphMailbox:
        """The mailbox that a path names, if this token may open it."""
        if name == "me":
            if grant.user is None:
                raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
            name = grant.user
        box = self.mailboxes.get(name.lower()) or next((one for one in self.mailboxes.values() if one.user_id == name), None)
        if box is None:
            raise GraphError(404, "ErrorInvalidUser", "The requested user is invalid.")
        if grant.user is not None and grant.user.lower() not in {box.address.lower(), *box.delegates}:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        return box

    def deltas(self, box: GraphMailbox) -> DeltaQueries:
        return self._deltas.setdefault(box.address, DeltaQueries(box, f"{self._base()}/v1.0/users/{box.user_id}"))

    def perform(self, call: Call) -> Answer:
        if call.operation.startswith("subscriptions."):
            return self._subscription(call)
        assert call.mailbox is not None
        box, kind = call.mailbox, call.operation
        if kind == "user.get":
            if call.grant.user is not None and call.grant.user.lower() != box.address.lower():
                # Access to a mailbox is none to the directory: that would be User.ReadBasic.All.
                raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
            return Answer(body=self._person(call, box))
        if kind.startswith("folders."):
            return self._folders(call, box)
        if kind == "translate":
            return self._translate(call, box)
        if kind == "messages.delta":
            token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
            delta = self.deltas(box)
            return Answer(body=delta.messages(call.ids[0], token, call.select, call.page_size, immutable=call.immutable))
        if kind == "messages.list":
            return self._listed(call, box, list(box.items.values()))
        if kind == "messages.create":
            item = self.sending.create(box, call.headers.get("content-type", ""), call.body)
            return Answer(201, self._mail(call, box, item, whole=True))
        return self._message(call, box)

    def _person(self, call: Call, box: GraphMailbox) -> dict[str, Any]:
        first, _, last = box.display_name.partition(" ")
        whole: dict[str, Any] = {
            "businessPhones": [], "displayName": box.display_name, "givenName": first or None, "jobTitle": None, "mail": box.address,
            "mobilePhone": None, "officeLocation": None, "preferredLanguage": None, "surname": last or None,
            "userPrincipalName": box.address, "id": box.user_id,
        }  # fmt: skip
        fragment = f"users({','.join(call.select)})/$entity" if call.select else "users/$entity"
        return {"@odata.context": f"{self._base()}/v1.0/$metadata#{fragment}"} | {name: whole.get(name) for name in call.select or whole}

    def _mail(self, call: Call, box: GraphMailbox, item: Any, *, whole: bool = False) -> dict[str, Any]:
        """One mail, not in a list: with its context. `whole` leaves $select aside, as answers to POST do."""
        about = items.shown(item, immutable=call.immutable, select=None if whole else call.select, expand=call.query.get("$expand"))
        return {"@odata.context": f"{self._base()}/v1.0/$metadata#users('{box.user_id}')/messages/$entity"} | about

    def _message(self, call: Call, box: GraphMailbox) -> Answer:
        kind, mail_id = call.operation, call.ids[0]
        if kind == "messages.get":
            item = box.look(mail_id)
            return Answer(body=self._mail(call, box, item))
        item = box.find(mail_id)
        if kind == "messages.value":
            if item.immutable_id in box.unreadable:
                raise GraphError(500, "ErrorMimeContentConversionFailed", "Conversion of MIME content failed.")
            return Answer(body=item.raw, content_type="text/plain")
        if kind == "messages.update":
            self._update(call, box)
            return Answer(body=self._mail(call, box, box.find(mail_id)))
        if kind == "messages.delete":
            wanted = call.headers.get("if-match")
            if wanted not in (None, "*", f'W/"{item.change_key}"'):
                raise GraphError(412, "ErrorIrresolvableConflict", "The send or update operation could not be performed because the change key does not match.")
            box.delete(mail_id)
            return Answer(204)
        if kind == "messages.send":
            self.sending.send(box, item)
            return Answer(202)
        if kind == "messages.move":
            # An action's parameters are found in any case: msgraph-sdk writes DestinationId, the documentation destinationId.
            given = {name.lower(): value for name, value in call.json().items()}
            if "destinationid" not in given:
                raise GraphError(400, "ErrorInvalidRequest", "The parameter destinationId is missing.")
            return Answer(201, self._mail(call, box, box.move(mail_id, str(given["destinationid"])), whole=True))
        if kind == "attachments.list":
            return Answer(body={"value": items.attached(item)})
        if kind == "attachments.session":
            return Answer(201, self.sending.open_session(box, item, call.json()))
        if kind == "attachments.create":
            return Answer(201, self.sending.attach(box, item, call.json()))
        raise not_found()

    def _update(self, call: Call, box: GraphMailbox) -> None:
        given = call.json()
        values: dict[str, Any] = {_WRITABLE[name]: given[name] for name in given if name in _WRITABLE}
        if "flag" in given:
            values["flag"] = given["flag"]["flagStatus"]
        # Clients may say what they write ("@odata.type"); that is no property.
        if unknown := {name for name in given if "@odata." not in name} - set(_WRITABLE) - {"flag"}:
            raise GraphError(400, "ErrorInvalidPropertySet", f"{sorted(unknown)}")
        box.update(call.ids[0], **values)

    def _folders(self, call: Call, box: GraphMailbox) -> Answer:
        kind = call.operation
        if kind == "folders.delta":
            token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
            return Answer(body=self.deltas(box).folders(token, call.page_size))
        if kind == "folders.messages":
            return self._listed(call, box, box.in_folder(call.ids[0]), f"mailFolders/{quote(call.ids[0])}/messages")
        if kind == "folders.create":
            item = self.sending.create(box, call.headers.get("content-type", ""), call.body, call.ids[0])
            return Answer(201, self._mail(call, box, item, whole=True))
        if kind == "folders.get":
            found = box.folder_id(call.ids[0])
            if found == box.root:
                return Answer(body={"id": box.root, "displayName": "Top of Information Store", "parentFolderId": ""})
            return Answer(body=folder_shown(box, found))
        parent = box.folder_id(call.ids[0]) if call.ids else box.root
        hidden = call.query.get("includeHiddenFolders") == "true"
        listed = [one for one in box.children(parent) if hidden or not one.hidden]
        return self._paged(call, [folder_shown(box, one.id) for one in listed], f"mailFolders/{parent}/childFolders")

    def _paged(self, call: Call, values: list[Any], path: str) -> Answer:
        assert call.mailbox is not None
        top, skip = int(call.query.get("$top", 10)), int(call.query.get("$skip", 0))
        context = f"{self._base()}/v1.0/$metadata#users('{call.mailbox.user_id}')/{path.rpartition('/')[2]}"
        answer: dict[str, Any] = {"@odata.context": context, "value": values[skip : skip + top]}
        if skip + top < len(values):
            query = urlencode(call.query | {"$top": top, "$skip": skip + top}, safe="$,'")  # what was asked for stays asked for
            answer["@odata.nextLink"] = f"{self._base()}/v1.0/users/{call.mailbox.user_id}/{path}?{query}"
        return Answer(body=answer)

    def _listed(self, call: Call, box: GraphMailbox, mails: list[Any], path: str = "messages") -> Answer:
        text = call.query.get("$filter")
        if text:
            found = re.fullmatch(r"internetMessageId eq '((?:[^']|'')*)'", text)
            if found is None:
                raise GraphError(400, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.")
            if "$orderby" in call.query:
                raise GraphError(400, "InefficientFilter", "The restriction or sort order is too complex for this operation.")
            wanted = found[1].replace("''", "'")
            mails = [one for one in mails if items.message_id(one.raw) == wanted and not (one.submitted and one.is_draft)]
        shown = [items.shown(one, immutable=call.immutable, select=call.select) for one in mails]
        return self._paged(call, shown, path)

    def _translate(self, call: Call, box: GraphMailbox) -> Answer:
        asked = call.json()
        if len(asked["inputIds"]) > 1000:
            raise GraphError(400, "ErrorInvalidRequest", "At most 1000 ids can be translated at once.")
        to_immutable = asked["targetIdType"] == "restImmutableEntryId"
        value = []
        for one in asked["inputIds"]:
            try:
                item = box.find(one)
                value.append({"sourceId": one, "targetId": item.immutable_id if to_immutable else item.rest_id})
            except GraphError:
                value.append({"sourceId": one, "errorDetails": {"code": "ErrorItemNotFound", "message": "not found"}})
        return Answer(body={"value": value})

    def _subscription(self, call: Call) -> Answer:
        subs, kind = self.subscriptions, call.operation
        if kind == "subscriptions.create":
            found = re.fullmatch(r"/?(me|users/([^/]+))(?:/mailFolders\(?'?/?([^/')]+)'?\)?)?/messages", call.json().get("resource", ""), re.IGNORECASE)
            if found is None:
                raise GraphError(400, "InvalidRequest", "The resource is not valid.")
            box = self.mailbox_for(call.grant, unquote(found[2]) if found[2] else "me")
            folder = box.folder_id(unquote(found[3])) if found[3] else None
            return Answer(201, subs.create(call.json(), call.grant.user, box, folder, immutable=call.immutable))
        if kind == "subscriptions.list":
            return Answer(body={"value": [subs.shown(one) for one in list(subs.open.values()) if one.owner == call.grant.user]})
        if subs.find(call.ids[0]).owner != call.grant.user:
            raise GraphError(403, "ExtensionError", "Subscription does not belong to application.")
        if kind == "subscriptions.get":
            return Answer(body=subs.shown(subs.find(call.ids[0])))
        if kind == "subscriptions.renew":
            return Answer(body=subs.renew(call.ids[0], call.json()))
        if kind == "subscriptions.reauthorize":
            subs.reauthorize(call.ids[0])
            return Answer(204)
        subs.delete(call.ids[0])
        return Answer(204)
