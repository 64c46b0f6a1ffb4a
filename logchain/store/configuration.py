"""The file that the LogVM's administrator writes: /etc/logchain.toml."""

from logchain.format.errors import UsageError
from logchain.format.settings import DEFAULT_SETTINGS, Settings, parse_settings
from logchain.store.layout import DEFAULT_CONFIG

__all__ = ["read_settings"]


def read_settings(path: str | None) -> Settings:
    """Return the settings of a file; without a path those of DEFAULT_CONFIG, if it is there. Raises UsageError."""
    found = path or DEFAULT_CONFIG
    try:
        with open(found, encoding="utf-8") as file:
            return parse_settings(file.read())
    except FileNotFoundError as error:
        if path is None:
            return DEFAULT_SETTINGS
        raise UsageError(f"cannot read {found}: {error.strerror}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {found}: {error}") from error
    except UsageError as error:
        raise UsageError(f"{found}: {error}") from error
