"""Form services, one file a format. A file put here is found; nothing else has to name it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, create_model

from intake.forms.service import FormService, ServiceSettings


def _all() -> tuple[FormService[Any], ...]:
    found = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        found += [
            value()
            for value in vars(loaded).values()
            if isinstance(value, type)
            and issubclass(value, FormService)
            and value.__module__ == loaded.__name__
        ]
    return tuple(found)


def by_name(services: Iterable[FormService[Any]]) -> dict[str, FormService[Any]]:
    """The services by all their names. Raises ValueError for two of one name."""
    found: dict[str, FormService[Any]] = {}
    for service in services:
        for name in (service.name, *service.aliases):
            if name in found:
                raise ValueError(f"two form services are named '{name}'")
            found[name] = service
    return found


SERVICES = _all()
BY_NAME = by_name(SERVICES)

if TYPE_CHECKING:
    Services = ServiceSettings
else:
    #: A form's `services`: the secrets of each, by its name.
    Services = create_model(
        "Services",
        __config__=ConfigDict(extra="forbid", frozen=True),
        **{
            service.name.replace("-", "_"): (
                service.settings | None,
                Field(None, alias=service.name, description=service.label),
            )
            for service in SERVICES
        },
    )


def settings_of(service: FormService[Any], services: ServiceSettings) -> Any:
    """What the form says of this service; its defaults where it says nothing, None where it has to."""
    told = getattr(services, service.name.replace("-", "_"))
    return told if told is not None or service.configured else service.settings()
