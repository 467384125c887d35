"""Settings whose secrets come out of the vault: pydantic-settings asks it for what the environment does not say.

    SECRETHUB_ADDR=… SECRETHUB_TOKEN=… python settings.py
"""

from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

import secrethub


class FromVault(PydanticBaseSettingsSource):
    """The fields of one secret, by the names of the settings."""

    def __call__(self) -> dict[str, Any]:
        with secrethub.Client.from_env() as client:
            found = client.kv().get("app/settings")
        return {name: found[name].reveal_json() for name in self.settings_cls.model_fields if name in found}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not asked: all fields come at once."""
        raise NotImplementedError


class Settings(BaseSettings):
    """What the program needs; the environment has the first word."""

    database_host: str = "127.0.0.1"
    database_password: SecretStr

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then the vault."""
        return init_settings, env_settings, FromVault(settings_cls)


if __name__ == "__main__":
    print(repr(Settings()))  # type: ignore[call-arg]  # the vault gives it
