"""Mails by id, in batches that find their own size: by quota, by octets, and one by one where a batch will not do."""

import base64
import binascii
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from googleapiclient.errors import HttpError

from providers.errors import AuthFailed, NotThere, ProviderError, Throttled, Unreachable
from providers.gmail.account import GmailAccount, translated
from providers.gmail.endpoint import GmailApi
from providers.gmail.faults import TokenRefused
from providers.gmail.labels import mail_of
from providers.gmail.transport import AnswerTooLarge, CheckedHttp
from providers.mail_api import RawMail, RemoteMail

MOST = 50  # 100 is refused; above 50 Google warns of rate limits (guides/batch)
BATCH_OCTETS = 24 * 1024 * 1024
MAX_OCTETS = 50 * 1024 * 1024
_TRIES = 3  # for one mail that Google cannot give
_ROUNDS = 5  # without a single mail, before the caller is told to come later

Form: TypeAlias = Literal["raw", "minimal"]
Answer: TypeAlias = dict[str, Any] | ProviderError | AnswerTooLarge


class MailFetcher:
    """Remembers from batch to batch how many mails fit. `max_octets` is the largest mail that is wanted at all."""

    def __init__(self, account: GmailAccount, *, max_octets: int = MAX_OCTETS) -> None:
        self._account = account
        self._single = max_octets * 4 // 3 + 64 * 1024  # base64url inside JSON
        self._max_octets = max_octets
        self._size = MOST // 2

    async def fetch(self, ids: Sequence[str]) -> tuple[RawMail, ...]:
        """One answer for each id, in their order. Raises what concerns all: AuthFailed, Throttled, Unreachable.

        A limit in the middle is waited out as long as mails come, so that a tight quota cannot make the same call begin
        again for ever. One mail that fails where others do not is `unreadable`.
        """
        answers = await self._answers(ids, "raw")
        found = {one: self._raw(one, answer) for one, answer in answers.items()}
        return tuple(found[one] for one in ids)

    async def states(self, ids: Sequence[str]) -> dict[str, RemoteMail]:
        """Labels and dates of mails whose octets are known already. What is gone or cannot be had is left out."""
        answers = await self._answers(ids, "minimal")
        told = ((one, _mail(one, answer)) for one, answer in answers.items())
        return {one: mail for one, mail in told if mail is not None}

    async def _answers(self, ids: Sequence[str], form: Form) -> dict[str, Answer]:
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Answer] = {}
        failed: dict[str, Answer] = {}
        tries: Counter[str] = Counter()
        barren = 0
        while todo := [one for one in wanted if one not in found and tries[one] < _TRIES]:
            answers = await self._batch(todo[: self._fitting()], form)
            limits: list[Throttled] = []
            for one, answer in answers.items():
                match answer:
                    case Throttled():
                        limits.append(answer)
                    case Unreachable():
                        tries[one] += 1
                        failed[one] = answer
                    case AuthFailed():
                        raise answer
                    case _:
                        found[one] = answer
            if not limits:
                self._account.budget.went_well()
                self._size = min(self._size + (2 if answers else 0), MOST)
                continue
            self._size = max(1, self._size // 2)
            wait = self._account.budget.refused(
                max((limit.retry_after or 0 for limit in limits), default=0) or None
            )
            barren = barren + 1 if len(limits) == len(answers) else 0
            if barren >= _ROUNDS or wait > self._account.budget.limits.patience:
                raise Throttled(retry_after=wait)
        if wanted and not found:
            await self._account.repeatable(_profile, units=1)  # is it Google as a whole? Then this raises
        return {**failed, **found}

    def _fitting(self) -> int:
        return self._account.budget.fitting(self._account.costs.get, self._size)

    async def _batch(self, ids: list[str], form: Form) -> dict[str, Answer]:
        """Empty where the batch was too large: the next one is half of it."""
        units = len(ids) * self._account.costs.get
        limit = self._single if len(ids) == 1 else BATCH_OCTETS

        def work(api: GmailApi, connection: CheckedHttp) -> dict[str, Answer]:
            return _batch_get(api, connection, ids, form)

        try:
            return await self._account.repeatable(work, units=units, limit=limit, judged=False)
        except AnswerTooLarge as too_large:
            if len(ids) == 1:
                return {ids[0]: too_large}
            self._size = max(1, len(ids) // 2)
            return {}

    def _raw(self, one: str, answer: Answer) -> RawMail:
        if isinstance(answer, AnswerTooLarge):
            return RawMail(RemoteMail(one), None, "too_large")
        if isinstance(answer, NotThere):
            return RawMail(RemoteMail(one), None, "gone")
        mail = _mail(one, answer)
        if mail is None or not isinstance(answer, dict):
            return RawMail(RemoteMail(one), None, "unreadable")
        try:
            text = answer["raw"]
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            return RawMail(mail, None, "unreadable")
        if not raw:
            return RawMail(mail, None, "unreadable")
        if len(raw) > self._max_octets:
            return RawMail(mail, None, "too_large")
        return RawMail(mail, raw)


def _mail(one: str, answer: Answer) -> RemoteMail | None:
    if not isinstance(answer, dict):
        return None
    try:
        mail = mail_of(answer)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return mail if mail.id == one else None


def _profile(api: GmailApi, connection: CheckedHttp) -> Any:
    return api.users.getProfile(userId="me").execute(http=connection)


def _batch_get(api: GmailApi, connection: CheckedHttp, ids: list[str], form: Form) -> dict[str, Answer]:
    """In the lane: what Google says of each id, mails and errors side by side (items of a batch fail singly)."""
    answers: dict[str, Answer] = {}

    def keep(one: str, response: dict[str, Any] | None, error: HttpError | None) -> None:
        answers[one] = translated(error) if error is not None else response or {}

    if len(ids) == 1:
        request = api.messages.get(userId="me", id=ids[0], format=form)
        try:
            keep(ids[0], request.execute(http=connection), None)
        except HttpError as error:
            keep(ids[0], None, error)
    else:
        batch = api.service.new_batch_http_request(callback=keep)
        for one in ids:
            batch.add(api.messages.get(userId="me", id=one, format=form), request_id=one)
        batch.execute(http=connection)
    for answer in answers.values():
        if isinstance(answer, TokenRefused):
            raise answer  # the account asks for a fresh token and repeats
    return answers
