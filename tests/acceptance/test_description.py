"""The API's description: sound by OpenAPI's own schema, served to programs and to people."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import orjson
import pytest

from medvid.benchmark.submission_schema import submission_schema
from medvid.models.problem_codes import PROBLEM_CODES
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.depth import deep


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database, load=False) as running:
        yield running


@deep
async def test_the_document_is_sound(gateway: Gateway) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # dear, and for this alone

    status, headers, body = await gateway.get("/api/v1/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = orjson.loads(body)
    OpenAPIV31SpecValidator(document).validate()
    schemas = document["components"]["schemas"]
    with_example = {name for name, schema in schemas.items() if "examples" in schema}
    assert {"Leaderboard", "EntryDetails", "SubmissionReceipt", "ProblemDetails"} <= with_example
    for schema in schemas.values():
        whole = {**schema, "components": document["components"]}
        for example in schema.get("examples", []):
            _validator(whole).validate(example)
    problem = _validator(
        {"$ref": "#/components/schemas/ProblemDetails", "components": document["components"]}
    )
    for example in document["components"]["examples"].values():
        problem.validate(example["value"])


def _validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


async def test_references_in_the_document_lead_somewhere(gateway: Gateway) -> None:
    _, _, body = await gateway.get("/api/v1/openapi.json")
    document = orjson.loads(body)
    operations = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    named = {name.decode() for name in re.findall(rb'"operationId":"([^"]+)"', body)}
    assert named == operations  # also those that links name
    for reference in set(re.findall(rb'"\$ref":"#/([^"]+)"', body)):
        place = document
        for step in reference.decode().split("/"):
            place = place[step]


async def test_the_page_names_every_address_and_model(gateway: Gateway) -> None:
    _, _, body = await gateway.get("/api/v1/openapi.json")
    document = orjson.loads(body)
    shown: dict[str, set[str]] = {}
    for address in ("/docs", "/docs/administration"):
        status, headers, page = await gateway.get(address)
        assert status == 200
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        text = page.decode()
        anchors = shown[address] = set(re.findall(r'id="([^"]+)"', text))
        for target in set(re.findall(r'href="#([^"]+)"', text)):
            assert target in anchors
        assert not re.search(r'(src|href)="(https?:)?//', text)
        assert not re.search(r"\sstyle=|\son\w+=", text)
        assert all(path in text for path, methods in document["paths"].items()
                   if any(each["operationId"] in anchors for each in methods.values()))  # fmt: skip
    anchors = set.union(*shown.values())
    assert {f"model-{name}" for name in document["components"]["schemas"]} <= anchors
    operations = {each["operationId"] for each in _operations(document)}
    assert operations <= anchors
    assert not operations & shown["/docs"] & shown["/docs/administration"]


async def test_every_parameter_and_field_of_a_body_is_explained(gateway: Gateway) -> None:
    _, _, body = await gateway.get("/api/v1/openapi.json")
    document = orjson.loads(body)
    schemas = document["components"]["schemas"]
    unexplained = {
        f"{each['operationId']}: {parameter['name']}"
        for each in _operations(document)
        for parameter in each.get("parameters", [])
        if not parameter.get("description")
    } | {
        f"{name}.{field}"
        for each in _operations(document)
        for content in each.get("requestBody", {}).get("content", {}).values()
        for name in [content["schema"]["$ref"].rpartition("/")[2]]
        for field, schema in schemas[name].get("properties", {}).items()
        if not schema.get("description")
    }
    assert unexplained == set()


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for methods in document["paths"].values() for each in methods.values()]


async def test_every_problem_type_resolves(gateway: Gateway) -> None:
    for code, known in PROBLEM_CODES.items():
        status, _, page = await gateway.get(f"/problems/{code}")
        assert status == 200
        assert known.meaning.split("'")[0] in page.decode()
    status, _, body = await gateway.get("/api/v1/nowhere")
    problem = orjson.loads(body)
    assert (status, problem["code"]) == (404, "not_found")
    assert (await gateway.get(problem["type"]))[0] == 200
    assert (await gateway.get("/problems/no_such"))[0] == 404
    status, _, page = await gateway.get("/problems")
    assert status == 200
    assert all(f'href="/problems/{code}"' in page.decode() for code in PROBLEM_CODES)


async def test_the_schema_of_a_submission_is_served(gateway: Gateway) -> None:
    status, headers, body = await gateway.get("/submission.schema.json")
    assert (status, headers["Content-Type"]) == (200, "application/schema+json")
    assert headers["Access-Control-Allow-Origin"] == "*"  # editors load it from other sites
    assert orjson.loads(body) == submission_schema()
