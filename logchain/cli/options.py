"""Options that several commands share."""

import click

from logchain.store.layout import DEFAULT_CONFIG, DEFAULT_STORE

__all__ = ["config_option", "json_option", "store_option"]

store_option = click.option(
    "--store",
    type=click.Path(readable=False),  # that it may not be read is for whoever reads it
    metavar="DIR",
    envvar="LOGCHAIN_STORE",
    default=DEFAULT_STORE,
    show_default=True,
    show_envvar=True,
    help="The store.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

config_option = click.option(
    "--config", metavar="FILE", help=f"The settings of collector and compressor (default: {DEFAULT_CONFIG}, if there)."
)
