"""The Temporal development server with its UI, from a wheel, its state in one SQLite file.

It promises a namespace that answers and has every search attribute. What the attributes mean is the workflows' affair.
"""

import shutil
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from stack.layout import Layout
from stack.ports import HOST, PortBook
from stack.process import Command, PartFailed, SupervisedProcess, plain_environment

NAMESPACE = "default"
SEARCH_ATTRIBUTES: Mapping[str, IndexedValueType.ValueType] = dict.fromkeys(
    ("TenantId", "InboxId", "Provider", "Health"), IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
)
# The default of 20 polls/s delays every step of a workflow: an activity's round trip takes 50 ms, with these 13 ms.
DYNAMIC_CONFIG = {"history.transferProcessorMaxPollRPS": "2000", "history.timerProcessorMaxPollRPS": "2000"}
READY_WITHIN = 60.0


def find_program(name: str) -> str:
    """The absolute path of a wheel's program: beside this interpreter, else on PATH. Raises `PartFailed`."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise PartFailed(name, f"the program {name!r} is missing; install the packages of requirements.lock")
    return found


class Temporal:
    """The Temporal part. State survives restarts and kills; without the file the server starts empty."""

    name = "temporal"

    def __init__(self, layout: Layout, ports: PortBook) -> None:
        self.port = ports.port("temporal")
        self.ui_port = ports.port("temporal-ui")
        argv = [find_program("temporal"), "server", "start-dev", "--log-level", "warn", "--ip", HOST]
        argv += ["--db-filename", str(layout.temporal / "temporal.db"), "--namespace", NAMESPACE]
        argv += ["--port", str(self.port), "--ui-port", str(self.ui_port)]
        argv += ["--http-port", str(ports.port("temporal-http"))]
        argv += ["--metrics-port", str(ports.port("temporal-metrics"))]
        argv += ["--ui-disable-news-fetch"]  # the UI would ask the internet
        argv += [word for key, value in DYNAMIC_CONFIG.items() for word in ("--dynamic-config-value", f"{key}={value}")]
        argv += [word for key in SEARCH_ATTRIBUTES for word in ("--search-attribute", f"{key}=Keyword")]
        command = Command(
            argv=tuple(argv),
            env=plain_environment(layout.temporal),
            cwd=layout.temporal,
            stop=((signal.SIGTERM, 8.0),),
        )
        self._process = SupervisedProcess(
            self.name, command, log=layout.log(self.name), hold=layout.hold(self.name)
        )

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ui_port}"

    async def start(self) -> None:
        await self._process.start()
        await self._process.ready(self._serves, READY_WITHIN)

    async def stop(self) -> None:
        await self._process.stop()

    async def wait_for_crash(self) -> PartFailed:
        return await self._process.wait_for_crash()

    async def _serves(self) -> str | None:
        try:
            client = await Client.connect(self.address, namespace=NAMESPACE)
            return await register_search_attributes(client)
        except (RPCError, RuntimeError) as error:
            return f"the namespace does not answer ({type(error).__name__})"


async def add_search_attributes(client: Client, names: Iterable[str] = tuple(SEARCH_ATTRIBUTES)) -> None:
    """Register search attributes in the client's namespace. Those already there are refused by a real server."""
    wanted = {name: SEARCH_ATTRIBUTES[name] for name in names}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
    )


async def register_search_attributes(client: Client) -> str | None:
    """Add the attributes that the namespace lacks; None when all are there.

    Seen in practice: `--search-attribute` is heard only when the database file is new, so an attribute that a later
    version brings would be missing for ever.
    """
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [name for name in SEARCH_ATTRIBUTES if name not in known.custom_attributes]
    if not missing:
        return None
    await add_search_attributes(client, missing)
    return f"search attributes are being added: {', '.join(missing)}"
