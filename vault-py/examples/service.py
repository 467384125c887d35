"""A FastAPI service that reads its database's password from the vault, once, in the worker that uses it.

    SECRETHUB_ADDR=… SECRETHUB_ROLE_ID=… SECRETHUB_SECRET_ID_FILE=… uvicorn service:app
"""

import os
import pathlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request

import secrethub


@dataclass
class Database:
    """Stands for a driver's pool: it takes the password in the clear, and that is where it stays."""

    user: str
    password: secrethub.Secret

    async def answers(self) -> bool:
        """A query would stand here."""
        return bool(self.password.reveal())


async def login(client: secrethub.AsyncClient) -> None:
    """By a token from the environment, or as a role."""
    if client.token is None:
        secret_id = pathlib.Path(os.environ["SECRETHUB_SECRET_ID_FILE"]).read_text().strip()
        await client.login_approle(os.environ["SECRETHUB_ROLE_ID"], secret_id)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens what the workers share: here and not at import, so that every forked worker has its own."""
    async with secrethub.AsyncClient.from_env() as client:
        await login(client)
        found = await client.kv().get("app/database")
        app.state.database = Database(found["user"].reveal(), found["password"])
        app.state.vault = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/ready")
async def ready(request: Request) -> dict[str, bool]:
    """Says whether it can work, and nothing of how."""
    return {"database": await request.app.state.database.answers()}


@app.get("/secret-version")
async def secret_version(request: Request) -> dict[str, int]:
    """Tells when the password was changed; a real service would open its pool again then."""
    found = await request.app.state.vault.kv().get("app/database")
    return {"version": found.version.number}
