"""Forms that do what an operation of the API does: its body is read from the form's fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields as fields_of
from typing import Any, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.pages.admin_form_fields import Fields, body, checked, text
from services.gateway.pages.admin_pages import Do
from services.gateway.pages.admin_parts import Parts
from services.gateway.web.router import path_reader

Says = Callable[[Any, Mapping[str, Any]], str]
"""Makes the sentence that is shown from an operation's result and its arguments."""


def form(
    parts: Parts,
    operation: Callable[..., Awaitable[Any]],
    says: Says | str,
    *,
    keep_blank: bool = False,
) -> Do:
    """Return what a form does: an operation of the API, whose services are among `parts`.

    Blank fields are left out unless `keep_blank`. What a path of the API names comes from the
    page's address, or else from a field.
    """
    hints = get_type_hints(operation, include_extras=True)
    services = {
        name: service
        for name, hint in hints.items()
        for service in (getattr(parts, each.name) for each in fields_of(parts))
        if type(service) is hint
    }
    in_path = hints.keys() - services.keys() - {"body", "action", "return"}

    async def do(request: web.Request, fields: Fields, action: AdminAction) -> str:
        given: dict[str, Any] = {**services, "action": action}
        for name in in_path:
            sent = request.match_info.get(name) or text(fields, name)
            given[name] = path_reader(hints[name])(sent)
        if "body" in hints:
            values = form_values(hints["body"], fields, keep_blank=keep_blank)
            given["body"] = body(hints["body"], **(values | {"why": action.why}))
        result = await operation(**given)
        return says if isinstance(says, str) else says(result, given)

    return do


def form_values(model: type[BaseModel], fields: Fields, *, keep_blank: bool) -> dict[str, object]:
    """Return the values of a body's fields as a form sends them, by the body's JSON schema."""
    values: dict[str, object] = {}
    for name, schema in model.model_json_schema()["properties"].items():
        kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
        if "boolean" in kinds:
            values[name] = checked(fields, name)
        elif "array" in kinds:
            values[name] = list(fields.getall(name, [])) or None
        elif name in fields and (keep_blank or text(fields, name)):
            values[name] = text(fields, name)
    return values
