"""The door for HTTP, put together: forms, form services and telephone lines, other programs."""

from intake import door_calls, door_confirm, door_forms, door_hooks, door_services, door_unsubscribe
from intake.arrival import client_address
from intake.door import door

__all__ = [
    "client_address",
    "door",
    "door_calls",
    "door_confirm",
    "door_forms",
    "door_hooks",
    "door_services",
    "door_unsubscribe",
]
