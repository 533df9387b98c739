"""A pool behind TLS: it is talked to only when its certificate is good."""

from __future__ import annotations

import asyncio
import datetime as dt
import pathlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mines import run
from scripted_pool import ScriptedPool

from flask_ticketminer.work.stratum.connection import Connection, Endpoint, Patience
from flask_ticketminer.work.stratum.dialects import BitcoinDialect, Worker
from flask_ticketminer.work.stratum.errors import Disconnected

PATIENCE = Patience(connect=10, answer=10, silence=10)


def certificate(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Return a file with a key and a certificate for the host `name` that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


def server(file: pathlib.Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def opened(pool: ScriptedPool, tls: ssl.SSLContext | None) -> Connection:
    dialect = BitcoinDialect("scrypt", Worker("site.1", "x"), "test/1")
    return await Connection.open(
        Endpoint("localhost", pool.port, tls=True), dialect, patience=PATIENCE, tls=tls
    )


def test_a_session_is_held_under_tls(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        file = certificate(tmp_path, "localhost")
        async with ScriptedPool(tls=server(file)) as pool:
            connection = await opened(pool, ssl.create_default_context(cafile=str(file)))
            running = asyncio.create_task(connection.run())
            job, _ = await connection.next_job()
            assert job.job_id == "job-1"
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(test)


@pytest.mark.parametrize("trusted", [False, True], ids=["nobody knows", "for another host"])
def test_a_certificate_that_is_not_the_pools_is_refused(tmp_path: pathlib.Path, trusted: bool) -> None:
    async def test() -> None:
        file = certificate(tmp_path, "pool.example" if trusted else "localhost")
        context = ssl.create_default_context(cafile=str(file)) if trusted else None
        async with ScriptedPool(tls=server(file)) as pool:
            with pytest.raises(Disconnected, match="certificate"):
                await opened(pool, context)

    run(test)
