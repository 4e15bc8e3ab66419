"""S3 by SeaweedFS, from a wheel: one private bucket on a loopback port.

It promises that the bucket answers to the given keys and to nobody else. SeaweedFS's own ports inside (volume, filer)
would hand out every object unasked; signed internal traffic closes them.
"""

import hashlib
import signal
from pathlib import Path

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stack.layout import Layout
from stack.ports import HOST, PortBook
from stack.probes import http_status
from stack.process import Command, PartFailed, SupervisedProcess, plain_environment
from stack.temporal import find_program

BUCKET = "mail"
REGION = "us-east-1"
READY_WITHIN = 60.0
MARK = ".ready"  # the object that is written at every start


class Seaweed:
    """The S3 part. Objects survive restarts and kills."""

    name = "s3"

    def __init__(self, layout: Layout, ports: PortBook, access_key: str, secret_key: str, internal_key: str) -> None:
        self.port = ports.port("s3")
        self.endpoint = f"http://{HOST}:{self.port}"
        self.access_key = access_key
        self.secret_key = secret_key
        self._internal_key = internal_key
        self._directory = layout.s3
        # Seen in practice: the administration part is dialled at its port + 10000 whatever -admin.port.grpc says.
        admin = ports.port("s3-admin", with_partner=True)
        argv = [find_program("weed"), "-logtostderr=true", "mini", "-dir=.", f"-ip={HOST}", f"-ip.bind={HOST}"]
        argv += [f"-bucket={BUCKET}", f"-s3.port={self.port}", f"-admin.port={admin}", f"-admin.port.grpc={admin + 10000}"]
        for option in ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"):
            argv.append(f"-{option}={ports.port('s3-' + option)}")
        argv += [f"-{option}={ports.port('s3-' + option)}" for option in ("filer.port.grpc", "s3.port.grpc")]
        argv += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        argv += ["-master.telemetry=false", "-s3.autoCreateBucket=false"]
        # Relative names, since the path of a socket must not exceed 107 bytes and the default lies in /tmp for all.
        argv += ["-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"]
        command = Command(
            argv=tuple(argv),
            env={**plain_environment(layout.s3), "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key},
            cwd=layout.s3,
            # It needs about 2 s to end well, at times more than 15; its log-structured files survive a kill.
            stop=((signal.SIGTERM, 4.0),),
            orphan_signal=signal.SIGKILL,
        )
        self._process = SupervisedProcess(
            self.name, command, log=layout.log(self.name), hold=layout.hold(self.name)
        )

    async def start(self) -> None:
        self._write_security(self._directory / "security.toml")
        for stale in ("filer.sock", "s3.sock"):
            (self._directory / stale).unlink(missing_ok=True)
        await self._process.start()
        await self._process.ready(self._stores, READY_WITHIN)

    async def stop(self) -> None:
        await self._process.stop()

    async def wait_for_crash(self) -> PartFailed:
        return await self._process.wait_for_crash()

    def _write_security(self, path: Path) -> None:
        sections = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text("".join(f'[{name}]\nkey = "{self._internal_key}"\n' for name in sections), encoding="ascii")

    async def _stores(self) -> str | None:
        """Signed questions, so that a wrong key is noticed here and not at the first mail; then a mark is read and written.

        Seen in practice: after a restart the bucket answers up to some seconds before the stored objects can be read,
        which are 500 until then.
        """
        try:
            bucket = await self._ask("HEAD", f"/{BUCKET}")
            if bucket != 200:
                return "the bucket is not there yet" if bucket == 404 else f"the bucket answers {bucket}"
            read = await self._ask("GET", f"/{BUCKET}/{MARK}")
            if read not in {200, 404}:
                return f"stored objects cannot be read yet ({read})"
            written = await self._ask("PUT", f"/{BUCKET}/{MARK}", b"ready\n")
        except OSError as error:
            return f"it does not answer ({type(error).__name__})"
        return None if written == 200 else f"objects cannot be stored yet ({written})"

    async def _ask(self, method: str, path: str, body: bytes = b"") -> int:
        headers = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        request = AWSRequest(method, self.endpoint + path, headers=headers, data=body)
        S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", REGION).add_auth(request)
        return await http_status(self.endpoint + path, method=method, headers=dict(request.headers), body=body)
