"""One Gmail account to talk to: token, budget and a few connections. Every call of Google's client goes through here."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from googleapiclient.errors import Error as GoogleClientError
from googleapiclient.errors import HttpError

from providers.errors import ProtocolBroken, ProviderError, Throttled, Unreachable
from providers.executors import google_lane
from providers.gmail.endpoint import GmailApi, GmailEndpoint
from providers.gmail.faults import TokenRefused, fault_of
from providers.gmail.quota import QuotaBudget, QuotaCosts, TurnTooFar
from providers.gmail.transport import DEFAULT_LIMIT, AnswerTooLarge, CheckedHttp, StaleConnection
from providers.secret import Secret

T = TypeVar("T")
AccessToken = Callable[[], Awaitable[Secret]]
TokenReport = Callable[[Secret], Awaitable[None]]
Work = Callable[[GmailApi, CheckedHttp], T]

CALL_SECONDS = 180.0
_TRIES = 3
_MAX_IDLE = 4


class GmailAccount:
    """`access_token` gives a token that is good now; it is asked before each call, so it should remember its own.

    After a 401 `refused` is told which token it was, and the token is asked for once more: another one is tried, the same one
    means `token_refused`. Close it when done.
    """

    def __init__(
        self,
        access_token: AccessToken,
        *,
        refused: TokenReport | None = None,
        endpoint: GmailEndpoint | None = None,
        budget: QuotaBudget | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._access_token = access_token
        self._refused = refused
        self._endpoint = endpoint or GmailEndpoint()
        self.budget = budget or QuotaBudget()
        self._sleep = sleep
        self._idle: list[CheckedHttp] = []
        self._closed = False

    @property
    def costs(self) -> QuotaCosts:
        return self.budget.limits.costs

    async def repeatable(
        self, work: Work[T], *, units: int, limit: int = DEFAULT_LIMIT, judged: bool = True
    ) -> T:
        """Run `work` in the lane, again after a passing fault: only for what may be done twice.

        `limit` bounds the answer in octets. `judged=False`: the caller tells the budget how it went, since the items of a
        batch can be refused while the batch is not. Raises ProviderError, AnswerTooLarge.
        """
        tries = 0
        while True:
            tries += 1
            try:
                result = await self._called(work, units=units, limit=limit, fresh=False)
            except TurnTooFar:
                raise
            except Throttled as fault:
                wait = self._slow_down(fault)
                if tries >= _TRIES or wait is None or wait > self.budget.limits.patience:
                    raise
            except StaleConnection:
                self._drop_idle()  # what ended one has probably ended all
                if tries >= _TRIES:
                    raise
            except Unreachable as fault:
                if tries >= _TRIES or (fault.retry_after or 0) > self.budget.limits.patience:
                    raise
                await self._sleep(fault.retry_after or 0.25 * 2**tries * (0.5 + random.random() / 2))  # noqa: S311  # jitter
            else:
                if judged:
                    self.budget.went_well()
                return result

    async def once(self, work: Work[T], *, units: int) -> T:
        """Run `work` once, on a new connection, so that a lost answer is not the end of an old one. Never repeated,
        except with a fresh token after a 401, which is proof that nothing was done. Raises ProviderError.
        """
        try:
            result = await self._called(work, units=units, limit=DEFAULT_LIMIT, fresh=True)
        except TurnTooFar:
            raise
        except Throttled as fault:
            self._slow_down(fault)
            raise
        self.budget.went_well()
        return result

    async def close(self) -> None:
        self._closed = True
        self._drop_idle()

    def _slow_down(self, fault: Throttled) -> float | None:
        """Seconds until the next call. None for a limit of another kind (a day's), on which the rate has no bearing."""
        return self.budget.refused(fault.retry_after) if fault.reason == Throttled.reason else None

    async def _called(self, work: Work[T], *, units: int, limit: int, fresh: bool) -> T:
        await self.budget.spend(units)
        token = await self._access_token()
        try:
            return await self._connected(work, token, limit, fresh=fresh)
        except TokenRefused:
            if self._refused is not None:
                await self._refused(token)
            other = await self._access_token()
            if other == token:
                raise
            return await self._connected(work, other, limit, fresh=fresh)

    async def _connected(self, work: Work[T], token: Secret, limit: int, *, fresh: bool) -> T:
        connection = CheckedHttp(self._endpoint) if fresh else self._rested()
        connection.token, connection.limit = token, limit
        running = asyncio.ensure_future(google_lane().run(_run, work, self._endpoint.api, connection))
        try:
            async with asyncio.timeout(CALL_SECONDS):
                result = await asyncio.shield(running)
        except TimeoutError:
            self._abandon(connection, running)
            raise Unreachable("answer_timeout", "The server did not answer in time.") from None
        except asyncio.CancelledError:
            self._abandon(connection, running)
            raise
        except BaseException:
            # An error answer leaves the connection in order, all else has closed it.
            self._keep(connection)
            raise
        self._keep(connection)
        return result

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _rested(self) -> CheckedHttp:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return CheckedHttp(self._endpoint)

    def _keep(self, connection: CheckedHttp) -> None:
        connection.token = Secret("")
        if connection.reusable and not self._closed and len(self._idle) < _MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    @staticmethod
    def _abandon(connection: CheckedHttp, running: "asyncio.Future[Any]") -> None:
        """Its thread reads on until the connection is cut; only then may the connection be closed."""
        connection.interrupt()
        running.add_done_callback(lambda done: _bury(connection, done))


def _bury(connection: CheckedHttp, done: "asyncio.Future[Any]") -> None:
    connection.close()
    if not done.cancelled():
        done.exception()  # nobody waits for it any more


def _run(work: Work[T], api: GmailApi, connection: CheckedHttp) -> T:
    """In the lane. What the client raises becomes ours here; its own exceptions quote addresses and answers."""
    try:
        return work(api, connection)
    except HttpError as error:
        raise translated(error) from None
    except (ProviderError, AnswerTooLarge):
        raise
    except (GoogleClientError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        # Its parser of batches takes the form of an answer for granted.
        raise ProtocolBroken from None


def translated(error: HttpError) -> ProviderError:
    """Our error for an answer that the client raised."""
    response = error.resp
    if response is None or int(response.status) < 300:  # a batch that could not be taken apart
        return ProtocolBroken()
    return fault_of(int(response.status), response, error.content or b"")
