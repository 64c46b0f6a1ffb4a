"""The file that the LogVM's administrator writes: /etc/logchain.toml."""

from hashlib import sha256

from logchain.format.errors import UsageError
from logchain.format.settings import DEFAULT_SETTINGS, Settings, parse_settings
from logchain.store.layout import DEFAULT_CONFIG

__all__ = ["read_settings"]


def read_settings(path: str | None) -> Settings:
    """Return the settings of a file; without a path those of DEFAULT_CONFIG, if it is there. Raises UsageError."""
    found = path or DEFAULT_CONFIG
    try:
        with open(found, "rb") as file:
            data = file.read()
        return parse_settings(data.decode())._replace(digest=sha256(data).digest())
    except FileNotFoundError as error:
        if path is None:
            return DEFAULT_SETTINGS
        raise UsageError(f"cannot read {found}: {error.strerror}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {found}: {error}") from error
    except UsageError as error:
        raise UsageError(f"{found}: {error}") from error
